"""Write settings.md: every setting of an experiment, its default and what it means.

python docs/write_settings.py
"""

from pathlib import Path
from typing import Any

import yaml

from nas.cli.config import meanings
from nas.config import Execution, Experiment
from nas.training.recipe import Recipe

PAGE = Path(__file__).resolve().parent / "settings.md"
HEAD = """# Every setting

Written by `python docs/write_settings.py` from the settings themselves. A setting stands in an
experiment file (`nas search my-experiment.yaml`), or is given as `--set KEY=VALUE`, a nested one
with points: `--set recipe.mask_rate=0.15`. `nas config --defaults` prints them as a file to copy,
`nas config FILE` what a file resolves to. An unknown key is an error that suggests the near one.
"""
RECIPE = """
The defaults are those of the preset `glue-mini`; `glue`, `own` and `checkpoint` have others, which
`nas config --set recipe.preset=glue` prints.
"""


def page() -> str:
    """Return the text of settings.md."""
    whole = Experiment().model_dump(mode="json")
    parts = [HEAD, "\n## The experiment\n\n"]
    plain = {k: v for k, v in meanings(Experiment).items() if k not in ("execution", "recipe")}
    parts.append(table(plain, whole))
    parts += ["\n## `execution`\n\n", table(meanings(Execution), whole["execution"], "execution.")]
    values = Recipe().to_dict()
    known = {name: words for name, words in meanings(Recipe).items() if name in values}
    parts += ["\n## `recipe`\n", RECIPE, "\n", table(known, values, "recipe.")]
    return "".join(parts)


def table(words: dict[str, str], values: dict[str, Any], before: str = "") -> str:
    """Return a table with one row a setting."""
    rows = ["| setting | default | meaning |", "|---|---|---|"]
    for name, meaning in words.items():
        text = yaml.safe_dump([values[name]], default_flow_style=True, width=10**6).strip()[1:-1]
        cells = (f"`{before}{name}`", f"`{text}`", meaning)
        rows.append(f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
