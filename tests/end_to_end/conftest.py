"""What whole searches by the command line start from."""

import pytest

from nas.cli.main import cli


@pytest.fixture(scope="session", autouse=True)
def _quick(quick_searches):
    """Trials in this process are trained as ever, and timed for a moment."""


@pytest.fixture(scope="session")
def nas():
    """Return what runs a command line that must end well."""

    def run(*arguments):
        try:
            cli.main([str(a) for a in arguments], prog_name="nas", standalone_mode=False)
        except SystemExit as stop:
            assert stop.code == 0  # noqa: PT017  a search says by its code how it ended

    return run


@pytest.fixture(scope="session")
def glue_search():
    """Return what makes the plan of a search on one task of glue-mini, of few examples."""

    def make(*, recipe=None, **settings):
        small = {
            "max_train_examples": 48, "max_dev_examples": 48, "max_length": 32, "block_length": 32,
            "precision": "fp32", "finetune_epochs": 1,
        }  # fmt: skip
        return {
            "data": "glue-mini",
            "tasks": ["sst2"],
            "execution": {"engine": "inline"},
            **settings,
            "recipe": {**small, **(recipe or {})},
        }

    return make
