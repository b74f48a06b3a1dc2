"""The example suites give the published figures, each within rounding; red are those that mean to be, and only there."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "example_suites"
WORSE = "worse-on-purpose"
SUITES = {path.name.removesuffix(".behave.yaml"): path.parent.name for path in EXAMPLES.glob("*/*.behave.yaml")}
GREEN = sorted(name for name, folder in SUITES.items() if folder != WORSE)
RED = sorted(name for name, folder in SUITES.items() if folder == WORSE)
LEAST_COMPARED = {
    "sentiment": 18,
    "recidivism": 60,
    "speech": 30,
    "medical-exam": 30,
    "digits": 20,
    "language": 113,
    "accents": 28,
    "vader-3.3.2": 19,
    "language-0.4.0": 113,
    "checklist": 6,
}
# what is red on purpose: behavior -> instances broken, instances fixed
REGRESSED = {
    "vader-3.3.2": {
        ("source=tweets", "accuracy"): (62, 6),
        ("tweets with no", "accuracy"): (23, 0),
        ("word no", "recall of negative"): (62, 32),
    },
    "language-0.4.0": {
        ("overall", "recall of en"): (727, 180),
        ("language=en", "accuracy"): (727, 180),
        ("language=es", "accuracy"): (450, 230),
        ("language=nb", "accuracy"): (377, 0),
        ("language=zh", "accuracy"): (640, 75),
        ("language and category=en, single-words", "accuracy"): (603, 17),
        ("language and category=es, single-words", "accuracy"): (219, 93),
        ("language and category=es, word-pairs", "accuracy"): (215, 128),
        ("language and category=hr, sentences", "accuracy"): (191, 63),
        ("language and category=nb, sentences", "accuracy"): (227, 0),
        ("language and category=nb, single-words", "accuracy"): (28, 0),
        ("language and category=nb, word-pairs", "accuracy"): (122, 0),
        ("language and category=zh, sentences", "accuracy"): (17, 1),
        ("language and category=zh, single-words", "accuracy"): (401, 53),
        ("language and category=zh, word-pairs", "accuracy"): (222, 21),
        ("short word", "accuracy"): (699, 550),
    },
    "checklist": {},
}
FAILING = ("error", "regressed", "violated", "no-baseline")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Give a copy of all example suites."""
    folder = tmp_path_factory.mktemp("examples")
    shutil.copytree(EXAMPLES, folder / "example_suites", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture(scope="module")
def green(folder):
    """Run all example suites once, as the README says."""
    return run(folder, "example_suites", "-n", "2")


@pytest.fixture(scope="module")
def red(folder):
    """Run the suites that compare with something worse, as their README says."""
    return run(folder, f"example_suites/{WORSE}")


@pytest.fixture(scope="module")
def suites(green, red):
    return green[1] | red[1]


def pytest_behave(*arguments, cwd):
    command = [sys.executable, "-m", "pytest", "-p", "no:hypothesispytest", "-p", "no:cacheprovider", "--behave"]
    return subprocess.run([*command, *arguments], cwd=cwd, capture_output=True, text=True, check=False)


def run(folder, *arguments):
    """Return the finished process and the run records of the suites by name."""
    done = pytest_behave(*arguments, "--behave-report=json:out.json", cwd=folder)
    record = json.loads((folder / "out.json").read_text(encoding="utf-8"))
    return done, {suite["suite"]: suite for suite in record["suites"]}


def measured(suite):
    return {(item["slice"], item["metric"]): item for item in (*suite["behaviors"], *suite["observed"])}


def expected(name):
    """Return the independently computed figures of a suite by behavior."""
    own = EXAMPLES / SUITES[name] / f"expected.{name}.json"
    path = own if own.exists() else own.with_name("expected.json")
    slices = json.loads(path.read_text(encoding="utf-8"))
    slices.pop("published", None)
    return {(slice_, metric): wanted for slice_, metrics in slices.items() for metric, wanted in metrics.items()}


def with_verdict(suite, *verdicts):
    return {key for key, item in measured(suite).items() if item["verdict"] in verdicts}


def test_all_example_suites_are_green(green):
    done, suites = green
    assert done.returncode == 0, done.stdout[-3000:]
    assert sorted(suites) == GREEN
    verdicts = {item["verdict"] for suite in suites.values() for item in (*suite["behaviors"], *suite["cases"])}
    assert verdicts <= {"holds", "known-failure", "undecided", "suspect"}


@pytest.mark.parametrize("name", sorted(SUITES))
def test_measured_values_are_the_independently_computed_ones(suites, name):
    found = measured(suites[name])
    compared = 0
    for key, wanted in expected(name).items():
        if key not in found:
            continue
        compared += 1
        assert found[key]["value"] == pytest.approx(wanted["value"], abs=1e-6), key
        for count in ("size", "n"):
            assert wanted.get(count) is None or found[key][count] == wanted[count], (key, count)
    assert compared >= LEAST_COMPARED[name]


@pytest.mark.parametrize("name", ["language", "medical-exam", "accents", *RED])
def test_comparisons_are_the_independently_computed_ones(suites, name):
    found = measured(suites[name])
    wanted = {key: figures for key, figures in expected(name).items() if "baseline" in figures}
    assert {key for key, item in found.items() if "max_regression" in item["bounds"]} == set(wanted)
    for key, figures in wanted.items():
        baseline = found[key]["baseline"]
        assert baseline["value"] == pytest.approx(figures["baseline"], abs=1e-6), key
        if "verdict" not in figures:
            continue
        assert found[key]["verdict"] == figures["verdict"], (key, found[key]["reason"])
        assert baseline["paired"], key
        assert baseline["change"] == pytest.approx(figures["change"], abs=1e-6), key
        assert (baseline["broken"], baseline["fixed"]) == (figures["broken"], figures["fixed"]), key
        if "p" in figures and figures["broken"] != figures["fixed"]:
            assert baseline["p"] == pytest.approx(figures["p"], rel=1e-5), key


@pytest.mark.parametrize("name", RED)
def test_worse_on_purpose_is_red_exactly_where_its_readme_says(red, name):
    suite = red[1][name]
    found = measured(suite)
    counts = {
        key: (found[key]["baseline"]["broken"], found[key]["baseline"]["fixed"])
        for key in with_verdict(suite, *FAILING)
    }
    assert counts == REGRESSED[name]
    assert with_verdict(suite, "regressed") == set(REGRESSED[name])


def test_worse_on_purpose_fails_the_run_with_each_red_behavior_and_nothing_else(red):
    done, suites = red
    assert sorted(suites) == RED
    assert done.returncode == 1
    assert f"{sum(map(len, REGRESSED.values()))} failed" in done.stdout.splitlines()[-1]


@pytest.mark.parametrize("name", ["vader-3.3.2", "language-0.4.0"])
def test_what_is_red_somewhere_improved_as_a_whole(red, name):
    overall = measured(red[1][name])["overall", "accuracy"]
    assert overall["verdict"] == "holds"
    assert 0 < overall["baseline"]["low"] < overall["baseline"]["change"]


def test_a_test_that_fails_more_often_by_chance_is_suspect_and_not_regressed(red):
    found = measured(red[1]["checklist"])
    typos = found["test=2 typos", "passed"]
    assert (typos["baseline"]["broken"], typos["baseline"]["fixed"], typos["verdict"]) == (24, 14, "suspect")
    assert typos["baseline"]["low"] < 0 < typos["baseline"]["high"]
    for name in ("negative", "not negative"):
        negations = found[f"test=simple negations: {name}", "passed"]
        assert negations["verdict"] == "holds"
        assert negations["baseline"]["low"] > 0  # improved


def test_nothing_is_reported_where_no_answer_changed(green):
    suite = green[1]["language"]
    assert suite["rows"] == 73_298
    assert suite["flips"] == []
    assert {item["verdict"] for item in suite["behaviors"]} == {"holds"}
    changes = [item["baseline"] for item in suite["behaviors"] if item["baseline"] is not None]
    assert len(changes) >= 113
    assert {(change["change"], change["broken"], change["fixed"]) for change in changes} == {(0, 0, 0)}


def test_a_subject_that_lost_one_question_of_fourteen_is_the_only_suspect_among_the_green(green):
    suspects = {(name, *key) for name, suite in green[1].items() for key in with_verdict(suite, "suspect")}
    assert suspects == {("medical-exam", "subject=Physiology", "match")}


@pytest.mark.parametrize(
    ("folder_of_the_user", "argument", "collected"),
    [
        (".", "example_suites/worse-on-purpose/checklist.behave.yaml::overall::passed", ["checklist"]),
        ("example_suites/worse-on-purpose", ".", RED),
        ("example_suites/language", "../worse-on-purpose/vader-3.3.2.behave.yaml", ["vader-3.3.2"]),
        (".", "example_suites/worse-on-purpose/../speech", ["accents", "speech"]),
    ],
)
def test_worse_on_purpose_runs_only_where_it_is_named(folder, folder_of_the_user, argument, collected):
    done = pytest_behave("--collect-only", "-q", argument, cwd=folder / folder_of_the_user)
    nodes = [line.partition("::")[0] for line in done.stdout.splitlines() if "::" in line]
    assert sorted({Path(node).name.removesuffix(".behave.yaml") for node in nodes}) == collected


def test_recidivism_gives_propublica_s_table_to_its_two_decimals(green):
    suite = green[1]["recidivism"]
    values = {key: item["value"] for key, item in measured(suite).items()}
    published = {
        "overall": (32.35, 37.40),
        "race=African-American": (44.85, 27.99),
        "race=Caucasian": (23.45, 47.72),
    }
    for slice_, (fpr, fnr) in published.items():
        assert round(100 * values[slice_, "fpr"], 2) == fpr
        assert round(100 * values[slice_, "fnr"], 2) == fnr
    assert suite["rows"] == 7214


def test_sentiment_runs_the_live_package_and_finds_the_published_accuracies(green):
    suite = green[1]["sentiment"]
    found = measured(suite)
    assert suite["rows"] == 23_703
    assert round(found["overall", "accuracy"]["value"], 4) == 0.6072
    assert round(found["source=tweets", "accuracy"]["value"], 4) == 0.9210
    assert found["tweets with no", "accuracy"]["size"] == 152
    assert round(found["tweets with no", "accuracy"]["value"], 4) == 0.8224


def test_no_example_knows_the_calendar():
    texts = {path: path.read_text(encoding="utf-8") for path in EXAMPLES.glob("*/*.yaml")}
    assert len(texts) > len(SUITES)  # those that suites extend count too
    assert [path.name for path, text in texts.items() if "until:" in text] == []


@pytest.mark.parametrize("name", sorted(set(SUITES.values())))
def test_every_example_says_where_its_data_are_from(name):
    folder = EXAMPLES / name
    assert "icen" in (folder / "SOURCE.md").read_text(encoding="utf-8")  # licence, or license
    assert "pytest --behave" in (folder / "README.md").read_text(encoding="utf-8")
