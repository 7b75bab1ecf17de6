"""Vectors of the entities of a knowledge graph, trained from its triples.

Source: Bordes et al., "Translating Embeddings for Modeling Multi-relational Data", NIPS 2013
(TransE: a true triple's head and relation sum to its tail, up to a margin nearer than to another's;
entities have length 1). ConceptNet's triples as of Li et al., "Commonsense Knowledge Base
Completion", ACL 2016: relation, head and tail with tabs between.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from nas.ensembles.knowledge import Knowledge, words_of
from nas.ensembles.word_vectors import lines_of
from nas.training.seeds import torch_seed
from search_spaces.errors import InvalidData

FEATURES, PASSES, BATCH, RATE, MARGIN = 32, 10, 1024, 0.1, 1.0
_PARTS = 3


@dataclass(frozen=True)
class Triples:
    """What is true of entities.

    Attributes:
        entities: Their names.
        relations: Their names.
        rows: Places of head, relation and tail, `(n, 3)` int64.
    """

    entities: tuple[str, ...]
    relations: tuple[str, ...]
    rows: np.ndarray


def read_triples(path: Path) -> Triples:
    """Return the triples of a text file.

    Raises:
        InvalidData: The file cannot be read, or a line has not three parts.
    """
    entities: dict[str, int] = {}
    relations: dict[str, int] = {}
    rows = []
    for number, line in enumerate(lines_of(path), start=1):
        parts = line.split("\t")
        if len(parts) != _PARTS:
            raise InvalidData(
                f"{path}, line {number}: it has {len(parts)} parts, and a triple has three: "
                "relation<TAB>head<TAB>tail."
            )
        relation, *both = parts
        head, tail = (" ".join(words_of(text)) or text for text in both)
        rows.append(
            (
                entities.setdefault(head, len(entities)),
                relations.setdefault(relation, len(relations)),
                entities.setdefault(tail, len(entities)),
            )
        )
    return Triples(tuple(entities), tuple(relations), np.array(rows, np.int64).reshape(-1, _PARTS))


def translations(
    triples: Triples, *, seed: int, features: int = FEATURES, passes: int = PASSES
) -> Knowledge:
    """Return vectors of all entities, each of length 1.

    Args:
        triples: What is true.
        seed: Decides where vectors start, the order, and what is not true.
        features: Width of the vectors.
        passes: Over the triples.
    """
    found, _ = trained(triples, seed=seed, features=features, passes=passes)
    return Knowledge({name: place for place, name in enumerate(triples.entities)}, found.numpy())


def trained(triples: Triples, *, seed: int, features: int, passes: int) -> tuple[Tensor, Tensor]:
    """Return the vectors of entities and of relations, float64; see `translations`."""
    generator = torch.Generator().manual_seed(torch_seed(seed))

    def start(count: int) -> Tensor:
        drawn = torch.rand(count, features, generator=generator, dtype=torch.float64)
        return torch.nn.functional.normalize(2 * drawn - 1)

    entities, relations = start(len(triples.entities)), start(len(triples.relations))
    rows = torch.from_numpy(triples.rows)
    for _ in range(passes):
        order = torch.randperm(len(rows), generator=generator)
        for true in rows[order].split(BATCH):
            false = corrupted(true, len(entities), generator)
            places, moves = steps(entities, relations, true, false)
            for table, at, move in zip((entities, relations), places, moves, strict=True):
                table.index_add_(0, at, move, alpha=-RATE)
            touched = places[0].unique()
            entities[touched] = torch.nn.functional.normalize(entities[touched])
    return entities, relations


def corrupted(true: Tensor, entities: int, generator: torch.Generator) -> Tensor:
    """Return triples `(n, 3)` whose head or tail is another entity, drawn."""
    false = true.clone()
    side = 2 * torch.randint(2, (len(true),), generator=generator)
    drawn = torch.randint(entities, (len(true),), generator=generator)
    false[torch.arange(len(true)), side] = drawn
    return false


def distances(entities: Tensor, relations: Tensor, rows: Tensor) -> Tensor:
    """Return how far head and relation are from the tail of each triple, `(n,)`."""
    return (entities[rows[:, 0]] + relations[rows[:, 1]] - entities[rows[:, 2]]).norm(dim=1)


def steps(
    entities: Tensor, relations: Tensor, true: Tensor, false: Tensor
) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Return the gradient of the summed loss, max(0, margin + true - false), where it is not zero.

    Returns:
        The places in `entities` and in `relations`, some of them several times, and what is to be
        added up there, `(places, features)` each.
    """
    at, moves = [], []
    wrong = distances(entities, relations, true) + MARGIN > distances(entities, relations, false)
    for rows, sign in ((true[wrong], 1.0), (false[wrong], -1.0)):
        gap = entities[rows[:, 0]] + relations[rows[:, 1]] - entities[rows[:, 2]]
        at.append(rows)
        moves.append(sign * gap / gap.norm(dim=1, keepdim=True).clamp(min=1e-12))
    both, move = torch.cat(at), torch.cat(moves)
    return (torch.cat([both[:, 0], both[:, 2]]), both[:, 1]), (torch.cat([move, -move]), move)
