"""Every optimizer: it descends, resumes with the same bits, skips what has no gradient; goldens."""

import math

import pytest
import torch
from torch import nn

from nas.training.loop import Loop, split_by_decay
from nas.training.optimizers import OPTIMIZERS, kept_bytes, optimizer_of
from nas.training.optimizers.adahessian import AdaHessian
from nas.training.optimizers.eight_bits import numbers_kept, read_moment, write_moment
from nas.training.optimizers.fsam import FisherSharpnessAware
from nas.training.optimizers.gradnormlorp import LowRank
from nas.training.optimizers.sam import SharpnessAware
from nas.training.recipe import Recipe
from nas.training.schedule import Schedule
from nas.training.watch import Watch
from surrogates.boshnas.input_search import AdaHessian as OfPoints

TEXTS = [*sorted(OPTIMIZERS), "sam(base=muon)", "fsam(base=stableadamw,keep=0.5,refresh=2)",
         "gradnormlorp(rank=2,refresh=3)", "gradnormlorp(bits=8,refresh=3)",
         "adahessian(block=2)"]  # fmt: skip


class Small(nn.Module):
    """A table, a kernel, two maps with dropout between, and a map that is never used."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(7, 4)
        self.kernel = nn.Conv1d(4, 4, 3, padding=1, groups=4)
        self.inside, self.out = nn.Linear(4, 6), nn.Linear(6, 3)
        self.norm, self.dropout, self.unused = nn.LayerNorm(6), nn.Dropout(0.1), nn.Linear(4, 4)

    def forward(self, rows):
        x = self.kernel(self.table(rows).transpose(1, 2)).transpose(1, 2).mean(1)
        return self.out(self.dropout(torch.tanh(self.norm(self.inside(x)))))


def loop_of(text, steps=12, rate=0.02):
    torch.manual_seed(0)
    module = Small()
    loop = Loop(
        [module],
        schedule=Schedule(steps, 0, 0),
        learning_rate=rate,
        weight_decay=0.01,
        clip=10.0,
        stage="test",
        watch=Watch(),
        optimizer=optimizer_of(Recipe(slots={"optimizer": text})),
    )
    return module, loop


ROWS = torch.arange(40).reshape(10, 4) % 7


def losses(module):
    def parts(count):
        for rows in ROWS.chunk(count):
            found = nn.functional.cross_entropy(module(rows), rows[:, 0] % 3)
            yield found * len(rows) / len(ROWS)

    return parts


def train(module, loop, steps):
    for _ in range(steps):
        loop.step(losses(module), len(ROWS))


def weights(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def same(a, b):
    return all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("text", TEXTS)
def test_it_descends_and_leaves_alone_what_has_no_gradient(text):
    # the published rate of adahessian is what `rate` makes of 0.002
    module, loop = loop_of(text, rate=0.002 if "hessian" in text else 0.02)
    before = weights(module)
    train(module, loop, 12)
    first, last = loop._unchecked[0][0], loop._unchecked[-1][0]
    assert last < first
    assert torch.equal(module.unused.weight, before["unused.weight"])
    after = weights(module)
    changed = {name for name, value in before.items() if not torch.equal(value, after[name])}
    assert changed == {name for name in before if not name.startswith("unused")}


@pytest.mark.parametrize("text", TEXTS)
def test_it_goes_on_with_the_same_bits(text):
    module, loop = loop_of(text)
    train(module, loop, 5)
    kept, drawn = (loop.state(), weights(module)), torch.get_rng_state()
    kept = ({name: value.clone() for name, value in kept[0].items()}, kept[1])
    train(module, loop, 4)
    again, other = loop_of(text)
    again.load_state_dict(kept[1])
    other.restore(kept[0])
    torch.set_rng_state(drawn)
    train(again, other, 4)
    assert same(weights(module), weights(again))


@pytest.mark.parametrize("text", TEXTS)
def test_it_keeps_the_bytes_it_declares(text):
    module, loop = loop_of(text)
    train(module, loop, 3)
    decayed, kept = split_by_decay([module])
    # what never had a gradient is declared, and never made
    unused = {id(p) for p in module.unused.parameters()}
    reached = [[p for p in group if id(p) not in unused] for group in (decayed, kept)]
    made = sum(
        value.numel() * value.element_size()
        for name, value in loop.state().items()
        if name.startswith("optimizer.") and not name.endswith((".step", "_turn"))
    )
    declared = kept_bytes(Recipe(slots={"optimizer": text}), *reached)
    assert 0 <= declared - made < 4 * len(reached[0] + reached[1])  # masks and codes round up
    if "fsam" not in text and "bits=8" not in text:
        assert declared == made


@pytest.mark.parametrize("text", TEXTS)
def test_a_batch_in_parts_moves_weights_as_a_whole_one(text):
    moved = []
    for parts in (1, 3):
        module, loop = loop_of(text)
        module.dropout.p, loop.micro_batches = 0.0, parts
        torch.manual_seed(1)
        train(module, loop, 2)
        moved.append(weights(module))
    # Muon's iteration runs in bfloat16, and a moment may be rounded to the next code
    tolerance = 2e-2 if "muon" in text or "bits=8" in text else 2e-4
    for name, value in moved[0].items():
        torch.testing.assert_close(value, moved[1][name], atol=tolerance, rtol=tolerance)


def vector(values):
    return nn.Parameter(torch.tensor(values))


def test_a_step_of_adahessian_is_a_damped_newton_step():
    curvature, w = torch.tensor([1.0, 10.0, 100.0]), vector([1.0, 1.0, 1.0])
    optimizer = AdaHessian([{"params": [w]}, {"params": [vector([1.0])]}], 0.15)
    optimizer.backward((0.5 * curvature * w.square()).sum())
    optimizer.step()
    assert w.tolist() == pytest.approx([0.8500150, 0.8500015, 0.8500001], abs=1e-6)


def test_adahessian_is_the_one_that_searches_inputs():
    torch.manual_seed(0)
    w = nn.Parameter(torch.randn(5, dtype=torch.float64))
    ours, theirs = AdaHessian([{"params": [w]}], 0.1), OfPoints((5,))
    expected = w.detach().clone()
    for _ in range(4):
        ours.zero_grad()
        ours.backward((w**4).sum())  # a diagonal Hessian needs one draw
        expected -= theirs.step(4 * expected**3, 12 * expected**2, 0.1)
        ours.step()
        torch.testing.assert_close(w.detach(), expected, atol=1e-12, rtol=1e-12)


def test_a_curvature_is_averaged_over_rows_and_kernels():
    optimizer = AdaHessian([{"params": [vector([1.0])]}], 1.0)
    rows = torch.arange(6.0).view(2, 3)
    assert optimizer._averaged(rows).tolist() == [[1.0] * 3, [4.0] * 3]
    assert optimizer._averaged(rows.view(2, 1, 3)).tolist() == [[[1.0] * 3], [[4.0] * 3]]
    blocks = AdaHessian([{"params": [vector([1.0])]}], 1.0, block=2)
    assert blocks._averaged(torch.arange(4.0).view(1, 4)).tolist() == [[0.5, 0.5, 2.5, 2.5]]


def test_adahessian_says_what_it_lacks():
    w = vector([1.0])
    w.square().sum().backward()
    with pytest.raises(RuntimeError, match="its own `backward"):
        AdaHessian([{"params": [w]}], 0.1).step()


def climbed(make, w, curvature=(1.0, 4.0)):
    """Return the gradient at the top of the climb, and the weights there, of 0.5 w'diag(a)w."""
    optimizer = make(torch.optim.SGD([{"params": [w]}, {"params": [vector([0.0])]}], lr=0.1))
    start, curved = w.detach().clone(), torch.tensor(curvature)
    (0.5 * curved * w.square()).sum().backward()
    optimizer.ascend()
    (0.5 * curved * w.square()).sum().backward()
    top = w.detach() - start
    optimizer.descend()
    assert torch.equal(w, start)
    return w.grad.tolist(), top.tolist(), optimizer


def test_sam_climbs_as_far_as_its_radius():
    gradient, top, _ = climbed(lambda base: SharpnessAware(base, 0.1), vector([1.0, 1.0]))
    assert top == pytest.approx([0.02425, 0.09701], abs=1e-5)
    assert gradient == pytest.approx([1.02425, 4.38806], abs=1e-5)


def test_fsam_climbs_where_the_fisher_information_is_large():
    make = lambda base: FisherSharpnessAware(base, 0.1, 0.5, 100)  # noqa: E731
    gradient, top, _ = climbed(make, vector([1.0, 1.0]))
    assert top == pytest.approx([0.0, 0.09701], abs=1e-5)
    assert gradient == pytest.approx([1.0, 4.38806], abs=1e-5)


def test_a_whole_mask_is_sam_and_no_radius_is_the_base():
    ends = {}
    for text in ("sam", "fsam(keep=1)", "sam(radius=1e-30)", "adamw"):
        module, loop = loop_of(text)
        train(module, loop, 4)
        ends[text] = weights(module)
    assert same(ends["sam"], ends["fsam(keep=1)"])
    assert same(ends["sam(radius=1e-30)"], ends["adamw"])
    assert not same(ends["sam"], ends["adamw"])


def test_the_mask_is_dense_as_told_and_made_anew_in_time():
    torch.manual_seed(0)
    w = nn.Parameter(torch.randn(50))
    optimizer = FisherSharpnessAware(torch.optim.SGD([w], lr=0.0), 0.1, 0.3, 2)
    masks = []
    for turn in range(4):
        ((w * torch.roll(torch.arange(50.0), turn)) ** 2).sum().backward()
        optimizer.ascend()
        optimizer.descend()
        masks.append(optimizer._masks[w].clone())
        assert int(masks[-1].sum()) == 15
    assert [torch.equal(masks[i], masks[i + 1]) for i in range(3)] == [True, False, True]


def test_stableadamw_is_adamw_where_nothing_surprises():
    """Equal gradients have the root mean square that their second moment says."""
    ends = []
    for text in ("stableadamw", "adamw"):
        w = vector([1.0, -2.0])
        optimizer = OPTIMIZERS[text]([], [w], learning_rate=0.1, weight_decay=0.0)
        for _ in range(3):
            w.grad = torch.tensor([0.5, -1.0])
            optimizer.step()
        ends.append(w.detach())
    torch.testing.assert_close(*ends)


def test_stableadamw_follows_its_formula():
    torch.manual_seed(0)
    w = vector([1.0, -2.0])
    optimizer = OPTIMIZERS["stableadamw"]([w], [], learning_rate=0.1, weight_decay=0.5)
    values, m, v = [1.0, -2.0], [0.0, 0.0], [0.0, 0.0]
    for t, gradient in enumerate(([0.1, 0.2], [5.0, -4.0], [0.3, 0.0]), start=1):
        w.grad = torch.tensor(gradient)
        optimizer.step()
        m = [0.9 * a + 0.1 * g for a, g in zip(m, gradient, strict=True)]
        v = [0.98 * a + 0.02 * g * g for a, g in zip(v, gradient, strict=True)]
        hat = [a / (1 - 0.98**t) for a in v]
        excess = sum(g * g / max(h, 1e-12) for g, h in zip(gradient, hat, strict=True)) / 2
        own = 0.1 / max(1.0, math.sqrt(excess))
        values = [
            x - own * (0.5 * x + a / (1 - 0.9**t) / (math.sqrt(h) + 1e-6))
            for x, a, h in zip(values, m, hat, strict=True)
        ]
        assert w.tolist() == pytest.approx(values, rel=1e-5)


def test_muon_moves_matrices_by_near_orthogonal_steps_of_the_size_of_adamw():
    torch.manual_seed(0)
    matrix = nn.Parameter(torch.randn(8, 16))
    optimizer = OPTIMIZERS["muon"]([matrix], [], learning_rate=0.1, weight_decay=0.0, momentum=0.95)
    before = matrix.detach().clone()
    matrix.grad = torch.randn(8, 16)
    optimizer.step()
    step = (before - matrix.detach()) / (0.1 * 0.2 * 4)
    sizes = torch.linalg.svdvals(step)
    assert 0.6 < sizes.min() <= sizes.max() < 1.3
    expected = torch.linalg.svd(matrix.grad, full_matrices=False)
    torch.testing.assert_close(
        nn.functional.cosine_similarity((expected.U @ expected.Vh).flatten(), step.flatten(), 0),
        torch.tensor(1.0), atol=0.03, rtol=0,
    )  # fmt: skip


def test_all_directions_without_norms_are_adam_in_a_turned_basis():
    torch.manual_seed(0)
    start = torch.randn(4, 6, dtype=torch.float64)
    gradients = torch.randn(5, 4, 6, dtype=torch.float64)
    matrix = nn.Parameter(start.clone())
    ours = LowRank([{"params": [matrix]}], 0.01, rank=4, refresh=10**9, normed=False)
    for gradient in gradients:
        matrix.grad = gradient.clone()
        ours.step()
    basis = ours.state[matrix]["basis"]
    turned = nn.Parameter(basis.T @ start)
    adam = torch.optim.Adam([turned], lr=0.01, betas=(0.9, 0.999), eps=1e-6)
    for gradient in gradients:
        turned.grad = basis.T @ gradient
        adam.step()
    torch.testing.assert_close(basis.T @ matrix.detach(), turned.detach(), atol=1e-10, rtol=0)


def test_length_and_direction_learn_by_the_gradients_of_the_weight_norm():
    torch.manual_seed(0)
    weight = torch.randn(3, 5, dtype=torch.float64)
    length = weight.norm(dim=1, keepdim=True).requires_grad_()
    direction = weight.clone().requires_grad_()
    (torch.sin(length * direction / direction.norm(dim=1, keepdim=True)) ** 2).sum().backward()
    matrix = nn.Parameter(weight.clone())
    (torch.sin(matrix) ** 2).sum().backward()
    optimizer = LowRank([{"params": [matrix]}], 1e-3, rank=3, refresh=5)
    optimizer.step()
    state = optimizer.state[matrix]
    basis = state["basis"]
    torch.testing.assert_close(state["exp_avg"], 0.1 * basis.T @ direction.grad)
    torch.testing.assert_close(state["length_exp_avg"], 0.1 * length.grad)
    # the step of the length is there, whatever the direction did
    moved = 1e-3 * length.grad / (length.grad.abs() + 1e-6)
    torch.testing.assert_close(matrix.detach().norm(dim=1, keepdim=True), length.detach() - moved)


def test_directions_are_chosen_at_multiples_of_the_refresh_only():
    torch.manual_seed(0)
    matrix = nn.Parameter(torch.randn(6, 4))
    optimizer = LowRank([{"params": [matrix]}], 1e-3, rank=2, refresh=3)
    chosen = []
    for _ in range(7):
        matrix.grad = torch.randn(6, 4)
        optimizer.step()
        chosen.append(optimizer.state[matrix]["basis"].clone())
    kept = [torch.equal(a, b) for a, b in zip(chosen, chosen[1:], strict=False)]
    assert kept == [True, True, False, True, True, False]


def test_gradnormlorp_keeps_a_tenth_of_what_adamw_does():
    big = [nn.Parameter(torch.empty(768, 3072, device="meta"))]
    kept = {
        name: kept_bytes(Recipe(slots={"optimizer": name}), big, [])
        for name in ("gradnormlorp", "adamw", "muon")
    }
    assert kept["gradnormlorp"] == 4 * (55_296 + 2 * 768)
    assert kept["adamw"] == 4 * 4_718_592 == 2 * kept["muon"]
    assert kept["gradnormlorp"] <= 0.1 * kept["adamw"]


def test_moments_in_eight_bits_take_a_quarter_and_lead_to_no_longer_steps():
    torch.manual_seed(0)
    for name, value in (("exp_avg", torch.randn(5, 50)), ("exp_avg_sq", torch.rand(5, 50) ** 4)):
        state = {}
        write_moment(state, name, value)
        kept = sum(v.numel() * v.element_size() for v in state.values())
        assert kept == 250 + 4 * 4
        assert 0 <= 4 * numbers_kept(250) - kept < 4
        found = read_moment(state, name)
        # relative to itself, as long as it is not tiny beside the largest of its block
        large = value.abs() > 1e-3
        assert ((found - value).abs() / value.abs())[large].max() < 0.2
        again = {}
        write_moment(again, name, found)
        assert torch.equal(again[name], state[name])
        restored = {key: v.float() for key, v in state.items()}  # as torch restores states
        assert torch.equal(read_moment(restored, name), found)
        if name.endswith("_sq"):
            assert (found >= value * (1 - 1e-6)).all()
    zero = {}
    write_moment(zero, "exp_avg_sq", torch.zeros(3))
    assert not read_moment(zero, "exp_avg_sq").any()


def test_eight_bits_follow_the_way_of_thirty_two():
    ends = []
    for text in ("gradnormlorp", "gradnormlorp(bits=8)"):
        module, loop = loop_of(text, steps=40)
        train(module, loop, 40)
        ends.append(torch.stack(loop._unchecked)[:, 0][-5:].mean().item())
    assert ends[1] == pytest.approx(ends[0], rel=0.15)
    big = [nn.Parameter(torch.empty(768, 3072, device="meta"))]
    kept = [
        kept_bytes(Recipe(slots={"optimizer": text}), big, [])
        for text in ("gradnormlorp(bits=8)", "gradnormlorp", "adamw")
    ]
    assert kept[0] == 4 * (8 * 768 + 2 * 768) + 2 * (8 * 3072 + 4 * 8 * 3072 // 64)
    assert kept[0] < 0.4 * kept[1] < 0.4 * 0.1 * kept[2]
