"""Putting an exported folder on the Hugging Face hub."""

import re
from pathlib import Path

from nas.zoo.checking import require_sound
from search_spaces.errors import NasError

_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def files_to_push(folder: Path) -> list[tuple[str, int]]:
    """Return the path below `folder` and the bytes of every file that `push_model` sends."""
    return [
        (path.relative_to(folder).as_posix(), path.stat().st_size)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    ]


def push_model(
    folder: Path | str,
    repository: str,
    *,
    private: bool = False,
    dry_run: bool = False,
    message: str = "A found encoder",
) -> str:
    """Send an exported folder to the hub, after checking it; return its address there.

    Args:
        folder: What `nas export` has written.
        repository: Its name on the hub, "user/name"; made where it does not exist.
        private: Whether a new repository is seen by its owner only.
        dry_run: Check everything that can be checked here, and send nothing.
        message: Of the commit.

    Raises:
        NotAModel: The folder is not sound.
        NasError: The name is none, nobody is logged in, or the hub does not answer or refuses.
    """
    from huggingface_hub import HfApi, constants, get_token

    folder = Path(folder)
    if not _NAME.fullmatch(repository):
        raise NasError(f"{repository!r} is no name of a repository. Write user/name.")
    require_sound(folder)
    address = f"{constants.ENDPOINT}/{repository}"
    if dry_run:
        return address
    if get_token() is None:
        raise NasError(
            "Nobody is logged in to the Hugging Face hub. Log in with: hf auth login; or set "
            "HF_TOKEN. To see what would be sent: add --dry-run."
        )
    api = HfApi()
    try:
        api.create_repo(repository, private=private, exist_ok=True)
        api.upload_folder(
            repo_id=repository,
            folder_path=folder,
            commit_message=message,
            ignore_patterns=[".*", "**/.*"],
        )
    except Exception as error:  # its HTTP library's errors differ between versions
        raise NasError(
            f"The hub did not take {folder}: {type(error).__name__}: {error}. "
            "Check the network, the token's rights and the repository's name, then push again."
        ) from error
    return address
