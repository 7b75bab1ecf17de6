"""Formats beside safetensors: each writes a graph to a file and opens it again to compare."""

import importlib
import io
import logging
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nas.zoo.files import EXPORTED, ONNX
from nas.zoo.graphs import INPUTS, Graph, exported_program
from nas.zoo.parity import Runner, require_parity
from search_spaces import Architecture
from search_spaces.architectures.architecture import parts_of
from search_spaces.errors import NasError
from search_spaces.kinds import SLOTS
from search_spaces.registry import Registry


@dataclass(frozen=True)
class Format:
    """A way to write a graph.

    Attributes:
        file: Name of the file.
        write: Writes a graph to a path.
        open: Opens what was written, as a function from inputs to outputs.
        tolerance: Largest difference of an output from that of torch.
        packages: What has to be installed.
        extra: The extra of this project that installs them.
    """

    file: str
    write: Callable[[Graph, Path], None]
    open: Callable[[Path], Runner]
    tolerance: float
    packages: tuple[str, ...] = ()
    extra: str = ""


FORMATS: Registry[Format] = Registry("export format", group="nas.export_formats")


def require_packages(names: Sequence[str]) -> None:
    """Check that what the formats `names` need is installed.

    Raises:
        UnknownName: There is no such format.
        NasError: A package is missing.
    """
    for name in names:
        kind = FORMATS[name]
        for package in kind.packages:
            try:
                importlib.import_module(package)
            except ImportError as error:
                raise NasError(
                    f"The format {name!r} needs {package}, which cannot be imported ({error}). "
                    f"Install it with: pip install 'encoder-nas[{kind.extra}]'"
                ) from None


def require_expressible(architecture: Architecture, formats: Sequence[str]) -> None:
    """Check that every kind in an architecture can be written in `formats`.

    Raises:
        UnknownName: There is no such format.
        NasError: A kind says that it cannot; the message has the reason and the formats that work.
    """
    used = [(slot, part, SLOTS[slot].kinds[part.kind]) for slot, part in parts_of(architecture)]
    refused = {name for _, _, kind in used for name in kind.formats}
    for name in formats:
        FORMATS[name]
        for slot, part, kind in used:
            if name in kind.formats:
                works = ", ".join(["safetensors", *(n for n in FORMATS if n not in refused)])
                raise NasError(
                    f"The format {name!r} cannot express {slot}={part} ({kind.title}): "
                    f"{kind.formats[name]}. Nothing was exported. Formats that work: {works} "
                    "(safetensors is always written)."
                )


def write_format(name: str, graph: Graph, folder: Path) -> float:
    """Write `graph` to the format's file in `folder`; return the largest difference from torch.

    Raises:
        NasError: It cannot be written, or does not answer as torch does.
    """
    kind = FORMATS[name]
    path = folder / kind.file
    try:
        with quiet():
            kind.write(graph, path)
    except Exception as error:  # an exporter may raise anything
        first = str(error).strip().partition("\n")[0]
        raise NasError(
            f"The format {name!r} cannot express this model: {type(error).__name__}: {first}. "
            "Nothing was exported. Leave this format out."
        ) from error
    return require_parity(graph, kind.open(path), tolerance=kind.tolerance, what=f"{path.name}")


@contextmanager
def quiet() -> Iterator[None]:
    """Keep exporters' progress and notices from the person exporting; errors still get through."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _write_onnx(graph: Graph, path: Path) -> None:
    """Write the graph with its free dimensions called "batch" and "sequence", as others do."""
    import onnx

    torch.onnx.export(
        exported_program(graph),
        dynamo=True,
        f=str(path),
        input_names=list(INPUTS),
        output_names=list(graph.outputs),
        external_data=False,
        verbose=False,
    )
    model = onnx.load(str(path))
    _name_dimensions(model)
    onnx.save(model, str(path))


def _name_dimensions(model: Any) -> None:
    """Rename the two free dimensions of the first input wherever a shape names them."""
    places = model.graph.input[0].type.tensor_type.shape.dim
    names = {places[0].dim_param: "batch", places[1].dim_param: "sequence"}
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        for place in value.type.tensor_type.shape.dim:
            if place.dim_param:
                words = re.split(r"(\w+)", place.dim_param)
                place.dim_param = "".join(names.get(word, word) for word in words)


def open_onnx(path: Path) -> Runner:
    """Return a function that runs the ONNX file at `path` on one thread of the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def run(inputs: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
        return session.run(None, dict(zip(INPUTS, inputs, strict=True)))

    return run


def _write_exported(graph: Graph, path: Path) -> None:
    torch.export.save(exported_program(graph), path)


def _open_exported(path: Path) -> Runner:
    module = torch.export.load(path).module()

    def run(inputs: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
        with torch.inference_mode():
            return [answer.numpy() for answer in module(*map(torch.from_numpy, inputs))]

    return run


FORMATS.register("onnx")(
    Format(ONNX, _write_onnx, open_onnx, 1e-4, ("onnx", "onnxscript", "onnxruntime"), "onnx")
)
FORMATS.register("torch-export")(Format(EXPORTED, _write_exported, _open_exported, 1e-5))
