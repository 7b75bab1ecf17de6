"""Folders of trained encoders that somebody else made, and what is said about them."""

import json
import struct
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import yaml

from fuzzer import bases, values
from fuzzer.bases import EXPERIMENT
from fuzzer.cases import DOORS, SEARCH_CODES, Door, Step, after_search
from fuzzer.doors.own import RECIPE, rows, write
from fuzzer.texts import change_bytes, change_file
from fuzzer.trees import change_tree, changed_json

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
SIZES = {
    "vocab_size": 64, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
    "intermediate_size": 24, "max_position_embeddings": 40,
}  # fmt: skip
# What the configurations of the families call these, where they have words of their own.
DISTILBERT = {"vocab_size": 64, "dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 24}
FAMILIES = {
    "bert": ("Bert", SIZES),
    "distilbert": ("DistilBert", {**DISTILBERT, "max_position_embeddings": 40}),
    "electra": ("Electra", {**SIZES, "embedding_size": 16}),
    "roberta": ("Roberta", {**SIZES, "max_position_embeddings": 42}),
    "modernbert": ("ModernBert", {**SIZES, "pad_token_id": 0}),
}
HOSTILE = (
    10**9, 10**12, 2**63, 10**30, 0, -1, 1, 3, 17, 1.5, True, None, "16", "gelu", "relu", [], [16],
    {}, float("nan"), float("inf"), 1e308, "x" * 5000, "../victim", values.CANARY + ":Space",
)  # fmt: skip
DTYPES = ("F64", "F16", "BF16", "I64", "I32", "U8", "BOOL", "F8_E5M2", "F4", "C64", "x", "")
NAMED = (
    "hub:", "hub:x", "hub:a/b", "hub:../victim", "hub:" + "a" * 300, "hub:a/b/c", "hub:é/x", "",
    ".", "victim", "/etc", "/dev/null", "teacher/config.json", "\x1b[2J", "nowhere",
)  # fmt: skip
MIXERS = (
    "c_3", "c_3,l_dft", "hedgehog", "l_dct", "", ",", "c_4", "c_3,c_3", "sa_sdp", "x", "c_-1",
    "hedgehog(x=1)", "longconv(taps=3)", "c_999999", "sa_wma", "*", "c_3;l_dft", "9" * 400,
)  # fmt: skip


@cache
def teacher(family: str) -> Path:
    """Return a folder as `transformers` writes it, with a tokenizer of letters."""
    import tokenizers
    import torch
    import transformers

    letters = "abcdefghijklmnopqrstuvwxyz"
    words = [*SPECIAL, *letters, *(f"##{c}" for c in letters)]
    backend = tokenizers.Tokenizer(
        tokenizers.models.WordPiece({w: i for i, w in enumerate(words)}, unk_token="[UNK]")
    )
    backend.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    folder, (name, sizes) = bases.place() / "teachers" / family, FAMILIES[family]
    special = dict.fromkeys(("bos_token_id", "cls_token_id"), 2)
    special |= dict.fromkeys(("eos_token_id", "sep_token_id"), 3)
    torch.manual_seed(0)
    config = getattr(transformers, f"{name}Config")(**sizes, **special)
    getattr(transformers, f"{name}Model")(config).save_pretrained(folder)
    (folder / "tokenizer.json").write_text(backend.to_str())
    (folder / "README.md").write_text("---\nlicense: mit\n---\nA tiny encoder.\n")
    return folder


def changed_tensors(rng: Random, content: bytes) -> bytes:
    """Return the bytes of a safetensors file with its header, its length or its numbers changed."""
    (size,) = struct.unpack("<Q", content[:8])
    header, data = json.loads(content[8 : 8 + size]), content[8 + size :]
    names = [name for name in header if name != "__metadata__"]
    name, other = rng.sample(names, 2)
    entry = header[name]
    kinds = (
        lambda: entry.__setitem__("dtype", rng.choice(DTYPES)),
        lambda: entry.__setitem__("shape", rng.choice(([], [0], [10**12], [-1], [2, 2], "x"))),
        lambda: entry["shape"].append(rng.choice((0, 1, 2, 10**9))),
        lambda: entry["shape"].reverse(),
        lambda: entry.__setitem__("data_offsets", rng.choice(([0, 0], [0, 2**63], [8, 4], [1]))),
        lambda: entry.__setitem__("data_offsets", header[other]["data_offsets"]),
        lambda: header.pop(name),
        lambda: header.__setitem__(values.text(rng), header.pop(name)),
        lambda: header.__setitem__(f"module.{name}", header.pop(name)),
        lambda: header.update({name: header[other], other: header[name]}),
        lambda: header.__setitem__("__metadata__", values.value(rng)),
    )
    kind = rng.randrange(16)
    if kind < len(kinds):
        kinds[kind]()
    elif kind == 11:
        header = change_tree(rng, header)
    elif kind == 12:
        return struct.pack("<Q", rng.choice((0, 2**63, 10**8, size - 1, size + 1))) + content[8:]
    elif kind == 13:
        return change_bytes(rng, content)
    else:  # not a number, infinite, large
        number = struct.pack("<f", rng.choice((float("nan"), float("inf"), 3e38, 1e-40)))
        at = 4 * rng.randrange(len(data) // 4)
        data = data[:at] + number + data[at + 4 :] if kind == 14 else number * (len(data) // 4)
    written = json.dumps(header).encode("utf-8", "surrogatepass")
    written += b" " * (-len(written) % 8)
    return struct.pack("<Q", len(written)) + written + data


def change_teacher(rng: Random, folder: Path) -> None:
    """Change one file of the folder, or which files there are."""
    config, tensors = folder / "config.json", folder / "model.safetensors"
    kind = rng.randrange(14)
    if kind < 4:
        settings: dict[str, Any] = json.loads(config.read_text())
        settings[rng.choice(list(settings))] = rng.choice(HOSTILE)
        config.write_text(json.dumps(settings))
    elif kind < 6:
        config.write_bytes(changed_json(rng, json.loads(config.read_text())))
    elif kind < 10:
        tensors.write_bytes(changed_tensors(rng, tensors.read_bytes()))
    elif kind < 12:
        path = folder / "tokenizer.json"
        path.write_bytes(changed_json(rng, json.loads(path.read_text())))
    elif kind == 12:
        tensors.rename(folder / rng.choice(("pytorch_model.bin", "model-00001-of-00002.x", "x.h5")))
        if rng.random() < 0.5:
            (folder / "model.safetensors.index.json").write_text('{"weight_map": {}}')
    else:
        change_file(rng, rng.choice(sorted(folder.iterdir())))


def make(rng: Random, folder: Path) -> list[Step]:
    """Change a trained encoder's folder; count its cuts, search among them, learn from it."""
    family = rng.choice(("bert", "bert", *FAMILIES))
    place = bases.copy(teacher(family), folder / "teacher")
    named, mixers = "teacher", ()
    kind = rng.randrange(10)
    if kind < 8:
        change_teacher(rng, place)
    elif kind == 8:
        named = rng.choice(NAMED).replace("\x00", "")
    else:
        mixers = (f"--mixers={rng.choice(MIXERS)}",)
    write(folder / "train.csv", rows("classes"))
    settings = EXPERIMENT | {"trials": 2, "time": None, "constraints": [], "policy": "random"}
    settings |= {"tasks": [{"train": "train.csv", "name": "mine"}], "objectives": {"score": "max"}}
    settings |= {"recipe": {k: v for k, v in RECIPE.items() if k != "vocabulary_size"}}
    settings["execution"] = {"engine": "inline"}
    outside = rng.random() < 0.25 and not mixers
    for name in ("data", *(() if outside else ("space",))):
        del settings[name]
    if outside:
        settings["recipe"] |= {"teacher": named, "distillation": "logits"}
    elif rng.random() < 0.2:
        settings["prior"] = True
    (folder / "experiment.yaml").write_text(yaml.safe_dump(settings))
    inside = () if outside else (f"--from={named}", *mixers)
    search = ("search", "experiment.yaml", *inside, "--run", "run", "--quiet")
    show = () if outside else (Step(("space", "show", *inside), after="always"),)
    return [
        *show,
        Step(search, ("run",), SEARCH_CODES),
        *after_search(rng, "run")[: rng.choice((0, 0, 2))],
        Step(
            ("evaluate", named, "--task", "mine=train.csv,train.csv", "--quiet", "--recipe",
             "finetune_epochs=1", "--finetune"),
        ),
    ]  # fmt: skip


DOORS.register("checkpoint")(Door("folders of trained encoders", make))
