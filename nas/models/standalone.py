"""The model as one Python file that needs torch and transformers, and nothing of this project.

An exported folder carries this file, so that
`transformers.AutoModel.from_pretrained(folder, trust_remote_code=True)` works on machines where the
project is not installed. The file is our own sources one after the other, in the order of their
imports, without the imports between them; names at the top of these modules must therefore differ.
"""

import ast
from importlib.util import find_spec
from pathlib import Path

_PACKAGES = ("nas", "search_spaces", "surrogates")
_ENTRY = "nas.models.hf"
_HEADER = """# SPDX-License-Identifier: Apache-2.0
\"\"\"FlexiBERT encoders for transformers: generated from the sources of encoder-nas.\"\"\"
"""
FILE_NAME = "modeling_flexibert.py"
AUTO_MAP = {
    "AutoConfig": "modeling_flexibert.FlexiBertConfig",
    "AutoModel": "modeling_flexibert.FlexiBertModel",
    "AutoModelForMaskedLM": "modeling_flexibert.FlexiBertForMaskedLM",
    "AutoModelForSequenceClassification": ("modeling_flexibert.FlexiBertForSequenceClassification"),
}


def standalone_source() -> str:
    """Return the source of the model classes with everything of this project they need."""
    imports: set[str] = set()
    bodies: list[str] = []
    for module in _in_order_of_import(_ENTRY):
        path = _path(module)
        if path.name == "__init__.py":
            continue
        kept, body = _split(path.read_text(encoding="utf-8"))
        imports |= kept
        bodies.append(f"\n# ---- {module}\n\n\n{body}")
    return "\n".join([_HEADER, *sorted(imports), "", *bodies])


def _path(module: str) -> Path:
    spec = find_spec(module)
    assert spec is not None, module
    return Path(spec.origin)


def _is_ours(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module.split(".")[0] in _PACKAGES


def _in_order_of_import(entry: str) -> list[str]:
    """`entry` after everything of ours that it imports, directly or not, when it is run."""
    found: list[str] = []

    def visit(module: str) -> None:
        if module in found:
            return
        tree = ast.parse(_path(module).read_text(encoding="utf-8"))
        for node in tree.body:
            if _is_ours(node):
                visit(node.module)
        found.append(module)

    visit(entry)
    return found


def _split(source: str) -> tuple[set[str], str]:
    """The imports a module makes of others' packages, and its source without docstring, imports."""
    tree = ast.parse(source)
    lines = source.splitlines()
    imports: set[str] = set()
    dropped: set[int] = set()
    for position, node in enumerate(tree.body):
        docstring = position == 0 and isinstance(node, ast.Expr)
        imported = isinstance(node, ast.Import | ast.ImportFrom)
        typing_only = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        if docstring or imported or typing_only:
            dropped |= set(range(node.lineno - 1, node.end_lineno))
        if imported and not _is_ours(node):
            imports |= {_one(node, alias) for alias in node.names}
    body = "\n".join(line for number, line in enumerate(lines) if number not in dropped)
    return imports, body.strip("\n") + "\n"


def _one(node: ast.Import | ast.ImportFrom, alias: ast.alias) -> str:
    name = ast.unparse(alias)
    return f"import {name}" if isinstance(node, ast.Import) else f"from {node.module} import {name}"
