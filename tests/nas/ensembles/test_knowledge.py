"""What is known of words: which entities are in a text, and files of vectors and of triples."""

import gzip
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from nas.ensembles.knowledge import Knowledge, candidates, linked
from nas.ensembles.known_words import read_knowledge
from nas.ensembles.triples import (
    MARGIN,
    Triples,
    corrupted,
    distances,
    read_triples,
    steps,
    trained,
    translations,
)
from nas.ensembles.word_vectors import read_word_vectors
from search_spaces.errors import InvalidData

SHARED = Path(os.environ.get("NAS_DATA", Path(__file__).parents[4] / "shared" / "data"))
TEXTS = ["I like Ice Cream, and ice.", "nothing here"]


def test_the_longest_entity_counts_and_an_unknown_one_is_zeros():
    known = Knowledge(
        {"ice": 0, "ice cream": 1, "cream": 2, "like": 3}, np.diag([1.0, 2.0, 3.0, 4.0])
    )
    assert list(linked(TEXTS[0], known.places)) == ["like", "ice cream", "ice"]
    found = known.of_texts(TEXTS)
    np.testing.assert_allclose(found, [[1 / 3, 2 / 3, 0, 4 / 3], [0, 0, 0, 0]])
    assert known.of_entity("snow").tolist() == [0, 0, 0, 0]
    assert known.of_entity("cream").tolist() == [0, 0, 3, 0]
    assert "ice cream and ice" in candidates(TEXTS)
    assert "like ice cream and ice" not in candidates(TEXTS)


FILES = {
    "numberbatch": "3 2\nice_cream 1 2\nice 3 -4.5e-1\nsnow 5 6\n",
    "all languages": "3 2\n/c/en/ice_cream 1 2\n/c/de/ice 9 9\n/c/en/ice 3 -4.5e-1\n",
    "entities": "ENTITY/Ice_cream 1 2\nice 3 -0.45\r\nICE 7 7\n",
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("zipped", [False, True])
def test_files_of_vectors_are_read(tmp_path, name, zipped):
    path = tmp_path / "vectors.txt"
    path.write_bytes(gzip.compress(FILES[name].encode()) if zipped else FILES[name].encode())
    found = read_word_vectors(path)
    assert found.of_entity("ice cream").tolist() == [1, 2]
    assert found.of_entity("ice").tolist() == [3, -0.45]
    few = read_word_vectors(path, {"ice cream"})
    assert (list(few.places), few.vectors.tolist()) == (["ice cream"], [[1, 2]])
    known = read_knowledge(path, TEXTS, seed=0)
    assert set(known.places) == {"ice", "ice cream"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["is empty"]),
        (b"ice 1 2\nsnow 1\n", ["line 2", "1 numbers instead of 2"]),
        (b"ice 1 2\nsnow 1 two\n", ["line 2", "'1 two', which are no numbers"]),
        (b"ice 1 nan\n", ["line 1", "not finite"]),
        (b"ice\n", ["line 1", "0 numbers instead of some"]),
        (b"\xff\xfe\x00ice", ["no text in UTF-8", "word2vec"]),
        (gzip.compress(b"ice 1 2\n" * 99, mtime=0)[:20], ["cannot be read"]),
        (gzip.compress(b"", mtime=0)[:10] + b"\x07" * 40, ["cannot be read", "block type"]),
        (b"ice " + b"1 " * (1 << 20), ["a million characters"]),
    ],
    ids=lambda given: str(given)[:20],
)
def test_a_file_that_is_none_is_explained(tmp_path, content, words):
    path = tmp_path / "vectors.txt"
    path.write_bytes(content)
    with pytest.raises(InvalidData) as error:
        read_word_vectors(path)
    for word in words:
        assert word in str(error.value)


def test_vectors_that_unfold_to_what_nobody_would_have_written(tmp_path, monkeypatch):
    monkeypatch.setattr("nas.data.own.compressed._UNTOLD", 1_000_000)
    (tmp_path / "vectors.gz").write_bytes(gzip.compress(b"ice 1 2\n" * 200_000))
    with pytest.raises(InvalidData, match="unfolds to more than 100 times its size"):
        read_word_vectors(tmp_path / "vectors.gz")


def test_a_file_of_other_words_or_none_at_all_is_explained(tmp_path):
    (tmp_path / "other.txt").write_text("neige 1 2\n")
    with pytest.raises(InvalidData, match="None of the entities .* their language"):
        read_knowledge(tmp_path / "other.txt", TEXTS, seed=0)
    with pytest.raises(InvalidData, match="No such file"):
        read_knowledge(tmp_path / "nowhere.txt", TEXTS, seed=0)


def test_triples_are_read_and_a_broken_line_named(tmp_path):
    path = tmp_path / "triples.txt"
    path.write_text("IsA\tice cream\tdessert\nHasA\tdessert\tSugar\n")
    found = read_triples(path)
    assert found.entities == ("ice cream", "dessert", "sugar")
    assert found.relations == ("IsA", "HasA")
    assert found.rows.tolist() == [[0, 0, 1], [1, 1, 2]]
    known = read_knowledge(path, TEXTS, seed=0)
    assert list(known.places) == ["ice cream"]
    np.testing.assert_allclose(np.linalg.norm(known.vectors, axis=1), 1)
    path.write_text("IsA\tice\tcold\nIsA\tice\n")
    with pytest.raises(InvalidData, match="line 2: it has 2 parts, and a triple has three"):
        read_triples(path)


def planted(count=40, features=6):
    """Return triples of two relations that are moves on a ring: an entity to the next ones."""
    rows = [(i, r, (i + r + 1) % count) for i in range(count) for r in (0, 1)]
    names = tuple(f"e{i}" for i in range(count))
    return Triples(names, ("next", "after"), np.array(rows))


def test_the_steps_are_the_gradient_of_the_margin_loss():
    generator = torch.Generator().manual_seed(0)
    tables = [
        torch.randn(n, 5, generator=generator, dtype=torch.float64).requires_grad_() for n in (9, 3)
    ]
    true = torch.randint(3, (20, 3), generator=generator)
    true[:, [0, 2]] = torch.randint(9, (20, 2), generator=generator)
    false = corrupted(true, 9, generator)
    both = [distances(*tables, rows) for rows in (true, false)]
    expected = torch.autograd.grad((MARGIN + both[0] - both[1]).clamp(min=0).sum(), tables)
    plain = [table.detach() for table in tables]
    for table, wanted, at, move in zip(plain, expected, *steps(*plain, true, false), strict=True):
        found = torch.zeros_like(table).index_add_(0, at, move)
        torch.testing.assert_close(found, wanted)


def test_what_is_not_true_differs_from_what_is_in_head_or_tail():
    true = torch.tensor([[0, 1, 2]] * 200)
    false = corrupted(true, 50, torch.Generator().manual_seed(0))
    assert torch.equal(false[:, 1], true[:, 1])
    changed = false != true
    assert (changed.sum(1) <= 1).all()
    assert changed[:, 0].sum() > 70
    assert changed[:, 2].sum() > 70


def test_true_triples_come_nearer_than_others():
    triples = planted()
    entities, relations = trained(triples, seed=0, features=16, passes=100)
    rows = torch.from_numpy(triples.rows)
    torch.testing.assert_close(entities.norm(dim=1), torch.ones(40, dtype=torch.float64))
    false = corrupted(rows, 40, torch.Generator().manual_seed(9))
    nearer = distances(entities, relations, rows) < distances(entities, relations, false)
    assert nearer.double().mean() > 0.8
    again = translations(triples, seed=0, features=16, passes=100)
    assert np.array_equal(again.vectors, entities.numpy())


@pytest.mark.slow
def test_vectors_of_conceptnet_tell_true_triples_that_were_held_out():
    folder = SHARED / "conceptnet"
    if not folder.is_dir():
        pytest.skip("no ConceptNet here; set NAS_DATA")
    triples, held = (read_triples(folder / f"cn100k_{part}.txt") for part in ("train", "valid"))
    entities, relations = trained(triples, seed=0, features=32, passes=10)
    places = {name: place for place, name in enumerate(triples.entities)}
    kinds = {name: place for place, name in enumerate(triples.relations)}
    rows = [
        (places.get(held.entities[h]), kinds.get(held.relations[r]), places.get(held.entities[t]))
        for h, r, t in held.rows
    ]
    rows = torch.tensor([row for row in rows if None not in row])
    assert len(rows) > 1000
    false = corrupted(rows, len(entities), torch.Generator().manual_seed(1))
    nearer = distances(entities, relations, rows) < distances(entities, relations, false)
    assert nearer.double().mean() > 0.8
