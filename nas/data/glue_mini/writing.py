"""Writes glue-mini as the official GLUE files are written, so that one reader reads both."""

from collections.abc import Iterable
from pathlib import Path

from nas.data.glue_mini.corpus import corpus
from nas.data.glue_mini.draw import Draw
from nas.data.glue_mini.tasks import TASKS, Words
from nas.evaluation.suites.glue import GLUE, Task

CORPUS_LINES = 40_000
_MISMATCHED_DOMAIN = "harbour"
_MATCHED_DOMAINS = ("farm", "kitchen", "school")
# all columns of the official files in their order; the task row names those that matter
_COLUMNS = {
    "cola": ("source", "label", "star", "sentence"),
    "sst2": ("sentence", "label"),
    "mrpc": ("Quality", "#1 ID", "#2 ID", "#1 String", "#2 String"),
    "stsb": (
        "index", "genre", "filename", "year", "old_index", "source1", "source2",
        "sentence1", "sentence2", "score",
    ),
    "qqp": ("id", "qid1", "qid2", "question1", "question2", "is_duplicate"),
    "mnli": (
        "index", "promptID", "pairID", "genre", "sentence1_binary_parse", "sentence2_binary_parse",
        "sentence1_parse", "sentence2_parse", "sentence1", "sentence2", "label1", "gold_label",
    ),
    "qnli": ("index", "question", "sentence", "label"),
    "rte": ("index", "sentence1", "sentence2", "label"),
    "wnli": ("index", "sentence1", "sentence2", "label"),
}  # fmt: skip
_NUMBERED = {"index", "id", "qid1", "qid2", "#1 ID", "#2 ID", "promptID", "pairID", "old_index"}

Example = tuple[tuple[str, ...], str]


def write_glue_mini(
    directory: str | Path, seed: int = 0, size: float = 1.0, tasks: Iterable[str] | None = None
) -> Path:
    """Write task folders and `corpus.txt`; the same seed and size give the same bytes.

    Args:
        directory: Where to write; made if absent.
        seed: Another seed gives other sentences of the same language.
        size: Factor on the number of examples and on the length of the corpus.
        tasks: Names of the tasks to write, each as it is among all nine; None writes the nine.

    Returns:
        The directory.
    """
    directory = Path(directory)
    for name in TASKS if tasks is None else tasks:
        task = GLUE[name]
        folder = directory / task.folder
        folder.mkdir(parents=True, exist_ok=True)
        for file, examples in generate(task, seed, size).items():
            _write(folder / file, _table(task, examples))
    lines = corpus(Draw(f"{seed}/corpus"), Words.full(), round(CORPUS_LINES * size))
    _write(directory / "corpus.txt", lines)
    return directory


def generate(task: Task, seed: int = 0, size: float = 1.0) -> dict[str, list[Example]]:
    """Return the examples of each file of a task; no example is in two files.

    Training sentences use the words that the task shows; development sentences use all words,
    and those of MNLI's mismatched file come from a domain that training has none of.
    """
    recipe, full, seen = TASKS[task.name], Words.full(), set()
    views = {task.train: full.shown(task.name), **dict.fromkeys(task.dev.values(), full)}
    if len(task.dev) > 1:
        views = {file: words.within(*_MATCHED_DOMAINS) for file, words in views.items()}
        views[task.dev["mismatched"]] = full.within(_MISMATCHED_DOMAIN)
    files = {}
    for file, words in views.items():
        count = max(8, round((recipe.train if file == task.train else recipe.dev) * size))
        draw = Draw(f"{seed}/{task.name}/{file}")
        files[file] = []
        while len(files[file]) < count:
            sentences, label = recipe.make(draw, words)
            if sentences in seen or len(set(sentences)) < len(sentences):
                continue
            seen.add(sentences)
            if task.labels and draw.chance(recipe.noise):
                label = draw.pick([other for other in task.labels if other != label])
            files[file].append((sentences, label))
    return files


def _table(task: Task, examples: list[Example]) -> Iterable[str]:
    columns = _COLUMNS[task.name]
    if not task.header:
        yield "\t".join(columns)
    for number, (sentences, label) in enumerate(examples):
        cells = dict(zip(task.columns, sentences, strict=True)) | {task.label: label}
        if task.name == "mnli":
            cells["label1"] = label
        yield "\t".join(
            cells.get(c, str(number) if c in _NUMBERED else "mini" if c == "source" else "")
            for c in columns
        )


def _write(path: Path, lines: Iterable[str]) -> None:
    path.write_bytes(("\n".join(lines) + "\n").encode())
