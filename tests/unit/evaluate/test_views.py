"""A suite of a data frame: slices by name, metrics as attributes, values that know their evidence."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from pytest_behave.errors import BehaveError, DataError, MetricError, ModelError, SuiteError
from pytest_behave.evaluate.views import MetricValue, suite_of_frame

ROWS = {
    "id": list("abcdefgh"),
    "text": ["good day", "bad day", "fine", "what?", "good", "bad", "ok", "no"],
    "age": [20, 30, 40, 50, 60, None, 25, 35],
    "group": ["x", "x", "x", "x", "y", "y", "y", "y"],
    "y": [1, 0, 1, 0, 1, 0, 1, 0],
    "guess": [1, 0, 0, 1, 1, 0, 1, 0],
    "p": [0.9, 0.2, 0.4, 0.7, 0.8, 0.1, 0.6, 0.3],
}


def guess(frame):
    return frame["guess"]


def suite_of(tmp_path, **declaration):
    defaults = {"data": pd.DataFrame(ROWS), "model": guess, "id": "id", "target": "y", "folder": tmp_path}
    return suite_of_frame(**{**defaults, **declaration})


# --- slices -------------------------------------------------------------------------------------------------------


def test_slices_are_found_by_name(tmp_path):
    suite = suite_of(tmp_path, slices={"old": "age >= 40", "group": {"by": "group"}, "both": ["old", "group=x"]})
    assert suite.slices == ["overall", "old", "group=x", "group=y", "both"]
    assert (suite["old"].size, suite["old"].ids) == (3, ["c", "d", "e"])
    assert suite["both"].ids == ["c", "d"]
    assert suite.overall.size == 8
    assert list(suite.family("group")) == ["group=x", "group=y"]
    assert suite.ids.tolist() == list("abcdefgh")
    assert repr(suite["old"]) == "<slice 'old', 3 rows>"
    assert repr(suite) == "<suite 'suite', 8 rows, 5 slices>"


def test_slices_may_look_at_outputs_and_metadata(tmp_path):
    suite = suite_of(
        tmp_path,
        metadata={"initial": lambda frame: frame["text"].str[0], "long": "length(text) > 4"},
        slices={"wrong": "output != target", "g": "initial == 'g'", "long": "long"},
    )
    assert suite["wrong"].ids == ["c", "d"]
    assert suite["g"].ids == ["a", "e"]
    assert suite["long"].ids == ["a", "b", "d"]


@pytest.mark.parametrize(
    ("name", "message"),
    [("odl", "there is no slice 'odl' - did you mean 'old'?"), ("group", "there is no slice 'group'")],
)
def test_a_slice_that_is_not_there_is_named_with_the_nearest(tmp_path, name, message):
    suite = suite_of(tmp_path, slices={"old": "age >= 40", "group": {"by": "group"}})
    with pytest.raises(KeyError) as caught:
        suite[name]
    assert message in str(caught.value.args[0])
    with pytest.raises(KeyError, match="there is no family 'grup' - did you mean 'group'"):
        suite.family("grup")


# --- metrics ------------------------------------------------------------------------------------------------------


def test_a_metric_is_a_number_with_its_evidence(tmp_path):
    accuracy = suite_of(tmp_path, slices={"old": "age >= 40"})["old"].accuracy
    assert accuracy == pytest.approx(1 / 3)
    assert 0.3 < accuracy < 0.4
    assert accuracy + 1 == pytest.approx(4 / 3)
    assert (accuracy.slice, accuracy.metric, accuracy.size, accuracy.n) == ("old", "accuracy", 3, 3)
    assert (accuracy.low, accuracy.high) == (pytest.approx(0.0615, abs=1e-4), pytest.approx(0.7923, abs=1e-4))
    assert [instance.id for instance in accuracy.instances] == ["c", "d"]
    assert repr(accuracy) == repr(1 / 3)
    assert accuracy.explain() == [
        "accuracy of 'old' is 0.333 (3 rows, n 3, 95% [0.061, 0.792])",
        *[line for line in accuracy.explain()[1:] if line.startswith(("c: ", "d: "))],
    ]
    assert len(accuracy.explain()) == 3


def test_every_metric_of_the_task_is_there_without_being_declared(tmp_path):
    overall = suite_of(tmp_path).overall
    assert (overall.fpr, overall.fnr, overall.recall) == (0.25, 0.25, 0.75)
    assert overall["accuracy"] is overall.accuracy


def test_own_metrics_stand_beside_built_in_ones(tmp_path):
    def cost(frame):
        return (frame["prediction"] != frame["target"]).to_numpy() * 10.0

    def rows(frame):
        return len(frame)

    suite = suite_of(
        tmp_path,
        slices={"x": "group == 'x'"},
        metrics=["accuracy", cost, rows, {"name": "age of all", "mean": "age"}, {"name": "sure", "rate": "p > 0.5"}],
    )
    assert (suite.overall.cost, suite["x"].cost, suite["x"].rows) == (2.5, 5.0, 4)
    assert suite["x"]["age of all"] == 35
    assert suite.overall.sure == 0.5


def test_a_metric_that_is_not_there_is_an_attribute_error_with_the_nearest(tmp_path):
    overall = suite_of(tmp_path).overall
    with pytest.raises(AttributeError, match=r"acuracy.*did you mean 'accuracy'"):
        overall.acuracy  # noqa: B018
    with pytest.raises(MetricError, match="acuracy"):
        overall["acuracy"]
    assert not hasattr(overall, "acuracy")
    assert not hasattr(overall, "_repr_html_")  # a notebook asks for it


def test_a_metric_of_another_task_is_refused(tmp_path):
    with pytest.raises(AttributeError, match="regression"):
        suite_of(tmp_path).overall.mae  # noqa: B018


def test_an_undefined_metric_is_a_number_that_meets_no_bound(tmp_path):
    value = suite_of(tmp_path, slices={"positives": "y == 1"})["positives"].fpr
    assert math.isnan(value)
    assert not value >= 0
    assert not value <= 1
    assert value.n == 0
    assert value.explain() == [f"fpr of 'positives' is undefined: {value.reason}"]
    assert value.reason


def test_a_metric_is_computed_once_for_each_slice(tmp_path):
    calls = []

    def counted(frame):
        calls.append(len(frame))
        return 1.0

    suite = suite_of(tmp_path, metrics=[counted], slices={"x": "group == 'x'"})
    first = suite["x"].counted
    made = len(calls)
    assert suite["x"].counted is first
    assert len(calls) == made
    assert isinstance(first, MetricValue)


# --- models -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "accuracy"),
    [
        (guess, 0.75),
        (lambda frame: frame["guess"].tolist(), 0.75),
        (lambda frame: frame["guess"].to_numpy(), 0.75),
        (lambda frame: pd.DataFrame({"prediction": frame["guess"]}), 0.75),
        ({"column": "guess"}, 0.75),
        ({"column": "guess", "as": "prediction"}, 0.75),
        ({"column": "p", "as": "score"}, 0.75),
        ({"column": "p", "as": "score", "threshold": 0.65}, 0.625),
    ],
)
def test_a_model_is_a_callable_or_a_mapping_as_in_a_suite_file(tmp_path, model, accuracy):
    assert suite_of(tmp_path, model=model).overall.accuracy == accuracy


def test_a_model_sees_the_rows_as_a_suite_file_would_give_them(tmp_path):
    seen = []

    def model(frame):
        seen.append(frame)
        return frame["guess"]

    data = pd.DataFrame(ROWS).rename(columns={"age": 7}).iloc[[5, 1, 3]]
    assert suite_of(tmp_path, data=data, model=model).overall.accuracy == pytest.approx(2 / 3)
    assert seen[0].index.tolist() == [0, 1, 2]
    assert "7" in seen[0].columns


def test_the_callers_data_is_left_as_it_was(tmp_path):
    data = pd.DataFrame(ROWS)

    def model(frame):
        frame["guess"] = 1 - frame["guess"]
        frame["more"] = 5
        return frame["guess"]

    def metadata(frame):
        frame["age"] = 0
        return frame["age"]

    def metric(frame):
        frame["prediction"] = 0
        return 1.0

    suite = suite_of(
        tmp_path, data=data, model=model, metadata={"m": metadata}, metrics=[metric], slices={"s": "m == 0"}
    )
    assert suite.overall.accuracy == 0.25
    assert suite.overall.metric == 1.0
    pd.testing.assert_frame_equal(data, pd.DataFrame(ROWS))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda _: [1, 2], "returned 2 outputs for 8 instances"),
        (lambda frame: frame["no"], "raised KeyError: 'no'"),
        (lambda frame: frame["age"], "returned no prediction"),
    ],
)
def test_a_model_that_fails_is_told_in_one_sentence(tmp_path, model, message):
    with pytest.raises(ModelError, match=message):
        suite_of(tmp_path, model=model)


# --- data ---------------------------------------------------------------------------------------------------------


def test_an_index_that_names_the_instances_may_be_their_id(tmp_path):
    suite = suite_of(tmp_path, data=pd.DataFrame(ROWS).set_index("id"))
    assert suite.ids.tolist() == list("abcdefgh")


def test_ids_may_be_several_columns_or_none(tmp_path):
    assert suite_of(tmp_path, id=["group", "id"]).ids[0] == "x/a"
    assert suite_of(tmp_path, id=()).ids.tolist() == list("12345678")


@pytest.mark.parametrize("positive", [0, np.int64(0), "0", 0.0])
def test_the_positive_class_may_be_given_as_it_stands_in_the_data(tmp_path, positive):
    model = {"column": "guess"}
    assert suite_of(tmp_path, model=model, positive=positive, slices={"n": "y == 0"})["n"].recall == 0.75


@pytest.mark.parametrize(
    ("task", "target", "model", "metric"),
    [
        ("binary", "y", "guess", "accuracy"),
        ("multiclass", "y", "guess", "macro_f1"),
        ("regression", "p", "guess", "mae"),
        ("text", "text", "text", "exact_match"),
    ],
)
def test_every_task_may_be_declared(tmp_path, task, target, model, metric):
    value = suite_of(tmp_path, task=task, target=target, model={"column": model}).overall[metric]
    assert 0 <= value <= 1


# --- mistakes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("declaration", "message"),
    [
        ({"slices": {"old": "age >="}}, "'age >=' is not an expression"),
        ({"slices": {"old": "agee > 3"}}, "there is no column 'agee' - did you mean 'age'?"),
        ({"slices": {"old": "age > 99"}}, "slice 'old': selects no instance"),
        ({"slices": {"old": {"by": "group", "min_sze": 3}}}, "unknown key 'min_sze' - did you mean 'min_size'?"),
        ({"slices": {"a::b": "age > 3"}}, "the name 'a::b' may not be empty or hold"),
        ({"metrics": ["acuracy"]}, "unknown metric 'acuracy' - did you mean 'accuracy'?"),
        ({"metrics": ["mae"]}, "metric 'mae' is for regression tasks"),
        ({"metrics": [{"name": "x"}]}, "give exactly one of metric, python, mean, rate"),
        ({"task": "binry"}, "task must be 'binary', 'multiclass', 'regression' or 'text', not 'binry'"),
        ({"id": "idd"}, "dataset.id: there is no column 'idd' - did you mean 'id'?"),
        ({"id": "group"}, "dataset.id: group is not unique"),
        ({"target": "yy"}, "there is no column 'yy'"),
        ({"model": {"colum": "guess"}}, "unknown key 'colum' - did you mean 'column'?"),
        ({"model": {"column": "gess"}}, "gess"),
        ({"metadata": {"m": "words("}}, "'words(' is not an expression"),
        ({"data": pd.DataFrame({"id": []})}, "holds no rows"),
        ({"data": [1, 2]}, "not a pandas DataFrame"),
    ],
)
def test_a_mistake_in_the_declaration_is_told_in_one_sentence(tmp_path, declaration, message):
    with pytest.raises(BehaveError) as caught:
        suite_of(tmp_path, **declaration)
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_all_mistakes_are_told_together(tmp_path):
    with pytest.raises(SuiteError) as caught:
        suite_of(tmp_path, slices={"a": "age >", "b": {"by": 5}}, metrics=["acuracy"], task="none")
    assert len(caught.value.problems) == 4


def test_a_slice_of_outputs_that_cannot_be_made_is_told_when_the_suite_is_made(tmp_path):
    with pytest.raises(BehaveError, match="slice 's': selects no instance"):
        suite_of(tmp_path, slices={"s": "output == 1 and y == 0 and age > 55"})


def test_metadata_that_fails_is_told_with_its_name(tmp_path):
    with pytest.raises(BehaveError, match="metadata 'm': ZeroDivisionError: division by zero") as caught:
        suite_of(tmp_path, metadata={"m": lambda _: 1 / 0}, slices={"s": "m == 0"})
    assert isinstance(caught.value, (SuiteError, DataError))


def test_half_of_a_surrogate_pair_in_an_output_is_measured_and_shown_escaped():
    data = pd.DataFrame({"said": ["x", "y", "z"]})
    suite = suite_of_frame(data=data, target="said", task="text", model=lambda _frame: ["x\ud800", "y", "z"])
    assert suite.overall.exact_match == pytest.approx(2 / 3)
    assert suite.overall.exact_match.instances[0].output == "x\\ud800"
