"""Changes of nested mappings and lists, written as JSON or YAML."""

import copy
import json
from itertools import pairwise
from random import Random
from typing import Any

import yaml

from fuzzer import values
from fuzzer.texts import change_bytes

_BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join('*' + a for _ in range(9))}]\n" for a, b in pairwise("abcdefghi")
)


def places(tree: Any, path: tuple = ()) -> list[tuple]:
    """Return the path of everything in a tree but its root."""
    if isinstance(tree, dict):
        inner = list(tree.items())
    elif isinstance(tree, list):
        inner = list(enumerate(tree))
    else:
        return []
    found = []
    for key, below in inner:
        found += [(*path, key), *places(below, (*path, key))]
    return found


def change_tree(rng: Random, tree: Any, new: Any = None) -> Any:
    """Return a copy of a tree with one place changed.

    Args:
        rng: Chooses.
        tree: Mappings, lists and what JSON has.
        new: Put there if given, instead of an odd value.
    """
    tree = copy.deepcopy(tree)
    paths = places(tree)
    if not paths or (new is None and rng.random() < 0.02):
        return values.value(rng)
    *above, last = rng.choice(paths)
    holder = tree
    for key in above:
        holder = holder[key]
    kind = 0 if new is not None else rng.randrange(12)
    if kind < 4:
        holder[last] = values.value(rng) if new is None else new
    elif kind < 7:
        holder[last] = values.near(rng, holder[last])
    elif kind == 7:
        del holder[last]
    elif kind == 8:
        holder[last] = [holder[last]] * rng.choice((1, 2, 50))
    elif kind == 9 and isinstance(holder, dict):
        holder[str(values.near(rng, str(last)))] = holder.pop(last)
    elif kind == 10 and isinstance(holder, dict):
        holder[values.text(rng)] = values.value(rng)
    else:
        other = tree
        for key in rng.choice(paths):
            other = other[key] if isinstance(other, dict | list) and _has(other, key) else other
        holder[last] = copy.deepcopy(other)
    return tree


def _has(tree: Any, key: Any) -> bool:
    return key in tree if isinstance(tree, dict) else isinstance(key, int) and key < len(tree)


def changed_yaml(rng: Random, tree: Any) -> bytes:
    """Return the bytes of a YAML file like `tree`, with one or two changes."""
    kind = rng.randrange(20)
    if kind == 0:
        return (_BOMB + yaml.safe_dump(tree)).encode()
    if kind == 1:
        lines = yaml.safe_dump(tree).splitlines()
        return "\n".join([*lines, rng.choice(lines)]).encode()
    if kind < 5:
        return change_bytes(rng, yaml.safe_dump(tree, sort_keys=False).encode())
    if kind < 10:
        written = yaml.safe_dump(change_tree(rng, tree, "@@@"), sort_keys=False)
        return written.replace("'@@@'", rng.choice(values.YAML)).encode("utf-8", "surrogatepass")
    tree = change_tree(rng, tree)
    if kind > 16:
        tree = change_tree(rng, tree)
    return yaml.safe_dump(tree, sort_keys=False).encode("utf-8", "surrogatepass")


def changed_json(rng: Random, tree: Any) -> bytes:
    """Return the bytes of a JSON file like `tree`, with one or two changes."""
    kind = rng.randrange(12)
    written = json.dumps(tree)
    if kind < 2:
        return change_bytes(rng, written.encode())
    if kind == 2:
        raw = rng.choice(
            ("[" * 100_000, "9" * 5000, "NaN", "-Infinity", "1e999", '"\\ud800"', "{", "1 2")
        )
        return json.dumps(change_tree(rng, tree, "@@@")).replace('"@@@"', raw).encode()
    tree = change_tree(rng, tree)
    if kind > 9:
        tree = change_tree(rng, tree)
    return json.dumps(tree).encode()
