"""Where a run's weights, checkpoints and finished results live: a folder, or a URI.

Names are such as "weights/HASH.safetensors". Everything appears complete or not at all.
"""

import contextlib
import hashlib
import json
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.addresses import without_secrets
from nas.whole_files import whole_file, write_whole
from search_spaces.errors import RunError

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem


def weights_name(digest: str, fidelity: float = 1.0) -> str:
    """Return the name of the weights of an architecture; each fidelity has a file of its own."""
    return f"weights/{digest}{'' if fidelity == 1 else f'@{fidelity:g}'}.safetensors"


def result_name(
    digest: str,
    seed: int,
    fidelity: float,
    learning_rate_scale: float,
    parent: str | None,
    tasks: Sequence[str] | None = None,
) -> str:
    """Return the name of a finished result: it is that of everything its numbers depend on."""
    parts: list[Any] = [seed, fidelity, learning_rate_scale, parent]
    if tasks is not None:
        parts.append(list(tasks))
    return f"results/{digest}-{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]}.json"


@dataclass(frozen=True)
class Storage:
    """A place for files, which travels between processes; each opens a connection of its own.

    Attributes:
        place: The absolute path of a folder, or a URI.
    """

    place: str

    @property
    def shown(self) -> str:
        """The place as people may see it, without credentials."""
        return without_secrets(self.place)

    @cached_property
    def folder(self) -> Path | None:
        """The folder, or None for a URI."""
        return None if "://" in self.place else Path(self.place)

    @cached_property
    def _remote(self) -> tuple["FileSystem", str]:
        """The file system of a URI and the path in it: by pyarrow, else by fsspec's drivers."""
        from pyarrow import fs

        try:
            return fs.FileSystem.from_uri(self.place)
        except (ValueError, OSError, NotImplementedError) as error:
            import fsspec

            try:
                system, path = fsspec.core.url_to_fs(self.place)
            except ImportError:  # fsspec needs a package for it, pyarrow does not
                raise error from None
            return fs.PyFileSystem(fs.FSSpecHandler(system)), path

    def put(self, file: Path, name: str) -> None:
        """Store a copy of a local file under `name`."""
        if self.folder is not None:
            target = self.folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(target) as partial:
                shutil.copyfile(file, partial)
            return
        system, root = self._remote
        target = f"{root}/{name}"
        system.create_dir(target.rpartition("/")[0], recursive=True)
        # Beside its place first, where that is more than a whole upload would cost anyway.
        with open(file, "rb") as source, system.open_output_stream(f"{target}.part") as sink:
            shutil.copyfileobj(source, sink, 1 << 20)
        system.move(f"{target}.part", target)

    def get(self, name: str, file: Path) -> bool:
        """Copy `name` to a local file; return False if there is no such name."""
        if self.folder is not None:
            if not (self.folder / name).is_file():
                return False
            shutil.copyfile(self.folder / name, file)
            return True
        system, root = self._remote
        try:
            with system.open_input_stream(f"{root}/{name}") as source, open(file, "wb") as sink:
                shutil.copyfileobj(source, sink, 1 << 20)
        except FileNotFoundError:
            file.unlink(missing_ok=True)
            return False
        return True

    def read_json(self, name: str) -> dict[str, Any] | None:
        """Return the mapping stored under `name`, or None."""
        try:
            if self.folder is not None:
                return json.loads((self.folder / name).read_text(encoding="utf-8"))
            system, root = self._remote
            with system.open_input_stream(f"{root}/{name}") as source:
                return json.loads(source.read())
        except (FileNotFoundError, ValueError):
            return None

    def write_json(self, name: str, values: dict[str, Any], *, synced: bool = True) -> None:
        """Store a mapping of JSON types under `name`.

        Args:
            name: Where.
            values: What.
            synced: Wait until a folder's disk has it, so that it survives a power cut too.
        """
        text = json.dumps(values).encode()
        if self.folder is None:
            system, root = self._remote
            system.create_dir(f"{root}/{name}".rpartition("/")[0], recursive=True)
            with system.open_output_stream(f"{root}/{name}") as sink:
                sink.write(text)
            return
        target = self.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, text, synced=synced)

    def sizes(self, under: str) -> dict[str, int]:
        """Return the names below the folder `under` with their sizes in bytes."""
        if self.folder is not None:
            found = {}
            for path in (self.folder / under).rglob("*"):
                try:
                    if path.is_file() and not path.name.startswith("."):
                        found[path.relative_to(self.folder).as_posix()] = path.stat().st_size
                except FileNotFoundError:
                    continue  # a worker replaced it meanwhile
            return found
        from pyarrow import fs

        system, root = self._remote
        select = fs.FileSelector(f"{root}/{under}", recursive=True, allow_not_found=True)
        return {
            info.path[info.path.index(under) :]: info.size
            for info in system.get_file_info(select)
            if info.type == fs.FileType.File
        }

    def remove(self, name: str) -> None:
        """Delete a file or a folder; it may be absent."""
        if self.folder is not None:
            target = self.folder / name
            if target.is_dir():
                shutil.rmtree(target, ignore_errors=True)
            else:
                target.unlink(missing_ok=True)
            return
        from pyarrow import fs

        system, root = self._remote
        kind = system.get_file_info(f"{root}/{name}").type
        if kind == fs.FileType.Directory:
            system.delete_dir(f"{root}/{name}")
        elif kind == fs.FileType.File:
            system.delete_file(f"{root}/{name}")

    def free(self) -> int | None:
        """Return the free bytes, or None where nobody can say."""
        if self.folder is None:
            return None
        existing = next(p for p in (self.folder, *self.folder.parents) if p.exists())
        return shutil.disk_usage(existing).free

    def check(self) -> None:
        """Write, read and delete a small file.

        Raises:
            RunError: One of them is not allowed or nobody answers at the URI.
        """
        name = f".nas-probe-{uuid.uuid4().hex}"
        try:
            self.write_json(name, {"ok": True})
            answer = self.read_json(name)
            self.remove(name)
        except Exception as error:  # each file system has errors of its own
            first = (str(error) or type(error).__name__).splitlines()[0]
            first = without_secrets(first.replace(self.place, self.shown))
            raise RunError(
                f"Cannot write to the storage {self.shown!r}: {first}. Check that it exists and "
                "that this user or its credentials may write there, or set execution.storage to "
                "another folder or URI."
            ) from None
        if answer != {"ok": True}:
            raise RunError(
                f"The storage {self.shown!r} does not give back what is written to it. "
                "Set execution.storage to another folder or URI."
            )


def open_storage(setting: str | None, run_directory: Path, run_id: str | None = None) -> Storage:
    """Return a run's storage: a folder for it in what `setting` names, or its own directory.

    Args:
        setting: A folder or a URI such as s3://bucket/searches; None for the run's own directory.
        run_directory: The run's directory, which need not exist yet.
        run_id: Tells runs apart whose directories have the same name; None for one that was made
            before runs had any.

    Raises:
        RunError: Nothing can be written there.
    """
    if setting is None:
        return Storage(str(run_directory.resolve()))
    if setting.startswith("file://"):
        setting = setting.removeprefix("file://")
    if "://" not in setting:
        setting = str(Path(setting).expanduser().resolve())
    _check_leaving_nothing(Storage(setting))
    name = run_directory.resolve().name + (f"-{run_id}" if run_id else "")
    # What follows "?" in a URI are options of the connection.
    place, mark, options = setting.partition("?") if "://" in setting else (setting, "", "")
    return Storage(f"{place.rstrip('/')}/{name}{mark}{options}")


def _check_leaving_nothing(storage: Storage) -> None:
    """Check a storage; a folder that was not there before the check is not there after it."""
    absent: list[Path] = []
    if storage.folder is not None:
        absent = [p for p in (storage.folder, *storage.folder.parents) if not p.exists()]
    try:
        storage.check()
    finally:
        for folder in absent:
            with contextlib.suppress(OSError):
                folder.rmdir()
