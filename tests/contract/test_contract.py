"""The small suite whose record was computed independently."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

HERE = Path(__file__).parent
EXPECTED = json.loads((HERE / "loans.expected.json").read_text(encoding="utf-8"))


@pytest.fixture
def record(pytester):
    for name in ("loans.csv", "loans.behave.yaml"):
        shutil.copy(HERE / name, pytester.path)
    result = pytester.runpytest("--behave", "--behave-report=json:out.json")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    return json.loads((pytester.path / "out.json").read_text(encoding="utf-8"))


def test_the_record_holds_just_the_expected_behaviors(record):
    (suite,) = record["suites"]
    assert record["format"] == "pytest-behave/run-1"
    assert suite["rows"] == EXPECTED["rows"]
    found = {(item["slice"], item["metric"]): item for item in suite["behaviors"]}
    assert set(found) == {(item["slice"], item["metric"]) for item in EXPECTED["behaviors"]}
    for wanted in EXPECTED["behaviors"]:
        behavior = found[wanted["slice"], wanted["metric"]]
        for key, value in wanted.items():
            same = pytest.approx(value, abs=1e-8) if isinstance(value, float) else value
            assert behavior[key] == same, (wanted["slice"], wanted["metric"], key)


def test_totals_count_every_verdict(record):
    assert record["totals"] == {"holds": 8, "undecided": 1, "violated": 4}
