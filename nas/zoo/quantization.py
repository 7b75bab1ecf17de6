"""Int8 weights for ONNX Runtime, and what they cost in score."""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch

from nas.data.batches import batches, token_places
from nas.data.prepared import EncodedSplit
from nas.evaluation.kinds import TASK_KINDS
from nas.evaluation.metrics import score, task_score
from nas.evaluation.suites.task import Task
from nas.zoo.files import ONNX, QUANTIZED
from nas.zoo.formats import open_onnx, quiet
from nas.zoo.parity import Runner

_BATCH = 32
_IN_LABELS = SimpleNamespace(mean=0.0, deviation=1.0)  # an exported head answers in labels


def quantize_onnx(folder: Path) -> Path:
    """Write the ONNX file of `folder` with int8 weights beside it; return the new file.

    Weights of matrix products become int8, activations are scaled as they come (dynamic
    quantisation), so that no data is needed.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    path = folder / QUANTIZED
    with quiet():
        quantize_dynamic(folder / ONNX, path, weight_type=QuantType.QInt8)
    return path


def onnx_score(path: Path, task: Task, splits: Mapping[str, EncodedSplit]) -> float:
    """Return the task's score on its development data, as the ONNX classifier at `path` has it.

    Args:
        path: The file.
        task: What it classifies.
        splits: The task's splits; the development splits are used.
    """
    run = open_onnx(path)
    found = {
        name: score(
            task, _answers(run, task, splits[name]), TASK_KINDS[task.kind].right(splits[name])
        )
        for name in task.dev
    }
    return task_score(task, found)


def _answers(run: Runner, task: Task, split: EncodedSplit) -> np.ndarray:
    kind, found = TASK_KINDS[task.kind], {}
    for batch in batches(split, batch_size=_BATCH, shuffle=False):
        flat = batch.sequences
        inputs = [flat.tokens, flat.keep, flat.token_types]
        logits = [np.asarray(o) for o in run([np.asarray(t, dtype=np.int64) for t in inputs])]
        # of spans those of first and of last tokens; of other kinds there are no more
        whole = np.stack(logits, -1) if kind.reads_passages else logits[0]
        outputs = batch.side_by_side(torch.from_numpy(whole))
        places = batch.rows.numpy()
        if kind.reads_tokens:
            outputs, places = outputs[batch.keep], token_places(split, batch)
        found |= zip(places.tolist(), kind.answers(outputs, _IN_LABELS).numpy(), strict=True)
    whole = np.stack([found[place] for place in sorted(found)]).astype(np.float64)
    return kind.of_examples(task, split, whole, None)[0]
