"""The two published dictionary formats, read with care and written back without loss.

Per layer (FlexiBERT): `l` layers; lists of that length `o` (operation), `p` (its parameter), `h`
(width), `n` (heads) and `f` (list of feed-forward widths). All heads of a layer are alike.

Per head (FlexiBERT 2.0): no `n` and no `p`; `o[i]` lists the heads of layer i, each written
`operation_parameter_width`, such as "sa_sdp_64". Their widths need not add up to the layer's.

Source: Tuli et al., "FlexiBERT: Are Current Transformer Architectures too Homogeneous and Rigid?",
JAIR 2023, and Tuli and Jha, "EdgeTran", 2023.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from search_spaces.architectures.layers import (
    PER_HEAD,
    PER_LAYER,
    Head,
    Layer,
    check_kind,
    check_width,
)
from search_spaces.errors import InvalidArchitecture

LAYER_KEYS = ("l", "o", "h", "n", "f", "p")
HEAD_KEYS = ("l", "o", "h", "f")
MEANING = {
    "l": "number of layers",
    "o": "operations",
    "h": "widths",
    "n": "numbers of heads",
    "f": "lists of feed-forward widths",
    "p": "operation parameters",
}


def read_dictionary(dictionary: Mapping[str, Any]) -> tuple[tuple[Layer, ...], str]:
    """Return the layers a dictionary describes and the format it is written in.

    Raises:
        InvalidArchitecture: If it describes no encoder; the message names the entry at fault,
            counting layers from 0 as in `o[0]`.
    """
    if not isinstance(dictionary, Mapping):
        raise InvalidArchitecture(
            f"An architecture is a dictionary with the keys {', '.join(LAYER_KEYS)}, "
            f"or {', '.join(HEAD_KEYS)}; got a {type(dictionary).__name__}."
        )
    style = _style(dictionary)
    _check_keys(dictionary, style)
    count = check_width(dictionary["l"], "l (number of layers)")
    for key in HEAD_KEYS[1:] if style == PER_HEAD else LAYER_KEYS[1:]:
        _check_list(dictionary[key], key, count)
    read = _layer_per_head if style == PER_HEAD else _layer_per_layer
    return tuple(read(dictionary, i) for i in range(count)), style


def write_dictionary(layers: tuple[Layer, ...], style: str) -> dict[str, Any]:
    """Return the dictionary of `layers` in the given format, with JSON types only."""
    if style == PER_HEAD:
        return {
            "l": len(layers),
            "o": [[str(head) for head in layer.heads] for layer in layers],
            "h": [layer.width for layer in layers],
            "f": [list(layer.feedforward) for layer in layers],
        }
    return {
        "l": len(layers),
        "o": [layer.heads[0].operation for layer in layers],
        "h": [layer.width for layer in layers],
        "n": [len(layer.heads) for layer in layers],
        "f": [list(layer.feedforward) for layer in layers],
        "p": [layer.heads[0].parameter for layer in layers],
    }


def _style(dictionary: Mapping[str, Any]) -> str:
    operations = dictionary.get("o")
    listed = isinstance(operations, list | tuple) and any(
        isinstance(entry, list | tuple) for entry in operations
    )
    return PER_HEAD if listed and "p" not in dictionary else PER_LAYER


def _check_keys(dictionary: Mapping[str, Any], style: str) -> None:
    keys = HEAD_KEYS if style == PER_HEAD else LAYER_KEYS
    for key in dictionary:
        if key not in keys:
            close = get_close_matches(str(key), [*keys, *MEANING.values()], n=1)
            near = next((k for k in keys if close and close[0] in (k, MEANING[k])), None)
            hint = f" Did you mean {near!r} ({MEANING[near]})?" if near else ""
            raise InvalidArchitecture(
                f"An architecture in the {style} format has no key {key!r}.{hint} "
                f"Its keys are {', '.join(keys)}."
            )
    for key in keys:
        if key not in dictionary:
            raise InvalidArchitecture(
                f"The architecture has no {key!r} ({MEANING[key]}). The {style} format needs the "
                f"keys {', '.join(keys)}; given: {', '.join(map(str, dictionary)) or 'none'}."
            )


def _check_list(values: object, key: str, count: int) -> None:
    if not isinstance(values, list | tuple):
        raise InvalidArchitecture(
            f"{key!r} ({MEANING[key]}) is {values!r}. Give a list with one entry for each of the "
            f"{count} layers."
        )
    if len(values) != count:
        raise InvalidArchitecture(
            f"{key!r} ({MEANING[key]}) has {len(values)} entries, but l is {count}. Every list "
            f"needs one entry per layer: make {key!r} {count} long, or change l."
        )


def _layer_per_layer(dictionary: Mapping[str, Any], i: int) -> Layer:
    width = check_width(dictionary["h"][i], f"h[{i}] (the width of layer {i})")
    heads = check_width(dictionary["n"][i], f"n[{i}] (the number of heads of layer {i})")
    if isinstance(dictionary["o"][i], list | tuple):
        raise InvalidArchitecture(
            f"o[{i}] is a list of heads, which belongs to the per-head format, but 'p' is given "
            "too. Leave out 'n' and 'p', or give one operation per layer."
        )
    kind = check_kind(dictionary["o"][i], dictionary["p"][i], f"o[{i}], p[{i}]")
    if width % heads:
        below = max(n for n in range(1, heads) if width % n == 0)
        raise InvalidArchitecture(
            f"Layer {i} has width h[{i}] = {width}, which cannot be divided by its n[{i}] = "
            f"{heads} heads. Use a number of heads that divides {width}, such as {below}, or the "
            f"width {(width // heads + 1) * heads}."
        )
    head = Head(*kind, width // heads)
    return Layer(width, (head,) * heads, _stack(dictionary["f"][i], i))


def _layer_per_head(dictionary: Mapping[str, Any], i: int) -> Layer:
    width = check_width(dictionary["h"][i], f"h[{i}] (the width of layer {i})")
    names = dictionary["o"][i]
    if not isinstance(names, list | tuple) or not names:
        raise InvalidArchitecture(
            f"o[{i}] is {names!r}. In the per-head format each layer is a list of heads, such as "
            "['sa_sdp_64', 'l_dct_64']."
        )
    heads = tuple(Head.parse(name, f"o[{i}][{j}]") for j, name in enumerate(names))
    stack = _stack(dictionary["f"][i], i)
    try:
        return Layer(width, heads, stack)
    except InvalidArchitecture as error:
        raise InvalidArchitecture(f"Layer {i}: {error}") from None


def _stack(widths: object, i: int) -> tuple[int, ...]:
    if not isinstance(widths, list | tuple) or not widths:
        raise InvalidArchitecture(
            f"f[{i}] is {widths!r}. Give the feed-forward widths of layer {i} as a list, such as "
            "[1024] or [512, 512, 512]."
        )
    return tuple(
        check_width(width, f"f[{i}][{j}] (a feed-forward width of layer {i})")
        for j, width in enumerate(widths)
    )
