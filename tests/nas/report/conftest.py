"""Runs that were made up, and a browser to look at their reports."""

import shutil
from types import SimpleNamespace

import pytest
import yaml

from nas.execution import Outcome
from nas.report.html_report import write_report
from nas.report.snapshot import Snapshot
from nas.runs.directory import open_run
from search_spaces import Architecture, load_space

HOSTILE = "</script><script>document.title='broken into'</script><img src=x onerror=alert(1)>"


def measured(job):
    """Return a made-up result: larger is better but for luck, which the hash decides."""
    architecture = Architecture.from_dict(job.architecture)
    size = sum(layer.width for layer in architecture.layers)
    luck = int(architecture.hash[:6], 16) / 16**6
    scores = {"glue": 0.4 + size / 4000 + luck / 10, "cola": luck - 0.2, "rte": 0.5 + luck / 5}
    costs = {"parameters": 500.0 * size, "flops": 9e3 * size, "latency_ms": size / 64 + luck / 4}
    return Outcome(
        job.trial, scores=scores, costs=costs, seconds=2.0 + luck, node="here", device="cpu"
    )


@pytest.fixture(scope="session")
def kept(tmp_path_factory):
    """A folder for what is made once and only read afterwards."""
    return tmp_path_factory.mktemp("reports")


@pytest.fixture
def finished(begin, pretend, kept):
    """A finished run of 24 trials by a policy that predicts; two failed, one with hostile text."""
    directory = kept / "first"
    if not directory.exists():
        faults = dict.fromkeys(range(1, 25), measured)
        faults[5] = Outcome(5, seconds=1.0, cause="nan", error="The loss became NaN at step 7.")
        faults[9] = Outcome(9, seconds=1.0, cause="error", error=HOSTILE, traceback=HOSTILE)
        objectives = "glue:max,latency_ms:min"
        search = begin(
            executor=pretend(faults=faults), trials=24, policy="forest", objectives=objectives
        )
        search.run_until_done()
        search.run.close()
        shutil.copytree(search.run.directory, directory)
    return open_run(directory)


@pytest.fixture
def page(finished):
    path = finished.directory / "report.html"
    return path if path.exists() else write_report(finished)


@pytest.fixture(scope="session")
def chromium():
    """Return a function that opens a file in headless Chromium, `browser(path, width=1280)`."""
    selenium = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    from selenium.webdriver.chrome.service import Service

    binary = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not (binary and driver):
        pytest.skip("no Chromium: apt-get install -y chromium chromium-driver")
    options = selenium.ChromeOptions()
    options.binary_location = binary
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = selenium.Chrome(options=options, service=Service(driver))

    def open_page(path, *, width=1280):
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        still = [{"name": "prefers-reduced-motion", "value": "reduce"}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": still})
        browser.get_log("browser")
        browser.get(path.resolve().as_uri())
        return browser

    yield open_page
    browser.quit()


def trial_record(number, architecture, **changes):
    """Return a row of the record of a finished trial."""
    record = {
        "trial": number,
        "hash": architecture.hash,
        "architecture": architecture.to_dict(),
        "fidelity": 1.0,
        "status": "done",
        "attempts": 1,
        "asked_at": 1000.0 + 10 * number,
        "started_at": 1000.0 + 10 * number,
        "finished_at": 1008.0 + 10 * number,
        "seconds": 8.0,
        "scores": {"glue": 0.5},
        "costs": {"parameters": 1000.0, "latency_ms": 1.0},
        "proposal": {"reason": "optimise"},
        "cause": None,
        "error": None,
        "traceback": None,
        "node": "here",
        "device": "cpu",
    }
    return record | changes


@pytest.fixture
def record():
    """Return a row of the record: `record(number, architecture, **changes)`."""
    return trial_record


@pytest.fixture
def snapshot(tmp_path, monkeypatch):
    """Return a function that makes a snapshot out of rows of a record."""

    def make(records, *, objectives=None, sessions=(), ended="trials", **settings):
        done = sum(r["status"] == "done" for r in records)
        status = {"state": ended, "done": done, "failed": len(records) - done}
        status |= {"running": 0, "queued": 0, "spent_seconds": 60.0}
        monkeypatch.setattr("nas.report.snapshot.run_status", lambda run: status)
        settings = {"space": "flexibert-micro", "trials": len(records), "seed": 3, **settings}
        (tmp_path / "experiment.yaml").write_text(yaml.safe_dump(settings))
        journal = SimpleNamespace(trials=lambda: records, sessions=lambda: list(sessions))
        objectives = objectives or {"glue": "max"}
        run = SimpleNamespace(directory=tmp_path, journal=journal, objectives=objectives)
        return Snapshot(run)

    return make


@pytest.fixture(scope="session")
def architectures():
    """Forty encoders of a small space, half of them deep."""
    space = load_space("flexibert-micro")
    halves = [space.sample(20, seed=0, accept=lambda a, d=d: len(a) == d) for d in (2, 4)]
    return [a for pair in zip(*halves, strict=True) for a in pair]
