"""The two published dictionary formats, read with care and written back without loss.

Per layer (FlexiBERT): `l` layers; lists of that length `o` (operation), `p` (its parameter), `h`
(width), `n` (heads) and `f` (list of feed-forward widths). All heads of a layer are alike.

Per head (FlexiBERT 2.0): no `n` and no `p`; `o[i]` lists the heads of layer i, each written
`operation_parameter_width`, such as "sa_sdp_64". Their widths need not add up to the layer's.

Either may also have `parts` (one mapping a layer from slot to text, such as {"feedforward":
"glu"}), `model` (slot of the model to text) and `recipe` (what is chosen of the training to text),
written only where something is not the default; the published formats have none of these.

Source: Tuli et al., "FlexiBERT: Are Current Transformer Architectures too Homogeneous and Rigid?",
JAIR 2023, and Tuli and Jha, "EdgeTran", 2023.
"""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from search_spaces.architectures.layers import (
    MOST_HEADS,
    MOST_LAYERS,
    MOST_MAPS,
    PER_HEAD,
    PER_LAYER,
    Head,
    Layer,
    check_kind,
    check_width,
    shared_head,
)
from search_spaces.errors import InvalidArchitecture
from search_spaces.parts import Part, Value, write_value

LAYER_KEYS = ("l", "o", "h", "n", "f", "p")
HEAD_KEYS = ("l", "o", "h", "f")
MEANING = {
    "l": "number of layers",
    "o": "operations",
    "h": "widths",
    "n": "numbers of heads",
    "f": "lists of feed-forward widths",
    "p": "operation parameters",
    "parts": "what stands in each layer's slots",
    "model": "what stands in the model's slots",
    "recipe": "what is chosen of the training",
}
OPTIONAL_KEYS = ("parts", "model", "recipe")
EXAMPLES = {"model": "{'norm': 'rms'}", "recipe": "{'mask_rate': '0.15'}"}


Read = tuple[tuple[Layer, ...], str, Mapping[str, Any], Mapping[str, Any]]


def read_dictionary(dictionary: Mapping[str, Any]) -> Read:
    """Return the layers a dictionary describes, the format it is written in, parts and recipe.

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
    count = check_width(dictionary["l"], "l (number of layers)", MOST_LAYERS)
    for key in HEAD_KEYS[1:] if style == PER_HEAD else LAYER_KEYS[1:]:
        _check_list(dictionary[key], key, count)
    read = _layer_per_head if style == PER_HEAD else _layer_per_layer
    parts = _layer_parts(dictionary, count)
    layers = tuple(read(dictionary, i, parts[i]) for i in range(count))
    return layers, style, _mapping(dictionary, "model"), _mapping(dictionary, "recipe")


def write_dictionary(
    layers: tuple[Layer, ...],
    style: str,
    parts: Iterable[tuple[str, Part]] = (),
    recipe: Iterable[tuple[str, Value]] = (),
) -> dict[str, Any]:
    """Return the dictionary of an architecture in the given format, with JSON types only.

    The keys `parts`, `model` and `recipe` are there only where something is not the default.
    """
    more: dict[str, Any] = {}
    if any(layer.parts for layer in layers):
        more["parts"] = [{slot: str(part) for slot, part in layer.parts} for layer in layers]
    if parts:
        more["model"] = {slot: str(part) for slot, part in parts}
    if recipe:
        more["recipe"] = {name: write_value(value) for name, value in recipe}
    return _published(layers, style) | more


def _published(layers: tuple[Layer, ...], style: str) -> dict[str, Any]:
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


def _layer_parts(dictionary: Mapping[str, Any], count: int) -> Sequence[Mapping[str, Any]]:
    if "parts" not in dictionary:
        return [{}] * count
    given = dictionary["parts"]
    _check_list(given, "parts", count)
    for i, parts in enumerate(given):
        if not isinstance(parts, Mapping):
            raise InvalidArchitecture(
                f"parts[{i}] is {parts!r}. Give a mapping from slot to the text of what stands "
                "there, such as {'feedforward': 'glu'}, or {} for nothing special."
            )
    return given


def _mapping(dictionary: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    given = dictionary.get(key, {})
    if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
        raise InvalidArchitecture(
            f"{key!r} ({MEANING[key]}) is {given!r}. Give a mapping from names to texts, such as "
            f"{EXAMPLES[key]}."
        )
    return given


def _style(dictionary: Mapping[str, Any]) -> str:
    operations = dictionary.get("o")
    listed = isinstance(operations, list | tuple) and any(
        isinstance(entry, list | tuple) for entry in operations
    )
    return PER_HEAD if listed and "p" not in dictionary else PER_LAYER


def _check_keys(dictionary: Mapping[str, Any], style: str) -> None:
    keys = HEAD_KEYS if style == PER_HEAD else LAYER_KEYS
    for key in dictionary:
        if key not in keys and key not in OPTIONAL_KEYS:
            allowed = (*keys, *OPTIONAL_KEYS)
            close = get_close_matches(str(key), [*allowed, *MEANING.values()], n=1)
            near = next((k for k in allowed if close and close[0] in (k, MEANING[k])), None)
            hint = f" Did you mean {near!r} ({MEANING[near]})?" if near else ""
            raise InvalidArchitecture(
                f"An architecture in the {style} format has no key {key!r}.{hint} "
                f"Its keys are {', '.join(keys)}, and where something is not the default "
                f"{', '.join(OPTIONAL_KEYS)}."
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


def _layer_per_layer(dictionary: Mapping[str, Any], i: int, parts: Mapping[str, Any]) -> Layer:
    width = check_width(dictionary["h"][i], f"h[{i}] (the width of layer {i})")
    what = f"n[{i}] (the number of heads of layer {i})"
    heads = check_width(dictionary["n"][i], what, MOST_HEADS)
    if isinstance(dictionary["o"][i], list | tuple):
        raise InvalidArchitecture(
            f"o[{i}] is a list of heads, which belongs to the per-head format, but 'p' is given "
            "too. Leave out 'n' and 'p', or give one operation per layer."
        )
    kind = check_kind(dictionary["o"][i], dictionary["p"][i], f"o[{i}], p[{i}]")
    if width % heads:
        below = next(n for n in range(heads - 1, 0, -1) if width % n == 0)
        raise InvalidArchitecture(
            f"Layer {i} has width h[{i}] = {width}, which cannot be divided by its n[{i}] = "
            f"{heads} heads. Use a number of heads that divides {width}, such as {below}, or the "
            f"width {(width // heads + 1) * heads}."
        )
    head = shared_head(*kind, width // heads)
    return _layer(i, width, (head,) * heads, _stack(dictionary["f"][i], i), parts)


def _layer_per_head(dictionary: Mapping[str, Any], i: int, parts: Mapping[str, Any]) -> Layer:
    width = check_width(dictionary["h"][i], f"h[{i}] (the width of layer {i})")
    names = dictionary["o"][i]
    if not isinstance(names, list | tuple) or not names:
        raise InvalidArchitecture(
            f"o[{i}] is {names!r}. In the per-head format each layer is a list of heads, such as "
            "['sa_sdp_64', 'l_dct_64']."
        )
    if len(names) > MOST_HEADS:
        raise InvalidArchitecture(f"o[{i}] has {len(names):,} heads. Give at most {MOST_HEADS:,}.")
    heads = tuple(Head.parse(name, f"o[{i}][{j}]") for j, name in enumerate(names))
    return _layer(i, width, heads, _stack(dictionary["f"][i], i), parts)


def _layer(
    i: int,
    width: int,
    heads: tuple[Head, ...],
    stack: tuple[int, ...],
    parts: Mapping[str, Any],
) -> Layer:
    try:
        return Layer(width, heads, stack, parts or ())
    except InvalidArchitecture as error:
        raise InvalidArchitecture(f"Layer {i}: {error}") from None


def _stack(widths: object, i: int) -> tuple[int, ...]:
    if not isinstance(widths, list | tuple) or not widths:
        raise InvalidArchitecture(
            f"f[{i}] is {widths!r}. Give the feed-forward widths of layer {i} as a list, such as "
            "[1024] or [512, 512, 512]."
        )
    if len(widths) > MOST_MAPS:
        raise InvalidArchitecture(f"f[{i}] has {len(widths):,} maps. Give at most {MOST_MAPS:,}.")
    return tuple(
        check_width(width, f"f[{i}][{j}] (a feed-forward width of layer {i})")
        for j, width in enumerate(widths)
    )
