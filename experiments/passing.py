"""Which files an architecture passes from the space's YAML to the zoo, and a result to the table.

A file is passed when one of its functions is handed, or makes, what is followed: an architecture
(as an object, as its dictionary, or in a job, row or list), or what a trial measured (as an object
with scores and costs, or as such a row). Counted while two trials are searched, listed, and the
best one is exported, all in this process.

    PYTHONPATH=CHECKOUT python experiments/passing.py [--files]
"""

import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FrameType

import nas
from nas.cli.main import main as command
from search_spaces import load_space

KEYS = set(load_space("flexibert-micro").sample(1, seed=0)[0].to_dict())
ROOT = Path(nas.__file__).resolve().parents[1]
PACKAGES = ("search_spaces", "surrogates", "nas")
_LOOKS = 40  # calls of a function that are looked at: what it is handed is of one kind
SETTINGS = """\
space: flexibert-micro
policy: random
trials: 2
recipe: {pretrain_tokens: 2000, finetune_epochs: 1, max_train_examples: 32, max_dev_examples: 16}
tasks: [sst2]
execution: {engine: inline}
"""


def is_architecture(value: object) -> bool:
    """Whether `value` is an architecture, or the dictionary of one."""
    if type(value).__name__ == "Architecture":
        return True
    return isinstance(value, dict) and set(value) >= KEYS


def is_result(value: object) -> bool:
    """Whether `value` holds scores and costs."""
    if isinstance(value, dict):
        return "scores" in value and "costs" in value
    return hasattr(type(value), "__dataclass_fields__") and hasattr(value, "costs")


def carries(value: object, wanted: Callable[[object], bool]) -> bool:
    """Whether `value` is wanted, or holds something wanted right inside."""
    if wanted(value):
        return True
    if isinstance(value, dict):
        return any(wanted(inner) for inner in value.values())
    if isinstance(value, list | tuple):
        return any(wanted(inner) for inner in value[:3])
    if hasattr(type(value), "__dataclass_fields__"):
        return any(wanted(inner) for inner in getattr(value, "__dict__", {}).values())
    return False


class Follower:
    """Notes, in order, the files whose functions hold what is followed."""

    def __init__(self, kinds: dict[str, Callable[[object], bool]]):
        self.kinds, self.passed = kinds, {name: {} for name in kinds}
        self._ours: dict[str, str | None] = {}
        self._looked: dict[CodeType, int] = {}

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:
        code = frame.f_code
        looked = self._looked.get(code, 0)
        if looked > _LOOKS or event not in ("call", "return"):
            return
        self._looked[code] = looked + 1
        name = code.co_filename
        if name not in self._ours:
            self._ours[name] = _ours(name)
        file = self._ours[name]
        if file is None or code.co_name == "<module>":
            return
        for kind, wanted in self.kinds.items():
            if file not in self.passed[kind]:
                values = (*frame.f_locals.values(), argument)
                if any(carries(value, wanted) for value in values):
                    self.passed[kind][file] = len(self.passed[kind])


def _ours(name: str) -> str | None:
    path = Path(name)
    if not path.is_relative_to(ROOT):
        return None
    file = path.relative_to(ROOT)
    return file.as_posix() if file.parts[0] in PACKAGES else None


def run(*arguments: str) -> None:
    """Run a command of `nas` in this process."""
    sys.argv = ["nas", *arguments]
    try:
        command()
    except SystemExit as stop:
        if stop.code not in (0, None):
            raise


def rooms(files: Iterator[str]) -> int:
    """Return in how many folders, or files outside one, the files are."""
    return len({"/".join(file.split("/")[:2]) for file in files})


def main() -> None:
    """Search, list and export; print how many files each kind passed."""
    listed = "--files" in sys.argv
    follower = Follower({"architecture": is_architecture, "result": is_result})
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "plan.yaml").write_text(SETTINGS, encoding="utf-8")
        where = str(folder / "run")
        sys.setprofile(follower)
        run("search", str(folder / "plan.yaml"), "--run", where, "--quiet")
        run("trials", where)
        del follower.kinds["result"]  # it is in the table
        run("export", where, "--pick", "best", "--to", str(folder / "zoo"))
        sys.setprofile(None)
    for kind, files in follower.passed.items():
        print(f"{kind}: {len(files)} files in {rooms(iter(files))} rooms")
        if listed:
            print("\n".join(f"  {file}" for file in files))


if __name__ == "__main__":
    main()
