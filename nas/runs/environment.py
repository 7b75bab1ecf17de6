"""What a run was made with: versions and hardware, written once and read with care."""

import platform
import shlex
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from nas.addresses import without_secrets
from nas.limits import available_cpus
from search_spaces.documents import read_json_file
from search_spaces.errors import RunError

FILE = "environment.json"
_PACKAGES = ("encoder-nas", "torch", "ray", "botorch", "transformers", "tokenizers", "numpy")


def describe_environment() -> dict[str, Any]:
    """Return the versions and the hardware a run was made with, without importing the packages."""
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = None
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "machine": platform.machine(),
        "cpus": available_cpus(),
        "packages": versions,
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "command": without_secrets(shlex.join(["nas", *sys.argv[1:]])),
    }


def read_environment(directory: Path) -> dict[str, Any]:
    """Return what `describe_environment` said when the run was made, as texts; {} where unknown."""
    try:
        found = read_json_file(directory / FILE, RunError)
    except RunError:
        return {}
    if not isinstance(found, dict):
        return {}
    packages = found.get("packages")
    packages = packages if isinstance(packages, dict) else {}
    kept = {k: v for k, v in found.items() if isinstance(v, str | int | float)}
    versions = {k: v for k, v in packages.items() if v is None or isinstance(v, str)}
    return {**kept, "packages": versions}
