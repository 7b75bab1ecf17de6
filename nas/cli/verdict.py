"""The last lines of a search: what it found against plain encoders, the largest, and chance."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nas.cli.printing import echo
from search_spaces.errors import quoted

if TYPE_CHECKING:
    from nas.single.verdict import Comparison, Verdict

# Below this share of the variance, what a task's scores differ by is rather luck.
_TELLS = 0.5


def print_verdict(run: Any, longer: int | None = None) -> None:
    """Print the verdict on a run's best one, or that it is missing where one was wanted."""
    from nas.single.verdict import verdict_of

    verdict = verdict_of(run, longer)
    if verdict is None:
        if run.experiment.finalists and len(run.finished()):
            echo(
                "\nNo verdict: no finalist was trained with fresh seeds, so that the best score is "
                "the luckiest of many. Expect less of it, or find out: "
                f"nas confirm {quoted(run.directory)} --top 1 --seeds "
                f"{run.experiment.finalist_seeds} --baselines"
            )
        return
    for line in verdict_lines(verdict, quoted(run.directory)):
        echo(line)


def print_test(run: Any) -> None:
    """Print what the best one reaches on the test part of the user's own tasks, if they have any.

    The first call fine-tunes it on them once more, as an export does.
    """
    from nas.single.test_part import has_test, test_scores
    from search_spaces.errors import NasError

    if not has_test(run):
        return
    echo("\nScoring the best one on the test part …")
    try:
        found = test_scores(run)
    except NasError as error:
        echo(f"The test part was not scored: {error}")
        return
    if found is None:
        return
    for line in test_lines(found.scores):
        echo(line)
    if found.looks > 1:
        echo(
            f"So far {found.looks} encoders of this run were scored on it: choosing among them by "
            "these scores would make them too good to be true."
        )


def test_lines(tests: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Return a line for each task that was scored on its test part."""
    return [
        f"{task}, test (nothing was chosen by it): "
        + ", ".join(f"{metric} {value:.3f}" for metric, value in values.items())
        for task, values in tests.items()
        if values
    ]


def verdict_lines(verdict: "Verdict", place: str) -> list[str]:
    """Return what people read of a verdict.

    Args:
        verdict: The verdict.
        place: The run's directory, quoted, for commands.
    """
    seeds = "1 fresh seed" if verdict.seeds == 1 else f"{verdict.seeds} fresh seeds"
    lines = [
        f"\nVerdict on trial {verdict.trial}: {verdict.metric} {verdict.mean:.3f}"
        f"{_half(verdict.half)}, mean of {seeds}. The search selected it as the best of "
        f"{verdict.trials} at {verdict.selected:.3f}; expect the mean of fresh seeds.",
    ]
    if verdict.comparisons:
        lines.append("Against (difference of means, 95 % interval):")
    lines += [f"  {_line(one, verdict)}" for one in verdict.comparisons]
    lines += _better_finalists(verdict, place)
    plain = next((one for one in verdict.comparisons if one.role in ("plain", "uniform")), None)
    if plain is None:
        lines.append(f"No plain encoder was trained beside it: nas confirm {place} --baselines")
    else:
        lines.append(_conclusion(plain, verdict.sign))
    if verdict.shares:
        cannot = [task for task, share in verdict.shares.items() if share < _TELLS]
        listed = ", ".join(f"{task} {share:.2f}" for task, share in verdict.shares.items())
        lines.append(f"Share of the variance between architectures, not seeds: {listed}")
        if cannot:
            lines.append(
                f"At this budget these hardly tell architectures apart: {', '.join(cannot)}"
            )
    return [*lines, *_more_seeds(verdict, place)]


def _more_seeds(verdict: "Verdict", place: str) -> list[str]:
    """Offer further seeds where intervals overlap: of finalists, or with what they stand beside."""
    near = [
        digest
        for digest, mean in verdict.finalists.items()
        if verdict.half is None or abs(mean - verdict.mean) <= 2 * verdict.half
    ]
    unclear = [one.words for one in verdict.comparisons if not (one.same or one.beyond_noise)]
    if not near and not unclear:
        return []
    many = "another finalist" if len(near) == 1 else f"{len(near)} other finalists"
    what = ", ".join([*([many] if near else []), *unclear])
    return [
        f"Its interval still overlaps with {what}. More seeds tell them apart: nas confirm {place} "
        f"--top {1 + len(verdict.finalists)} --seeds {verdict.seeds + 2} --baselines"
    ]


def _half(half: float | None) -> str:
    return "" if half is None else f" ± {half:.3f}"


def _line(one: "Comparison", verdict: "Verdict") -> str:
    if one.same:
        return f"{one.words}: the very same encoder"
    what = f"{one.words}: {one.mean:.3f}"
    difference = f"{one.difference:+.3f}{_half(one.half)}"
    if one.beyond_noise is None:
        return f"{what}; {difference}, and one seed does not tell the noise"
    if not one.beyond_noise:
        return f"{what}; {difference}, within noise"
    better = verdict.sign * one.difference > 0
    return f"{what}; {difference}, {'better' if better else 'worse'} beyond noise"


def _better_finalists(verdict: "Verdict", place: str) -> list[str]:
    found = [
        (mean, digest)
        for digest, mean in verdict.finalists.items()
        if verdict.sign * (mean - verdict.mean) > 0
    ]
    if not found:
        return []
    mean, digest = max(found, key=lambda pair: verdict.sign * pair[0])
    return [
        f"  Another finalist, {digest[:10]}, has the better mean of fresh seeds, {mean:.3f}: "
        f"nas export {place} --pick {digest[:10]} --to zoo/best"
    ]


def _conclusion(plain: "Comparison", sign: int) -> str:
    name = "plain BERT" if plain.role == "plain" else "a uniform cut"
    if plain.same:
        return f"What was found is {name} itself."
    better = sign * plain.difference > 0
    if plain.beyond_noise and better:
        return f"What was found is better than {name} of its size, beyond noise."
    if plain.beyond_noise:
        return f"What was found is worse than {name} of its size: take that one."
    words = "is not shown to be better" if better else "is not better"
    why = "one seed does not tell the noise"
    if plain.beyond_noise is not None:
        why = "the difference is within noise"
    return f"What was found {words} than {name} of its size: {why}."
