"""What a section of the report is, and the list of all of them."""

from collections.abc import Callable
from dataclasses import dataclass, field

from nas.report.blocks import Block
from nas.report.snapshot import Snapshot
from search_spaces.registry import Registry


@dataclass(frozen=True)
class Section:
    """One part of the report.

    Attributes:
        title: Its heading.
        lead: One or two sentences that say what it shows, and what it says about this run.
        blocks: What is drawn; see `nas.report.blocks`.
    """

    title: str
    lead: str
    blocks: list[Block] = field(default_factory=list)


# name -> what builds the section, or returns None where the run has nothing to show in it
SECTIONS: Registry[Callable[[Snapshot], Section | None]] = Registry(
    "report section", "nas.report_sections"
)
