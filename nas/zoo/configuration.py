"""What the config.json of an exported folder may say: known keys with values of their kind.

A folder may be anybody's. Nothing that is not on the list reaches `transformers` or a path.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nas.models.hf import FlexiBertConfig
from nas.zoo.files import CONFIG, FORMAT
from search_spaces.architectures.layers import LARGEST_WIDTH, MOST_HEADS
from search_spaces.documents import read_json_file
from search_spaces.errors import NotAModel
from search_spaces.operations import is_whole

_MOST_LAYERS, _MOST_TOKENS, _MOST_ENTRIES = 1000, 1 << 20, 10**8
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def _whole(least: int, most: int) -> tuple[str, Callable[[Any], bool]]:
    return (
        f"a whole number from {least} to {most:,}",
        lambda value: is_whole(value) and least <= value <= most,
    )


def _is_name(value: object) -> bool:
    return isinstance(value, str) and len(value) <= 100 and _NAME.fullmatch(value) is not None


def _all(of: Callable[[Any], bool], most: int = 1000) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and len(value) <= most and all(map(of, value))


def _texts(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())


def _is_width(value: object) -> bool:
    return is_whole(value) and 1 <= value <= LARGEST_WIDTH


def _is_layer(value: object) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() - {"parts"} == {"width", "heads", "feedforward"}
        and _is_width(value["width"])
        and _all(_is_head, MOST_HEADS)(value["heads"])
        and _all(_is_width)(value["feedforward"])
        and min(len(value["heads"]), len(value["feedforward"])) > 0
        and _texts(value.get("parts", {}))
    )


def _is_head(value: object) -> bool:
    width = value.rpartition("_")[2] if isinstance(value, str) else ""
    return width.isascii() and width.isdecimal() and len(width) <= 9 and int(width) > 0


# Key -> what it must be, in words and as a check. What may be null says so.
_KEYS: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "layers": (
        "a list of layers with width, heads such as 'sa_sdp_64', feedforward and perhaps parts",
        lambda value: _all(_is_layer, _MOST_LAYERS)(value) and bool(value),
    ),
    "vocab_size": _whole(1, _MOST_ENTRIES),
    "max_position_embeddings": _whole(1, _MOST_TOKENS),
    "type_vocab_size": _whole(1, 1000),
    "positions": ("the text of a kind", lambda value: isinstance(value, str)),
    "hidden_dropout_prob": (
        "a number from 0 to 1",
        lambda v: isinstance(v, int | float) and not isinstance(v, bool) and 0 <= v <= 1,
    ),
    "pad_token_id": _whole(0, _MOST_ENTRIES),
    "task_names": ("a list of names of folders", _all(_is_name)),
    "task_name": ("a name or null", lambda value: value in (None, "") or _is_name(value)),
    "parts": ("texts of kinds by slot", _texts),
    "coupling": ("the text of a kind", lambda value: isinstance(value, str)),
    "pooling": ("first or mean", lambda value: value in ("first", "mean")),
    "token_texts": ("a list of texts", _all(lambda value: isinstance(value, str), _MOST_ENTRIES)),
    "id2label": ("names of labels by number", _texts),
    "label2id": (
        "numbers of labels by name",
        lambda value: isinstance(value, dict) and all(map(is_whole, value.values())),
    ),
    "problem_type": ("a text or null", lambda value: value is None or isinstance(value, str)),
    "architectures": ("a list of names", _all(_is_name)),
    "auto_map": ("names of classes", _texts),
    "tokenizer_class": ("a name", _is_name),
}
# Said of every model of `transformers`, and nothing that a model here is built from.
_IGNORED = frozenset(
    (
        "model_type", "nas_format", "transformers_version", "hidden_size", "num_hidden_layers",
        "dtype", "torch_dtype", "_name_or_path", "chunk_size_feed_forward", "is_encoder_decoder",
        "output_attentions", "output_hidden_states", "return_dict", "num_labels",
    )
)  # fmt: skip


def read_config(folder: Path) -> FlexiBertConfig:
    """Return the configuration of an exported folder.

    Raises:
        NotAModel: There is none, it is another kind of model's, or it says what none may.
    """
    if not folder.is_dir():
        raise NotAModel(f"{folder} is no folder. Give one that nas export has written.")
    path = folder / CONFIG
    if not path.is_file():
        raise NotAModel(f"{folder} has no {CONFIG}. Give a folder that nas export has written.")
    values = read_json_file(path, NotAModel)
    if not isinstance(values, dict):
        raise NotAModel(f"{path} cannot be read: it is no JSON object. Export the model again.")
    kind = values.get("model_type")
    if kind != FlexiBertConfig.model_type:
        raise NotAModel(
            f"{path} has model_type {_shown(kind)}; only {FlexiBertConfig.model_type!r} can be "
            "loaded here. Load other models with transformers.AutoModel."
        )
    if values.get("nas_format", FORMAT) != FORMAT:
        raise NotAModel(
            f"{folder} was written in format {_shown(values['nas_format'])}; this version reads "
            f"{FORMAT}. Update with: pip install --upgrade encoder-nas"
        )
    for key, value in values.items():
        if key in _IGNORED:
            continue
        if key not in _KEYS:
            raise NotAModel(
                f"{path} has the key {_shown(key)}, which no exported model has. Remove it, or "
                "export the model again."
            )
        words, holds = _KEYS[key]
        if not holds(value):
            raise NotAModel(
                f"{path} describes no encoder: {key} is {_shown(value)}. It must be {words}. "
                "Export the model again."
            )
    if values.get("pad_token_id", 0) >= values.get("vocab_size", _MOST_ENTRIES):
        raise NotAModel(
            f"{path} describes no encoder: pad_token_id is {values['pad_token_id']}, but there are "
            f"{values['vocab_size']} tokens. Export the model again."
        )
    try:
        return FlexiBertConfig.from_dict({k: v for k, v in values.items() if k in _KEYS})
    except (KeyError, TypeError, ValueError) as error:
        raise NotAModel(f"{path} describes no encoder ({error}). Export it again.") from error


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:99]}…"
