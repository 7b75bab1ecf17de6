"""Tables that are compressed, Parquet, and folders that `datasets` saved."""

import bz2
import gzip
import json
import lzma
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from fuzzer import values
from fuzzer.cases import DOORS, Door, Step
from fuzzer.doors.own import rows, steps_of, write
from fuzzer.texts import change_bytes, change_file
from fuzzer.trees import change_tree


def _zstandard(content: bytes) -> bytes:
    import pyarrow as pa

    return pa.compress(content, codec="zstd", asbytes=True)


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress, ".xz": lzma.compress, ".bz2": bz2.compress, ".zst": _zstandard,
}  # fmt: skip


def _features(rng: Random) -> Any:
    """Return what `datasets` notes of the columns, or something like it."""
    classes = {"names": ["no", "yes"], "_type": "ClassLabel"}
    noted = {"info": {"features": {"label": classes, "text": {"_type": "Value"}}}}
    return change_tree(rng, noted) if rng.random() < 0.6 else noted


def saved(rng: Random, folder: Path) -> None:
    """Write what `save_to_disk` writes, and change something of it."""
    import pyarrow as pa

    table = pa.Table.from_pylist([{**row, "label": i % 2} for i, row in enumerate(rows("classes"))])
    kind = rng.randrange(12)
    noted = json.dumps(_features(rng)) if kind else rng.choice(("", "[", "9" * 5000, "null"))
    table = table.replace_schema_metadata({"huggingface": noted.encode("utf-8", "replace")})
    if kind == 1:
        at = rng.randrange(table.num_columns)
        odd = pa.array([rng.choice((-1, 7, None, 2**40)) for _ in range(table.num_rows)])
        table = table.set_column(at, table.column_names[at], odd)
    place = folder / "train"
    if kind == 2:
        splits = change_tree(rng, {"splits": ["train", "../victim"]})
        (folder / "train").mkdir()
        (folder / "train" / "dataset_dict.json").write_text(json.dumps(splits))
        place = folder / "train" / "train"
    place.mkdir()
    file = place / "data-00000-of-00001.arrow"
    with file.open("wb") as opened, pa.ipc.new_stream(opened, table.schema) as stream:
        stream.write_table(table)
    if kind == 3:
        file.write_bytes(change_bytes(rng, file.read_bytes()))
    elif kind == 4:
        (place / "data-00001-of-00001.arrow").write_bytes(b"")
    elif kind == 5:
        change_file(rng, file)


def parquet(rng: Random, path: Path) -> None:
    """Write a table with columns of types that no task has, or change its bytes."""
    import pyarrow as pa
    from pyarrow import parquet

    found = rows("classes")
    odd = (
        lambda: pa.array([b"\xff"] * len(found)),
        lambda: pa.array([{"a": values.text(rng)}] * len(found)),
        lambda: pa.array([[1], None] * (len(found) // 2)),
        lambda: pa.array([str(i % 3) for i in range(len(found))]).dictionary_encode(),
        lambda: pa.array(range(len(found)), pa.timestamp("s")),
        lambda: pa.array([1.0, float("nan")] * (len(found) // 2), pa.float16()),
        lambda: pa.nulls(len(found)),
        lambda: pa.array([True, None] * (len(found) // 2)),
        lambda: pa.array(range(len(found)), pa.decimal128(20, 3)),
        lambda: pa.array(["no", "yes"] * (len(found) // 2), pa.large_string()),
        lambda: pa.array([["no"], []] * (len(found) // 2), pa.large_list(pa.string())),
        lambda: pa.array(range(len(found)), pa.duration("us")),
    )  # fmt: skip
    table = pa.Table.from_pylist(found)
    changed = rng.random() < 0.3
    if not changed:
        name = rng.choice(table.column_names)
        table = table.set_column(table.column_names.index(name), name, rng.choice(odd)())
    parquet.write_table(table, path, compression=rng.choice(("snappy", "zstd", "none")))
    if changed:
        path.write_bytes(change_bytes(rng, path.read_bytes()))


def compressed(rng: Random, folder: Path) -> str:
    """Write a table and compress it, whole or broken, honest or not; return its name."""
    ending = rng.choice((".csv", ".tsv", ".jsonl", ".json", ".conll"))
    plain = folder / f"train{ending}"
    if ending == ".conll":
        plain.write_text("\n\n".join("a O\nfilm B\nwas O" for _ in range(40)))
    else:
        write(plain, rows(rng.choice(("classes", "pair", "number"))))
    content = plain.read_bytes()
    plain.unlink()
    packer = rng.choice(tuple(PACKERS))
    pack = PACKERS[packer]
    kinds = (
        lambda: pack(content),
        lambda: change_bytes(rng, pack(content)),
        lambda: content,
        lambda: pack(pack(content)),
        lambda: pack(change_bytes(rng, content)),
        lambda: pack(content) + pack(content),
        lambda: pack(content) + b"junk",
        lambda: pack(b"text,label\n" + b"x" * 60_000_000),
        lambda: pack(b"\x00" * 60_000_000),
        lambda: pack(b"text,label\n" + b"a,b\n" * 3_000_000),
    )
    written = rng.choices(kinds, (7, 8, 1, 1, 3, 1, 1, 0.5, 0.5, 0.5))[0]()
    (folder / f"train{ending}{packer}").write_bytes(written)
    return f"train{ending}{packer}"


def make(rng: Random, folder: Path) -> list[Step]:
    """Write such a table, in one of the ways; search on it, and ask what was found."""
    write(folder / "asked.csv", rows("classes")[:8])
    kind, asked = rng.randrange(4), "asked.csv"
    if kind < 2:
        name = compressed(rng, folder)
        asked = rng.choice((asked, name))
    elif kind == 2:
        name = "train.parquet"
        parquet(rng, folder / name)
    else:
        name = "train"
        saved(rng, folder)
    return steps_of(rng, folder, {"train": name, "name": "mine"}, asked)


DOORS.register("packed")(Door("compressed and columnar tables", make))
