"""The words of glue-mini: nouns, verbs and adjectives in sets of synonyms, with what relates them.

A line of a table is one meaning; the words on it are synonyms. Hypernyms, opposites, gender and
which kinds of noun a verb takes are columns. A task's training sentences show only a part of the
words (`Lexicon.shown`); its development sentences and the corpus use them all.
"""

import zlib
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property

DOMAINS = ("farm", "kitchen", "school", "harbour")
HELD_PERCENT = 35

# synonyms | kind | domain | hypernym | gender of persons
_NOUNS = """
farmer grower | person | farm | worker | m
boy lad | person | farm | child | m
girl lass | person | farm | child | f
shepherd | person | farm | worker | m
cook chef | person | kitchen | worker | m
waitress hostess | person | kitchen | worker | f
guest visitor | person | kitchen | person | m
aunt | person | kitchen | relative | f
uncle | person | kitchen | relative | m
teacher tutor | person | school | worker | f
pupil student | person | school | child | m
doctor physician | person | school | worker | f
lawyer attorney | person | school | worker | m
sister | person | school | relative | f
sailor mariner | person | harbour | worker | m
captain skipper | person | harbour | worker | m
merchant trader | person | harbour | worker | m
queen | person | harbour | ruler | f
king | person | harbour | ruler | m
dog hound | animal | farm | animal |
horse pony | animal | farm | animal |
cow | animal | farm | animal |
goat | animal | farm | animal |
rabbit hare | animal | farm | animal |
hen chicken | animal | farm | bird |
cat kitten | animal | kitchen | animal |
rat | animal | kitchen | animal |
parrot | animal | school | bird |
hamster | animal | school | animal |
gull | animal | harbour | bird |
seal | animal | harbour | animal |
crab | animal | harbour | animal |
cart wagon | thing | farm | vehicle |
tractor | thing | farm | vehicle |
spade shovel | thing | farm | tool |
hammer mallet | thing | farm | tool |
stone rock | thing | farm | object |
cup mug | thing | kitchen | object |
pot kettle | thing | kitchen | tool |
plate dish | thing | kitchen | object |
pie tart | thing | kitchen | food |
apple | thing | kitchen | fruit |
pear | thing | kitchen | fruit |
book volume | thing | school | object |
letter note | thing | school | object |
pencil crayon | thing | school | tool |
picture painting | thing | school | object |
coat jacket | thing | school | garment |
hat cap | thing | school | garment |
boat ship | thing | harbour | vehicle |
rope cord | thing | harbour | tool |
barrel cask | thing | harbour | object |
lamp lantern | thing | harbour | tool |
crate box | thing | harbour | object |
field meadow | place | farm | place |
barn stable | place | farm | building |
forest wood | place | farm | place |
kitchen | place | kitchen | room |
cellar | place | kitchen | room |
garden yard | place | kitchen | place |
school academy | place | school | building |
library | place | school | building |
office study | place | school | room |
harbour port | place | harbour | place |
beach shore | place | harbour | place |
market bazaar | place | harbour | place |
"""

# synonyms | kinds of subject | kinds of object | opposite (first word of its line)
_VERBS = """
chase pursue | person animal | person animal |
help assist | person | person animal | hinder
hinder obstruct | person | person animal | help
push shove | person animal | thing animal | pull
pull drag | person animal | thing animal | push
carry haul | person | thing | drop
drop | person | thing | carry
watch observe | person animal | person animal thing | ignore
ignore neglect | person animal | person animal thing | watch
follow trail | person animal | person animal | avoid
avoid evade | person animal | person animal | follow
repair mend | person | thing | damage
damage wreck | person | thing | repair
clean wash | person | thing animal | soil
soil stain | person animal | thing animal | clean
lift raise | person | thing animal | lower
lower | person | thing animal | lift
praise applaud | person | person | blame
blame accuse | person | person | praise
love adore | person animal | person animal thing | hate
hate detest | person animal | person animal thing | love
grab seize | person animal | thing animal | release
release free | person | animal thing | grab
scare frighten | person animal | person animal | calm
calm soothe | person | person animal | scare
purchase acquire | person | thing animal | trade
trade barter | person | thing animal | purchase
visit | person | person |
kick | person animal | thing |
paint | person | thing |
laugh giggle | person | - | cry
cry sob | person | - | laugh
walk stroll | person animal | - | hurry
hurry rush | person animal | - | walk
shout yell | person | - | whisper
whisper murmur | person | - | shout
rest doze | person animal | - | work
work labour | person animal | - | rest
arrive appear | person animal | - | vanish
vanish disappear | person animal | - | arrive
jump hop | person animal | - |
dance | person | - |
wait linger | person animal | - |
"""

# synonyms | kinds of noun | opposite (first word of its line)
_ADJECTIVES = """
big large | person animal thing | small
small little | person animal thing | big
old aged | person animal thing | young
young youthful | person animal | old
quick fast | person animal | slow
slow sluggish | person animal | quick
happy glad | person | sad
sad gloomy | person | happy
rich wealthy | person | needy
needy penniless | person | rich
brave bold | person animal | timid
timid shy | person animal | brave
clever smart | person animal | silly
silly foolish | person animal | clever
strong sturdy | person animal thing | feeble
feeble weak | person animal thing | strong
wet damp | animal thing | dry
dry | animal thing | wet
new modern | thing | worn
worn shabby | thing | new
red | thing | blue
blue | thing | red
black | animal thing | white
white | animal thing | black
"""


@dataclass(frozen=True)
class Noun:
    """A noun; nouns of one `meaning` are synonyms."""

    word: str
    meaning: str
    kind: str
    domain: str
    hypernym: str
    gender: str

    @property
    def plural(self) -> str:
        """Its plural."""
        return add_s(self.word)


@dataclass(frozen=True)
class Verb:
    """A regular verb; past and participle are the same."""

    word: str
    meaning: str
    subjects: frozenset[str]
    objects: frozenset[str]
    opposite: str

    @property
    def third(self) -> str:
        """Present tense after a singular subject."""
        return add_s(self.word)

    @property
    def past(self) -> str:
        """Past tense and participle."""
        return add_ed(self.word)


@dataclass(frozen=True)
class Adjective:
    """An adjective that goes with some kinds of noun."""

    word: str
    meaning: str
    kinds: frozenset[str]
    opposite: str


def add_s(word: str) -> str:
    """Return the form in -s: "box" -> "boxes", "carry" -> "carries"."""
    if word.endswith(("s", "x", "ch", "sh")):
        return word + "es"
    if word.endswith("y") and word[-2] not in "aeiou":
        return word[:-1] + "ies"
    return word + "s"


def add_ed(word: str) -> str:
    """Return the form in -ed: "carry" -> "carried", "drop" -> "dropped"."""
    if word.endswith("e"):
        return word + "d"
    if word.endswith("y") and word[-2] not in "aeiou":
        return word[:-1] + "ied"
    if word in {"drop", "grab", "hop", "sob", "drag"}:
        return word + word[-1] + "ed"
    return word + "ed"


@dataclass(frozen=True)
class Lexicon:
    """A set of words to make sentences from."""

    nouns: tuple[Noun, ...]
    verbs: tuple[Verb, ...]
    adjectives: tuple[Adjective, ...]

    def shown(self, task: str) -> "Lexicon":
        """Return what the training sentences of `task` may use: about two words in three.

        Which words those are differs from task to task and never from seed to seed.
        """

        def keep(entry: Noun | Verb | Adjective) -> bool:
            return zlib.crc32(f"{task}/{entry.word}".encode()) % 100 >= HELD_PERCENT

        return Lexicon(
            tuple(filter(keep, self.nouns)),
            tuple(filter(keep, self.verbs)),
            tuple(filter(keep, self.adjectives)),
        )

    def within(self, *domains: str) -> "Lexicon":
        """Return the words of some domains; verbs and adjectives belong to all."""
        nouns = tuple(n for n in self.nouns if n.domain in domains)
        return Lexicon(nouns, self.verbs, self.adjectives)

    @cached_property
    def _recalled(self) -> dict[tuple, list]:
        return {}

    def recall(self, key: tuple, make: Callable[[], list]) -> list:
        """Return what `make` gives, made once for a key; whoever gets it leaves it as it is.

        A corpus asks tens of thousands of times for the same few choices of words.
        """
        found = self._recalled.get(key)
        if found is None:
            found = self._recalled[key] = make()
        return found

    @cached_property
    def _nouns_by(self) -> dict[tuple[str, str], list[Noun]]:
        table = defaultdict(list)
        for noun in self.nouns:
            table[noun.kind, noun.domain].append(noun)
        return table

    @cached_property
    def _by_meaning(self) -> dict[tuple[type, str], list]:
        table = defaultdict(list)
        for entry in (*self.nouns, *self.verbs, *self.adjectives):
            table[type(entry), entry.meaning].append(entry)
        return table

    def nouns_of(self, kinds: frozenset[str] | set[str], domain: str | None = None) -> list[Noun]:
        """Return the nouns of some kinds, of one domain or of all."""
        domains = DOMAINS if domain is None else (domain,)
        return self.recall(
            ("nouns", frozenset(kinds), domain),
            lambda: [n for k in sorted(kinds) for d in domains for n in self._nouns_by[k, d]],
        )

    def synonyms(self, entry: Noun | Verb | Adjective) -> list:
        """Return the other words of the same meaning; often one, sometimes none."""
        kind = type(entry)
        return self.recall(
            ("synonyms", kind, entry.meaning, entry.word),
            lambda: [e for e in self._by_meaning[kind, entry.meaning] if e.word != entry.word],
        )

    def opposites(self, entry: Verb | Adjective) -> list:
        """Return the words that mean the opposite."""
        return list(self._by_meaning[type(entry), entry.opposite]) if entry.opposite else []


@cache
def full_lexicon() -> Lexicon:
    """Return every word of glue-mini."""
    nouns, verbs, adjectives = [], [], []
    for words, kind, domain, hypernym, gender in _rows(_NOUNS):
        nouns += [Noun(w, words.split()[0], kind, domain, hypernym, gender) for w in words.split()]
    for words, subjects, objects, opposite in _rows(_VERBS):
        kinds = frozenset(subjects.split()), frozenset(objects.replace("-", "").split())
        verbs += [Verb(w, words.split()[0], *kinds, opposite) for w in words.split()]
    for words, kinds, opposite in _rows(_ADJECTIVES):
        adjectives += [
            Adjective(w, words.split()[0], frozenset(kinds.split()), opposite)
            for w in words.split()
        ]
    return Lexicon(tuple(nouns), tuple(verbs), tuple(adjectives))


def _rows(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in row.split("|")] for row in table.strip().splitlines()]
