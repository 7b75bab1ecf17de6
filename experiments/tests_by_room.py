"""Which tests to run for a fault without a run under coverage: those of its room first.

Tests mirror the rooms of the code, so the tests of `nas/models/growth.py` are
`tests/nas/models/test_growth.py`, then the others of that folder, then those elsewhere that name
the module or whatever it defines, and the goldens. A fault that these notice is noticed by the
suite; one that they do not is for a person to look at.
"""

import ast
import re
from functools import cached_property
from pathlib import Path

GOLDEN = "tests/golden/"


class ByRoom:
    """The test files of a checkout, for questions about one file of its sources."""

    def __init__(self, root):
        self.root = Path(root)

    @cached_property
    def texts(self):
        """The text of every test file, by its path from the root."""
        files = sorted((self.root / "tests").rglob("test_*.py"))
        return {str(path.relative_to(self.root)): path.read_text() for path in files}

    def parts(self, file):
        """Return test files in the order to run them: a list of lists, each run in one process."""
        path = Path(file)
        own = [name for name in self.texts if Path(name).stem == f"test_{path.stem}"]
        room = Path("tests", path.parent)
        while not any(Path(name).parent == room for name in self.texts):
            room = room.parent
        near = [name for name in self.texts if Path(name).parent == room]
        module = re.compile(rf"\b{path.stem}\b")
        near = sorted(near, key=lambda name: not module.search(self.texts[name]))
        tree = ast.parse((self.root / file).read_text())
        kinds = ast.ClassDef | ast.FunctionDef
        defined = [node.name for node in tree.body if isinstance(node, kinds)]
        public = [re.escape(name) for name in defined if not name.startswith("_")]
        dotted = re.escape(".".join(path.with_suffix("").parts).removesuffix(".__init__"))
        named = re.compile("|".join(rf"\b{name}\b" for name in [dotted, *public]))
        far = [name for name, text in self.texts.items() if named.search(text)]
        far.sort(key=lambda name: len(named.findall(self.texts[name])), reverse=True)
        if path.parts[0] != "nas" or path.parts[:2] == ("nas", "models"):
            far += [name for name in self.texts if name.startswith(GOLDEN)]
        seen, parts = set(), []
        for part in (own, near, far):
            parts.append([n for n in part if n not in seen and not seen.add(n)])
        return [part for part in parts if part]
