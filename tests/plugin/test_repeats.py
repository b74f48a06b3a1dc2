"""Models that answer several times, through real runs: what they are asked, what is measured, stored and compared."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

SUITE = """\
dataset: {path: rows.csv, id: id, target: target}
model: {python: "model:predict", repeats: 3}
metrics: [accuracy, agreement, count]
slices:
  group: {by: group}
  wrong: output != target
  listed: {ids: [1, 2]}
expect:
  overall: {accuracy: {min: 0.5, max_regression: 0.3}, agreement: {min: 0.5}}
"""
# about instance 1 it changes its mind in the third answer, about instance 2 it is always wrong
MODEL = """\
def predict(df, seed):
    with open("calls.txt", "a") as calls:
        calls.write(f"{seed}: {' '.join(map(str, df['id']))}\\n")
    right = df["target"].where(df["id"] != 2, 1 - df["target"])
    return right.where((df["id"] != 1) | (seed != 2), 1 - right)
"""


@pytest.fixture
def suite(project):
    project.write("s.behave.yaml", SUITE)
    project.write("model.py", MODEL)
    return project


def edit(project, name, old, new):
    path = project.path / name
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def asked(project):
    """Return what the model was asked since the last time: seed and ids."""
    path = project.path / "calls.txt"
    lines = path.read_text().splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return lines


ALL = "1 2 3 4 5 6 7 8"


def test_each_answer_counts_and_agreement_is_reported(suite):
    found = suite.record()["suites"][0]
    assert asked(suite) == [f"{seed}: {ALL}" for seed in range(3)]
    items = {(item["slice"], item["metric"]): item for item in found["behaviors"] + found["observed"]}
    overall = items["overall", "accuracy"]
    assert (found["rows"], overall["size"], overall["n"]) == (8, 8, 24)
    assert overall["value"] == pytest.approx((24 - 3 - 1) / 24)
    # instance 1 agrees in 1 of 3 pairs, all others in all
    assert items["overall", "agreement"]["value"] == pytest.approx((7 + 1 / 3) / 8)
    assert items["group=a", "agreement"]["value"] == pytest.approx((3 + 1 / 3) / 4)
    assert (items["wrong", "accuracy"]["size"], items["wrong", "accuracy"]["n"]) == (2, 4)
    assert items["wrong", "count"]["value"] == pytest.approx(4 / 3)
    assert (items["overall", "count"]["value"], items["listed", "count"]["value"]) == (8, 2)
    assert found["agreement"] == {
        "repeats": 3,
        "instances": 8,
        "share": pytest.approx((7 + 1 / 3) / 8),
        "unanimous": 7,
        "spread": None,
        "least": [{"id": "1", "answers": {"1": 2, "0": 1}}],
    }
    assert "answered each instance 3 times: 91.7% of pairs of answers agree, 7 of 8 instances" in found["notes"][0]
    assert "least: 1 ('1' 2, '0' 1)" in found["notes"][0]


def test_answers_of_one_instance_are_no_further_evidence(suite):
    suite.write("model.py", "def predict(df):\n    return df['guess']\n")
    thrice = suite.behaviors()["overall", "accuracy"]
    edit(suite, "s.behave.yaml", ", repeats: 3", "")
    edit(suite, "s.behave.yaml", ", agreement: {min: 0.5}", "")
    edit(suite, "s.behave.yaml", "agreement, ", "")
    once = suite.behaviors()["overall", "accuracy"]
    assert once["value"] == thrice["value"]
    # as wide as of 8 rows, with Student's quantile in place of the normal one
    assert thrice["low"] < once["low"] < once["high"] < thrice["high"]
    assert thrice["interval"] == "wilson, effective size"


def test_answers_are_kept_and_resumed_one_by_one(suite):
    suite.run()
    asked(suite)
    suite.run()
    assert asked(suite) == []
    edit(suite, "s.behave.yaml", "repeats: 3", "repeats: 4")
    result = suite.run()
    assert asked(suite) == [f"3: {ALL}"]
    result.stdout.fnmatch_lines(["*resumed: 24 of 32 answers from the cache*"])
    with (suite.path / "rows.csv").open("a") as rows:
        rows.write("9,more,b,35,2026-04-12,0,0,0.3\n")
    suite.run()
    assert asked(suite) == [f"{seed}: 9" for seed in range(4)]


def test_a_loss_is_compared_answer_by_answer_and_counted_by_instance(suite):
    suite.run("--behave-baseline=accept")
    stored = pd.read_parquet(suite.path / "baselines" / "s.parquet")
    assert stored["id"].tolist() == sorted(list("12345678") * 3)
    change = suite.behaviors()["overall", "accuracy"]["baseline"]
    assert (change["paired"], change["change"], change["broken"]) == (True, 0, 0)
    edit(suite, "model.py", "seed != 2", "seed < 0")
    found = suite.record()["suites"][0]
    change = found["behaviors"][0]["baseline"]
    assert (change["n"], change["broken"], change["fixed"]) == (24, 2, 0)
    assert change["broken_ids"] == ["1 #1", "1 #2"]
    assert change["p"] > 0.2  # two answers, but one instance: a coin that falls on one side
    # its answers are now all wrong, so they agree: as far as agreement goes it is fixed, which counts once
    assert [flip["id"] for flip in found["flips"]] == ["1 #1", "1 #2"]
    assert found["baseline"]["common"] == 8


@pytest.mark.parametrize(
    ("before", "after", "note"),
    [
        (3, 1, "the baseline has 3 answers per instance, the model gives 1: the first is compared"),
        (1, 3, "the baseline has 1 answer per instance, the model gives 3: it is used again"),
        (2, 3, "the baseline has 2 answers per instance, the model gives 3: they are used again"),
    ],
)
def test_baselines_with_more_or_fewer_answers_are_compared(suite, before, after, note):
    edit(suite, "s.behave.yaml", ", agreement: {min: 0.5}", "")
    edit(suite, "s.behave.yaml", "agreement, ", "")
    edit(suite, "s.behave.yaml", "repeats: 3", f"repeats: {before}")
    suite.run("--behave-baseline=accept")
    edit(suite, "s.behave.yaml", f"repeats: {before}", f"repeats: {after}")
    found = suite.record()["suites"][0]
    change = found["behaviors"][0]["baseline"]
    assert note in found["notes"]
    assert not any("accept the baseline again" in said for said in found["notes"])
    assert (change["paired"], change["n"], found["baseline"]["common"]) == (True, 8 * after, 8)
    # answers 1 and 2 of all instances are alike; the third of instance 1 broke what stood before
    assert change["broken"] == (1 if after == 3 else 0)


def test_two_models_are_compared_by_the_answers_of_the_candidate(suite):
    suite.write("old.py", "def predict(df):\n    return df['target']\n")
    edit(suite, "s.behave.yaml", "metrics:", "baseline: old:predict\nmetrics:")
    change = suite.behaviors()["overall", "accuracy"]["baseline"]
    assert (change["n"], change["value"], change["broken"]) == (24, 1.0, 4)
    edit(suite, "s.behave.yaml", "old:predict", "{python: 'old:predict', repeats: 5}")
    assert suite.behaviors()["overall", "accuracy"]["baseline"] == change


def test_golden_cases_hold_if_every_answer_does(suite):
    cases = """\
cases:
  - {id: sure, input: {id: 3, target: 1}, expect: {equals: 1}, tags: [all]}
  - {id: unsure, input: {id: 1, target: 1}, expect: {equals: 1}, tags: [all]}
  - {id: alone, input: {id: 1, target: 1}, expect: {equals: 1}}
"""
    suite.write("s.behave.yaml", f"{SUITE}  cases: {{all: {{pass_rate: {{min: 0.8}}}}}}\n{cases}")
    found = suite.record()["suites"][0]
    by_id = {case["id"]: case for case in found["cases"]}
    assert [(case["verdict"], case["passed"], case["answers"]) for case in by_id.values()] == [
        ("holds", 3, 3),
        ("known-failure", 2, 3),
        ("violated", 2, 3),
    ]
    assert by_id["alone"]["reason"] == "in 1 of 3 answers, first: the output is not 1"
    rate = next(item for item in found["behaviors"] if item["metric"] == "pass_rate")
    assert (rate["size"], rate["n"], rate["value"]) == (2, 6, pytest.approx(5 / 6))
    assert rate["interval"] == "wilson, effective size"


def test_numbers_report_their_spread(project):
    project.write("model.py", "def predict(df, *, seed=9):\n    return df['age'].fillna(0) + seed\n")
    project.write(
        "s.behave.yaml",
        "dataset: {path: rows.csv, id: id, target: score}\ntask: regression\n"
        "model: {python: 'model:predict', repeats: 3}\nmetrics: [mae]\nexpect: {overall: {mae: {max: 100}}}\n",
    )
    found = project.record()["suites"][0]
    assert found["agreement"] == {
        "repeats": 3,
        "instances": 8,
        "share": None,
        "unanimous": 0,
        "spread": pytest.approx(np.std([0, 1, 2], ddof=1)),
        "least": [],
    }


def test_processes_share_the_answers(suite):
    edit(suite, "s.behave.yaml", ", repeats: 3", ", repeats: 3, batch_size: 4")
    alone = suite.record()
    asked(suite)
    result = suite.pytester.runpytest_subprocess(
        "-p", "no:hypothesispytest", "--behave", "-n2", "--behave-cache=off", "--behave-report=json:two.json"
    )
    result.assert_outcomes(passed=1, failed=1)  # there is no baseline
    assert len(asked(suite)) == 6
    assert json.loads((suite.path / "two.json").read_text()) == alone


def test_marked_models_and_fixtures_repeat(project):
    project.write(
        "test_it.py",
        """\
        import pandas as pd
        import pytest_behave as behave_

        @behave_.model(repeats=4)
        def model(rows, seed):
            return rows["target"] if seed else 1 - rows["target"]

        def test_accuracy(behave):
            suite = behave.suite(data=pd.read_csv("rows.csv"), id="id", target="target", model=model)
            assert suite.overall.accuracy == 0.75
            assert suite.overall.agreement == 0.5
            assert (suite.overall.size, len(suite.ids)) == (8, 8)
            with __import__("pytest").raises(ValueError, match="at least once"):
                behave_.model(repeats=0)
        """,
    )
    project.run().assert_outcomes(passed=1)


def test_agreement_needs_repeats(suite):
    edit(suite, "s.behave.yaml", ", repeats: 3", "")
    said = "s.behave.yaml:3:21: agreement is that of several answers, and no model has `repeats`"
    assert said in suite.run().stdout.str()
    edit(suite, "s.behave.yaml", "metrics:", "baseline: {python: 'model:predict', repeats: 2}\nmetrics:")
    edit(suite, "s.behave.yaml", '{python: "model:predict"}', '{python: "model:predict", repeats: 3}')
    edit(suite, "s.behave.yaml", "agreement: {min: 0.5}", "agreement: {max_regression: 0.5}")
    assert suite.behaviors()["overall", "agreement"]["reason"].endswith(
        "the baseline's outputs do not give the metric: "
        "agreement is that of several answers: ask the model for as many, by `repeats`"
    )


def test_what_counts_against_agreement_is_told_by_instance(suite):
    edit(suite, "s.behave.yaml", "agreement: {min: 0.5}", "agreement: {min: 0.99}")
    item = suite.behaviors()["overall", "agreement"]
    assert item["n"] == 8
    assert (item["instances"][0]["id"], item["instances"][0]["answers"]) == ("1 #1", {"1": 2, "0": 1})
    assert "1 #1: target 1, output 1 (answers: 1 2, 0 1)" in suite.run().stdout.str()
