"""The progress bar: on a terminal, after two seconds, and never else."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

from tests.conftest import SUITE

pytestmark = pytest.mark.thorough

MODEL = """\
import time

def predict(df):
    time.sleep({seconds})
    return df["guess"]
"""


def on_a_terminal(project):
    """Run pytest with a pseudo-terminal as its standard error; return what appears there."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "pytest", "-p", "no:hypothesispytest", "--behave"]
    process = subprocess.Popen(command, cwd=project.path, stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    seen = b""
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:
            break
        if not piece:
            break
        seen += piece
    os.close(ours)
    assert process.wait() == 0
    return seen.decode()


@pytest.mark.parametrize(("seconds", "shown"), [(0.9, True), (0.0, False)])
def test_a_bar_appears_on_a_terminal_after_two_seconds(project, seconds, shown):
    project.write("model.py", MODEL.format(seconds=seconds))
    project.write(
        "s.behave.yaml", SUITE.replace("{column: guess, as: prediction}", "{python: 'model:predict', batch_size: 2}")
    )
    assert ("s: model:predict:" in on_a_terminal(project)) is shown


def test_no_bar_appears_where_output_is_not_a_terminal(project):
    project.write("model.py", MODEL.format(seconds=0.9))
    project.write(
        "s.behave.yaml", SUITE.replace("{column: guess, as: prediction}", "{python: 'model:predict', batch_size: 2}")
    )
    result = project.pytester.runpytest_subprocess("--behave", "-p", "no:hypothesispytest")
    assert "model:predict:" not in result.stderr.str() + result.stdout.str()
