"""Runs that are killed lose no finished batch: the small version of tests/benchmarks/kill_runs.py."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parent / "benchmarks" / "kill_runs.py"


@pytest.mark.skipif(sys.platform == "win32", reason="forks")
def test_ten_kills_lose_no_finished_batch():
    command = [sys.executable, str(PROGRAM), "--kills", "10", "--batches", "100"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    figures = dict(re.findall(r"^(.+?)  +([\d,]+)$", done.stdout, re.MULTILINE))
    assert figures["finished batches predicted again (must be 0)"] == "0"
    assert figures["kills"] == "10"
    assert int(figures["kills while the model was predicting"]) > 0
