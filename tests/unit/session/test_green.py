"""A suite is green only if a whole run saw every item of it pass; what processes remember at one time is all kept."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys

import pytest

from pytest_behave.session.green import NAME, Tally, read, remember

SUITE = "s.behave.yaml"
STATE = {"files": {}}
TODAY = "2026-03-04"
GREEN, FAILED = {SUITE: {"green": TODAY, "state": STATE}}, {SUITE: {"failed": TODAY}}
ENTRY = {"green": "2026-01-01", "state": STATE}


@pytest.fixture(autouse=True)
def _today(monkeypatch):
    class Day(dt.date):
        @classmethod
        def today(cls):
            return cls.fromisoformat(TODAY)

    monkeypatch.setattr(dt, "date", Day)


def phases(item, *, setup="passed", call="passed", teardown="passed", suite=SUITE, **more):
    """Return what pytest reports of an item; a call that never came is None."""
    outcomes = {"setup": setup, "call": call, "teardown": teardown}
    return [
        pytest.TestReport(f"{suite}::all::{item}", (suite, 0, item), {}, outcome, None, when, **more)
        for when, outcome in outcomes.items()
        if outcome is not None
    ]


def uncollectable(nodeid):
    return [pytest.CollectReport(nodeid, "failed", "a mistake", None)]


PASSED = [*phases("a"), *phases("b")]
TALLIES = {
    "all passed": (PASSED, GREEN),
    "nothing ran": ([], {}),
    "one did not run": (phases("a"), {}),
    "one was set up and never called": ([*phases("a"), *phases("b", call=None)], {}),
    "one passed twice, one did not run": ([*phases("a"), *phases("a")], {}),
    "one failed": ([*phases("a"), *phases("b", call="failed")], FAILED),
    "one failed, one did not run": (phases("a", call="failed"), FAILED),
    "one failed, then passed": ([*PASSED, *phases("a", call="failed"), *phases("a")], FAILED),
    "a setup failed": ([*phases("a"), *phases("b", setup="failed", call=None)], FAILED),
    "a teardown failed": ([*phases("a"), *phases("b", teardown="failed")], FAILED),
    "one xfailed": ([*phases("a"), *phases("b", call="skipped", wasxfail="known")], GREEN),
    "one was skipped": ([*phases("a"), *phases("b", setup="skipped", call=None)], FAILED),
    "it could not be collected": (uncollectable(SUITE), FAILED),
    "a group of it could not be collected": ([*PASSED, *uncollectable(f"{SUITE}::cases")], FAILED),
    "a test of Python failed": ([*PASSED, *phases("c", call="failed", suite="test_it.py")], GREEN),
    "as many passed, of another suite": ([*phases("a"), *phases("b", suite="other.behave.yaml")], {}),
}


@pytest.mark.parametrize("name", TALLIES)
@pytest.mark.parametrize("complete", [True, False], ids=["to its end", "stopped"])
def test_a_suite_of_two_items_is_green_if_both_passed_in_a_run_that_ended(name, complete):
    reports, verdicts = TALLIES[name]
    tally = Tally()
    for report in reports:
        tally.add(report)
    tally.expect(SUITE, 2, STATE)
    assert tally.verdicts(complete=complete) == (verdicts if complete or verdicts == FAILED else {})


def test_of_a_suite_whose_items_are_not_known_only_failures_are_told():
    tally = Tally()
    for report in [*PASSED, *phases("a", call="failed", suite="other.behave.yml")]:
        tally.add(report)
    assert tally.verdicts(complete=True) == {"other.behave.yml": {"failed": TODAY}}


# --- remembering --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "known"),
    [
        ({}, {"old": ENTRY}),
        ({"new": ENTRY}, {"old": ENTRY, "new": ENTRY}),
        ({"old": {"failed": "2026-02-01"}}, {"old": {"failed": "2026-02-01"}}),
        ({"new": {"failed": "2026-02-01"}}, {"old": ENTRY}),
    ],
    ids=["nothing", "another suite is green", "it failed", "one failed that never was green"],
)
def test_what_is_found_adds_to_what_is_known(tmp_path, found, known):
    remember(tmp_path, {"old": ENTRY}, list)
    remember(tmp_path, found, list)
    assert read(tmp_path) == known


def test_what_is_known_already_is_not_written_again(tmp_path):
    remember(tmp_path, {"old": ENTRY}, list)
    before = (tmp_path / NAME).stat().st_ino
    remember(tmp_path, {"old": ENTRY, "new": {"failed": "2026-02-01"}}, lambda: pytest.fail("it writes"))
    assert (tmp_path / NAME).stat().st_ino == before


@pytest.mark.parametrize("content", ["", "[]", '{"format": "pytest-behave/green-9", "suites": {"old": {}}}', "{"])
def test_a_file_that_cannot_be_read_is_as_good_as_none(tmp_path, content):
    (tmp_path / NAME).write_text(content)
    assert read(tmp_path) == {}
    remember(tmp_path, {"new": ENTRY}, list)
    assert read(tmp_path) == {"new": ENTRY}


def test_what_two_processes_remember_at_one_time_is_all_kept(tmp_path):
    many = 50
    script = f"""
import sys, time
from pathlib import Path
from pytest_behave.session.green import remember
name, other = sys.argv[1:]
Path(name).touch()
while not Path(other).exists():
    time.sleep(0.001)
for number in range({many}):
    remember(Path(), {{f"{{name}}-{{number}}": {ENTRY!r}}}, list)
"""
    command = [sys.executable, "-c", script]
    processes = [subprocess.Popen([*command, *names], cwd=tmp_path) for names in (("one", "two"), ("two", "one"))]
    assert [process.wait(timeout=60) for process in processes] == [0, 0]
    assert read(tmp_path) == {f"{name}-{number}": ENTRY for name in ("one", "two") for number in range(many)}
