"""How many tokens of pre-training a child saves that inherits weights from its nearest neighbour.

Claim: a child that starts from its nearest trained neighbour reaches the score of a child trained
from scratch with at most a fifth of the tokens.

    python experiments/inheritance.py --to experiments/inheritance

Children of `flexibert-micro` on glue-mini, half of them mutations of a trained architecture, half
drawn from the space; each inherits from the most similar of sixteen trained parents. Every child is
trained from scratch and from its parent's weights with several shares of the recipe's budget and
every seed; each run has a schedule of its own that ends at zero. Every result is a line of
`runs.csv` as soon as it is there, and what is there is not run again, so the script can be stopped
and started again. About two hours of one core, undisturbed, for ten pairs and three seeds, half of
that with `--examples 300`; `--minutes` stops it earlier.
"""

import argparse
import csv
import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from nas.config import make_experiment
from nas.data.prepared import PreparedData
from nas.models.heads import MaskedLanguageHead
from nas.models.overlap import nearest_parent
from nas.models.transfer import Inheritance
from nas.training.preparing import experiment_recipe, prepare_data
from nas.training.pretrain import pretrain
from nas.training.recipe import Recipe
from nas.training.seeds import named_seed, random_state, thread_count
from nas.training.trial import build_encoder, run_trial, save_weights
from nas.training.watch import Watch
from search_spaces import Architecture, load_space

SCRATCH, INHERITED = (1.0, 0.2, 0.5), (0.2, 0.1, 0.0)  # shares of the budget, in order of running
PARENT_SEED = 1_000  # a parent is one trained model, whatever the seed of the child
FIELDS = (
    "pair", "child", "parent", "origin", "overlap", "seed", "start", "share", "glue",
    "validation_loss", "inherited_share", "seconds",
)  # fmt: skip
KEY = ["pair", "seed", "start", "share"]
Pair = tuple[Architecture, Architecture, float, str]


def choose_pairs(space_name: str, count: int, parents: int, seed: int) -> list[Pair]:
    """Children with the most similar of `parents` sampled architectures, and where each is from."""
    space = load_space(space_name)
    rng = np.random.default_rng(seed)
    trained = space.sample(parents, seed=seed)
    fresh = [a for a in space.sample(4 * count, seed=seed + 1) if a not in trained]
    chosen = []
    for k in range(count):
        child = fresh[k] if k % 2 else space.mutate(trained[rng.integers(parents)], rng)
        others = [a for a in trained if a != child]
        chosen.append((child, *nearest_parent(child, others), "sample" if k % 2 else "mutation"))
    return chosen


def train_parent(parent: Architecture, recipe: Recipe, data: PreparedData, path: Path) -> None:
    """Pre-train with the whole budget and save; a parent needs no fine-tuning."""
    if path.exists():
        return
    with thread_count(recipe.threads), random_state(named_seed(PARENT_SEED, "weights")):
        encoder = build_encoder(parent, recipe, data.vocabulary_size, data.tokenizer_json)
        head = MaskedLanguageHead(encoder)
        pretrain(
            encoder,
            head,
            data.pretrain,
            data.validation,
            recipe,
            vocabulary_size=data.vocabulary_size,
            seed=named_seed(PARENT_SEED, "pretrain"),
            watch=Watch(None, None),
        )
    save_weights(path, encoder=encoder, mlm=head)


def with_share(recipe: Recipe, share: float) -> Recipe:
    """The recipe with a share of its pre-training; for none, one step that moves nothing."""
    tokens = max(1, round(share * recipe.pretrain_tokens))
    rate = recipe.pretrain_learning_rate if share else 1e-12
    return dataclasses.replace(
        recipe, pretrain_tokens=tokens, pretrain_learning_rate=rate, inherit_tokens=1.0
    )


def all_runs(pairs: int, seeds: int) -> Iterator[tuple[int, int, str, float]]:
    """The comparison that matters most first, for all pairs: what is done can be compared."""
    for share, inherited in zip(SCRATCH, INHERITED, strict=True):
        for seed in range(seeds):
            for pair in range(pairs):
                yield pair, seed, "scratch", share
                yield pair, seed, "inherited", inherited


def measure(
    pairs: list[Pair],
    seeds: int,
    recipe: Recipe,
    data: PreparedData,
    table: Path,
    minutes: float,
    method: str,
) -> None:
    """Run what is not in the table yet, and write each result at once."""
    done = set(pd.read_csv(table)[KEY].itertuples(index=False, name=None)) if table.exists() else ()
    table.parent.mkdir(parents=True, exist_ok=True)
    with table.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, FIELDS)
        if not done:
            writer.writeheader()
        stop = time.monotonic() + 60 * minutes
        for k, seed, start, share in all_runs(len(pairs), seeds):
            if (k, seed, start, share) in done:
                continue
            if time.monotonic() > stop:
                print("The time is up; start again to go on.", flush=True)
                return
            child, parent, shared, origin = pairs[k]
            inherit = None
            if start == "inherited":
                weights = table.parent / "parents" / f"{parent.hash}.safetensors"
                train_parent(parent, recipe, data, weights)
                inherit = Inheritance(parent, weights, method)
            result = run_trial(child, with_share(recipe, share), data, seed=seed, inherit=inherit)
            row = {
                "pair": k, "child": child.hash, "parent": parent.hash, "origin": origin,
                "overlap": round(shared, 4), "seed": seed, "start": start, "share": share,
                "glue": result.scores["glue"],
                "validation_loss": result.details["validation_loss"],
                "inherited_share": result.details.get("inherited_share", 0.0),
                "seconds": round(result.seconds, 1),
            }  # fmt: skip
            writer.writerow(row)
            file.flush()
            print(f"{k:3} {seed:3} {start:>9} {share:4} {row['glue']:.4f}", flush=True)


def by_pair(rows: pd.DataFrame, value: str) -> pd.DataFrame:
    """One line for each pair, mean over its seeds; columns are start and share.

    Only seeds of a pair that were trained with the whole budget count.
    """
    wide = rows.pivot_table(index=["pair", "seed"], columns=["start", "share"], values=value)
    return wide[wide["scratch"][1.0].notna()] if ("scratch", 1.0) in wide else wide[:0]


def tokens_from_scratch(score: float, curve: pd.Series) -> float:
    """The share at which training from scratch has `score`, interpolated; inf beyond the curve.

    Args:
        score: Larger is better.
        curve: Mean score from scratch by share, rising.
    """
    curve = curve.sort_index().cummax()
    if score > curve.iloc[-1]:
        return float("inf")
    if score < curve.iloc[0]:
        return 0.0
    return float(np.interp(score, curve.to_numpy(), curve.index.to_numpy(float)))


def equivalent(wide: pd.DataFrame, start: str, share: float) -> str:
    """In words, the share of tokens that training from scratch needs for the same mean."""
    cells = wide[wide[start][share].notna()]
    # the same children on both sides: those with every share that is there from scratch
    cells = cells.loc[cells["scratch"].dropna(axis=1, how="all").dropna().index]
    curve = cells["scratch"].dropna(axis=1, how="all").mean()
    found = tokens_from_scratch(cells[start][share].mean(), curve)
    if np.isinf(found):
        return f"> {curve.index.max():.2f}"
    return f"< {curve.index.min():.2f}" if found == 0 else f"{found:.2f}"


def report(rows: pd.DataFrame, tokens: int) -> str:
    """The table: scores, paired differences with training from scratch, tokens it would need."""
    scores, losses = by_pair(rows, "glue"), by_pair(rows, "validation_loss")
    pairs, seeds = (scores.index.unique(level).size for level in ("pair", "seed"))
    lines = [
        f"{pairs} pairs, {seeds} seeds, {len(rows)} runs. The whole budget is {tokens:,} tokens; "
        "GLUE in points, paired differences with their standard error over pairs.",
        "",
        "| start | share | runs | GLUE, mean | median | − scratch at 1.0 | pairs as good | loss "
        "| same GLUE from scratch | same loss from scratch |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for start, share in sorted(scores.columns, reverse=True):
        column = 100 * scores[start][share].dropna()
        paired = (column - 100 * scores["scratch"][1.0]).dropna().groupby("pair").mean()
        error = paired.std(ddof=1) / len(paired) ** 0.5
        lines.append(
            f"| {start} | {share:.2f} | {len(column)} | {column.mean():.2f} | "
            f"{column.median():.2f} | {paired.mean():+.2f} ({error:.2f}) | "
            f"{(paired >= 0).sum()} of {len(paired)} | {losses[start][share].mean():.3f} | "
            f"{equivalent(scores, start, share)} | {equivalent(-losses, start, share)} |"
        )
    return "\n".join(lines)


def draw(rows: pd.DataFrame, tokens: int, path: Path) -> None:
    """Mean score and loss over tokens, from scratch and from a parent, two standard errors."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    for panel, (value, words, factor) in zip(
        figure.subplots(1, 2),
        (("glue", "mean GLUE (points)", 100), ("validation_loss", "validation loss (nats)", 1)),
        strict=True,
    ):
        wide = factor * by_pair(rows, value)
        # from differences with the same child at the whole budget: children differ, too
        paired = wide.sub(wide["scratch"][1.0], axis=0).groupby("pair").mean()
        level = wide["scratch"][1.0].mean()
        for start, colour in (("scratch", "#30638e"), ("inherited", "#d1495b")):
            part = paired[start].sort_index(axis=1)
            error = 2 * part.std(ddof=1) / part.count() ** 0.5
            thousands = part.columns.to_numpy(float) * tokens / 1000
            panel.errorbar(
                thousands, level + part.mean(), error, color=colour, marker="o", label=start
            )
        panel.axhline(level, color="#30638e", linewidth=0.8, linestyle=":")
        panel.axvline(tokens / 5000, color="#888888", linewidth=0.8, linestyle=":")
        panel.set(xlabel="tokens of pre-training (thousands)", ylabel=words)
        panel.spines[["top", "right"]].set_visible(False)
    panel.legend(frameon=False)
    figure.savefig(path, dpi=120)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--pairs", type=int, default=10)
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--parents", type=int, default=16, help="architectures to inherit from")
    options.add_argument("--choice", type=int, default=0, help="seed of the pairs")
    options.add_argument("--space", default="flexibert-micro")
    options.add_argument("--data", default="glue-mini")
    options.add_argument("--examples", type=int, help="training examples of a task")
    options.add_argument("--method", default="grow")
    options.add_argument("--tokens", type=int, help="the whole budget, if not the recipe's")
    options.add_argument(
        "--minutes", type=float, default=float("inf"), help="stop after these; 0: only the table"
    )
    options.add_argument("--to", type=Path, default=Path("experiments/inheritance"))
    chosen = options.parse_args()
    plan = make_experiment({"space": chosen.space, "data": chosen.data})
    recipe = experiment_recipe(plan)
    changes = {"max_train_examples": chosen.examples, "pretrain_tokens": chosen.tokens}
    recipe = dataclasses.replace(recipe, **{k: v for k, v in changes.items() if v})
    pairs = choose_pairs(chosen.space, chosen.pairs, chosen.parents, chosen.choice)
    table = chosen.to / "runs.csv"
    if chosen.minutes > 0:
        data = prepare_data(plan, recipe)
        measure(pairs, chosen.seeds, recipe, data, table, chosen.minutes, chosen.method)
    rows = pd.read_csv(table)
    if by_pair(rows, "glue").empty:
        print("No run is there to compare with yet.")
        return
    text = report(rows, recipe.pretrain_tokens)
    (chosen.to / "table.md").write_text(text + "\n", encoding="utf-8")
    draw(rows, recipe.pretrain_tokens, chosen.to / "curve.png")
    print(f"\n{text}\n\nTable, runs and picture: {chosen.to}")


if __name__ == "__main__":
    main()
