"""Minimal pairs: which of two sentences the masked-language model of an exported folder prefers."""

from pathlib import Path
from typing import Any

import numpy as np

from nas.data.minimal_pairs import encode_pairs, read_pairs
from nas.evaluation.bootstrap import interval
from nas.evaluation.suites.measured import PAIR_SUITES
from nas.evaluation.suites.minimal_pairs import PairSuite
from nas.single.exported import ExportedModel
from nas.single.suites.base import SUITE_SCORERS, EvaluationSuite, Row, SuiteScores
from nas.training.device import choose_device, choose_precision
from nas.training.likelihood import pair_hits
from nas.training.recipe import Recipe
from nas.training.seeds import thread_count
from nas.training.watch import StageCallback
from nas.zoo.files import is_export
from nas.zoo.loading import load_masked_model
from search_spaces.errors import NotAModel


class MinimalPairs(EvaluationSuite):
    """One suite of pairs; nothing is trained."""

    def __init__(self, suite: PairSuite):
        self.suite = suite
        self.name, self.title = suite.name, suite.title  # type: ignore[misc]
        self.needs = f"the folder of its files, such as {suite.files[0]}.jsonl"  # type: ignore[misc]

    def score(
        self,
        model: ExportedModel,
        place: Path,
        recipe: Recipe,
        *,
        limit: int | None = None,
        seed: int = 0,
        progress: StageCallback | None = None,
    ) -> SuiteScores:
        pairs = read_pairs(self.suite, place, limit=limit, seed=seed)
        encoder, head = _masked_model(model)
        device = choose_device(recipe)
        encoded = encode_pairs(pairs, model.tokenizer, model.max_length)
        if progress is not None:
            progress(f"{len(pairs.good):,} pairs", 0.0)
        with thread_count(recipe.threads):
            hits = pair_hits(
                encoder.to(device),
                head.to(device),
                encoded,
                precision=choose_precision(recipe, device),
            )
        return self._summary(pairs.names, hits, seed)

    def _summary(self, names: tuple[str, ...], hits: list[np.ndarray], seed: int) -> SuiteScores:
        def row(name: str, parts: list[np.ndarray]) -> Row:
            between = interval(
                lambda rows: float(
                    np.mean([part[places].mean() for part, places in zip(parts, rows, strict=True)])
                ),
                [len(part) for part in parts],
                resamples=200,
                seed=seed,
            )
            mean = float(np.mean([part.mean() for part in parts]))
            return Row(name, mean, sum(map(len, parts)), between)

        rows = [row(self.name, hits), *(row(n, [h]) for n, h in zip(names, hits, strict=True))]
        absent = [name for name in self.suite.files if name not in names]
        notes = ["A model that prefers nothing scores 0.5; the first line is the mean over files."]
        if absent:
            notes.append(
                f"{len(absent)} of {len(self.suite.files)} files are not there, such as "
                f"{absent[0]}.jsonl: the mean is not that of {self.title}."
            )
        return SuiteScores(tuple(rows), tuple(notes))


def _masked_model(model: ExportedModel) -> tuple[Any, Any]:
    """Return the encoder and the head of masked tokens in a folder.

    Raises:
        NotAModel: It has none that was trained.
    """
    if not is_export(model.folder):
        raise NotAModel(
            f"{model.folder} is a trained encoder from elsewhere, of which only the encoder is "
            "read, not what predicts masked tokens. Give a folder of nas export or nas train."
        )
    if "teacher" in model.facts:
        raise NotAModel(
            f"{model.folder} was cut out of a teacher, and what predicts masked tokens was never "
            "trained in it. Give a model that was pre-trained: one searched without --from."
        )
    loaded = load_masked_model(model.folder)
    return loaded.flexibert.encoder, loaded.mlm


for _suite in PAIR_SUITES.values():
    SUITE_SCORERS.register(_suite.name)(MinimalPairs(_suite))
