"""What a stack may have, numbered without being listed: however much there is, it can be counted.

Short sequences are listed once, which is faster to look up; of long ones a member is made from its
number, and its number from it.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from itertools import combinations_with_replacement, product
from math import comb
from typing import Any

MOST_LISTED = 100_000


class Numbered(ABC):
    """A sequence of distinct tuples that knows how many it has, each by its number.

    Attributes:
        count: How many there are, a whole number of any size.
    """

    count: int

    @abstractmethod
    def at(self, number: int) -> tuple:
        """Return the member with a number from 0 to `count` - 1."""

    @abstractmethod
    def number(self, member: tuple) -> int | None:
        """Return the number of a member; None where it is none."""

    @abstractmethod
    def __iter__(self) -> Iterator[tuple]:
        """All members in the order of their numbers."""


def numbered(members: Numbered) -> Numbered:
    """Return the same sequence, listed if it is short."""
    return Listed(members) if members.count <= MOST_LISTED else members


class Listed(Numbered):
    """Members in a list."""

    def __init__(self, members: Numbered):
        self._members = tuple(members)
        self._numbers = {member: i for i, member in enumerate(self._members)}
        self.count = len(self._members)

    def at(self, number: int) -> tuple:
        return self._members[number]

    def number(self, member: tuple) -> int | None:
        return self._numbers.get(member)

    def __iter__(self) -> Iterator[tuple]:
        return iter(self._members)


class Chain(Numbered):
    """Sequences one after the other, told apart by the length of their members."""

    def __init__(self, sequences: dict[int, Numbered]):
        self._sequences = sequences
        self.count = sum(one.count for one in sequences.values())

    def at(self, number: int) -> tuple:
        for one in self._sequences.values():
            if number < one.count:
                return one.at(number)
            number -= one.count
        raise IndexError("a number is below the count")

    def number(self, member: tuple) -> int | None:
        before = 0
        for length, one in self._sequences.items():
            if length == len(member):
                found = one.number(member)
                return None if found is None else before + found
            before += one.count
        return None

    def __iter__(self) -> Iterator[tuple]:
        for one in self._sequences.values():
            yield from one


class Products(Numbered):
    """One option of each list, the last changing fastest, as `itertools.product` has them."""

    def __init__(self, options: Sequence[Sequence[Any]]):
        self._options = [tuple(choices) for choices in options]
        self._places = [{choice: i for i, choice in enumerate(c)} for c in self._options]
        self.count = 1
        for choices in self._options:
            self.count *= len(choices)

    def at(self, number: int) -> tuple:
        chosen = []
        for choices in reversed(self._options):
            number, place = divmod(number, len(choices))
            chosen.append(choices[place])
        return tuple(reversed(chosen))

    def number(self, member: tuple) -> int | None:
        if len(member) != len(self._options):
            return None
        number = 0
        for choice, places in zip(member, self._places, strict=True):
            if choice not in places:
                return None
            number = number * len(places) + places[choice]
        return number

    def __iter__(self) -> Iterator[tuple]:
        return product(*self._options)


class Repeated(Numbered):
    """One option so many times."""

    def __init__(self, options: Sequence[Any], times: int):
        self._options, self._times = tuple(options), times
        self._places = {(option,) * times: i for i, option in enumerate(self._options)}
        self.count = len(self._options)

    def at(self, number: int) -> tuple:
        return (self._options[number],) * self._times

    def number(self, member: tuple) -> int | None:
        return self._places.get(member)

    def __iter__(self) -> Iterator[tuple]:
        return iter(self._places)


class Multisets(Numbered):
    """So many options in their order, each any number of times.

    Numbered as `itertools.combinations_with_replacement` has them.
    """

    def __init__(self, options: Sequence[Any], size: int):
        self._options, self._size = tuple(options), size
        self._places = {option: i for i, option in enumerate(self._options)}
        self.count = self._completions(0, size)

    def _completions(self, least: int, left: int) -> int:
        """How many multisets of `left` options there are from the place `least` on."""
        return comb(len(self._options) - least + left - 1, left)

    def at(self, number: int) -> tuple:
        place, chosen = 0, []
        for left in range(self._size - 1, -1, -1):
            while number >= (here := self._completions(place, left)):
                number -= here
                place += 1
            chosen.append(self._options[place])
        return tuple(chosen)

    def number(self, member: tuple) -> int | None:
        if len(member) != self._size or any(option not in self._places for option in member):
            return None
        number = before = 0
        for left, option in zip(range(self._size - 1, -1, -1), member, strict=True):
            place = self._places[option]
            if place < before:
                return None  # not in order
            number += sum(self._completions(i, left) for i in range(before, place))
            before = place
        return number

    def __iter__(self) -> Iterator[tuple]:
        return combinations_with_replacement(self._options, self._size)
