"""Suites as pytest items: ids, selection, outcomes, warnings."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from tests.conftest import ROWS, SUITE

FULL = """\
suite: demo
dataset: {path: rows.csv, id: id, target: target}
model: {column: guess, as: prediction}
slices:
  group: {by: group, min_size: 2}
  old: age >= 40
metrics: [accuracy, fpr]
expect:
  overall: {accuracy: {min: 0.5}}
  group: {accuracy: {min: 0.4, max_gap: 0.6}}
  old: {fpr: {max: 1}}
cases:
  - {id: ticket-1, input: {guess: 1}, expect: {label: 1}}
"""
IDS = [
    "s.behave.yaml::overall::accuracy",
    "s.behave.yaml::group=a::accuracy",
    "s.behave.yaml::group=b::accuracy",
    "s.behave.yaml::group::accuracy gap",
    "s.behave.yaml::old::fpr",
    "s.behave.yaml::cases::ticket-1",
]


def collected(result):
    return [line for line in result.stdout.lines if "::" in line]


def test_every_behavior_gap_and_case_is_an_item(project):
    project.write("s.behave.yaml", FULL)
    assert collected(project.run("--collect-only", "-q")) == IDS
    project.run().assert_outcomes(passed=6)


@pytest.mark.parametrize(
    ("selection", "names"),
    [
        (("-k", "old"), [IDS[4]]),
        (("-k", "fpr"), [IDS[4]]),
        (("-m", "behave"), IDS),
        (("-m", "not behave"), []),
        (("s.behave.yaml::group::accuracy gap",), [IDS[3]]),
        (("s.behave.yaml::old",), [IDS[4]]),
        (("--deselect", IDS[0]), IDS[1:]),
    ],
)
def test_pytest_s_own_selection_works(project, selection, names):
    project.write("s.behave.yaml", FULL)
    assert collected(project.run("--collect-only", "-q", *selection)) == names


def test_a_verdict_does_not_depend_on_what_else_is_selected(project):
    project.write("s.behave.yaml", FULL)
    alone = project.behaviors("-k", "gap")
    assert list(alone) == [("group", "accuracy gap")]
    assert alone["group", "accuracy gap"] == project.behaviors()["group", "accuracy gap"]


def test_last_failed_reruns_what_broke(project):
    project.write("s.behave.yaml", FULL.replace("{min: 0.5}", "{min: 0.9}"))
    project.run().assert_outcomes(passed=5, failed=1)
    result = project.run("--lf")
    result.assert_outcomes(failed=1)
    assert "overall" in result.stdout.str()


def test_exitfirst_stops_and_the_report_is_still_written(project):
    project.write("s.behave.yaml", FULL.replace("{min: 0.5}", "{min: 0.9}"))
    assert list(project.behaviors("-x")) == [("overall", "accuracy")]


def test_without_the_option_nothing_is_collected(project):
    project.write("s.behave.yaml", "not even: [a suite")
    project.write("test_x.py", "def test_x(): pass\n")
    project.pytester.runpytest_inprocess("-p", "no:hypothesispytest").assert_outcomes(passed=1)


def test_the_ini_setting_turns_it_on(project):
    project.write("s.behave.yaml", FULL)
    project.write("pytest.ini", "[pytest]\nbehave = true\n")
    project.pytester.runpytest_inprocess("-p", "no:hypothesispytest").assert_outcomes(passed=6)


def test_a_failure_is_one_line_and_its_evidence_a_section(project):
    project.write("s.behave.yaml", FULL.replace("{min: 0.5}", "{min: 0.9}"))
    result = project.run()
    result.stdout.fnmatch_lines(
        [
            "*_ overall accuracy _*",
            "demo: overall (8 rows): accuracy: violated: 0.75 is below min 0.9, 95% [[]0.409, 0.929[]]",
            "*- instances -*",
            "3: target 1, output 0*text fine; group a; age 40.0*",
            "FAILED s.behave.yaml::overall::accuracy - demo: overall (8 rows): accuracy: v*",
        ]
    )
    assert "BehaviorFailure" not in result.stdout.str()


def test_junit_holds_the_figures_and_a_one_line_message(project):
    project.write("s.behave.yaml", FULL.replace("{min: 0.5}", "{min: 0.9}"))
    project.run("--junitxml=j.xml")
    cases = ET.parse(project.path / "j.xml").iter("testcase")  # noqa: S314 - we wrote it
    overall = next(case for case in cases if case.find("failure") is not None)
    assert overall.find("failure").get("message").startswith("demo: overall (8 rows): accuracy: violated")
    properties = {item.get("name"): item.get("value") for item in overall.iter("property")}
    assert properties == {
        "behave.verdict": "violated",
        "behave.value": "0.75",
        "behave.low": "0.409275",
        "behave.high": "0.928521",
        "behave.n": "8",
        "behave.size": "8",
        "behave.min": "0.9",
    }


@pytest.mark.parametrize(("strict", "outcome"), [((), "passed"), (("--behave-strict",), "failed")])
def test_what_cannot_be_decided_warns_and_fails_when_strict(project, strict, outcome):
    project.write(
        "s.behave.yaml", SUITE.replace("{by: group}", "{by: group, min_size: 5}").replace("overall:", "group=a:")
    )
    result = project.run(*strict)
    result.assert_outcomes(**{outcome: 1})
    assert ("BehaveWarning" in result.stdout.str()) is not bool(strict)
    assert "4 instances, fewer than min_size 5" in result.stdout.str()


def test_the_undecided_members_of_a_family_share_a_warning(project):
    project.write(
        "s.behave.yaml",
        """\
        dataset: {path: rows.csv, id: id, target: target}
        model: {column: guess}
        metrics: [accuracy]
        slices: {group: {by: group, min_size: 5}, old: {where: age > 50, min_size: 5}}
        expect:
          group: {accuracy: {min: 0.1}}
          old: {accuracy: {min: 0.1}}
        """,
    )
    said = [line.partition("BehaveWarning: ")[2] for line in project.run().outlines]
    assert [line for line in said if line] == [
        "s: accuracy: undecided on 2 slices: fewer than min_size 5",
        "s: old (1 row): accuracy: undecided: 1 instance, fewer than min_size 5, 95% [0.207, 1]",
    ]


def test_an_undefined_metric_is_undecided_never_a_pass(project):
    text = SUITE.replace("{by: group}", "target == 1").replace("accuracy", "fpr")
    project.write("s.behave.yaml", text.replace("overall: {fpr: {min: 0.5}}", "group: {fpr: {max: 1}}"))
    behavior = project.behaviors()["group", "fpr"]
    assert (behavior["value"], behavior["verdict"], behavior["n"]) == (None, "undecided", 0)
    assert behavior["reason"] == "the slice has no negatives"


def test_a_bound_that_no_outcome_could_decide_says_how_many_rows_would(project):
    project.write("s.behave.yaml", SUITE.replace("{min: 0.5}", "{min: 0.95, decide: proven}"))
    behavior = project.behaviors()["overall", "accuracy"]
    assert behavior["verdict"] == "undecided"
    assert behavior["reason"] == "8 instances cannot decide min 0.95 (proven): 73 would"


KNOWN = "{min: %s, known_failure: {reason: issue 88%s}}"


@pytest.mark.parametrize(
    ("bound", "until", "outcome", "words"),
    [
        ("0.9", "", "xfailed", "known: issue 88"),
        ("0.9", ", until: 2999-01-01", "xfailed", "known: issue 88"),
        ("0.9", ", until: 2001-01-01", "failed", "the known failure (issue 88) ended 2001-01-01"),
        ("0.5", "", "failed", "holds again, so remove `known_failure` (issue 88)"),
    ],
)
def test_a_known_failure_is_accepted_while_it_fails_and_lasts(project, bound, until, outcome, words):
    project.write("s.behave.yaml", SUITE.replace("{min: 0.5}", KNOWN % (bound, until)))
    result = project.run("-rx")
    result.assert_outcomes(**{outcome: 1})
    assert words in result.stdout.str()


def test_a_member_of_a_family_can_be_excused_alone(project):
    expect = "  group: {accuracy: {min: 0.9}}\n  group=a: {accuracy: {known_failure: {reason: small}}}\n"
    project.write("s.behave.yaml", SUITE.replace("  overall: {accuracy: {min: 0.5}}\n", expect))
    verdicts = {key[0]: item["verdict"] for key, item in project.behaviors().items()}
    assert verdicts == {"group=a": "known-failure", "group=b": "holds"}


def test_a_family_known_to_fail_fails_once_no_member_does(project):
    bounds = "{min: %s, known_failure: {reason: small}}"
    text = SUITE.replace("overall:", "group:")
    project.write("s.behave.yaml", text.replace("{min: 0.5}", bounds % "0.9"))
    assert {item["verdict"] for item in project.behaviors().values()} == {"known-failure", "holds"}
    project.write("s.behave.yaml", text.replace("{min: 0.5}", bounds % "0.4"))
    assert {item["verdict"] for item in project.behaviors().values()} == {"violated"}


def test_star_means_every_slice_and_is_overruled_by_name(project):
    text = SUITE.replace(
        "  overall: {accuracy: {min: 0.5}}", '  "*": {accuracy: {min: 0.1}}\n  group=b: {accuracy: {min: 0.2}}'
    )
    project.write("s.behave.yaml", text)
    bounds = {key[0]: item["bounds"] for key, item in project.behaviors().items()}
    assert bounds == {"group=a": {"min": 0.1}, "group=b": {"min": 0.2}}


MODEL = """\
import pandas as pd

def predict(df):
    return pd.DataFrame({"prediction": df["guess"], "tokens": df["age"].fillna(0) * 2, "mood": df["text"].str[:1]})
"""
OUTPUT_SUITE = """\
dataset: {path: rows.csv, id: id, target: target}
model: model:predict
slices:
  long: tokens > 70
  says yes: output == 1
  mood: {by: mood}
metrics: [accuracy, {name: tokens, mean: tokens, better: lower}, {name: yes, rate: output == 1}]
expect:
  overall: {tokens: {max: 100}, yes: {min: 0.1}}
  long: {accuracy: {min: 0.1}}
  says yes: {accuracy: {min: 0.1}}
  mood: {accuracy: {min: 0.6, max_gap: 0.1}}
"""


def test_columns_that_the_model_returns_can_be_sliced_and_averaged(project):
    project.write("model.py", MODEL)
    project.write("s.behave.yaml", OUTPUT_SUITE)
    assert "s.behave.yaml::mood::accuracy" in collected(project.run("--collect-only", "-q"))
    behaviors = project.behaviors()
    assert behaviors["overall", "tokens"]["value"] == pytest.approx(65.0)
    assert behaviors["overall", "yes"]["value"] == 0.5
    assert behaviors["long", "accuracy"]["size"] == 3
    assert {key[0] for key in behaviors if key[0].startswith("mood=")} == {f"mood={letter}" for letter in "gbfwon"}
    assert behaviors["mood=f", "accuracy"]["verdict"] == "violated"
    assert behaviors["mood", "accuracy gap"]["value"] == 1.0


def test_an_undeclared_output_column_that_never_comes_is_an_error_of_its_slice(project):
    project.write("model.py", "def predict(df): return df['guess']\n")
    project.write(
        "s.behave.yaml",
        SUITE.replace("{column: guess, as: prediction}", "model:predict")
        .replace("{by: group}", "zzz > 1")
        .replace("overall", "group"),
    )
    result = project.run()
    result.assert_outcomes(failed=1)
    assert "there is no column 'zzz'" in result.stdout.str()


def test_a_class_that_the_target_never_has_is_a_wrong_answer_and_said_once(project):
    project.write(
        "model.py", "def predict(df): return ['maybe' if a > 45 else str(g) for a, g in zip(df['age'], df['guess'])]\n"
    )
    project.write("s.behave.yaml", SUITE.replace("{column: guess, as: prediction}", "model:predict"))
    (suite,) = project.record()["suites"]
    assert suite["behaviors"][0]["value"] == pytest.approx(5 / 8)
    assert suite["notes"] == ["2 of 8 outputs are 'maybe', which the target never is: counted as wrong answers"]


def test_texts_that_look_missing_are_values(project):
    project.write(
        "rows.csv",
        ROWS.replace("good day", "NA").replace("bad day", "None").replace("fine", "").replace("what?", "nan"),
    )
    text = SUITE.replace("{by: group}", "isnull(text)").replace("overall", "group")
    project.write("s.behave.yaml", text)
    assert project.behaviors()["group", "accuracy"]["size"] == 1
    project.write("s.behave.yaml", text.replace("target: target}", "target: target, na_values: [NA, nan]}"))
    assert project.behaviors()["group", "accuracy"]["size"] == 3


def test_everything_measured_without_a_bound_is_in_the_record(project):
    project.write("s.behave.yaml", SUITE.replace("[accuracy]", "[accuracy, fnr]"))
    (suite,) = project.record()["suites"]
    assert {(item["slice"], item["metric"], item["verdict"]) for item in suite["observed"]} == {
        ("overall", "fnr", None),
        *((f"group={name}", metric, None) for name in "ab" for metric in ("accuracy", "fnr")),
    }


def test_a_weekly_family_follows_the_calendar(project):
    project.write("s.behave.yaml", SUITE.replace("{by: group}", "{by: when, every: month}").replace("overall", "group"))
    assert [key[0] for key in project.behaviors()] == [
        "group=2026-01",
        "group=2026-02",
        "group=2026-03",
        "group=2026-04",
    ]


def test_infinite_figures_are_null_with_a_reason(project):
    project.write(
        "model.py",
        "import pandas as pd\ndef predict(df):\n    return pd.DataFrame({'prediction': df['guess'], 'cost': [float('inf')] * len(df)})\n",
    )
    text = (
        SUITE.replace("{column: guess, as: prediction}", "model:predict")
        .replace("accuracy", "cost")
        .replace("min", "max")
    )
    project.write("s.behave.yaml", text + "cases: [{id: a, input: {guess: .nan}, expect: {label: 1}}]\n")
    assert "RuntimeWarning" not in project.run().stdout.str()
    behavior = project.behaviors()["overall", "cost"]
    assert (behavior["value"], behavior["verdict"], behavior["reason"]) == (
        None,
        "violated",
        "the slice has infinite values",
    )


def test_strict_failures_are_in_every_report(project):
    project.write(
        "s.behave.yaml", SUITE.replace("{by: group}", "{by: group, min_size: 5}").replace("overall:", "group=a:")
    )
    result = project.run("--behave-strict", "--behave-report=md:o.md")
    result.stdout.fnmatch_lines(["*= behaviors =*", "behave: 1 undecided in 1 suite", "*group=a*min 0.5"])
    assert "❌" in (project.path / "o.md").read_text()
    assert project.record("--behave-strict")["suites"][0]["strict"] is True


def test_outputs_made_from_scores_are_written_as_the_target_writes_them(project):
    text = SUITE.replace("guess, as: prediction", "score, as: score").replace("{by: group}", "output != target")
    text = text.replace("[accuracy]", "[accuracy, {name: hit, python: 'm:hit'}]").replace(
        "{accuracy: {min: 0.5}}", "{hit: {min: 0.7}}"
    )
    project.write("m.py", "def hit(rows):\n    return (rows.prediction == rows.target).astype(float)\n")
    project.write(
        "s.behave.yaml",
        text + "cases: [{id: a, input: {score: 0.9}, expect: {label: 1, equals: 1, score: {min: 0.9}}}]\n",
    )
    (suite,) = project.record()["suites"]
    assert suite["behaviors"][0]["value"] == 0.75
    assert {item["slice"]: item["size"] for item in suite["observed"]}["group"] == 2
    assert (suite["cases"][0]["verdict"], suite["cases"][0]["output"]) == ("holds", 1)


def test_golden_cases_read_bare_scores_as_the_rows_do(project):
    project.write("model.py", "def predict(df):\n    return df['score']\n")
    text = SUITE.replace("{column: guess, as: prediction}", "model:predict")
    project.write(
        "s.behave.yaml", text + "cases: [{id: a, input: {score: 0.2}, expect: {label: 0, score: {max: 0.3}}}]\n"
    )
    assert project.record()["suites"][0]["cases"][0]["verdict"] == "holds"


def test_scores_that_are_no_probabilities_have_no_log_loss(project):
    project.write(
        "s.behave.yaml",
        SUITE.replace("guess, as: prediction", "age, as: score")
        .replace("accuracy", "log_loss")
        .replace("min", "max")
        .replace("rows.csv, id", "rows.csv, where: not isnull(age), id"),
    )
    behavior = project.behaviors()["overall", "log_loss"]
    assert behavior["verdict"] == "error"
    assert behavior["reason"] == "log_loss needs probabilities, and the model's scores leave the range from 0 to 1"


def test_bins_made_in_metadata_keep_their_order(project):
    text = SUITE.replace("{by: group}", "{by: band}").replace("overall", "group")
    project.write("s.behave.yaml", text + "metadata: {band: {column: age, edges: [9, 30, 100]}}\n")
    assert [key[0] for key in project.behaviors()] == ["group=9-30", "group=30-100"]
