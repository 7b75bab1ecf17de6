"""Opinions: words with a polarity, and sentences whose polarity is not that of their words alone.

A view of the words (`Opinions.shown`) leaves some to the corpus and the development sentences.
"""

import zlib
from dataclasses import dataclass

from nas.data.glue_mini.draw import Draw
from nas.data.glue_mini.lexicon import HELD_PERCENT

TOPICS = (
    "film", "story", "play", "song", "meal", "show", "novel", "music", "plot", "ending", "dance",
    "speech", "party", "scene",
)  # fmt: skip
_INTENSIFIERS = ("very", "really", "quite", "truly", "so")
_ADJECTIVES = (
    "awful terrible dull dreadful boring nasty ugly clumsy stale tedious grim bland painful messy "
    "lame hollow",
    "wonderful lovely superb charming delightful brilliant pleasant splendid great excellent "
    "graceful touching funny fresh gripping warm",
)
_NOUNS = (
    "mess failure bore disaster waste flop shame",
    "joy treat triumph delight gem success pleasure",
)
_REACTIONS = (
    (
        "the crowd booed",
        "everyone yawned",
        "the guests left early",
        "people complained",
        "nobody clapped",
        "we were sorry to be there",
    ),
    (
        "the crowd cheered",
        "everyone smiled",
        "the guests stayed late",
        "people were thrilled",
        "everybody clapped",
        "we were happy to be there",
    ),
)


@dataclass(frozen=True)
class Opinions:
    """Words of opinion, negative ones first in each pair."""

    adjectives: tuple[tuple[str, ...], tuple[str, ...]]
    nouns: tuple[tuple[str, ...], tuple[str, ...]]

    def shown(self, task: str) -> "Opinions":
        """Return what the training sentences of `task` may use: about two words in three."""

        def keep(words: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(
                w for w in words if zlib.crc32(f"{task}/{w}".encode()) % 100 >= HELD_PERCENT
            )

        return Opinions(tuple(map(keep, self.adjectives)), tuple(map(keep, self.nouns)))

    def opinion(self, draw: Draw, polarity: int, turned: float = 0.5) -> list[str]:
        """Return the words of an opinion that is good (1) or bad (0) on the whole.

        Args:
            draw: The stream of choices.
            polarity: 1 for a good opinion, 0 for a bad one.
            turned: Share of sentences that hold words of the other polarity too, turned around by
                a negation or outweighed after "but".
        """
        topic, other_topic = draw.sample(TOPICS, 2)
        adjective, second = draw.sample(self.adjectives[polarity], 2)
        contrary = draw.pick(self.adjectives[1 - polarity])
        if not draw.chance(turned):
            article = "an" if adjective[0] in "aeiou" else "a"
            return draw.pick(
                (
                    ["the", topic, "was", draw.pick(_INTENSIFIERS), adjective],
                    ["the", topic, "was", adjective, "and", second],
                    [article, adjective, "and", second, topic],
                    ["the", topic, "was", "a", draw.pick(self.nouns[polarity])],
                    ["what", article, adjective, topic],
                    ["the", adjective, topic, "is", "a", draw.pick(self.nouns[polarity])],
                )
            )
        return draw.pick(
            (
                ["the", topic, "was", "not", contrary],
                ["the", topic, "was", "never", contrary, "and", "the", other_topic, "was", second],
                ["the", topic, "was", "far", "from", contrary],
                ["hardly", "anyone", "found", "the", topic, contrary],
                ["the", topic, "was", contrary, "but", "the", other_topic, "was", adjective],
                ["the", contrary, topic, "became", adjective, "in", "the", "end"],
                ["although", "the", topic, "was", contrary, "it", "was", "a",
                 draw.pick(self.nouns[polarity])],
                ["the", topic, "was", "not", "a", draw.pick(self.nouns[1 - polarity])],
            )
        )  # fmt: skip

    def review(self, draw: Draw) -> list[list[str]]:
        """Return the sentences of a review for the corpus: opinion and reaction agree."""
        polarity = int(draw.chance(0.5))
        lines = [self.opinion(draw, polarity, turned=0.3), draw.pick(_REACTIONS[polarity]).split()]
        if draw.chance(0.6):
            lines.append(self.opinion(draw, polarity, turned=0.3))
        return lines


def all_opinions() -> Opinions:
    """Return every word of opinion."""
    return Opinions(
        tuple(tuple(words.split()) for words in _ADJECTIVES),
        tuple(tuple(words.split()) for words in _NOUNS),
    )
