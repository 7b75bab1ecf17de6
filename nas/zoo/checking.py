"""Is a folder of the zoo what was exported, complete, and a model that answers?"""

from pathlib import Path

from nas.zoo.card import missing_facts, read_card
from nas.zoo.files import CARD, CHECKSUMS, TASK, TOKENIZER, file_problem, read_checksums
from search_spaces.errors import InvalidData, NotAModel

# Tokens that a model is asked about; memory of attention grows with their square.
_ASKED = 512


def check_model(folder: Path | str) -> list[str]:
    """Return everything that is wrong with an exported folder; nothing if it is as it should be.

    Every file is compared with its checksum, the card with the facts every card says, and each
    model is loaded and asked for an answer.
    """
    folder = Path(folder)
    if not folder.is_dir():
        return [f"{folder} is no folder. Give one that nas export has written"]
    problems = _file_problems(folder) + _card_problems(folder)
    # A model whose files are not its own says nothing that could be judged.
    return problems or _model_problems(folder)


def require_sound(folder: Path | str) -> None:
    """Check an exported folder.

    Raises:
        NotAModel: Something is wrong with it; the message lists everything.
    """
    problems = check_model(folder)
    if problems:
        listed = "\n".join(f"  {problem}" for problem in problems)
        raise NotAModel(f"{folder} is not sound:\n{listed}\nExport or copy the model again.")


def _file_problems(folder: Path) -> list[str]:
    try:
        entries = read_checksums(folder)
    except NotAModel as error:
        return [str(error).removesuffix(".")]
    found = [file_problem(folder, name, entry) for name, entry in entries.items()]
    found += [
        f"{path} is a link, not a file of the model"
        for path in (folder, *sorted(folder.rglob("*")))
        if path.is_symlink()
    ]
    unknown = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if (path.is_file() or path.is_symlink())
        and path.name != CHECKSUMS
        and not path.name.startswith(".")
        and path.relative_to(folder).as_posix() not in entries
    )
    return [problem for problem in found if problem] + [
        f"{folder / name} is not one of the files that were exported" for name in unknown
    ]


def _card_problems(folder: Path) -> list[str]:
    try:
        card = read_card(folder)
    except NotAModel as error:
        return [str(error).removesuffix(".")]
    return [f"{folder / CARD} does not say {name}" for name in missing_facts(card)]


def _model_problems(folder: Path) -> list[str]:
    import torch

    from nas.models.hf_choice import FlexiBertForMultipleChoice
    from nas.zoo.configuration import read_config
    from nas.zoo.loading import load_model, read_row

    problems = []
    try:
        config = read_config(folder)
        length = min(config.max_position_embeddings, _ASKED)
        tokens = torch.arange(length)[None] % config.vocab_size
        for task in (None, *config.task_names):
            if task is not None and (folder / task / TASK).is_file():
                read_row(folder, task)
            with torch.inference_mode():
                model = load_model(folder, task=task)
                chooses = isinstance(model, FlexiBertForMultipleChoice)
                output = model(tokens[None] if chooses else tokens)[0]
            if not output.isfinite().all():
                problems.append(f"{folder / (task or '')} answers with NaN or infinite numbers")
        problems += _tokenizer_problems(folder, config.vocab_size)
    except NotAModel as error:
        problems.append(str(error).removesuffix("."))
    return problems


def _tokenizer_problems(folder: Path, entries: int) -> list[str]:
    """Checksums may be anybody's, too: the tokenizer must be one, and have the model's entries."""
    from nas.data.tokenizer import Tokenizer

    path = folder / TOKENIZER
    try:
        found = Tokenizer.read(path).vocabulary_size
    except InvalidData as error:
        return [f"{path}: {error}".removesuffix(".")]
    if found != entries:
        return [f"{path} has {found:,} entries, and the model was trained with {entries:,}"]
    return []
