"""The recorded pull request is what the commands print today."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent.parent / "docs"


@pytest.mark.skipif(shutil.which("git") is None, reason="the session needs git")
def test_the_recorded_session_is_what_happens():
    specification = importlib.util.spec_from_file_location("record_session", DOCS / "record_session.py")
    script = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(script)
    assert script.session() == script.PAGE.read_text(encoding="utf-8"), "run `python docs/record_session.py`"
