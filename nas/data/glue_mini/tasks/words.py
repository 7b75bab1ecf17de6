"""The words an example may use: all of them, or those a task shows in training."""

from dataclasses import dataclass

from nas.data.glue_mini.lexicon import Lexicon, full_lexicon
from nas.data.glue_mini.sentiment import Opinions, all_opinions


@dataclass(frozen=True)
class Words:
    """A view of the vocabulary."""

    lexicon: Lexicon
    opinions: Opinions

    @classmethod
    def full(cls) -> "Words":
        """Return every word."""
        return cls(full_lexicon(), all_opinions())

    def shown(self, task: str) -> "Words":
        """Return the words that training sentences of `task` use."""
        return Words(self.lexicon.shown(task), self.opinions.shown(task))

    def within(self, *domains: str) -> "Words":
        """Return the words of some domains."""
        return Words(self.lexicon.within(*domains), self.opinions)
