"""All models of one folder in further formats, each compared with torch."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from nas.data.prepared import PreparedData
from nas.zoo.files import ONNX
from nas.zoo.formats import FORMATS, write_format
from nas.zoo.graphs import Graph
from nas.zoo.loading import load_model
from nas.zoo.quantization import onnx_score, quantize_onnx

_INT8 = "int8"


def write_formats(
    folder: Path,
    models: Sequence[str | None],
    formats: Sequence[str],
    *,
    quantize: bool = False,
    data: Path,
    say: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Write the models of `folder` in `formats`; return what the card says of them.

    Args:
        folder: An exported folder.
        models: Names of tasks, and None for the encoder itself.
        formats: Names of formats; with `quantize`, "onnx" is among them.
        quantize: Write int8 weights for each ONNX file, and score them.
        data: The run's prepared data, for these scores.
        say: Called with a line for each file.

    Raises:
        NasError: A format cannot express a model, or does not answer as torch does.
    """
    facts: dict[str, Any] = {}
    for task in models:
        place = folder / (task or "")
        graph = Graph(load_model(folder, task=task))
        for name in formats:
            difference = write_format(name, graph, place)
            file = place / FORMATS[name].file
            entry = facts.setdefault(name, {"largest_difference": 0.0, "files": []})
            entry["largest_difference"] = max(entry["largest_difference"], difference)
            entry["tolerance"] = FORMATS[name].tolerance
            entry["files"].append(file.relative_to(folder).as_posix())
            say(f"{task or 'encoder'}: {file.name} answers as torch does, to {difference:.1g}")
        if quantize:
            facts.setdefault(_INT8, {})[task or "encoder"] = _quantized(place, task, data, say)
    return facts


def _quantized(
    place: Path, task: str | None, data: Path, say: Callable[[str], None]
) -> dict[str, Any]:
    before, path = place / ONNX, quantize_onnx(place)
    smaller = before.stat().st_size / path.stat().st_size
    facts: dict[str, Any] = {"times_smaller": round(smaller, 2)}
    text = f"{path.name} is {smaller:.1f} times smaller"
    if task is not None:
        prepared = PreparedData.load(data)
        (row,), splits = prepared.rows([task]), prepared.tasks[task]
        whole = onnx_score(before, row, splits)
        score = onnx_score(path, row, splits)
        facts |= {"score": score, "change": score - whole}
        text += f", scores {score:.4f} on the development data ({score - whole:+.4f})"
    say(f"{task or 'encoder'}: {text}")
    return facts
