"""Ray's dashboard beside a search on this machine: on the loopback address, if asked for."""

import socket
from contextlib import suppress
from typing import Any

from search_spaces.errors import RunError

_HOST = "127.0.0.1"


def dashboard_settings(port: int | None) -> dict[str, Any]:
    """Return what Ray is to be started with; without a port it has no dashboard.

    Raises:
        RunError: The packages that it needs are not installed, or the port is taken.
    """
    if port is None:
        return {"include_dashboard": False}
    _require_packages(port)
    _require_free(port)
    return {"include_dashboard": True, "dashboard_host": _HOST, "dashboard_port": port}


def dashboard_words(port: int) -> str:
    """Return where it is, and what it asks for."""
    return (
        f"Ray's dashboard until the search ends: http://{_HOST}:{port} "
        "(the token it asks for: ray get-auth-token)"
    )


def _require_packages(port: int) -> None:
    from ray._private import utils

    # without this function (another version) Ray says itself what it lacks
    missing = getattr(utils, "get_dashboard_dependency_error", lambda: None)()
    if missing is not None:
        raise RunError(
            f"execution.dashboard is {port}, and Ray's dashboard needs packages that are not "
            f"installed ({missing}). Install them with: pip install 'ray[default]', or leave "
            "dashboard out; nas watch and nas report need nothing."
        )


def _require_free(port: int) -> None:
    with socket.socket() as trial:
        # as a server that starts does: what an earlier one has just left is free
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):
            trial.bind((_HOST, port))
            return
    raise RunError(
        f"execution.dashboard is {port}, and something on this machine listens there already. "
        f"Give another port, such as {port + 1 if port < 65535 else port - 1}."
    )
