"""How large the report of a long search is, and how long it takes to write and to open.

    python experiments/report_size.py --trials 5000

makes up a run (architectures of a space, scores that follow their size and chance), writes its
report, and opens it in headless Chromium where that and selenium are installed. It prints what it
measured as one line of JSON. `--keep FOLDER` keeps the run.
"""

import argparse
import json
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np

from nas.config import make_experiment
from nas.report.html_report import write_report
from nas.runs.directory import Run, create_run
from search_spaces import Architecture, load_space

OPENINGS = 3  # the median counts
SPACE = "flexibert-micro"
OBJECTIVES = "glue:max,latency_ms:min"
FAILING = 50  # one in so many


def made_up_run(directory: Path, trials: int, seed: int) -> Run:
    """Return a finished run of `trials` trials that nobody trained."""
    experiment = make_experiment(
        {"space": SPACE, "policy": "random", "trials": trials, "objectives": OBJECTIVES}
    )
    run = create_run(directory, experiment, experiment.objectives)
    random = np.random.default_rng(seed)
    with run.journal.together():
        for architecture in load_space(SPACE).sample(trials, seed=seed):
            trial = run.journal.asked(
                architecture.to_dict(), architecture.hash, seed=seed, proposal={"reason": "random"}
            )
            run.journal.started(trial, trial % 2)
            if trial % FAILING == 0:
                failure = {"cause": "nan", "error": "The loss became NaN.", "seconds": 3.0}
                run.journal.finished(trial, "failed", **failure)
            else:
                run.journal.finished(trial, "done", **result(architecture, random))
        run.journal.set_meta("ended", "trials")
    return run


def result(architecture: Architecture, random: np.random.Generator) -> dict:
    """Return scores that grow with the width of the layers, and costs."""
    width = sum(layer.width for layer in architecture.layers)
    tasks = {name: 0.4 + width / 4000 + 0.05 * random.standard_normal() for name in ("cola", "rte")}
    scores = {"glue": sum(tasks.values()) / len(tasks), **tasks}
    costs = {"parameters": 500 * width, "latency_ms": width / 64 + random.exponential(0.3)}
    seconds = 20.0 + float(random.exponential(5.0))
    return {
        "scores": scores, "costs": costs, "seconds": seconds, "node": "made-up", "device": "cpu"
    }  # fmt: skip


def opening_seconds(page: Path) -> float | None:
    """Return the median seconds until the page is drawn; None without selenium and Chromium."""
    try:
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service
    except ImportError:
        return None
    binary = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not (binary and driver):
        return None
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    browser = webdriver.Chrome(options=options, service=Service(driver))
    try:
        seconds = []
        for _ in range(OPENINGS):
            started = time.perf_counter()
            browser.get(page.resolve().as_uri())  # returns after the scripts have run
            browser.execute_async_script(
                "const f = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(f))"
            )
            seconds.append(time.perf_counter() - started)
        return float(np.median(seconds))
    finally:
        browser.quit()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="New folder for the run.")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        run = made_up_run(given.keep or Path(place) / "made-up", given.trials, given.seed)
        started = time.perf_counter()
        page = write_report(run)
        writing = time.perf_counter() - started
        opening = opening_seconds(page)
        figures = {
            "trials": given.trials,
            "megabytes": round(page.stat().st_size / 1e6, 2),
            "write_seconds": round(writing, 1),
            "open_seconds": opening and round(opening, 2),
        }
        run.close()
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
