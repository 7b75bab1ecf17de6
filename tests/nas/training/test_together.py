"""All tasks at once: what they share, what is their own, and how they are said to be related."""

import dataclasses

import pytest
import torch
from torch import nn

from nas.data.batches import batches
from nas.models.encoder import Encoder
from nas.training.finetunings.multi_task import Alignment, aligned, fold
from nas.training.task_relations import (
    covariance_similarity,
    rows_of,
    similarity_lines,
    svd_weights,
)
from nas.training.trial import model_options, run_trial
from search_spaces.errors import InvalidExperiment
from search_spaces.parts import Part


def tasks_of(rows=400, width=8):
    """The second task is the first one turned: its inputs, and where its answers lie."""
    torch.manual_seed(1)
    spread = torch.linspace(2, 0.3, width)
    one = torch.randn(rows, width) * spread
    answer = nn.functional.normalize(torch.randn(width), dim=0)
    turn = torch.linalg.qr(torch.randn(width, width))[0]
    other = (torch.randn(rows, width) * spread) @ turn.T
    first = one @ answer + 0.1 * torch.randn(rows)
    return (one, first), (other, other @ (turn @ answer) + 0.1 * torch.randn(rows)), turn


@pytest.mark.parametrize(("alignment", "ends"), [(False, 0.668), (True, 0.01986)])
def test_alignment_takes_away_what_one_turned_task_loses_to_another(alignment, ends):
    *tasks, _ = tasks_of()
    torch.manual_seed(0)
    shared = nn.Parameter(torch.randn(8, 1) * 0.3)
    heads = nn.Parameter(torch.ones(2))
    alignments = [Alignment(8), Alignment(8)]
    learnt = [shared, heads]
    if alignment:
        learnt += [p for module in alignments for p in module.parameters()]
    optimizer = torch.optim.LBFGS(learnt, max_iter=150, line_search_fn="strong_wolfe")

    def lost():
        optimizer.zero_grad()
        losses = [
            nn.functional.mse_loss((module(x) @ shared).squeeze() * head, y)
            for (x, y), module, head in zip(tasks, alignments, heads, strict=True)
        ]
        sum(losses).backward()
        return sum(losses)

    optimizer.step(lost)
    loss = lost()
    alone = sum(
        nn.functional.mse_loss(x @ torch.linalg.lstsq(x, y[:, None]).solution.squeeze(), y).item()
        for x, y in tasks
    )
    assert alone == pytest.approx(0.01986, abs=1e-5)
    assert loss.item() == pytest.approx(ends, rel=0.01)


def test_a_set_is_like_itself_and_like_itself_turned_back():
    torch.manual_seed(0)
    rows = torch.randn(200, 6, dtype=torch.float64) * torch.tensor([5, 1, 1, 0.1, 0.1, 0.1])
    turn = torch.linalg.qr(torch.randn(6, 6, dtype=torch.float64))[0]
    assert covariance_similarity(rows, rows) == pytest.approx(1, abs=1e-9)
    assert covariance_similarity(rows, 3 * rows) == pytest.approx(1, abs=1e-9)
    assert covariance_similarity(rows, rows @ turn) < 0.95
    assert covariance_similarity(rows, rows @ turn @ turn.T) == pytest.approx(1, abs=1e-9)
    apart = torch.eye(6, dtype=torch.float64)
    assert covariance_similarity(rows * apart[0], rows * apart[1]) == pytest.approx(0, abs=1e-9)


def test_a_task_counts_by_what_it_has_in_common():
    torch.manual_seed(0)
    inputs = torch.randn(300, 4, dtype=torch.float64)
    answers = torch.tensor([[1.0, 0, 0, 0], [1.0, 0.1, 0, 0], [0, 0, 0, 0.2]]).double()
    directions = list((inputs.T @ (inputs @ answers.T)).T)
    whole = torch.stack([d.norm() for d in directions])
    torch.testing.assert_close(svd_weights(directions, 3), whole)
    one = svd_weights(directions, 1)
    assert (one[:2] / whole[:2] > 0.99).all()
    assert one[2] < 0.15 * whole[2]


@pytest.fixture
def encoder(architecture, recipe, data):
    torch.manual_seed(0)
    options = {**model_options(recipe), "positions": "absolute"}
    return Encoder(architecture(), data.vocabulary_size, **options).eval()


def test_an_alignment_begins_as_nothing_and_ends_in_the_tables(encoder, data):
    batch = next(batches(data.tasks["stsb"]["train"], batch_size=8))
    read = lambda: encoder.pooled(batch.tokens, batch.keep, batch.token_types)  # noqa: E731
    before, alignment = read(), Alignment(16)
    with aligned(encoder, alignment):
        assert torch.equal(read(), before)
        nn.init.normal_(alignment.change.weight, std=0.2)
        turned = read()
    assert not torch.allclose(turned, before, atol=1e-2)
    assert torch.equal(read(), before)
    fold(encoder, None)
    assert torch.equal(read(), before)
    fold(encoder, alignment)
    torch.testing.assert_close(read(), turned, atol=1e-5, rtol=1e-5)


def learnt(architecture, recipe, data, text, **changes):
    """Return the trial, and encoder and head of each task as they were scored."""
    kept = {}

    def keep(task, encoder, head, result):
        weights = [{k: v.clone() for k, v in m.state_dict().items()} for m in (encoder, head)]
        kept[task.name] = (*weights, result)

    recipe = dataclasses.replace(
        recipe, pretrain_tokens=64, slots={"finetuning": text}, positions="absolute", **changes
    )
    return run_trial(architecture(), recipe, data, seed=0, keep=keep), kept


@pytest.mark.parametrize("alignment", ["on", "off"])
def test_tasks_share_all_but_their_tables_and_heads(alignment, architecture, recipe, data):
    found, kept = learnt(architecture, recipe, data, f"multi-task(alignment={alignment})")
    one, other = kept["sst2"][0], kept["stsb"][0]
    apart = {name for name in one if not torch.equal(one[name], other[name])}
    tables = {f"embeddings.{name}.weight" for name in ("tokens", "types", "positions")}
    assert apart == (tables if alignment == "on" else set())
    assert 0 < found.details["similarity_sst2_stsb"] <= 1
    assert kept["sst2"][2].steps == kept["stsb"][2].steps == 8


def test_tasks_count_as_their_weights_say(architecture, recipe, data):
    found, _ = learnt(architecture, recipe, data, "multi-task(weights=svd)")
    counted = [found.details[f"{name}_weight"] for name in ("sst2", "stsb")]
    assert sum(counted) == pytest.approx(2)
    assert counted[0] != pytest.approx(counted[1], rel=1e-3)
    equal, _ = learnt(architecture, recipe, data, "multi-task")
    assert equal.details["sst2_loss"] != found.details["sst2_loss"]


def test_it_learns(architecture, recipe, data):
    found, _ = learnt(
        architecture, recipe, data, "multi-task", finetune_epochs=12, finetune_learning_rate=5e-3
    )
    assert found.scores["sst2"] > 0.9


def test_several_repetitions_differ(architecture, recipe, data):
    found, _ = learnt(architecture, recipe, data, "multi-task(alignment=off)", finetune_seeds=2)
    assert found.details["stsb_deviation"] > 0


def test_other_tables_cannot_be_folded_into(architecture, recipe, data):
    given = architecture().to_dict() | {"model": {"embedding": "factorised(rank=4)"}}
    other = type(architecture()).from_dict(given)
    assert other.part("embedding") == Part.of("factorised", {"rank": 4})
    recipe = dataclasses.replace(recipe, pretrain_tokens=64)
    for text, works in (("multi-task", False), ("multi-task(alignment=off)", True)):
        own = dataclasses.replace(recipe, slots={"finetuning": text})
        if works:
            run_trial(other, own, data, seed=0)
            continue
        with pytest.raises(InvalidExperiment, match=r"factorised.* multi-task\(alignment=off\)"):
            run_trial(other, own, data, seed=0)


def test_similarities_are_printed_as_a_table(encoder, data):
    from nas.evaluation.suites.glue import glue_task

    rows = rows_of(encoder, glue_task("sst2"), data.tasks["sst2"]["train"])
    assert rows.inputs.shape == (64, 16)
    assert rows.targets.shape == (64, 2)
    assert rows.direction().shape == (16,)
    numbers = rows_of(encoder, glue_task("stsb"), data.tasks["stsb"]["train"])
    assert numbers.targets.shape == (64, 1)
    lines = similarity_lines({"similarity_a_b": 0.5, "other": 1.0}, ["a", "b"])
    assert [line.split() for line in lines[1:]] == [["a", "b"], ["a", "1.000", "0.500"],
                                                    ["b", "0.500", "1.000"]]  # fmt: skip
    assert similarity_lines({"other": 1.0}, ["a", "b"]) == []
