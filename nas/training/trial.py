"""One trial: build an architecture, pre-train it, fine-tune it on every task, measure it."""

import dataclasses
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from nas.data.prepared import PreparedData
from nas.data.tokenizer import token_texts
from nas.evaluation.cost import measure_latency, peak_memory_mb
from nas.evaluation.energy import measure_energy
from nas.evaluation.mean_score import mean_score
from nas.evaluation.suites.task import Task
from nas.models.embeddings import reads_texts
from nas.models.encoder import Encoder
from nas.models.outputs import make_output
from nas.teachers.lessons import Lessons
from nas.training.augmentations import augmented
from nas.training.budget import Budget
from nas.training.checkpoint import Checkpoint
from nas.training.device import (
    choose_device,
    choose_precision,
    compile_for,
    memory_errors,
)
from nas.training.equal_seconds import Allowance, Measuring
from nas.training.finetunings import finetuning_of
from nas.training.likelihood import pair_accuracy
from nas.training.loop import split_by_decay
from nas.training.measurement import Measurement
from nas.training.optimizers import kept_bytes
from nas.training.pretrain import Pretraining, pretrain
from nas.training.recipe import Recipe
from nas.training.seeds import named_seed, random_state, thread_count
from nas.training.task_result import TaskResult
from nas.training.task_runs import Keep, TaskTraining, set_dropout
from nas.training.watch import StageCallback, Watch
from nas.whole_files import whole_file
from search_spaces import Architecture, count_flops, count_parameters
from search_spaces.errors import InvalidData, InvalidExperiment

if TYPE_CHECKING:
    from nas.models.transfer import Inheritance

# What may differ between two calls of the same trial, because no weight depends on it.
_ANYWHERE = ("device", "threads", "tasks")


def trial_device(recipe: Recipe) -> str:
    """Return the name of the device a trial would run on: "cpu", or the GPU's own name."""
    device = choose_device(recipe)
    return "cpu" if device.type == "cpu" else torch.cuda.get_device_name(device)


def run_trial(
    architecture: Architecture,
    recipe: Recipe,
    data: PreparedData,
    *,
    seed: int,
    deadline: float | None = None,
    weights_path: Path | None = None,
    progress: StageCallback | None = None,
    fidelity: float = 1.0,
    checkpoint: Path | None = None,
    checkpoint_seconds: float = 60.0,
    inherit: "Inheritance | None" = None,
    learning_rate_scale: float = 1.0,
    micro_batches: int = 1,
    keep: Keep | None = None,
    tokens: int | None = None,
) -> Measurement:
    """Train and measure `architecture`; the same arguments give the same scores, bit by bit.

    Each task starts from the pre-trained weights. The global random generators and the number of
    threads are as before when this returns. A trial that was interrupted and is called again with
    the same checkpoint ends with the same bits as one that was not.

    Args:
        architecture: What to build.
        recipe: How to train it.
        data: Tokenizer, text and tasks, prepared with the same recipe.
        seed: Decides initial weights, order, masks and dropout, each by a stream of its own.
        deadline: Seconds from now after which the trial fails; None for no limit.
        weights_path: Where to save the pre-trained weights as safetensors, under the names
            "encoder.*" and "mlm.*"; the file appears complete or not at all.
        progress: Called with a stage ("pretrain", each task, "costs") and the share of it done.
        fidelity: Share of the pre-training budget, in (0, 1]; the learning rate is zero at its end.
        checkpoint: Folder of the trial's state, written while it runs and continued from. What
            was left there at a lower fidelity, with the same seed, is continued too: pre-training
            goes on from where the two budgets part, and ends with the bits of a trial that had
            this fidelity from the start.
        checkpoint_seconds: Seconds between two states.
        inherit: The trained architecture to start from; only the share `inherit_tokens` of the
            budget is then pre-trained.
        learning_rate_scale: Factor of all learning rates, for another try after a NaN.
        micro_batches: Parts in which each batch passes, for another try after running out of
            memory; the effective batch stays the same.
        keep: Called with task, encoder, head and result of the first fine-tuning of each task,
            while encoder and head have the weights that were scored.
        tokens: Pre-training budget of an architecture that chose of its recipe, as an earlier trial
            had it; None measures what it may read in the seconds of `recipe`, so that two calls
            agree only as far as clocks do; see `nas.training.equal_seconds`.

    Raises:
        TrialError: Training failed; `cause` is "nan", "out-of-memory" or "time-out".
        InvalidData: The data does not fit the recipe.
        InvalidExperiment: The recipe asks for a GPU that is not there, or `fidelity` is not in
            (0, 1].
    """
    reference = dataclasses.replace(recipe, open={})
    recipe = recipe.chosen(architecture)
    if tokens is not None:
        recipe = dataclasses.replace(recipe, pretrain_tokens=tokens)
    tasks = _tasks_to_train(recipe, data)
    budget = _budget(fidelity, learning_rate_scale, micro_batches)
    device = choose_device(recipe)
    precision = choose_precision(recipe, device)
    watch = Watch(deadline, progress)
    identity = _identity(architecture, recipe, data, seed, learning_rate_scale, inherit)
    kept = Checkpoint(checkpoint, identity, checkpoint_seconds)
    seconds: dict[str, float] = {}
    with memory_errors(), thread_count(recipe.threads), random_state(named_seed(seed, "trial")):
        with random_state(named_seed(seed, "weights")):
            encoder = build_encoder(architecture, recipe, data.vocabulary_size, data.tokenizer_json)
            mlm = make_output(encoder)
        finetuning_of(recipe).require(encoder)
        inherited = _start_from(inherit, encoder, mlm, seed)
        encoder.to(device)
        mlm.to(device)
        compile_for(encoder, device, tokens=recipe.pretrain_tokens * fidelity)
        allowed = None
        lessons = None if data.teacher is None else Lessons(data.teacher)
        cut = lessons is not None and lessons.cuts
        if not cut:
            text = augmented(
                recipe, data.pretrain, data.tokenizer_json, named_seed(seed, "augmentation")
            )
            data = dataclasses.replace(data, pretrain=text)
        # a cut pre-trains nothing that could be shorter where its recipe is slower
        if architecture.recipe and tokens is None and not cut:
            measuring = Measuring(encoder, mlm, data, tasks, seed, watch, precision, micro_batches)
            allowed = _allowed(measuring, reference, recipe, kept)
            recipe = dataclasses.replace(recipe, pretrain_tokens=allowed.tokens)
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        pretraining = None
        if not cut:
            set_dropout(encoder, recipe.pretrain_dropout)
            pretraining = pretrain(
                encoder,
                mlm,
                data.pretrain,
                data.validation,
                recipe if inherit is None else continued(recipe),
                vocabulary_size=data.vocabulary_size,
                seed=named_seed(seed, "pretrain"),
                watch=watch,
                precision=precision,
                budget=budget,
                checkpoint=kept,
            )
        else:
            encoder.load_state_dict(lessons.cut(architecture).encoder)
        seconds["pretrain"] = watch.elapsed
        preferences = {
            name: pair_accuracy(encoder, mlm, pairs, precision=precision)
            for name, pairs in data.pairs.items()
        }
        if weights_path is not None:
            save_weights(weights_path, encoder=encoder, mlm=mlm)
        set_dropout(encoder, recipe.dropout)
        training = TaskTraining(
            encoder, data, recipe, seed, watch, precision, budget, kept, keep, seconds, lessons
        )
        results = training.run(tasks)
        watch.check("costs", 0.0)
        costs, spread = _costs(architecture, encoder, recipe, data.vocabulary_size)
        watch.check("costs", 1.0)
    return Measurement(
        scores={**_scores(results, recipe), **preferences},
        costs=costs,
        seconds=watch.elapsed,
        details={
            "precision": precision,
            **spread,
            **_pretrain_details(pretraining, inherited),
            **_budget_details(allowed, fidelity * (recipe.inherit_tokens if inherit else 1)),
            **training.relations,
            **{k: v for name, r in results.items() for k, v in r.details(name).items()},
            **{f"{stage}_seconds": value for stage, value in seconds.items()},
        },
        mistakes={name: dict(r.mistakes) for name, r in results.items() if r.mistakes},
    )


def _allowed(
    measuring: Measuring, reference: Recipe, chosen: Recipe, kept: Checkpoint
) -> Allowance:
    """Return what a trial may read, measured once for all its calls."""
    state = kept.load("seconds")
    if state is not None:
        return Allowance(**state.values)
    allowed = measuring.allowance(reference, chosen)
    kept.save("seconds", {}, dataclasses.asdict(allowed))
    return allowed


def _budget_details(allowed: Allowance | None, share: float) -> dict[str, float]:
    if allowed is None:
        return {}
    return {
        "budget_seconds": share * allowed.seconds,
        "budget_tokens": float(allowed.tokens),
    }


def continued(recipe: Recipe) -> Recipe:
    """Return the recipe of pre-training from inherited weights: its budget is the whole there.

    Warm-up and fall are shares of the smaller budget. With those of the full one, a fifth of the
    tokens would be warm-up for the most part.
    """
    return dataclasses.replace(
        recipe,
        pretrain_tokens=max(1, round(recipe.inherit_tokens * recipe.pretrain_tokens)),
        pretrain_learning_rate=recipe.inherit_learning_rate * recipe.pretrain_learning_rate,
    )


def _budget(fidelity: float, learning_rate_scale: float, micro_batches: int) -> Budget:
    if not 0.0 < fidelity <= 1.0:
        raise InvalidExperiment(
            f"The fidelity {fidelity!r} is no share of the budget. Give a number above 0 and at "
            "most 1; 1 trains with the whole budget."
        )
    return Budget(fidelity, learning_rate_scale, micro_batches)


def _identity(
    architecture: Architecture,
    recipe: Recipe,
    data: PreparedData,
    seed: int,
    learning_rate_scale: float,
    inherit: "Inheritance | None",
) -> dict[str, Any]:
    """Return what two calls must share for one to continue the other."""
    settings = {key: v for key, v in recipe.to_dict().items() if key not in _ANYWHERE}
    return {
        "architecture": architecture.to_dict(),
        "seed": seed,
        "learning_rate_scale": learning_rate_scale,
        "parent": None if inherit is None else [inherit.architecture.hash, inherit.method],
        **({} if data.teacher is None else {"teacher": Lessons(data.teacher).facts["source"]}),
        "tokenizer": hashlib.sha256(data.tokenizer_json.encode()).hexdigest(),
        "blocks": list(data.pretrain.shape),
        **settings,
    }


def _start_from(
    inherit: "Inheritance | None", encoder: Encoder, mlm: nn.Module, seed: int
) -> float | None:
    """Take over another architecture's weights; return the share of ours that they fill."""
    if inherit is None:
        return None
    from nas.models.transfer import inherit_weights

    report = inherit_weights(
        encoder,
        encoder.architecture,
        inherit.architecture,
        inherit.read(),
        head=mlm,
        method=inherit.method,
        seed=named_seed(seed, "inherit"),
    )
    return report.share


def build_encoder(
    architecture: Architecture, recipe: Recipe, vocabulary_size: int, tokenizer_json: str = ""
) -> Encoder:
    """Return a trial's untrained encoder, its weights drawn from torch's global generator."""
    spelt = tokenizer_json and reads_texts(architecture.part("embedding"))
    texts = token_texts(tokenizer_json) if spelt else None  # what is only timed has no tokenizer
    return Encoder(architecture, vocabulary_size, texts=texts, **model_options(recipe))


def model_options(recipe: Recipe) -> dict[str, int | float | str]:
    """Return what `Encoder` needs beside the architecture and the vocabulary."""
    pooling = {} if recipe.pooling == "first" else {"pooling": recipe.pooling}
    return {
        "max_length": max(recipe.max_length, recipe.block_length),
        "positions": recipe.positions,
        "dropout": recipe.dropout,
        **pooling,
    }


def save_weights(path: Path, **modules: nn.Module) -> None:
    """Write the tensors of `modules` under "<name>." to a safetensors file, whole or not at all."""
    tensors: dict[str, Tensor] = {
        f"{name}.{key}": value.detach().cpu().contiguous()
        for name, module in modules.items()
        for key, value in module.state_dict().items()
    }
    save_tensors(path, tensors)


def save_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    """Write a safetensors file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as partial:
        save_file(tensors, partial)


def _tasks_to_train(recipe: Recipe, data: PreparedData) -> list[Task]:
    missing = [name for name in recipe.tasks if name not in data.tasks]
    if missing:
        raise InvalidData(
            f"The recipe trains on {missing[0]!r}, but the prepared data has "
            f"{', '.join(data.tasks) or 'no task'}. Prepare the data with this task, "
            "or leave it out of the recipe."
        )
    length = data.pretrain.shape[1]
    longest = max(recipe.max_length, recipe.block_length)
    if length > longest:
        raise InvalidData(
            f"The text was prepared in blocks of {length} tokens, but the recipe's models read at "
            f"most {longest}. Prepare the data with this recipe."
        )
    return data.rows(recipe.tasks)


def _costs(
    architecture: Architecture, encoder: Encoder, recipe: Recipe, vocabulary_size: int
) -> tuple[dict[str, float], dict[str, float]]:
    """Return the costs of one sequence of the longest length, and how far timings spread."""
    device = next(encoder.parameters()).device
    spread = {}
    if device.type == "cuda":
        # before anything else is measured: this resets the counter
        spread["training_memory_mb"] = torch.cuda.max_memory_allocated(device) / 1e6
    else:
        step = peak_memory_mb(
            encoder, batch=recipe.pretrain_batch, length=recipe.block_length, training=True
        )
        moments = kept_bytes(recipe, *split_by_decay([encoder])) / 1e6
        spread["training_memory_mb"] = step + moments
    latency = measure_latency(encoder, length=recipe.max_length, threads=recipe.threads)
    costs = {
        **_exact_costs(architecture, recipe, vocabulary_size),
        "latency_ms": latency.p50_ms,
        "peak_memory_mb": peak_memory_mb(encoder, length=recipe.max_length),
    }
    spread |= {"latency_p95_ms": latency.p95_ms, "latency_iqr_ms": latency.iqr_ms}
    joules = measure_energy(encoder, length=recipe.max_length)
    return costs, spread if joules is None else {**spread, "energy_joules": joules}


def _exact_costs(
    architecture: Architecture, recipe: Recipe, vocabulary_size: int
) -> dict[str, float]:
    parameters = count_parameters(
        architecture,
        vocabulary_size=vocabulary_size,
        max_length=model_options(recipe)["max_length"],
        positions=recipe.positions,
    )
    flops = count_flops(
        architecture,
        length=recipe.max_length,
        vocabulary_size=vocabulary_size,
        positions=recipe.positions,
    )
    return {"parameters": float(parameters), "flops": float(flops)}


def _scores(results: dict[str, TaskResult], recipe: Recipe) -> dict[str, float]:
    scores = {name: result.score for name, result in results.items()}
    return {**mean_score(scores, include_wnli="wnli" in recipe.tasks), **scores}


def _pretrain_details(pretraining: Pretraining | None, inherited: float | None) -> dict[str, float]:
    if pretraining is None:
        return {}
    details = {
        "pretrain_loss": pretraining.loss,
        "validation_loss": pretraining.validation_loss,
        "pretrain_tokens": float(pretraining.tokens),
        "resumed_at_step": float(pretraining.resumed_at),
    }
    return details if inherited is None else {**details, "inherited_share": inherited}
