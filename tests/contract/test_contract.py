"""The small suite whose record was computed independently."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

HERE = Path(__file__).parent
OF_THE_BASELINE = ("broken", "fixed", "p")


def expected(name):
    return json.loads((HERE / f"{name}.expected.json").read_text(encoding="utf-8"))


def record_of(pytester, name):
    for file in ("loans.csv", f"{name}.behave.yaml"):
        shutil.copy(HERE / file, pytester.path)
    result = pytester.runpytest("--behave", "--behave-report=json:out.json")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    return json.loads((pytester.path / "out.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["loans", "loans-upgrade"])
def test_the_record_holds_just_the_expected_behaviors(pytester, name):
    record, wanted_record = record_of(pytester, name), expected(name)
    (suite,) = record["suites"]
    assert record["format"] == "pytest-behave/run-1"
    assert suite["rows"] == wanted_record["rows"]
    found = {(item["slice"], item["metric"]): item for item in suite["behaviors"]}
    assert set(found) == {(item["slice"], item["metric"]) for item in wanted_record["behaviors"]}
    for wanted in wanted_record["behaviors"]:
        behavior = found[wanted["slice"], wanted["metric"]]
        for key, value in wanted.items():
            same = pytest.approx(value, rel=1e-8, abs=1e-8) if isinstance(value, float) else value
            part = behavior["baseline"] if key in OF_THE_BASELINE else behavior
            assert part[key] == same, (wanted["slice"], wanted["metric"], key)


def test_p_values_are_right_to_their_last_digit(pytester):
    (suite,) = record_of(pytester, "loans-upgrade")["suites"]
    p = {item["slice"]: item["baseline"]["p"] for item in suite["behaviors"]}
    for wanted in expected("loans-upgrade")["behaviors"]:
        assert p[wanted["slice"]] == pytest.approx(wanted["p"], rel=1e-8, abs=0)


@pytest.mark.parametrize(
    ("name", "totals"),
    [
        ("loans", {"holds": 8, "undecided": 1, "violated": 4}),
        ("loans-upgrade", {"regressed": 4, "suspect": 1, "undecided": 1}),
    ],
)
def test_totals_count_every_verdict(pytester, name, totals):
    assert record_of(pytester, name)["totals"] == totals
