"""A whole trial: what it measures, that it repeats, and how it fails."""

import dataclasses

import pytest
import torch
from safetensors.torch import load_file

from nas.config import make_experiment
from nas.models.encoder import Encoder
from nas.models.heads import MaskedLanguageHead
from nas.proposals.building import build_policy
from nas.training.device import autocast, choose_device, choose_precision
from nas.training.loop import Loop
from nas.training.pretrain import validation_loss
from nas.training.trial import model_options, run_trial, trial_device
from search_spaces import count_parameters
from search_spaces.errors import InvalidData, InvalidExperiment, TrialError


@pytest.fixture(scope="module")
def measured(architecture, recipe, data, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "w.safetensors"
    stages = []
    result = run_trial(
        architecture(),
        recipe,
        data,
        seed=0,
        weights_path=path,
        progress=lambda stage, share: stages.append(stage),
    )
    return result, path, stages


def test_scores_costs_details_and_progress(measured, architecture, recipe, data):
    result, _, stages = measured
    assert set(result.scores) == {"glue", "sst2", "stsb"}
    mean = (result.scores["sst2"] + result.scores["stsb"]) / 2
    assert result.scores["glue"] == pytest.approx(mean)
    assert result.costs["parameters"] == count_parameters(
        architecture(),
        vocabulary_size=data.vocabulary_size,
        max_length=12,
        positions=recipe.positions,
    )
    assert set(result.costs) == {"parameters", "flops", "latency_ms", "peak_memory_mb"}
    assert all(value > 0 for value in result.costs.values())
    assert {"pretrain_loss", "validation_loss", "sst2_accuracy"} <= set(result.details)
    assert result.seconds > 0
    assert list(dict.fromkeys(stages))[:3] == ["pretrain", "sst2", "stsb"]
    assert set(result.to_dict()) == {"scores", "costs", "seconds", "details", "mistakes"}


def test_the_same_arguments_give_the_same_bits_and_another_seed_others(
    measured, architecture, recipe, data, tmp_path
):
    result, path, _ = measured
    again = run_trial(architecture(), recipe, data, seed=0, weights_path=tmp_path / "a")
    assert again.scores == result.scores
    first, second = load_file(path), load_file(tmp_path / "a")
    assert all(torch.equal(first[name], second[name]) for name in first)
    other = run_trial(architecture(), recipe, data, seed=1, weights_path=tmp_path / "b")
    assert other.details["pretrain_loss"] != result.details["pretrain_loss"]
    assert [p.name for p in tmp_path.iterdir()] == ["a", "b"] or len(list(tmp_path.iterdir())) == 2


def test_saved_weights_load_into_the_same_encoder(measured, architecture, recipe, data):
    tensors = load_file(measured[1])
    encoder = Encoder(architecture(), data.vocabulary_size, **model_options(recipe))
    own = {n.removeprefix("encoder."): t for n, t in tensors.items() if n.startswith("encoder.")}
    encoder.load_state_dict(own)
    assert any(name.startswith("mlm.") for name in tensors)


def test_the_world_is_left_as_it_was(architecture, recipe, data):
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    run_trial(architecture(), recipe, data, seed=0)
    assert torch.equal(state, torch.get_rng_state())
    assert torch.get_num_threads() == threads


def test_each_stage_trains_with_its_own_dropout(architecture, recipe, data, monkeypatch):
    changed = dataclasses.replace(recipe, pretrain_dropout=0.3, dropout=0.2)
    seen = {}
    start = Loop.__init__

    def watched(loop, modules, **settings):
        modules = list(modules)
        parts = [part for module in modules for part in module.modules()]
        found = {part.p for part in parts if isinstance(part, torch.nn.Dropout)}
        seen[settings["stage"]] = found
        start(loop, modules, **settings)

    monkeypatch.setattr(Loop, "__init__", watched)
    run_trial(architecture(), changed, data, seed=0)
    assert seen == {"pretrain": {0.3}, "sst2": {0.2}, "stsb": {0.2}}


def test_another_try_after_a_nan_lowers_the_rates_of_every_stage(
    architecture, recipe, data, monkeypatch
):
    rates = {}
    step = Loop.step

    def watched(loop, loss, examples):
        rates.setdefault(loop._stage, []).append(loop.learning_rate)
        return step(loop, loss, examples)

    monkeypatch.setattr(Loop, "step", watched)
    run_trial(architecture(), recipe, data, seed=0)
    usual = dict(rates)
    rates.clear()
    run_trial(architecture(), recipe, data, seed=0, learning_rate_scale=0.5)
    assert set(usual) == {"pretrain", "sst2", "stsb"}
    for stage, whole in usual.items():
        assert rates[stage] == pytest.approx([0.5 * rate for rate in whole])


def test_the_validation_loss_has_as_many_masks_as_the_recipe_says(architecture, recipe, data):
    torch.manual_seed(0)
    encoder = Encoder(architecture(), data.vocabulary_size, **model_options(recipe))
    head = MaskedLanguageHead(encoder)
    masked = []

    def counting(encoder, head, batch, device):
        masked.append(len(batch.targets) / batch.tokens.numel())
        return torch.zeros(())

    for rate in (0.15, 0.6):
        changed = dataclasses.replace(recipe, mask_rate=rate)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("nas.training.objectives.mlm.masked_loss", counting)
            validation_loss(
                encoder, head, data.validation, changed, vocabulary_size=data.vocabulary_size
            )
        assert masked[-1] == pytest.approx(rate, abs=0.05)


@pytest.mark.parametrize("positions", ["absolute", "relative"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_positions_and_precisions_run(positions, precision, architecture, recipe, data):
    changed = dataclasses.replace(recipe, positions=positions, precision=precision)
    assert "glue" in run_trial(architecture("c", 5), changed, data, seed=0).scores


def test_a_trial_that_takes_too_long_ends(architecture, recipe, data, tmp_path):
    with pytest.raises(TrialError, match="ran longer than its limit of 1e-06 s") as error:
        run_trial(architecture(), recipe, data, seed=0, deadline=1e-6)
    assert error.value.cause == "time-out"


@pytest.mark.parametrize(
    "raised",
    [MemoryError("full"), RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 bytes")],
)
def test_a_trial_without_memory_says_so(raised, architecture, recipe, data, monkeypatch):
    def fail(*args, **kwargs):
        raise raised

    monkeypatch.setattr("nas.training.trial.pretrain", fail)
    with pytest.raises(TrialError, match="Out of memory: .*Lower the batches") as error:
        run_trial(architecture(), recipe, data, seed=0)
    assert error.value.cause == "out-of-memory"


def test_an_unstable_trial_is_told_from_a_bug(architecture, recipe, data, monkeypatch):
    wild = dataclasses.replace(recipe, pretrain_learning_rate=1.0, clip=1e30, warmup=0.0)
    monkeypatch.setattr(
        "nas.training.objectives.mlm.masked_loss",
        lambda encoder, *rest: next(encoder.parameters()).sum() * float("nan"),
    )
    with pytest.raises(TrialError, match="Training became unstable: at step 1 of") as error:
        run_trial(architecture(), wild, data, seed=0)
    assert error.value.cause == "nan"


def test_data_that_does_not_fit_the_recipe_is_refused(architecture, recipe, data):
    more = dataclasses.replace(recipe, tasks=("sst2", "cola"))
    with pytest.raises(InvalidData, match="trains on 'cola', but the prepared data has sst2, stsb"):
        run_trial(architecture(), more, data, seed=0)
    shorter = dataclasses.replace(recipe, max_length=4, block_length=4)
    with pytest.raises(InvalidData, match="prepared in blocks of 8 tokens"):
        run_trial(architecture(), shorter, data, seed=0)


def test_devices_and_precisions(recipe, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert choose_device(recipe) == torch.device("cpu")
    assert trial_device(recipe) == "cpu"
    with pytest.raises(InvalidExperiment, match="device is 'cuda', but torch sees no GPU here"):
        choose_device(dataclasses.replace(recipe, device="cuda"))
    auto = dataclasses.replace(recipe, precision="auto")
    for flags, expected in (({"avx512_bf16"}, "bf16"), (set(), "fp32")):
        monkeypatch.setattr("nas.training.device._cpu_flags", lambda flags=flags: frozenset(flags))
        assert choose_precision(auto, torch.device("cpu")) == expected
    with autocast("bf16", torch.device("cpu")):
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == torch.bfloat16


@pytest.mark.parametrize("positions", ["relative", "absolute"])
def test_a_policy_counts_the_costs_that_a_trial_reports(recipe, data, architecture, positions):
    recipe = dataclasses.replace(recipe, positions=positions)
    result = run_trial(architecture(), recipe, data, seed=0)
    plan = make_experiment({"policy": "random", "objectives": "glue:max,flops:min"})
    policy = build_policy(plan, recipe, data.vocabulary_size)
    for name in ("parameters", "flops"):
        assert policy.exact(name, architecture()) == result.costs[name]
