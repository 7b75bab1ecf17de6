"""Pre-training and fine-tuning: they learn, are repeatable, and padding changes nothing."""

import dataclasses

import numpy as np
import pytest
import torch

from nas.data.batches import batches
from nas.evaluation.suites.glue import GLUE
from nas.models.encoder import Encoder
from nas.models.heads import ClassificationHead, MaskedLanguageHead
from nas.training.finetune import finetune, planned_passes
from nas.training.prediction import Scale, predict, task_loss
from nas.training.pretrain import pretrain, validation_loss
from nas.training.seeds import named_seed, random_state, thread_count
from nas.training.watch import Watch

KINDS = [("sa", "sdp"), ("sa", "wma"), ("l", "dft"), ("l", "dct"), ("c", 5)]


def encoder_of(architecture, recipe, data, seed=0):
    with random_state(seed):
        return Encoder(
            architecture,
            data.vocabulary_size,
            max_length=recipe.max_length,
            positions=recipe.positions,
            dropout=0.0,
        )


@pytest.mark.parametrize(("operation", "parameter"), KINDS)
def test_every_kind_learns_64_easy_examples_by_heart(
    operation, parameter, architecture, recipe, data
):
    recipe = dataclasses.replace(recipe, finetune_epochs=20, finetune_learning_rate=1e-2)
    encoder = encoder_of(architecture(operation, parameter), recipe, data)
    with random_state(1):
        head = ClassificationHead(encoder.width, 2, 0.0)
    splits = {**data.tasks["sst2"], "dev": data.tasks["sst2"]["train"]}
    result = finetune(encoder, head, GLUE["sst2"], splits, recipe, seed=0, watch=Watch())
    assert result.metrics["dev"]["accuracy"] >= 0.99


def test_a_regression_learns_and_answers_in_its_own_units(architecture, recipe, data):
    recipe = dataclasses.replace(recipe, finetune_epochs=80, finetune_learning_rate=5e-3)
    encoder = encoder_of(architecture(), recipe, data)
    with random_state(1):
        head = ClassificationHead(encoder.width, 1, 0.0)
    train = data.tasks["stsb"]["train"]
    splits = {"train": train, "dev": train}
    result = finetune(encoder, head, GLUE["stsb"], splits, recipe, seed=0, watch=Watch())
    assert result.metrics["dev"]["pearson"] > 0.9
    answers = predict(encoder, head, GLUE["stsb"], train, scale=Scale.of(train.labels))
    assert np.abs(answers - train.labels).mean() < 1.0


@pytest.mark.parametrize(("operation", "parameter"), KINDS)
def test_padding_and_order_change_no_loss(operation, parameter, architecture, recipe, data):
    split, task = data.tasks["sst2"]["dev"], GLUE["sst2"]
    encoder = encoder_of(architecture(operation, parameter), recipe, data).eval()
    with random_state(1):
        head = ClassificationHead(encoder.width, 2, 0.0).eval()

    def mean_loss(**settings):
        total = 0.0
        for batch in batches(split, **settings):
            loss = task_loss(encoder, head, task, batch, Scale(), torch.device("cpu"))
            total += loss.item() * len(batch.labels)
        return total / len(split)

    with torch.inference_mode():
        one = mean_loss(batch_size=1, shuffle=False)
        many = mean_loss(batch_size=16, shuffle=False)
        padded = mean_loss(batch_size=16, shuffle=False, length_multiple=12)
        bucketed = mean_loss(token_budget=60, seed=3)
    assert many == pytest.approx(one, abs=1e-5)
    assert bucketed == pytest.approx(one, abs=1e-5)
    assert padded == pytest.approx(one, abs=1e-5)


def test_small_tasks_get_more_passes(recipe):
    assert planned_passes(64, recipe) == (2, 8)
    assert planned_passes(64, dataclasses.replace(recipe, finetune_steps=10)) == (3, 12)


def run_pretraining(architecture, recipe, data, seed=0):
    encoder = encoder_of(architecture, recipe, data)
    with random_state(2):
        head = MaskedLanguageHead(encoder)
    result = pretrain(
        encoder,
        head,
        data.pretrain,
        data.validation,
        recipe,
        vocabulary_size=data.vocabulary_size,
        seed=seed,
        watch=Watch(),
    )
    return encoder, head, result


def test_pretraining_learns_keeps_its_budget_and_repeats_bit_by_bit(architecture, recipe, data):
    longer = dataclasses.replace(recipe, pretrain_tokens=4_000, pretrain_learning_rate=1e-2)
    _, _, short = run_pretraining(architecture(), recipe, data)
    first, _, long = run_pretraining(architecture(), longer, data)
    second, _, again = run_pretraining(architecture(), longer, data)
    third, _, other = run_pretraining(architecture(), longer, data, seed=1)
    assert short.tokens == 512
    assert short.steps == 16
    assert long.validation_loss < short.validation_loss - 0.3
    assert again == long
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)
    assert other.loss != long.loss


def test_validation_depends_on_no_seed(architecture, recipe, data):
    encoder, head, _ = run_pretraining(architecture(), recipe, data)
    losses = {
        validation_loss(
            encoder, head, data.validation, recipe, vocabulary_size=data.vocabulary_size
        )
        for _ in range(2)
    }
    assert len(losses) == 1


def test_seeds_by_name_and_the_state_they_leave():
    assert named_seed(0, "a") == named_seed(0, "a")
    assert len({named_seed(s, *n) for s in (0, 1) for n in (("a",), ("b",), ("a", "b"))}) == 6
    before = torch.get_rng_state()
    with random_state(3):
        drawn = torch.rand(2)
    with random_state(3):
        assert torch.equal(drawn, torch.rand(2))
    assert torch.equal(before, torch.get_rng_state())
    threads = torch.get_num_threads()
    with thread_count(1):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == threads
