"""The generated file runs on its own and builds the same model."""

import ast
from collections import Counter

from nas.models import sources
from nas.models.hf_base import AUTO_MAP
from nas.models.standalone import FILE_NAME, standalone_source
from search_spaces import named_architecture

PLAIN = named_architecture("bert-tiny")


def test_source_needs_nothing_of_this_project_and_defines_every_name_once():
    tree = ast.parse(standalone_source(PLAIN))
    modules = {
        n.module if isinstance(n, ast.ImportFrom) else n.names[0].name
        for n in ast.walk(tree)
        if isinstance(n, ast.Import | ast.ImportFrom)
    }
    assert {"torch", "transformers"} <= modules
    assert not {m.split(".")[0] for m in modules} & {"nas", "search_spaces", "surrogates"}
    names = Counter(n.name for n in tree.body if isinstance(n, ast.ClassDef | ast.FunctionDef))
    assert max(names.values()) == 1, names.most_common(3)
    for target in AUTO_MAP.values():
        module, name = target.split(".")
        assert f"{module}.py" == FILE_NAME
        assert name in names


def test_source_is_the_same_every_time():
    assert standalone_source(PLAIN) == standalone_source(PLAIN)


def test_source_does_not_depend_on_the_order_of_sets(monkeypatch):
    """Which the hash seed of a process decides."""
    read, texts = sources._parsed, []
    for backwards in (False, True):

        def in_order(text, backwards=backwards):
            return tuple((n, sorted(names, reverse=backwards)) for n, names in read(text))

        monkeypatch.setattr(sources, "_parsed", in_order)
        texts.append(standalone_source(PLAIN))
    assert texts[0] == texts[1] == standalone_source(PLAIN)
