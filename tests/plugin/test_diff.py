"""``pytest-behave diff`` says what changed between two runs, from their records or from what is committed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

from pytest_behave.cli import main
from tests.conftest import SUITE

GIT = shutil.which("git") or "git"
BASELINE = {
    "behaviors": {
        "overall": {"accuracy": {"value": 0.875, "n": 8, "size": 8, "hits": 7}},
        "old": {"f1": {"value": 0.5, "n": 3, "size": 3}},
    },
    "dataset": "sha256:" + "0" * 64,
    "format": "pytest-behave/baseline-1",
    "model": "sha256:" + "1" * 64,
    "suite": "s",
}


@pytest.fixture
def here(project, monkeypatch):
    """A project with the records of two runs; in the second, one more answer is wrong."""
    monkeypatch.chdir(project.path)
    monkeypatch.setenv("COLUMNS", "100")
    project.write("s.behave.yaml", SUITE)
    project.run("--behave-report=json:a.json")
    rows = project.path / "rows.csv"
    rows.write_text(rows.read_text().replace("7,ok,b,25,2026-04-11,1,1", "7,ok,b,25,2026-04-11,1,0"))
    project.run("--behave-report=json:b.json")
    return project


def git(project, *arguments):
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run([GIT, *identity, *arguments], cwd=project.path, check=True, capture_output=True)


@pytest.fixture
def committed(here):
    """The project in git: baseline and the first record are committed as ``main``."""
    here.write("baselines/s.json", json.dumps(BASELINE))
    git(here, "init", "-b", "main")
    git(here, "add", "-A")
    git(here, "commit", "-m", "first")
    here.write("baselines/s.json", "no longer what was committed")
    return here


@pytest.mark.usefixtures("here")
def test_two_records_are_compared(capsys):
    assert main(["diff", "a.json", "b.json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "behave: 1 holds in 1 suite"
    assert main(["diff", "a.json", "b.json", "--format", "md"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("<!-- pytest-behave -->\n")
    assert "| overall (8) | accuracy | 0.750 → 0.625 | -0.125 [-0.49, 0.29] | - | **holds** |" in text


def test_a_difference_can_be_written_to_a_file(here, capsys):
    assert main(["diff", "a.json", "b.json", "--format", "md", "-o", "diff.md"]) == 0
    assert not capsys.readouterr().out
    assert (here.path / "diff.md").read_text(encoding="utf-8").startswith("<!-- pytest-behave -->\n")


@pytest.mark.usefixtures("committed")
def test_a_record_of_a_commit_can_be_named(capsys):
    assert main(["diff", "git:main:a.json", "b.json", "--format", "md"]) == 0
    assert "0.750 → 0.625" in capsys.readouterr().out


@pytest.mark.parametrize("folder", [".", "deep/er"])
def test_a_commit_stands_for_what_is_accepted_there(committed, capsys, monkeypatch, folder):
    (committed.path / folder).mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(committed.path / folder)
    assert main(["diff", "git:main", str(committed.path / "b.json"), "--format", "md"]) == 0
    text = capsys.readouterr().out
    assert "baseline: model accepted at main" in text
    assert "| overall (8) | accuracy | 0.875 → 0.625 |" in text
    assert "> removed: old f1" in text


@pytest.mark.usefixtures("committed")
def test_a_record_can_be_held_against_what_is_accepted_the_other_way_round(capsys):
    assert main(["diff", "b.json", "git:main", "--format", "md"]) == 0
    assert "| overall (8) | accuracy | 0.625 → 0.875 |" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["a.json", "missing.json"], "missing.json: there is no such file"),
        (["s.behave.yaml", "b.json"], "s.behave.yaml is not a run record, as it is not JSON"),
        (["empty.json", "b.json"], "empty.json is not a run record, as its `format` is not"),
        (["newer.json", "b.json"], "newer.json is of a newer release ('pytest-behave/run-9'): upgrade pytest-behave"),
        (["git:main", "git:main"], "one of the two must be a run record"),
        (["git:nowhere", "b.json"], "git knows no commit 'nowhere' here"),
        (["git:nowhere:a.json", "b.json"], "git knows no commit 'nowhere' here"),
        (["git:main:missing.json", "b.json"], "git:main:missing.json: there is no such file"),
        (["git:other", "b.json"], "git:other holds no baseline of any suite in the other run"),
        (["a.json", "b.json", "-o", "no/such/folder"], "no/such/folder cannot be written: No such file"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_sentence(committed, capsys, arguments, words):
    committed.write("empty.json", "{}")
    committed.write("newer.json", '{"format": "pytest-behave/run-9"}')
    git(committed, "rm", "-rq", "--cached", "baselines")
    git(committed, "commit", "-qm", "without")
    git(committed, "branch", "other")
    git(committed, "reset", "-q", "--soft", "HEAD~1")
    assert main(["diff", *arguments]) == 4
    captured = capsys.readouterr()
    assert words in captured.err
    assert len(captured.err.splitlines()) == 1
    assert not captured.out


def test_what_the_terminal_cannot_show_is_spelled_out(here):
    done = subprocess.run(
        [sys.executable, "-m", "pytest_behave", "diff", "a.json", "b.json", "--format", "md"],
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        cwd=here.path,
    )
    assert rb"0.750 \u2192 0.625" in done.stdout
