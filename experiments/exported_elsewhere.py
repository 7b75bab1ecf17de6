"""A search's winner where this project is not installed: LoRA, new tokens, a compiled step, saving.

python -m venv elsewhere
elsewhere/bin/pip install -c constraints.txt torch transformers peft
elsewhere/bin/python experiments/exported_elsewhere.py zoo/best

It refuses to run where the project can be imported. Each line that it prints is one thing that a
deployer does on the second day, with its figures; it ends with 1 where one did not come out right.
"""

import argparse
import copy
import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import peft
import torch
import transformers
from transformers import (
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    pipeline,
)

OURS = ("nas", "search_spaces", "surrogates")
STEPS = 60  # of the LoRA fine-tune
NEW = ["zyxwv", "qqrrss", "vvxxkk"]  # words that no vocabulary has
GOOD = ["good", "warm", "bright", "kind", "fine", "lovely"]
BAD = ["bad", "cold", "dull", "cruel", "poor", "awful"]
THINGS = ["film", "song", "story", "house", "day", "book"]
TOLERANCE = 1e-4

# Run in a process of its own: what it prints is compared with what the saving process has.
AGAIN = """
import json, sys
from transformers import AutoModelForSequenceClassification, AutoTokenizer
folder, texts = sys.argv[1], json.loads(sys.argv[2])
model = AutoModelForSequenceClassification.from_pretrained(folder, trust_remote_code=True).eval()
tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=True)
batch = tokenizer(texts, padding=True, return_tensors="pt")
print(json.dumps(model(**batch).logits.tolist()))
"""


def tokenizer_of(folder: Path) -> transformers.PreTrainedTokenizerBase:
    """Return the folder's tokenizer; else `transformers` asks on a terminal whether it may."""
    return AutoTokenizer.from_pretrained(folder, trust_remote_code=True)


def classifier(folder: Path, **more: object) -> torch.nn.Module:
    """Return the folder's model for whole texts."""
    return AutoModelForSequenceClassification.from_pretrained(
        folder, trust_remote_code=True, **more
    )


def examples(folder: Path) -> dict[str, torch.Tensor]:
    """Return 72 sentences with labels, as one batch."""
    texts = [f"the {t} was {w}" for words in (BAD, GOOD) for w in words for t in THINGS]
    batch = tokenizer_of(folder)(texts, padding=True, return_tensors="pt")
    half = len(texts) // 2
    return {**batch, "labels": torch.tensor([0] * half + [1] * half)}


def lora(folder: Path, place: Path) -> tuple[bool, str]:
    """Fine-tune by LoRA, save the adapter, load it into the model again, and merge it."""
    batch = examples(folder)
    model = classifier(folder, num_labels=2)
    fresh = copy.deepcopy(model)
    linear = [n for n, m in model.named_modules() if isinstance(m, torch.nn.Linear)]
    settings = peft.LoraConfig(
        task_type="SEQ_CLS", r=4, target_modules=[n for n in linear if ".layers." in n]
    )
    tuned = peft.get_peft_model(model, settings).train()
    trained = [p for p in tuned.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=5e-3)
    losses = []
    for _ in range(STEPS):
        loss = tuned(**batch).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    tuned.eval()
    expected = tuned(**batch).logits.detach()
    tuned.save_pretrained(place)
    again = peft.PeftModel.from_pretrained(fresh, place).eval()(**batch).logits
    merged = tuned.merge_and_unload()(**batch).logits
    apart = max((again - expected).abs().max().item(), (merged - expected).abs().max().item())
    right = (expected.argmax(1) == batch["labels"]).float().mean().item()
    share = sum(p.numel() for p in trained) / sum(p.numel() for p in fresh.parameters())
    return losses[-1] < losses[0] / 2 and apart < TOLERANCE, (
        f"loss {losses[0]:.3f} -> {losses[-1]:.3f} in {STEPS} steps, accuracy on its 72 texts "
        f"{right:.3f}; {share:.1%} of the parameters trained; loaded again and merged: "
        f"{apart:.0e} apart"
    )


def vocabulary(folder: Path, place: Path) -> tuple[bool, str]:
    """Add words, lengthen the table and the masked-token head, train a step, save and load."""
    tokenizer = tokenizer_of(folder)
    model = AutoModelForMaskedLM.from_pretrained(folder, trust_remote_code=True)
    before = len(tokenizer)
    tokenizer.add_tokens(NEW)
    model.resize_token_embeddings(len(tokenizer))
    batch = tokenizer([f"the {word} was good" for word in NEW], return_tensors="pt")
    model(**batch, labels=batch["input_ids"]).loss.backward()
    moved = model.get_input_embeddings().weight.grad[before:].abs().sum(1).min().item()
    torch.optim.SGD(model.parameters(), lr=0.1).step()
    tied = model.get_input_embeddings().weight is model.get_output_embeddings().weight
    logits = model.eval()(**batch).logits
    model.save_pretrained(place)
    tokenizer.save_pretrained(place)
    whole = AutoModelForMaskedLM.from_pretrained(place, trust_remote_code=True).eval()
    apart = (whole(**batch).logits - logits).abs().max().item()
    good = tied and moved > 0 and apart < TOLERANCE and logits.shape[-1] == len(tokenizer)
    return good, (
        f"{before:,} -> {len(tokenizer):,} tokens, answers over {logits.shape[-1]:,}; tables tied: "
        f"{tied}; least gradient of a new row {moved:.1e}; saved and loaded: {apart:.0e} apart"
    )


def compiled(folder: Path, place: Path) -> tuple[bool, str]:
    """Train one step as it is and one compiled by torch's own compiler."""
    batch = examples(folder)
    plain = classifier(folder, num_labels=2).eval()  # without dropout both compute the same
    other = copy.deepcopy(plain)
    loss = plain(**batch).loss
    loss.backward()
    step = torch.compile(other)
    found = step(**batch).loss
    found.backward()
    gradients = max(
        (a.grad - b.grad).abs().max().item()
        for a, b in zip(plain.parameters(), other.parameters(), strict=True)
        if a.grad is not None
    )
    torch.optim.AdamW(other.parameters(), lr=1e-3).step()
    after = step(**batch).loss.item()
    good = abs(found.item() - loss.item()) < TOLERANCE and gradients < TOLERANCE
    return good and after < found.item(), (
        f"loss {found.item():.4f} ({abs(found.item() - loss.item()):.0e} from the plain step), "
        f"gradients {gradients:.0e} apart; after the step {after:.4f}"
    )


def second_save(folder: Path, place: Path) -> tuple[bool, str]:
    """Save what was loaded, load it in another process, and save that again."""
    texts = ["the film was good", "the song was awful and cold"]
    tokenizer = tokenizer_of(folder)
    model, logits = folder, None
    for name in ("second", "third"):
        loaded = classifier(model).eval()
        logits = loaded(**tokenizer(texts, padding=True, return_tensors="pt")).logits
        model = place / name
        loaded.save_pretrained(model)
        tokenizer.save_pretrained(model)
    answer = subprocess.run(
        [sys.executable, "-c", AGAIN, str(model), json.dumps(texts)],
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(answer.stdout.splitlines()[-1])  # `transformers` may print lines before it
    apart = (torch.tensor(found) - logits).abs().max().item()
    code = sorted(path.name for path in model.glob("*.py"))
    said = pipeline("text-classification", model=str(model), trust_remote_code=True)(texts)
    labels = [row["label"] for row in said]
    return apart < TOLERANCE and bool(code), (
        f"saved twice, loaded in another process: {apart:.0e} apart; it carries "
        f"{', '.join(code)}; its pipeline answers {labels}"
    )


TRIED: dict[str, Callable[[Path, Path], tuple[bool, str]]] = {
    "LoRA fine-tune": lora,
    "resized vocabulary": vocabulary,
    "compiled training step": compiled,
    "second save": second_save,
}


def main() -> int:
    """Try everything on a folder; return how many did not come out right."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    here = [name for name in OURS if importlib.util.find_spec(name) is not None]
    if here:
        parser.error(
            f"{', '.join(here)} can be imported, and this is to show what works without it. "
            "Run it with the Python of an environment of its own, outside of the checkout."
        )
    transformers.logging.set_verbosity_error()
    print(f"torch {torch.__version__}, transformers {transformers.__version__}, ", end="")
    print(f"peft {peft.__version__}; without {', '.join(OURS)}")
    wrong = 0
    for name, call in TRIED.items():
        torch.manual_seed(0)
        started = time.process_time()
        with tempfile.TemporaryDirectory() as place:
            good, figures = call(arguments.folder, Path(place))
        wrong += not good
        seconds = time.process_time() - started
        print(f"{'works' if good else 'FAILS'}  {name} ({seconds:.0f} CPU s): {figures}")
    return wrong


if __name__ == "__main__":
    sys.exit(min(main(), 1))
