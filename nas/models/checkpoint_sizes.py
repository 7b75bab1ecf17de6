"""The numbers of a trained encoder's configuration, checked against its tensors.

An encoder is built from what config.json says, before its tensors are put in. A file from elsewhere
may ask for a billion layers: whatever the tensors do not have is refused before anything is built.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor

from nas.models.checkpoint_files import CONFIG, WEIGHTS
from search_spaces.errors import InvalidData, NasError

LONGEST = 1_000_000  # tokens of a sequence, where no table of positions says it


@contextmanager
def read_as_said(folder: Path) -> Iterator[None]:
    """Turn what a configuration of another form leads to into one message.

    Raises:
        InvalidData: Something within could not be done with what config.json says.
    """
    try:
        yield
    except NasError:
        raise
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise InvalidData(
            f"{folder / CONFIG} lacks something, or has it in another form: {error!r:.200}. Give a "
            "complete checkpoint."
        ) from None


def require_numbers(config: Mapping[str, Any], names: Sequence[str], folder: Path) -> None:
    """Check that a configuration has whole numbers above 0 of these names.

    Raises:
        InvalidData: It has not.
    """
    missing = [name for name in names if type(config.get(name)) is not int or config[name] < 1]
    if missing:
        raise InvalidData(
            f"{folder / CONFIG} has no number {missing[0]!r}, but "
            f"{config.get(missing[0])!r:.80}. Give a complete checkpoint."
        )


def require_sizes(
    config: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    sizes: Mapping[str, tuple[str, int]],
    layers: str,
    folder: Path,
) -> None:
    """Check that a configuration asks for no more than there is.

    Args:
        config: With numbers where `require_numbers` has looked for them.
        tensors: By their names.
        sizes: Name of a number -> the tensor that has this size, and along which dimension.
        layers: What the names of the layers' tensors begin with, before the layer's number.
        folder: For the message.

    Raises:
        InvalidData: A tensor is missing or of another size, or there are fewer layers.
    """
    for number, (name, dim) in sizes.items():
        if name not in tensors:
            raise InvalidData(
                f"{folder / WEIGHTS} has no tensor {name!r}. Give a folder that save_pretrained "
                "wrote."
            )
        shape = list(tensors[name].shape)
        wanted = [config[number] if place == dim else size for place, size in enumerate(shape)]
        if wanted != shape or dim >= len(shape):
            raise InvalidData(
                f"{folder / WEIGHTS}: {name!r} has the shape {tuple(shape)}, but {CONFIG} asks for "
                f"{number} {config[number]!r:.30}. Put back the files that belong together."
            )
    begun = {n.removeprefix(layers).partition(".")[0] for n in tensors if n.startswith(layers)}
    found = len(begun & {str(number) for number in range(len(begun))})
    if config["num_hidden_layers"] > found:
        raise InvalidData(
            f"{folder / WEIGHTS} has no tensor '{layers}{found}.…', for it has {found} layers, and "
            f"{CONFIG} asks for {config['num_hidden_layers']!r:.30}. Give a folder that "
            "save_pretrained wrote."
        )


def pad_id_of(config: Mapping[str, Any], folder: Path) -> int:
    """Return the id of the token that stands behind a text; 0 where the configuration says none.

    Raises:
        InvalidData: It is no id of a token.
    """
    found = config.get("pad_token_id")
    if found is None:
        return 0
    if type(found) is not int or not 0 <= found < config["vocab_size"]:
        raise InvalidData(
            f"{folder / CONFIG} has the pad_token_id {found!r:.80}, which is none of its "
            f"{config['vocab_size']:,} tokens. Give a complete checkpoint."
        )
    return found
