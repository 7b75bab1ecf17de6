"""Distillations: every kind learns from a teacher, and equals its formula."""

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from nas.data.batches import Batch
from nas.evaluation.suites.glue import glue_task
from nas.models.encoder import Encoder
from nas.models.heads import ClassificationHead
from nas.teachers.attention import Attention, attention_of
from nas.teachers.lessons import Answers
from nas.training.distillation import DISTILLATIONS, Lesson, distillation_of
from nas.training.distillation.divergence import row_divergence
from nas.training.distillation.relations import relation_loss
from nas.training.distillation.stages import STAGES, latent_loss
from nas.training.distillation.transfer import LayerTransfer
from nas.training.prediction import Scale
from nas.training.recipe import Recipe
from search_spaces import Architecture
from search_spaces.errors import InvalidData, InvalidExperiment
from search_spaces.kinds import SLOTS

CLASSES, NUMBER = glue_task("mnli"), glue_task("stsb")
KEEP = torch.arange(5) < torch.tensor([[5], [2], [3]])


def answers(outputs, seed, layers=2):
    generator = torch.Generator().manual_seed(seed)
    states = [torch.randn(3, 5, 4, generator=generator) for _ in range(layers)]
    outputs = torch.randn(3, outputs, generator=generator)
    attention = [attending(generator) for _ in range(layers)]
    return Answers(outputs, states, KEEP, attention, attention[-1])


def attending(generator, heads=2, width=4):
    vectors = [torch.randn(3, heads, 5, width, generator=generator) for _ in range(3)]
    return Attention(*vectors, torch.randn(3, heads, 5, 5, generator=generator))


def tensors(found):
    """Return what a student may be compared by, by what a distillation says that it reads."""
    scores = [seen.scores for seen in found.attention]
    last = [found.last.query, found.last.key, found.last.value]
    return {"states": found.states, "attention": scores, "last": last}


def learning(outputs, seed):
    found = answers(outputs, seed)
    found.outputs.requires_grad_()
    for group in tensors(found).values():
        for tensor in group:
            tensor.requires_grad_()
    return found


def at_once(name):
    """Return a kind whose stages, if it has any, come all together."""
    settings = {"transfer": "transfer(schedule=auxiliary)"}
    return distillation_of(Recipe.from_dict({"distillation": settings.get(name, name)}))


def kinds():
    return [name for name in SLOTS["distillation"].kinds if name != "none"]


@pytest.mark.parametrize("name", kinds())
@pytest.mark.parametrize("task", [CLASSES, NUMBER], ids=["classes", "number"])
def test_every_kind_pulls_towards_the_teacher(name, task):
    how = at_once(name)
    outputs = 3 if task is CLASSES else 1
    student, teacher = learning(outputs, 0), answers(outputs, 1)
    zero = torch.zeros(())
    loss = how.loss(zero, student, teacher, task)
    loss.backward()
    assert loss.ndim == 0
    assert loss.isfinite()
    assert student.outputs.grad.norm() > 0
    for group, members in tensors(student).items():
        assert all((tensor.grad is not None) == (group in how.reads) for tensor in members)
    assert float(how.loss(zero, teacher, teacher, task)) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("name", kinds())
def test_padding_teaches_nothing(name):
    how = at_once(name)
    student, teacher = learning(3, 0), answers(3, 1)
    how.loss(torch.zeros(()), student, teacher, CLASSES).backward()
    of = tensors(student)
    for state in of["states"] if "states" in how.reads else ():
        assert state.grad[~KEEP].abs().max() == 0
    for scores in of["attention"] if "attention" in how.reads else ():
        both = KEEP[:, None, :, None] & KEEP[:, None, None, :]
        assert scores.grad.masked_select(~both).abs().max() == 0
    for vectors in of["last"] if "last" in how.reads else ():
        assert vectors.grad.transpose(1, 2)[~KEEP].abs().max() == 0


def test_every_kind_can_be_trained():
    assert sorted(DISTILLATIONS) == sorted(kinds())


def test_logits_by_hand():
    how = DISTILLATIONS["logits"](temperature=3.0, labels=0.25)
    student, teacher, own = answers(3, 0), answers(3, 1), torch.tensor(2.0)
    p, q = (F.softmax(a.outputs / 3, -1) for a in (teacher, student))
    divergence = (p * (p / q).log()).sum(1).mean() * 9
    assert_close(how.loss(own, student, teacher, CLASSES), 0.25 * own + 0.75 * divergence)
    square = (student.outputs - teacher.outputs).square().mean()
    assert_close(how.loss(own, student, teacher, NUMBER), 0.25 * own + 0.75 * square)


def test_hidden_states_by_hand():
    how = DISTILLATIONS["hidden"](temperature=2.0, labels=1.0, states=2.0)
    student, teacher = answers(3, 0), answers(3, 1)
    errors = []
    for mine, its in zip(student.states, teacher.states, strict=True):
        rows, targets = mine[KEEP], its[KEEP]
        variance = targets.var(0, unbiased=False).mean()
        errors.append((rows - targets).square().mean() / variance)
    own = torch.tensor(0.7)
    assert_close(how.loss(own, student, teacher, CLASSES), own + 2 * sum(errors) / 2)


def test_a_recipe_names_a_distillation_and_its_settings():
    recipe = Recipe.from_dict({"distillation": "hidden(labels=0.5)"})
    assert distillation_of(recipe).labels == 0.5
    assert Recipe.from_dict(recipe.to_dict()) == recipe
    assert distillation_of(Recipe()) is None
    with pytest.raises(
        InvalidExperiment, match=r"Available: hidden, logits, none, relations, stages, transfer"
    ):
        Recipe.from_dict({"distillation": "hiden"})


def test_divergence_of_rows_is_that_of_a_published_pair():
    teacher = torch.tensor([[[[0.5, 0.5], [0.5, 0.5]]]]).log()
    student = torch.tensor([[[[0.25, 0.75], [0.5, 0.5]]]]).log()
    keep = torch.ones(1, 2, dtype=torch.bool)
    assert float(row_divergence(student, teacher, keep)) == pytest.approx(0.07192, abs=1e-5)


def test_relations_by_hand():
    student, teacher = (answers(3, seed).last for seed in (0, 1))
    expected = []
    for part in ("query", "key", "value"):
        for row, length in enumerate((5, 2, 3)):
            for head in range(2):
                p, q = (
                    F.softmax((x := getattr(of, part)[row, head, :length]) @ x.T / 2, -1)
                    for of in (teacher, student)
                )
                expected.append((p * (p / q).log()).sum(1))
    # tokens count alike, whichever sequence they stand in
    assert_close(relation_loss(student, teacher, KEEP, 2), torch.cat(expected).mean())


def test_relations_of_a_student_with_other_heads():
    generator = torch.Generator().manual_seed(0)
    student, teacher = attending(generator, 3, 4), attending(generator, 4, 4)
    loss = relation_loss(student, teacher, KEEP, 12)  # 12 and 16 wide: 4 relation heads
    split = [
        x.transpose(1, 2).flatten(2).unflatten(-1, (4, -1)).transpose(1, 2)
        for x in (student.key, teacher.key)
    ]
    again = [Attention(x, x, x, None) for x in split]
    both = [Attention(of.key, of.key, of.key, None) for of in (student, teacher)]
    assert_close(relation_loss(*both, KEEP, 12), relation_loss(*again, KEEP, 4))
    assert loss > 0


def test_queries_of_one_head_give_a_known_row():
    one = torch.eye(3)[None, None]
    attention = Attention(one, one, one, None)
    flat = Attention(*[torch.zeros(1, 1, 3, 3)] * 3, None)
    row = torch.tensor([0.47108, 0.26446, 0.26446])
    loss = relation_loss(flat, attention, torch.ones(1, 3, dtype=torch.bool), 1)
    assert float(loss) == pytest.approx(float((row * (3 * row).log()).sum()), abs=1e-4)


def test_attention_of_a_layer_is_what_it_weighs_tokens_by():
    encoder = tiny(2)
    layer, x = encoder.layers[0], torch.randn(3, 5, 8)
    found = attention_of(layer, x)
    weights = found.scores.masked_fill(~KEEP[:, None, None, :], -torch.inf).softmax(-1)
    mixed = (weights @ found.value).transpose(1, 2).flatten(2)
    (mixer,) = layer.mixers.values()
    assert_close(mixer(x, KEEP)[KEEP], mixed[KEEP])
    one = attention_of(layer, x, torch.tensor([1]))
    assert_close(one.scores, found.scores[:, 1:])


def tiny(layers, kind="sa_sdp_4"):
    torch.manual_seed(0)
    shape = {"l": layers, "o": [[kind] * 2] * layers, "h": [8] * layers, "f": [[8]] * layers}
    return Encoder(Architecture.from_dict(shape), 10, max_length=5, dropout=0.0)


def lesson(encoder, name):
    """Return what a student of two layers learns from another one, of the same form."""
    teacher = tiny(2)
    with torch.no_grad():
        for parameter in teacher.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    how = distillation_of(Recipe.from_dict({"distillation": name}))

    def asked(batch):
        with torch.no_grad():
            states = teacher.states(batch.tokens, batch.keep, batch.token_types)
            seen = [attention_of(*pair) for pair in zip(teacher.layers, states[:-1], strict=True)]
            outputs = torch.randn(3, 3, generator=torch.Generator().manual_seed(0))
        return Answers(outputs, states[1:], batch.keep, seen, seen[-1])

    return Lesson(how, asked)


def learnt(encoder, name, progress):
    """Return the names of the modules that a step moves: layers, embeddings, head."""
    head = ClassificationHead(8, 3, 0.0)
    tokens = torch.randint(5, 10, (3, 5), generator=torch.Generator().manual_seed(0))
    batch = Batch(tokens, KEEP, torch.zeros_like(tokens), torch.arange(3), torch.arange(3))
    loss = lesson(encoder, name).loss(encoder, head, CLASSES, batch, Scale(), progress)
    loss.backward()
    named = [*encoder.named_parameters(), *(("head", p) for p in head.parameters())]
    moved = {n for n, p in named if p.grad is not None and p.grad.abs().max() > 0}
    return {
        ".".join(n.split(".")[:2]) if n.startswith("layers") else n.split(".")[0] for n in moved
    }


@pytest.mark.parametrize(
    ("progress", "layers", "ends"),
    [
        (0.0, {"layers.0"}, set()),
        (0.24, {"layers.0"}, set()),
        (0.25, {"layers.1"}, set()),
        (0.49, {"layers.1"}, set()),
        (0.5, {"layers.0", "layers.1"}, {"embeddings", "head", "pooler"}),
    ],
)
def test_progressive_transfer_moves_one_layer_a_stage(progress, layers, ends):
    assert learnt(tiny(2), "transfer", progress) == layers | ends


@pytest.mark.parametrize(
    ("schedule", "progress", "ends"),
    [
        ("joint", 0.0, {"embeddings"}),
        ("joint", 0.9, {"embeddings", "head", "pooler"}),
        ("auxiliary", 0.0, {"embeddings", "head", "pooler"}),
    ],
)
def test_other_transfers_move_all_layers(schedule, progress, ends):
    found = learnt(tiny(2), f"transfer(schedule={schedule})", progress)
    assert found == {"layers.0", "layers.1"} | ends


def test_transfer_by_hand():
    student, teacher = answers(3, 0), answers(3, 1)
    maps = DISTILLATIONS["hidden"](temperature=1.0, labels=1.0, states=1.0)
    zero = torch.zeros(())
    error = maps.loss(zero, student, teacher, CLASSES)
    seen = [
        row_divergence(a.scores, b.scores, KEEP)
        for a, b in zip(student.attention, teacher.attention, strict=True)
    ]
    found = LayerTransfer(2.0, 3.0).loss(zero, student, teacher, CLASSES)
    assert_close(found, 2 * error + 3 * sum(seen) / 2)
    below = LayerTransfer(0.0, 1.0, focus=1).loss(zero, student, teacher, CLASSES)
    assert_close(below, seen[1])


def test_one_or_two_things_change_from_stage_to_stage():
    rows = [(stage.tuned, stage.general, stage.answers) for stage in STAGES]
    assert rows == [
        (False, True, False), (True, True, False), (True, False, False), (True, False, True),
    ]  # fmt: skip
    how = DISTILLATIONS["stages"](temperature=1.0, general=0.4)
    marks = [(0.0, 0), (0.19, 0), (0.2, 1), (0.39, 1), (0.4, 2), (0.69, 2), (0.7, 3), (0.99, 3)]
    assert [(at, STAGES.index(how.during(at, 2).stage)) for at, _ in marks] == marks
    without = DISTILLATIONS["stages"](temperature=1.0, general=0.0)
    assert {without.during(at, 2).stage for at in (0.0, 0.5, 0.9)} == set(STAGES[2:])


def test_latent_loss_by_hand():
    student, teacher = answers(3, 0), answers(3, 1)
    states, seen = [], []
    for mine, its in zip(student.states, teacher.states, strict=True):
        variance = its[KEEP].var(0, unbiased=False).mean()
        states.append((mine[KEEP] - its[KEEP]).square().mean() / variance)
    for mine, its in zip(student.attention, teacher.attention, strict=True):
        pairs = [
            (mine.scores[row, :, :n, :n].flatten(), its.scores[row, :, :n, :n].flatten())
            for row, n in enumerate((5, 2, 3))
        ]
        a, b = (torch.cat(parts) for parts in zip(*pairs, strict=True))
        seen.append((a - b).square().mean() / b.var(unbiased=False))
    assert_close(latent_loss(student, teacher), sum(states) / 2 + sum(seen) / 2)
    how = DISTILLATIONS["stages"](temperature=2.0, general=0.4)
    own, logits = torch.tensor(0.7), DISTILLATIONS["logits"](temperature=2.0, labels=0.0)
    soft = logits.loss(own, student, teacher, CLASSES)
    assert_close(
        how.loss(own, student, teacher, CLASSES), latent_loss(student, teacher) + soft + own
    )


def test_heads_without_a_map_are_refused():
    with pytest.raises(InvalidData, match="has heads c_5. Give another distillation"):
        learnt(tiny(2, "c_5_4"), "transfer", 0.0)
