"""A suite file becomes a Suite, with what it extends and includes; or every mistake gets its sentence and its place."""

from __future__ import annotations

import copy
import dataclasses
import itertools
import re

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_behave.declare.load import load_suite, suite_of_data
from pytest_behave.declare.predicate import parse_predicate
from pytest_behave.errors import SuiteError
from pytest_behave.records import Bounds, ComparisonSpec, KnownFailure, Suite, Tolerance

STEADY = settings(max_examples=120)
METRICS = frozenset({"accuracy", "fpr", "fnr"})
HEAD = "dataset: {path: rows.csv}\nmodel: {column: guess}\n"


def known_metrics(_python):
    return METRICS


class Folder:
    """A folder of suite files."""

    def __init__(self, path):
        self.path = path

    def write(self, name, text):
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def load(self, text):
        return load_suite(self.write("s.behave.yaml", text), known_metrics)

    def problems(self, text):
        """Return the sentences by which a suite is refused, without the folder; nothing if it is a suite."""
        try:
            self.load(text)
        except SuiteError as error:
            return [problem.removeprefix(f"{self.path}/") for problem in error.problems]
        return []

    def problems_at_mark(self, text):
        """Return the sentences for a suite with « before the mistake; they lose the place if it is that one."""
        line, column = text[: text.index("«")].count("\n") + 1, len(text[: text.index("«")].rpartition("\n")[2]) + 1
        found = self.problems(text.replace("«", ""))
        return [problem.removeprefix(f"s.behave.yaml:{line}:{column}: ") for problem in found]

    def place(self, place):
        return str(place).removeprefix(f"{self.path}/")


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


# --- one file -----------------------------------------------------------------------------------------------------

WHOLE = """\
suite: loans
description: Who gets one?
owner: "@risk"
python: features
dataset: {path: rows.csv, id: [source, number], target: y, positive: 1, where: age > 17, cluster: speaker}
task: binary
model: {column: p, as: score, threshold: 0.3}
metadata:
  length: words(text)
  band: {column: age, edges: [25, 45]}
slices:
  young: age < 25
  group: {by: group, min_size: 30}
  both: [young, age > 20]
  few: {ids: [1, x]}
metrics: [accuracy, {name: cost, python: "features:cost", better: lower}]
expect:
  overall: {accuracy: {min: 0.7}}
  group: {accuracy: {max_gap: 0.2, known_failure: {reason: issue 8, until: 2027-03-01}}}
  cases: {smoke: {pass_rate: {min: 0.9}}}
cases:
  - {id: a, input: {text: hi}, expect: {equals: 1}, tags: smoke}
"""


def test_a_suite_is_read_as_it_is_declared(folder):
    suite = folder.load(WHOLE)
    assert (suite.name, suite.description, suite.owner, suite.python, suite.task) == (
        "loans",
        "Who gets one?",
        "@risk",
        "features",
        "binary",
    )
    assert suite.dataset.source == str(folder.path / "rows.csv")
    assert (suite.dataset.id, suite.dataset.target, suite.dataset.positive) == (("source", "number"), "y", 1)
    assert (suite.dataset.where, suite.dataset.cluster) == (parse_predicate("age > 17"), "speaker")
    (model,) = suite.models
    assert (model.kind, model.score, model.prediction, model.threshold) == ("column", "p", None, 0.3)
    assert [item.name for item in suite.metadata] == ["length", "band"]
    assert [item.name for item in suite.slices] == ["young", "group", "both", "few"]
    assert suite.slices[2].parts == ("young", parse_predicate("age > 20"))
    assert suite.slices[3].ids == ("1", "x")
    assert [(item.name, item.better) for item in suite.metrics] == [("accuracy", None), ("cost", "lower")]
    assert [(item.slice, item.metric) for item in suite.expectations] == [
        ("overall", "accuracy"),
        ("group", "accuracy"),
    ]
    assert suite.expectations[1].bounds.known_failure == KnownFailure("issue 8", "2027-03-01")
    assert suite.tag_expectations[0].bounds.min == 0.9
    assert [(case.id, case.input, case.checks, case.tags) for case in suite.cases] == [
        ("a", {"text": "hi"}, (("equals", 1),), ("smoke",))
    ]


def test_everything_has_the_place_where_it_stands(folder):
    suite = folder.load(WHOLE)
    assert folder.place(suite.dataset.place) == "s.behave.yaml:5:17"
    assert folder.place(suite.models[0].place) == "s.behave.yaml:7:8"
    assert [folder.place(item.place) for item in suite.metadata] == ["s.behave.yaml:9:11", "s.behave.yaml:10:9"]
    assert [folder.place(item.place) for item in suite.slices] == [f"s.behave.yaml:{line}:3" for line in range(12, 16)]
    assert [folder.place(item.place) for item in suite.metrics] == ["s.behave.yaml:16:11", "s.behave.yaml:16:21"]
    assert folder.place(suite.expectations[1].bounds.place) == "s.behave.yaml:19:11"
    assert folder.place(suite.cases[0].place) == "s.behave.yaml:22:5"


@pytest.mark.parametrize(
    ("name", "suite"), [("a.behave.yaml", "a"), ("b.behave.yml", "b"), ("c.yaml", "c"), ("d.e.behave.yaml", "d.e")]
)
def test_a_suite_without_a_name_has_that_of_its_file(folder, name, suite):
    assert load_suite(folder.write(name, HEAD), known_metrics).name == suite


def test_which_metrics_are_known_may_depend_on_the_module_of_the_suite(folder):
    path = folder.write("s.behave.yaml", f"{HEAD}python: mine\nmetrics: [cost]\n")
    assert load_suite(path, lambda python: frozenset({"cost"} if python == "mine" else ())).metrics[0].name == "cost"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty: a suite is a mapping with `dataset` or `cases`"),
        ("# nothing\n", "the file is empty: a suite is a mapping with `dataset` or `cases`"),
        ("- a\n", "the file holds no mapping: a suite is a mapping with `dataset` or `cases`"),
        ("suite\n", "the file holds no mapping: a suite is a mapping with `dataset` or `cases`"),
        ("model: m:p\n", "a suite needs `dataset` or `cases`"),
    ],
)
def test_a_file_that_declares_nothing_is_refused(folder, text, message):
    assert folder.problems(text) == [f"s.behave.yaml:1:1: {message}"]


# --- against a baseline -------------------------------------------------------------------------------------------

TOP = "dataset: {path: rows.csv}\n"
AB = f"{TOP}models: {{old: {{column: a}}, new: {{column: b}}}}\n"
BOUNDED = f"""{HEAD}metrics: [accuracy, fpr]
slices:
  young: age < 25
  old: age > 65
  race: {{by: race}}
expect:
  """


def first_bounds(folder, text):
    return folder.load(f"{BOUNDED}{text}\n").expectations[0].bounds


@pytest.mark.parametrize(
    ("text", "name", "kind", "location"),
    [
        (f"{HEAD}baseline: {{column: old}}", "old", "column", "old"),
        (f"{HEAD}baseline: risk:predict", "risk:predict", "python", "risk:predict"),
        (f"{HEAD}baseline: predict_old", "predict_old", "python", "predict_old"),
        (f"{AB}baseline: old", "old", "column", "a"),
        (f"{AB}baseline: new", "new", "column", "b"),
        (f"{AB}baseline: risk:predict", "risk:predict", "python", "risk:predict"),
        (f"{AB}baseline: {{column: older}}", "older", "column", "older"),
        (f"{AB}baseline: {{column: new}}", "baseline", "column", "new"),
    ],
)
def test_the_baseline_is_a_declared_model_or_one_of_its_own(folder, text, name, kind, location):
    baseline = folder.load(text).baseline
    assert (baseline.name, baseline.kind, baseline.location) == (name, kind, location)


def test_the_predictions_of_a_baseline_are_found_beside_the_suite(folder):
    folder.write("old.csv", "")
    baseline = folder.load(f"{HEAD}baseline: {{predictions: old.csv, score: p, threshold: 0.3}}").baseline
    assert (baseline.name, baseline.location) == ("old.csv", str(folder.path / "old.csv"))
    assert (baseline.score, baseline.threshold, folder.place(baseline.place)) == ("p", 0.3, "s.behave.yaml:3:11")


@pytest.mark.parametrize(
    ("text", "comparison"),
    [
        ("", ComparisonSpec()),
        ("comparison:", ComparisonSpec(0.05, "mid-p")),
        ("comparison: {alpha: 0.01}", ComparisonSpec(0.01, "mid-p")),
        ("comparison: {mcnemar: exact}", ComparisonSpec(0.05, "exact")),
    ],
)
def test_how_a_suite_is_compared_has_defaults(folder, text, comparison):
    assert folder.load(f"{HEAD}{text}").comparison == comparison


@pytest.mark.parametrize("key", ["max_regression", "max_gap_regression"])
@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("0", Tolerance(0.0)),
        ("0.01", Tolerance(0.01)),
        ("3", Tolerance(3.0)),
        ("1e-3", Tolerance(0.001)),
        ("2%", Tolerance(0.02, relative=True)),
        ("2 %", Tolerance(0.02, relative=True)),
        ("'2%'", Tolerance(0.02, relative=True)),
        ("0.5%", Tolerance(0.005, relative=True)),
        (".5%", Tolerance(0.005, relative=True)),
        ("0%", Tolerance(0.0, relative=True)),
        ("150%", Tolerance(1.5, relative=True)),
        ("{by: 0.01}", Tolerance(0.01)),
        ("{by: 1%, from: accepted}", Tolerance(0.01, relative=True)),
        ("{by: 1%, from: best}", Tolerance(0.01, relative=True, best=True)),
        ("{by: 0, from: best}", Tolerance(0.0, best=True)),
    ],
)
def test_a_tolerance_is_an_amount_or_a_share_and_may_be_from_the_best(folder, key, written, meant):
    bounds = first_bounds(folder, f"race: {{accuracy: {{{key}: {written}}}}}")
    assert getattr(bounds, key) == meant


@STEADY
@given(amount=st.decimals(0, 10**6, places=4))
def test_any_amount_means_the_same_as_a_number_and_as_a_percentage(shared_folder, amount):
    number = first_bounds(shared_folder, f"young: {{accuracy: {{max_regression: {amount:f}}}}}").max_regression
    share = first_bounds(shared_folder, f"young: {{accuracy: {{max_regression: {amount:f}%}}}}").max_regression
    assert (number.relative, share.relative) == (False, True)
    assert share.by == number.by / 100 == float(amount) / 100


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("race: {fpr: {max_gap: 0.1}}", Bounds(max_gap=0.1)),
        ("race: {fpr: {max_gap: 0.1, gap_to: overall}}", Bounds(max_gap=0.1, gap_to="overall")),
        ("race: {fpr: {max_gap: 0.1, gap_to: race=White}}", Bounds(max_gap=0.1, gap_to="race=White")),
        ("young: {fpr: {max_gap: 0.1, gap_to: old}}", Bounds(max_gap=0.1, gap_to="old")),
        ("race=Other: {fpr: {max_gap: 0.1, gap_to: race=White}}", Bounds(max_gap=0.1, gap_to="race=White")),
        ("overall: {fpr: {max_gap: 0.1, gap_to: young}}", Bounds(max_gap=0.1, gap_to="young")),
        ("'*': {fpr: {max_gap: 0.1, gap_to: overall}}", Bounds(max_gap=0.1, gap_to="overall")),
        (
            "young: {fpr: {max_gap_regression: 1%, gap_to: overall}}",
            Bounds(max_gap_regression=Tolerance(0.01, relative=True), gap_to="overall"),
        ),
        ("young: {fpr: {min: 1, severity: warning}}", Bounds(min=1.0, severity="warning")),
        ("young: {fpr: {min: 1, severity: error}}", Bounds(min=1.0, severity="error")),
        ("young: {fpr: {min: 1, decide: observed}}", Bounds(min=1.0, decide="observed")),
    ],
)
def test_gaps_and_severity_are_read_as_they_are_declared(folder, text, expected):
    found = first_bounds(folder, text)
    assert found == dataclasses.replace(expected, place=found.place)


@pytest.mark.parametrize(
    "exception", ["severity: warning", "severity: error", "known_failure: {reason: issue 8}"], ids=lambda text: text[:8]
)
@pytest.mark.parametrize(
    ("general", "slice_name"),
    [
        ("race: {fpr: {max: 1}}", "race=Other"),
        ("race: {fpr: {max_regression: 0}}", "race=Other"),
        ("'*': {fpr: {max: 1}}", "race=Other"),
        ("'*': {fpr: {max_regression: 0}}", "young"),
        ("'*': {fpr: {max: 1}}", "race"),
    ],
)
def test_one_slice_may_be_an_exception_from_more_general_bounds(folder, general, slice_name, exception):
    suite = folder.load(f"{BOUNDED}{general}\n  {slice_name}: {{fpr: {{{exception}}}}}\n")
    assert [item.slice for item in suite.expectations][1] == slice_name


AMOUNT = "must be a number of at least 0, or a percentage such as 2%, not"
NO_BOUND = "give at least one of min, max, max_regression, max_gap"
NO_EXCEPTION = "there is no min, max or max_regression of 'fpr' to make an exception from"


@pytest.mark.parametrize("key", ["max_regression", "max_gap_regression"])
@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("«-1", "-1"),
        ("«-0.1", "-0.1"),
        ("«-2%", "'-2%'"),
        ("«2 percent", "'2 percent'"),
        ("«2%%", "'2%%'"),
        ('«"%"', "'%'"),
        ("«'0.02'", "'0.02'"),
        ('«"2%\\n"', r"'2%\n'"),
        ("«9999999999%", "'9999999999%'"),
        ("«.inf", "inf"),
        ("«.nan", "nan"),
        ("«true", "True"),
        ("«[1]", "[1]"),
        ("{by: «-1}", "-1"),
        ("{by: «2 percent, from: best}", "'2 percent'"),
    ],
)
def test_what_is_no_tolerance_is_refused_where_it_stands(folder, key, written, shown):
    where = f"expect.race.fpr.{key}{'.by' * ('by' in written)}"
    assert folder.problems_at_mark(f"{BOUNDED}race: {{fpr: {{{key}: {written}}}}}\n") == [f"{where} {AMOUNT} {shown}"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("young: {fpr: {max_regression: «{from: best}}}", "missing key 'by'"),
        ("young: {fpr: {max_regression: {by: 1, «frm: best}}}", "unknown key 'frm' - did you mean 'from'?"),
        (
            "young: {fpr: {max_regression: {by: 1, from: «bst}}}",
            "expect.young.fpr.max_regression.from must be 'accepted' or 'best', not 'bst' - did you mean 'best'?",
        ),
        ("young: {fpr: {«max_regresion: 1}}", "unknown key 'max_regresion' - did you mean 'max_regression'?"),
        ("young: {«fpr: {max_regression: }}", NO_BOUND),
        ("young: {«fpr: {decide: proven}}", NO_BOUND),
        ("overall: {«fpr: {severity: warning}}", NO_BOUND),
        ("'*': {«fpr: {severity: warning}}", NO_BOUND),
        ("young: {«fpr: {severity: warning}}", NO_EXCEPTION),
        ("race=a: {«fpr: {severity: warning}}", NO_EXCEPTION),
        ("{race: {fpr: {max_gap: 1}}, race=a: {«fpr: {severity: warning}}}", NO_EXCEPTION),
        ("{'*': {fpr: {max_gap: 1, gap_to: overall}}, old: {«fpr: {severity: warning}}}", NO_EXCEPTION),
        (
            "young: {fpr: {min: 1, severity: «warn}}",
            "expect.young.fpr.severity must be 'error' or 'warning', not 'warn' - did you mean 'warning'?",
        ),
        ("young: {fpr: {«max_gap: 1}}", "`max_gap` needs a family (a slice with `by:`), or `gap_to: overall`"),
        ("race=a: {fpr: {«max_gap: 1}}", "`max_gap` needs a family (a slice with `by:`), or `gap_to: overall`"),
        ("'*': {fpr: {«max_gap: 1}}", "`max_gap` needs a family (a slice with `by:`), or `gap_to: overall`"),
        (
            "overall: {fpr: {«max_gap_regression: 1%}}",
            "`max_gap_regression` needs a family (a slice with `by:`), or `gap_to: overall`",
        ),
        ("young: {fpr: {«gap_to: overall}}", "`gap_to` needs `max_gap` or `max_gap_regression`"),
        ("race: {fpr: {«gap_to: overall, min: 1}}", "`gap_to` needs `max_gap` or `max_gap_regression`"),
        ("young: {fpr: {max_gap: 1, gap_to: «overal}}", "unknown slice 'overal' - did you mean 'overall'?"),
        ("young: {fpr: {max_gap: 1, gap_to: «rac=a}}", "unknown slice 'rac=a' - did you mean 'race'?"),
        ("young: {fpr: {max_gap: 1, gap_to: «''}}", "unknown slice '' (known: old, overall, race, young)"),
        ("young: {fpr: {max_gap: 1, gap_to: «'*'}}", "unknown slice '*' (known: old, overall, race, young)"),
        ("young: {fpr: {max_gap: 1, gap_to: «5}}", "expect.young.fpr.gap_to must be a text, not 5"),
        (
            "young: {fpr: {max_gap: 1, gap_to: «race}}",
            "'race' is a family: name one slice, such as a member of it",
        ),
        (
            "young: {fpr: {max_gap: 1, gap_to: «young}}",
            "the gap from 'young' to itself is always 0: name another slice",
        ),
        (
            "overall: {fpr: {max_gap: 1, gap_to: «overall}}",
            "the gap from 'overall' to itself is always 0: name another slice",
        ),
    ],
)
def test_a_wrong_bound_is_refused_where_it_stands_with_what_to_write(folder, text, problem):
    assert folder.problems_at_mark(f"{BOUNDED}{text}\n") == [problem]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"{AB}baseline: «odl\n", "there is no model 'odl' - did you mean 'old'?"),
        (f"{AB}baseline: «''\n", "there is no model '' (known: new, old)"),
        (f"{HEAD}baseline: «5\n", "baseline must be a mapping, not 5"),
        (f"{HEAD}baseline: {{«colum: a}}\n", "unknown key 'colum' - did you mean 'column'?"),
        (
            f"{HEAD}«baseline: {{}}\n",
            "give exactly one of python, predictions, column, estimator, url, command, plugin, but there is none",
        ),
        (f"{HEAD}baseline: «{{column: guess}}\n", "this is the model itself: nothing can differ from it"),
        (f"{HEAD}baseline: {{predictions: «a.csv, score: p}}\n", "there is no file a.csv (known: s.behave.yaml)"),
        (f"{HEAD}comparison: «0.05\n", "comparison must be a mapping, not 0.05"),
        (f"{HEAD}comparison: {{«alfa: 0.1}}\n", "unknown key 'alfa' - did you mean 'alpha'?"),
        (f"{HEAD}comparison: {{alpha: «0}}\n", "comparison.alpha must be above 0, not 0"),
        (f"{HEAD}comparison: {{alpha: «1}}\n", "comparison.alpha must be below 1, not 1"),
        (f"{HEAD}comparison: {{alpha: «5%}}\n", "comparison.alpha must be a number, not '5%'"),
        (
            f"{HEAD}comparison: {{mcnemar: «midp}}\n",
            "comparison.mcnemar must be 'mid-p' or 'exact', not 'midp' - did you mean 'mid-p'?",
        ),
        ("model: a:b\ndataset: {path: a.csv, cluster: «''}\n", "dataset.cluster must be a name, not ''"),
        ("model: a:b\ndataset: {path: a.csv, cluster: «[a]}\n", "dataset.cluster must be a text, not ['a']"),
        ("model: a:b\ndataset: {path: a.csv, «clustr: a}\n", "unknown key 'clustr' - did you mean 'cluster'?"),
    ],
)
def test_a_wrong_word_about_the_baseline_is_refused_where_it_stands(folder, text, problem):
    assert folder.problems_at_mark(text) == [problem]


TAGGED = f"{HEAD}cases: [{{id: a, input: {{x: 1}}, expect: {{label: 1}}, tags: hard}}]\nexpect:\n  cases:\n    hard: "


@pytest.mark.parametrize(
    ("rate", "problem"),
    [
        ("{pass_rate: {min: 1, «max_regression: 1%}}", "`max_regression` does nothing for a pass rate: remove it"),
        ("{pass_rate: {min: 1, «max_gap: 1}}", "`max_gap` does nothing for a pass rate: remove it"),
        ("{pass_rate: {min: 1, «gap_to: overall}}", "`gap_to` does nothing for a pass rate: remove it"),
        ("{pass_rate: {«max_gap_regression: 1}}", "`max_gap_regression` does nothing for a pass rate: remove it"),
        ("{«pass_rate: {}}", "give at least one of min and max"),
        ("{«pass_rate: {severity: warning}}", "give at least one of min and max"),
    ],
)
def test_a_pass_rate_has_no_baseline(folder, rate, problem):
    assert folder.problems_at_mark(f"{TAGGED}{rate}\n") == [problem]


def test_a_pass_rate_may_only_warn(folder):
    suite = folder.load(f"{TAGGED}{{pass_rate: {{min: 1, severity: warning}}}}\n")
    assert suite.tag_expectations[0].bounds.severity == "warning"


# --- file names ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["predictions", "estimator"])
@pytest.mark.parametrize(
    "name", ["x" * 5_000, f"folder/{'x' * 300}", "a\\0b", "no/such/file"], ids=lambda name: name[:9]
)
def test_a_name_that_no_file_can_have_names_no_file(folder, key, name):
    (problem,) = folder.problems_at_mark(f'{TOP}model: {{{"score: p, " * (key == "predictions")}{key}: «"{name}"}}\n')
    assert problem.startswith("there is no file " + name.replace("\\0", "\0"))


@pytest.mark.parametrize("key", ["predictions", "estimator"])
def test_a_folder_is_no_file(folder, key):
    (problem,) = folder.problems_at_mark(f'{TOP}model: {{{"score: p, " * (key == "predictions")}{key}: «"."}}\n')
    assert problem == ". is a folder, not a file"


@pytest.mark.parametrize("name", ["x" * 5_000, "x" * 5_000 + ":f", "a\\0:f", "f\\0"], ids=lambda name: name[-5:])
def test_a_dataset_may_be_called_anything_until_it_is_read(folder, name):
    assert folder.problems(f'dataset: {{path: "{name}"}}\nmodel: {{column: guess}}\n') == []


def test_what_cannot_be_listed_gives_no_suggestions(folder):
    folder.write("file", "")
    (problem,) = folder.problems_at_mark(f"{TOP}model: {{score: s, predictions: «file/labels.csv}}\n")
    assert problem == "there is no file file/labels.csv"


# --- several files: extends ---------------------------------------------------------------------------------------

STANDARD = """\
suite: standard
description: what the team asks for
owner: "@team"
metadata: {length: words(text)}
slices:
  young: age < 25
  old: age > 65
metrics: [accuracy, fpr]
expect:
  overall:
    accuracy: {min: 0.7, max: 0.99}
    fpr: {max: 0.3}
  "*": {accuracy: {min: 0.5}}
"""


def bounds(suite):
    return {(item.slice, item.metric): (item.bounds.min, item.bounds.max) for item in suite.expectations}


def test_what_a_suite_does_not_say_is_inherited(folder):
    folder.write("standard.yaml", STANDARD)
    suite = folder.load(f"{HEAD}extends: standard.yaml\n")
    assert (suite.name, suite.description, suite.owner) == ("s", "what the team asks for", "@team")
    assert [item.name for item in suite.metadata] == ["length"]
    assert [item.name for item in suite.slices] == ["young", "old"]
    assert [item.name for item in suite.metrics] == ["accuracy", "fpr"]
    assert bounds(suite) == {
        ("overall", "accuracy"): (0.7, 0.99),
        ("overall", "fpr"): (None, 0.3),
        ("*", "accuracy"): (0.5, None),
    }


def test_what_a_suite_says_wins_down_to_the_single_bound(folder):
    folder.write("standard.yaml", STANDARD)
    suite = folder.load(
        f"""{HEAD}extends: standard.yaml
owner: me
slices: {{young: age < 30, rich: income > 5}}
metrics: [fnr, {{name: accuracy, metric: fpr}}]
expect:
  overall: {{accuracy: {{min: 0.8}}, fnr: {{max: 0.1}}}}
  rich: {{accuracy: {{min: 0.9}}}}
"""
    )
    assert (suite.owner, suite.description) == ("me", "what the team asks for")
    assert {item.name: item.predicate for item in suite.slices} == {
        "young": parse_predicate("age < 30"),
        "old": parse_predicate("age > 65"),
        "rich": parse_predicate("income > 5"),
    }
    assert [(item.name, item.metric) for item in suite.metrics] == [("fnr", "fnr"), ("accuracy", "fpr"), ("fpr", "fpr")]
    assert bounds(suite) == {
        ("overall", "accuracy"): (0.8, 0.99),
        ("overall", "fpr"): (None, 0.3),
        ("*", "accuracy"): (0.5, None),
        ("overall", "fnr"): (None, 0.1),
        ("rich", "accuracy"): (0.9, None),
    }


def test_bounds_against_the_baseline_are_inherited_key_by_key(folder):
    folder.write(
        "standard.yaml",
        """\
slices: {young: age < 25, race: {by: race}}
metrics: [accuracy, fpr]
comparison: {alpha: 0.01, mcnemar: exact}
expect:
  overall: {accuracy: {max_regression: {by: 0.01, from: best}, severity: warning}}
  young: {fpr: {max_gap: 0.1, gap_to: overall}}
  race: {fpr: {max_gap: 0.2, max_gap_regression: 1%}}
""",
    )
    suite = folder.load(
        f"""{HEAD}extends: standard.yaml
comparison: {{alpha: 0.1}}
expect:
  overall: {{accuracy: {{min: 0.5, max_regression: 2%}}}}
  young: {{fpr: {{gap_to: race=White}}}}
  race: {{fpr: {{severity: warning}}}}
"""
    )
    assert suite.comparison == ComparisonSpec(alpha=0.1, mcnemar="exact")
    assert [dataclasses.replace(item.bounds, place=None) for item in suite.expectations] == [
        Bounds(min=0.5, max_regression=Tolerance(0.02, relative=True), severity="warning"),
        Bounds(max_gap=0.1, gap_to="race=White"),
        Bounds(max_gap=0.2, max_gap_regression=Tolerance(0.01, relative=True), severity="warning"),
    ]


def test_a_mistake_in_an_inherited_comparison_is_found_where_it_stands(folder):
    folder.write(
        "standard.yaml",
        "comparison: {alpha: 2, mcnemar: exact}\nmetrics: [fpr]\nexpect: {overall: {fpr: {max_regression: x}}}",
    )
    assert folder.problems(f"{HEAD}extends: standard.yaml\ncomparison: {{mcnemar: midp}}\n") == [
        "s.behave.yaml:4:23: comparison.mcnemar must be 'mid-p' or 'exact', not 'midp' - did you mean 'mid-p'?",
        "standard.yaml:1:21: comparison.alpha must be below 1, not 2",
        f"standard.yaml:3:42: expect.overall.fpr.max_regression {AMOUNT} 'x'",
    ]


def test_inherited_parts_keep_the_place_where_they_stand(folder):
    folder.write("standard.yaml", STANDARD)
    suite = folder.load(f"{HEAD}extends: standard.yaml\nmetrics: [fnr]\nslices: {{rich: income > 5}}\n")
    assert [folder.place(item.place) for item in suite.metrics] == [
        "s.behave.yaml:4:11",
        "standard.yaml:8:11",
        "standard.yaml:8:21",
    ]
    assert {item.name: folder.place(item.place) for item in suite.slices} == {
        "young": "standard.yaml:6:3",
        "old": "standard.yaml:7:3",
        "rich": "s.behave.yaml:5:10",
    }
    assert folder.place(suite.expectations[0].bounds.place) == "standard.yaml:11:5"


def test_a_mistake_in_an_inherited_part_is_found_where_it_stands(folder):
    folder.write(
        "standard.yaml", "slices: {young: age <}\nmetrics: [acuracy]\nexpect: {overall: {accuracy: {mim: 1}}}\n"
    )
    assert folder.problems(f"{HEAD}extends: standard.yaml\nmetrics: [accuracy]\n") == [
        "standard.yaml:1:17: 'age <' is not an expression: a value or an operator is missing, or one is too many",
        "standard.yaml:2:11: unknown metric 'acuracy' - did you mean 'accuracy'?",
        "standard.yaml:3:31: unknown key 'mim' - did you mean 'min'?",
    ]


def test_a_standard_may_extend_another_from_its_own_folder(folder):
    folder.write("team/standard.yaml", "extends: ../company/standard.yaml\nmetrics: [fpr]\n")
    folder.write("company/standard.yaml", "metrics: [accuracy]\nowner: the company\n")
    suite = folder.load(f"{HEAD}extends: team/standard.yaml\nmetrics: [fnr]\n")
    assert [item.name for item in suite.metrics] == ["fnr", "fpr", "accuracy"]
    assert suite.owner == "the company"


@pytest.mark.parametrize(
    ("written", "files", "message"),
    [
        ("no.yaml", {}, "s.behave.yaml:3:10: extends 'no.yaml', but there is no such file"),
        (".", {}, "s.behave.yaml:3:10: extends '.', but there is no such file"),
        ("''", {}, "s.behave.yaml:3:10: extends '', but there is no such file"),
        ('"\\0"', {}, r"s.behave.yaml:3:10: extends '\x00', but there is no such file"),
        ("x" * 5_000, {}, f"s.behave.yaml:3:10: extends '{'x' * 5_000}', but there is no such file"),
        ("5", {}, "s.behave.yaml:3:10: extends must be a text, not 5"),
        ("s.behave.yaml", {}, "s.behave.yaml:3:10: extends itself through s.behave.yaml"),
        ("./../{folder}/s.behave.yaml", {}, "s.behave.yaml:3:10: extends itself through ./../{folder}/s.behave.yaml"),
        ("b.yaml", {"b.yaml": "extends: s.behave.yaml"}, "b.yaml:1:10: extends itself through s.behave.yaml"),
        ("b.yaml", {"b.yaml": "extends: b.yaml"}, "b.yaml:1:10: extends itself through b.yaml"),
        ("b.yaml", {"b.yaml": "- a"}, "b.yaml:1:1: a suite to extend must be a mapping"),
        ("b.yaml", {"b.yaml": ""}, "b.yaml:1:1: a suite to extend must be a mapping"),
        (
            "b.yaml",
            {"b.yaml": "a: ["},
            "b.yaml:2:1: this is not YAML: the file ends before all that it begins is closed",
        ),
        ("b.yaml", {"b.yaml": "metrics: []\nmetrics: []"}, "b.yaml:2:1: duplicate key 'metrics', first used in line 1"),
        ("b.yaml", {"b.yaml": "metric: []"}, "b.yaml:1:1: unknown key 'metric' - did you mean 'metrics'?"),
        ("b.yaml", {"b.yaml": "cases: []"}, "b.yaml:1:1: 'cases' cannot be shared by `extends`"),
        ("b.yaml", {"b.yaml": "baseline: a:b"}, "b.yaml:1:1: 'baseline' cannot be shared by `extends`"),
        ("b.yaml", {"b.yaml": "owner: me\ndataset: {}"}, "b.yaml:2:1: 'dataset' cannot be shared by `extends`"),
    ],
)
def test_a_file_that_cannot_be_extended_is_refused_where_it_is_named(folder, written, files, message):
    for name, text in files.items():
        folder.write(name, text)
    (problem,) = folder.problems(f"{HEAD}extends: {written.replace('{folder}', folder.path.name)}\n")
    assert problem.startswith(message.replace("{folder}", folder.path.name))


# --- several files: included cases --------------------------------------------------------------------------------


def case(name):
    return f"- {{id: {name}, input: {{x: 1}}, expect: {{equals: 1}}}}\n"


def test_included_cases_stand_where_the_include_stands(folder):
    folder.write("cases/b.yaml", case("b1") + case("b2"))
    folder.write("cases/a.yaml", "# first by name\n" + case("a1"))
    folder.write("more.yaml", case("m1"))
    suite = folder.load(f"{HEAD}cases:\n{case('one')}- include: cases/*.yaml\n{case('two')}- include: more.yaml\n")
    assert {item.id: folder.place(item.place) for item in suite.cases} == {
        "one": "s.behave.yaml:4:3",
        "a1": "cases/a.yaml:2:3",
        "b1": "cases/b.yaml:1:3",
        "b2": "cases/b.yaml:2:3",
        "two": "s.behave.yaml:6:3",
        "m1": "more.yaml:1:3",
    }
    assert [item.id for item in suite.cases] == ["one", "a1", "b1", "b2", "two", "m1"]


def test_folders_within_folders_are_searched(folder):
    folder.write("cases/x/y/a.yaml", case("deep"))
    folder.write("cases/b.yaml", case("flat"))
    suite = folder.load(f"{HEAD}cases: [{{include: cases/**/*.yaml}}]\n")
    assert {item.id for item in suite.cases} == {"deep", "flat"}


def test_mistakes_in_included_cases_are_found_where_they_stand(folder):
    folder.write("c.yaml", case("a") + "- {id: b, input: {x: 1}, expect: {equalz: 1, equals: 1}}\n" + case("c"))
    folder.write("d.yaml", "\n" + case("a") + "- {id: d, expect: {}}\n")
    assert folder.problems(f"{HEAD}cases:\n- include: c.yaml\n- include: d.yaml\n- {{id: e}}\n") == [
        "c.yaml:2:35: unknown key 'equalz' - did you mean 'equals'?",
        "d.yaml:2:3: the case id 'a' is used twice, first in line 1",
        "d.yaml:3:3: the case 'd' needs an `input`",
        "d.yaml:3:11: the case 'd' checks nothing",
        "s.behave.yaml:6:3: missing key 'expect'",
    ]


@pytest.mark.parametrize(
    ("entry", "files", "messages"),
    [
        ("include: no*.yaml", {}, ["s.behave.yaml:4:3: include: no file fits no*.yaml"]),
        ("include: 5", {}, ["s.behave.yaml:4:12: cases.0.include must be a text, not 5"]),
        ("{include: c.yaml, tags: [a]}", {"c.yaml": ""}, ["c.yaml:1:1: a file of cases must be a list of cases"]),
        (
            "{include: c.yaml, tags: [a]}",
            {"c.yaml": case("a")},
            ["s.behave.yaml:4:21: unknown key 'tags': an `include` takes no other keys"],
        ),
        ("include: c.yaml", {"c.yaml": "id: a"}, ["c.yaml:1:1: a file of cases must be a list of cases"]),
        (
            "include: c.yaml",
            {"c.yaml": "- ["},
            ["c.yaml:2:1: this is not YAML: the file ends before all that it begins is closed"],
        ),
        (
            "include: c.yaml",
            {"c.yaml": case("a") + "- include: d.yaml"},
            ["c.yaml:2:3: `include` cannot stand in an included file"],
        ),
        (
            "include: c.yaml",
            {"c.yaml": "- {id: a, id: b, input: {x: 1}, expect: {equals: 1}}"},
            ["c.yaml:1:11: duplicate key 'id', first used in line 1"],
        ),
        ('include: "\\0"', {}, ["s.behave.yaml:4:3: include: no file fits \0"]),
        (f"include: {'x' * 5_000}", {}, [f"s.behave.yaml:4:3: include: no file fits {'x' * 5_000}"]),
    ],
)
def test_an_include_that_gives_no_cases_is_refused(folder, entry, files, messages):
    for name, text in files.items():
        folder.write(name, text)
    found = folder.problems(f"{HEAD}cases:\n- {entry}\n")
    assert set(messages) <= set(found)
    assert len(found) == len(messages) + ("tags" in entry and files["c.yaml"] == "")


def test_a_thousand_cases_keep_their_places(folder):
    folder.write("c.yaml", "".join(case(f"c{number}") for number in range(1_000)))
    suite = folder.load(f"{HEAD}cases:\n{case('first')}- include: c.yaml\n{case('last')}")
    assert [item.place.line for item in suite.cases] == [4, *range(1, 1_001), 6]


# --- many mistakes at once ----------------------------------------------------------------------------------------

SOUND = {
    "suite": "loans",
    "owner": "me",
    "dataset": {"path": "rows.csv", "id": "id", "target": "y", "cluster": "speaker"},
    "model": {"column": "guess"},
    "baseline": {"column": "old"},
    "comparison": {"alpha": 0.1},
    "metadata": {"length": "words(text)", "band": {"column": "age", "edges": [1, 2]}},
    "slices": {"young": "age < 25", "group": {"by": "group", "min_size": 3}, "both": ["young", "age > 1"]},
    "metrics": ["accuracy", {"name": "cost", "mean": "price", "better": "lower"}, "fpr"],
    "expect": {
        "overall": {"accuracy": {"min": 0.5}},
        "group": {"accuracy": {"max_gap": 0.5}, "cost": {"max": 3, "known_failure": {"reason": "x"}}},
        "young": {"accuracy": {"max_gap": 0.1, "gap_to": "overall", "severity": "warning"}},
        "both": {"cost": {"max_regression": {"by": "1%", "from": "best"}}},
        "group=a": {"cost": {"severity": "warning"}},
        "cases": {"smoke": {"pass_rate": {"min": 0.9}}},
    },
    "cases": [
        {"id": "a", "input": {"x": 1}, "expect": {"equals": 1}, "tags": ["smoke"]},
        {"id": "b", "template": "I {v} it", "fill": {"v": ["like", "hate"]}, "expect": {"label": 1}},
    ],
}
# section -> (where, what, the sentence that it gets)
MISTAKES = {
    "suite": (("suite",), "a::b", "the name 'a::b' may not be empty or hold '[', ']', '::' or a line break"),
    "owner": (("owner",), 5, "owner must be a text, not 5"),
    "ownr": (("ownr",), "me", "unknown key 'ownr' - did you mean 'owner'?"),
    "task": (("task",), "binry", "task must be 'binary', 'multiclass', 'regression' or 'text', not 'binry'"),
    "dataset": (("dataset", "idd"), "id", "unknown key 'idd' - did you mean 'id'?"),
    "dataset where": (("dataset", "where"), "age <", "'age <' is not an expression"),
    "model": (("model", "threshold"), "high", "model.threshold must be a number, not 'high'"),
    "metadata": (("metadata", "length"), "words(", "'words(' is not an expression"),
    "metadata shape": (("metadata", "band", "edges"), 5, "metadata.band.edges must be a list, not 5"),
    "slice": (("slices", "young"), "income <", "'income <' is not an expression"),
    "family": (("slices", "group", "min_sze"), 3, "unknown key 'min_sze' - did you mean 'min_size'?"),
    "list of parts": (("slices", "both", 1), 7, "slices.both.1 must be a text, not 7"),
    "metric": (("metrics", 2), {"name": "x", "mean": "p", "rat": "p > 1"}, "unknown key 'rat' - did you mean 'rate'?"),
    "metric option": (("metrics", 1, "better"), "lowr", "metrics.1.better must be 'higher' or 'lower', not 'lowr'"),
    "bound": (("expect", "overall", "accuracy", "min"), "high", "expect.overall.accuracy.min must be a number"),
    "slice of bounds": (("expect", "overal"), {"cost": {"min": 1}}, "unknown slice 'overal' - did you mean 'overall'?"),
    "bounds of a slice": (("expect", "both"), 5, "expect.both must be a mapping, not 5"),
    "cluster": (("dataset", "cluster"), "", "dataset.cluster must be a name, not ''"),
    "baseline": (("baseline",), 5, "baseline must be a mapping, not 5"),
    "level": (("comparison", "alpha"), 2, "comparison.alpha must be below 1, not 2"),
    "bounds with exceptions": (("expect", "group", "cost", "max"), "3", "expect.group.cost.max must be a number"),
    "gap": (("expect", "young", "accuracy", "gap_to"), "group", "'group' is a family: name one slice"),
    "severity": (("expect", "young", "accuracy", "severity"), "warn", "expect.young.accuracy.severity must be"),
    "loss": (("expect", "overall", "accuracy", "max_regression"), "1", "expect.overall.accuracy.max_regression must"),
    "known failure": (
        ("expect", "group", "cost", "known_failure", "until"),
        "tomorrow",
        "expect.group.cost.known_failure.until must be a date such as 2027-03-01, not 'tomorrow'",
    ),
    "tag": (("expect", "cases", "smok"), {"pass_rate": {"min": 1}}, "no case has the tag 'smok'"),
    "case": (("cases", 0, "expect", "equalz"), 1, "unknown key 'equalz' - did you mean 'equals'?"),
    "template": (("cases", 1, "fill"), {"w": ["a"]}, "template and fill must name the same things"),
}


def planted(*mistakes):
    """Return the sound suite with mistakes in it."""
    data = copy.deepcopy(SOUND)
    for loc, value, _ in mistakes:
        part = data
        for key in loc[:-1]:
            part = part[key]
        part[loc[-1]] = value
    return data


def test_the_suite_in_which_mistakes_are_planted_is_sound(folder):
    assert isinstance(folder.load(yaml.safe_dump(SOUND)), Suite)


@pytest.mark.parametrize("pair", list(itertools.combinations_with_replacement(MISTAKES, 2)), ids="+".join)
def test_mistakes_are_reported_in_one_pass_and_start_no_others(folder, pair):
    mistakes = [MISTAKES[name] for name in dict.fromkeys(pair)]
    found = [problem.split(": ", 1)[1] for problem in folder.problems(yaml.safe_dump(planted(*mistakes)))]
    expected = [sentence for _, _, sentence in mistakes]
    assert len(found) == len(expected)
    assert all(any(problem.startswith(sentence) for problem in found) for sentence in expected), found


def test_all_mistakes_together_are_reported_in_the_order_of_the_file(folder):
    text = yaml.safe_dump(planted(*MISTAKES.values()), sort_keys=False)
    found = folder.problems(text)
    for _, _, sentence in MISTAKES.values():
        assert any(sentence in problem for problem in found), sentence
    places = [tuple(map(int, re.match(r"s\.behave\.yaml:(\d+):(\d+): ", problem).groups())) for problem in found]
    assert places == sorted(places)
    assert len(set(found)) == len(found)


@pytest.mark.parametrize(
    ("section", "wrong", "expected"),
    [
        ("dataset", 5, ["dataset must be a mapping, not 5"]),
        ("dataset", {}, ["missing key 'path'"]),
        ("model", 5, ["model must be a mapping, not 5"]),
        ("metadata", ["words(text)"], ["metadata must be a mapping, not ['words(text)']"]),
        ("slices", "age < 25", ["slices must be a mapping, not 'age < 25'"]),
        ("slices", ["young"], ["slices must be a mapping, not ['young']"]),
        ("slices", {**SOUND["slices"], "young": None}, ["slices.young must be a mapping, not None"]),
        ("metrics", "accuracy", ["metrics must be a list, not 'accuracy'"]),
        ("metrics", {"accuracy": 1}, ["metrics must be a list, not {'accuracy': 1}"]),
        ("metrics", [None, *SOUND["metrics"]], ["metrics.0 must be a mapping, not None"]),
        ("expect", 5, ["expect must be a mapping, not 5"]),
        ("expect", [{"overall": 1}], ["expect must be a mapping, not [{'overall': 1}]"]),
        ("expect", {"overall": {"accuracy": 0.5}}, ["expect.overall.accuracy must be a mapping, not 0.5"]),
        (
            "expect",
            {"overall": None, "young": 5},
            ["expect.overall must be a mapping, not None", "expect.young must be"],
        ),
        ("cases", "smoke", ["cases must be a list, not 'smoke'"]),
        ("cases", [*SOUND["cases"], 5], ["cases.2 must be a mapping, not 5"]),
        ("cases", [*SOUND["cases"], {"id": "c"}], ["missing key 'expect'"]),
    ],
    ids=repr,
)
def test_a_part_of_the_wrong_shape_starts_no_other_mistakes(folder, section, wrong, expected):
    found = [problem.split(": ", 1)[1] for problem in folder.problems(yaml.safe_dump({**SOUND, section: wrong}))]
    assert len(found) == len(expected)
    assert all(problem.startswith(sentence) for problem, sentence in zip(found, expected, strict=True)), found


JUNK = st.recursive(
    st.sampled_from(
        [None, True, 5, -1, 0.5, float("nan"), float("inf"), "", "x", "a <", "a::b", "[", "age > 3", "m:f"]
    ),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                ["id", "by", "where", "min", "metric", "name", "pass_rate", "include", "expect", "x", "path"]
            ),
            inner,
            max_size=2,
        )
    ),
    max_leaves=4,
)


def locs(data, loc=()):
    """Yield the path of every part."""
    yield loc
    for key, child in data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ():
        yield from locs(child, (*loc, key))


def replaced(data, loc, value):
    if not loc:
        return value
    children = dict(data) if isinstance(data, dict) else list(data)
    children[loc[0]] = replaced(children[loc[0]], loc[1:], value)
    return children


@pytest.fixture(scope="module")
def shared_folder(tmp_path_factory):
    return Folder(tmp_path_factory.mktemp("suites"))


@STEADY
@given(places=st.lists(st.sampled_from(sorted(locs(SOUND), key=str)[1:]), min_size=1, max_size=3), data=st.data())
def test_any_junk_in_any_place_gives_a_suite_or_sentences_with_places(shared_folder, places, data):
    suite = SOUND
    # the inner first: what is replaced is no longer there to hold another
    for loc in sorted(set(places), key=len, reverse=True):
        suite = replaced(suite, loc, data.draw(JUNK))
    problems = shared_folder.problems(yaml.safe_dump(suite))
    assert all(re.match(r"s\.behave\.yaml:\d+:\d+: .", problem) for problem in problems), problems


# --- suites from Python -------------------------------------------------------------------------------------------


def test_a_suite_of_plain_data_is_checked_in_the_same_way(tmp_path):
    suite = suite_of_data(SOUND, tmp_path / "test_loans.py", known_metrics)
    assert suite.expectations[0].bounds == Bounds(min=0.5, place=suite.expectations[0].bounds.place)
    with pytest.raises(SuiteError) as caught:
        suite_of_data(planted(*MISTAKES.values()), tmp_path / "test_loans.py", known_metrics)
    assert len(caught.value.problems) >= len(MISTAKES)
    assert all(problem.startswith(f"{tmp_path / 'test_loans.py'}:1:1: ") for problem in caught.value.problems)


def test_the_data_that_is_checked_is_left_as_it_was(tmp_path):
    data = planted(*MISTAKES.values())
    before = copy.deepcopy(data)
    with pytest.raises(SuiteError):
        suite_of_data(data, tmp_path / "test_loans.py", known_metrics)
    assert data == before


@pytest.mark.parametrize("key", ["min", "max_regression", "max_gap"])
def test_a_number_too_large_for_a_double_is_refused(tmp_path, key):
    data = {**SOUND, "expect": {"group": {"accuracy": {key: 10**400}}}}
    with pytest.raises(SuiteError, match=rf"expect\.group\.accuracy\.{key} must be a (finite )?number"):
        suite_of_data(data, tmp_path / "test_loans.py", known_metrics)
