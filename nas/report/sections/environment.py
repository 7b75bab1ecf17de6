"""What it takes to repeat the run: versions, hardware, command, seed, settings."""

import yaml

from nas.addresses import without_secrets
from nas.config import space_title
from nas.report import blocks
from nas.report.sections.base import SECTIONS, Section
from nas.report.snapshot import Snapshot
from search_spaces.errors import quoted


@SECTIONS.register("environment")
def environment(snapshot: Snapshot) -> Section:
    """Return the environment, how to repeat the run, and the resolved experiment."""
    stored, records = snapshot.environment, snapshot.records
    used = {(r["node"] or "unknown", r["device"] or "unknown") for r in records if r["finished_at"]}
    packages = stored.get("packages", {})
    machine = [
        ("started", stored.get("started", "unknown")),
        ("system", stored.get("system", "unknown")),
        ("processor", f"{stored.get('cpus', '?')} CPUs, {stored.get('machine', 'unknown')}"),
        ("trained on", ", ".join(f"{device} ({node})" for node, device in sorted(used))),
        ("seed", snapshot.settings.get("seed", 0)),
        ("data", snapshot.settings.get("data", "unknown")),
        ("policy", snapshot.settings.get("policy", "unknown")),
        ("space", space_title(snapshot.space)),
        ("run directory", snapshot.directory),
    ]
    machine += [("hardware", stored["hardware"])] if "hardware" in stored else []
    versions = [("Python", stored.get("python", "unknown"))]
    versions += [(name, version or "not installed") for name, version in packages.items()]
    plan = quoted(snapshot.directory / "experiment.yaml")
    command = f"nas search {plan} --run A-NEW-DIRECTORY"
    if "command" in stored:
        command = f"{stored['command']}\n\n# or, from the stored experiment\n{command}"
    settings = yaml.safe_dump(snapshot.settings, sort_keys=False, allow_unicode=True)
    return Section(
        "Environment",
        "What it takes to repeat this run. The same seed, versions and data give the same "
        "proposals for the same answers.",
        [
            blocks.facts(machine, title="Run"),
            blocks.facts(versions, title="Versions"),
            blocks.code(without_secrets(command), title="Command"),
            blocks.code(without_secrets(settings.strip()), title="Experiment, defaults filled in"),
        ],
    )
