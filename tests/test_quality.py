"""Lint, format, types and documentation, as tests: one command checks everything."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
COMMANDS = {
    "lint": ["ruff", "check", "--no-cache", "."],
    "format": ["ruff", "format", "--check", "--no-cache", "."],
    "types": ["mypy", "--cache-dir", "{tmp}/mypy"],
    "documentation": ["sphinx", "-W", "--keep-going", "-q", "-b", "html", "docs", "{tmp}/html"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_it_passes(name, tmp_path):
    module, *arguments = [word.format(tmp=tmp_path) for word in COMMANDS[name]]
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
