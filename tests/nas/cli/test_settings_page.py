"""The page of all settings says what the settings are."""

import importlib.util
from pathlib import Path

DOCS = Path(__file__).resolve().parents[3] / "docs"


def test_the_page_of_settings_is_up_to_date():
    spec = importlib.util.spec_from_file_location("write_settings", DOCS / "write_settings.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    # else: python docs/write_settings.py
    assert (DOCS / "settings.md").read_text(encoding="utf-8") == module.page()
