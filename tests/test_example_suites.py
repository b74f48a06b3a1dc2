"""The example suites are green and give the published figures, each within rounding."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "example_suites"
NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/*.behave.yaml"))
LEAST_COMPARED = {"sentiment": 18, "recidivism": 60, "speech": 30, "medical-exam": 30, "digits": 20}


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """Run all example suites once, in a copy, as the README says."""
    folder = tmp_path_factory.mktemp("examples")
    shutil.copytree(EXAMPLES, folder / "example_suites")
    command = [sys.executable, "-m", "pytest", "-p", "no:hypothesispytest", "-p", "no:cacheprovider", "--behave"]
    done = subprocess.run(
        [*command, "example_suites", "-n", "2", "--behave-report=json:out.json"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    record = json.loads((folder / "out.json").read_text(encoding="utf-8"))
    return done, {suite["suite"]: suite for suite in record["suites"]}, record["totals"]


def test_all_example_suites_are_green(records):
    done, suites, totals = records
    assert done.returncode == 0, done.stdout[-3000:]
    assert sorted(suites) == NAMES == sorted(LEAST_COMPARED)
    assert set(totals) <= {"holds", "known-failure", "undecided"}


@pytest.mark.parametrize("name", NAMES)
def test_measured_values_are_the_independently_computed_ones(records, name):
    suite = records[1][name]
    measured = {(item["slice"], item["metric"]): item for item in (*suite["behaviors"], *suite["observed"])}
    expected = json.loads((EXAMPLES / name / "expected.json").read_text(encoding="utf-8"))
    compared = 0
    for slice_, metrics in expected.items():
        for metric, wanted in metrics.items() if slice_ != "published" else ():
            found = measured.get((slice_, metric))
            if found is None:
                continue
            compared += 1
            assert found["value"] == pytest.approx(wanted["value"], abs=1e-6), (slice_, metric)
            for key in ("size", "n"):
                assert wanted.get(key) is None or found[key] == wanted[key], (slice_, metric, key)
    assert compared >= LEAST_COMPARED[name]


def test_recidivism_gives_propublica_s_table_to_its_two_decimals(records):
    suite = records[1]["recidivism"]
    measured = {(item["slice"], item["metric"]): item["value"] for item in (*suite["behaviors"], *suite["observed"])}
    published = {
        "overall": (32.35, 37.40),
        "race=African-American": (44.85, 27.99),
        "race=Caucasian": (23.45, 47.72),
    }
    for slice_, (fpr, fnr) in published.items():
        assert round(100 * measured[slice_, "fpr"], 2) == fpr
        assert round(100 * measured[slice_, "fnr"], 2) == fnr
    assert suite["rows"] == 7214


def test_sentiment_runs_the_live_package_and_finds_the_published_accuracies(records):
    suite = records[1]["sentiment"]
    measured = {(item["slice"], item["metric"]): item for item in (*suite["behaviors"], *suite["observed"])}
    assert suite["rows"] == 23_703
    assert round(measured["overall", "accuracy"]["value"], 4) == 0.6072
    assert round(measured["source=tweets", "accuracy"]["value"], 4) == 0.9210
    tweets_no = next(item for key, item in measured.items() if item["size"] == 152 and key[1] == "accuracy")
    assert round(tweets_no["value"], 4) == 0.8224


@pytest.mark.parametrize("name", NAMES)
def test_every_example_says_where_its_data_are_from(name):
    folder = EXAMPLES / name
    assert "icen" in (folder / "SOURCE.md").read_text(encoding="utf-8")  # licence, or license
    assert "pytest --behave" in (folder / "README.md").read_text(encoding="utf-8")
