"""The table knows its instances by id and every column by name: the data's, derived ones, and the model's outputs."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pytest_behave.data.table import Table
from pytest_behave.declare.predicate import parse_expression, parse_predicate
from pytest_behave.errors import BehaveError, DataError, PredicateError
from pytest_behave.records import DatasetSpec, MetadataSpec, Name

ROWS = {
    "id": ["a", "b", "c", "d"],
    "age": [20, 30, 40, None],
    "text": ["one two", "three", "", None],
    "group": ["x", "x", "y", "y"],
    "y": [1, 0, 1, 0],
}
WORDS = parse_expression("words(text)")


def nothing_to_load(reference):
    raise AssertionError(f"{reference} was loaded")


def table_of(columns=None, *metadata, load=nothing_to_load, **spec):
    frame = pd.DataFrame(ROWS if columns is None else columns)
    return Table(frame, DatasetSpec("rows.csv", **spec), metadata, load, Path())


def cells(column):
    return [None if missing else value for value, missing in zip(column.values.tolist(), column.missing, strict=True)]


def looked_up(table, name, *, quoted=False):
    return cells(table.lookup(Name(name, quoted=quoted)))


# --- ids ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "id_", "ids"),
    [
        ({"v": [7, 8]}, (), ["1", "2"]),
        ({"id": ["b", "a"]}, ("id",), ["b", "a"]),
        ({"id": [2, 1]}, ("id",), ["2", "1"]),
        ({"id": [2.0, 1.5]}, ("id",), ["2", "1.5"]),
        ({"id": [2**53 + 1, 2**53]}, ("id",), ["9007199254740993", "9007199254740992"]),
        ({"id": ["2", 1]}, ("id",), ["2", "1"]),
        ({"id": ["", "NA"]}, ("id",), ["", "NA"]),
        ({"s": ["t", "t", "u"], "n": [1, 2, 1]}, ("s", "n"), ["t/1", "t/2", "u/1"]),
        ({"s": ["t", "t"], "n": [1.0, 2.0], "k": [True, True]}, ("n", "s", "k"), ["1/t/True", "2/t/True"]),
    ],
)
def test_an_instance_has_the_text_of_its_id_or_the_number_of_its_row(columns, id_, ids):
    assert table_of(columns, id=id_).ids.tolist() == ids


@pytest.mark.parametrize(
    ("columns", "id_", "message"),
    [
        ({"id": [1]}, ("idd",), "dataset.id: there is no column 'idd' - did you mean 'id'?"),
        ({"id": [1]}, ("id", "x"), "dataset.id: there is no column 'x' (known: id)"),
        ({"id": [1, None, None]}, ("id",), "dataset.id: 2 rows have no id (rows 2, 3, ...)"),
        ({"s": ["a", None], "n": [None, 1]}, ("s", "n"), "dataset.id: 2 rows have no s/n (rows 1, 2, ...)"),
        ({"id": [None] * 5}, ("id",), "dataset.id: 5 rows have no id (rows 1, 2, 3, ...)"),
        ({"id": [1, 2, 1]}, ("id",), "dataset.id: id is not unique, 2 rows share an id (for example 1)"),
        ({"id": ["1", 1]}, ("id",), "dataset.id: id is not unique, 2 rows share an id (for example 1)"),
        (
            {"id": list("aabbccdd")},
            ("id",),
            "dataset.id: id is not unique, 8 rows share an id (for example a, b, c)",
        ),
        (
            {"s": ["a/b", "a"], "n": ["c", "b/c"]},
            ("s", "n"),
            "s/n is not unique, 2 rows share an id (for example a/b/c)",
        ),
    ],
)
def test_ids_that_do_not_name_one_instance_each_are_refused(columns, id_, message):
    with pytest.raises(DataError) as caught:
        table_of(columns, id=id_)
    assert message in str(caught.value)


# --- which rows ---------------------------------------------------------------------------------------------------


def test_only_the_rows_that_where_selects_are_in_the_table():
    table = table_of(None, id=("id",), where=parse_predicate("age > 25"))
    assert (len(table), table.ids.tolist()) == (2, ["b", "c"])
    assert looked_up(table, "group") == ["x", "y"]
    assert table.frame.index.tolist() == [0, 1]


def test_rows_left_out_need_no_id_and_may_share_one():
    columns = {"id": ["a", "a", None, "b"], "keep": [True, False, False, True]}
    assert table_of(columns, id=("id",), where=parse_predicate("keep")).ids.tolist() == ["a", "b"]


def test_rows_without_an_id_column_are_numbered_after_where():
    assert table_of(None, where=parse_predicate("y == 1")).ids.tolist() == ["1", "2"]


def test_where_may_use_metadata_which_then_is_that_of_the_rows_that_stay():
    metadata = (
        MetadataSpec("length", parse_expression("words(text)")),
        MetadataSpec("above", parse_expression("age >= quantile(age, 0.5)")),
    )
    table = table_of(None, *metadata, where=parse_predicate("length < 2 or above"))
    assert looked_up(table, "length") == [1, 0]
    assert looked_up(table, "above") == [False, True]


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("age > 99", "dataset.where selects no rows"),
        ("agee > 9", "there is no column 'agee' - did you mean 'age'?"),
        ("output == 1", "'output' is known only after the model has run"),
        ("age", "is not a condition"),
        ("target == 1", "there is no column 'no such'"),
    ],
)
def test_a_where_that_cannot_be_used_is_refused(where, message):
    with pytest.raises(BehaveError) as caught:
        table_of(None, target="no such", where=parse_predicate(where))
    assert message in str(caught.value)


def test_the_fingerprint_is_that_of_the_rows_in_use():
    shuffled = pd.DataFrame(ROWS).iloc[[2, 0, 3, 1]].to_dict("list")
    assert table_of().fingerprint == table_of(shuffled).fingerprint
    assert table_of().fingerprint != table_of(None, where=parse_predicate("age > 0")).fingerprint


# --- columns by name ----------------------------------------------------------------------------------------------


def test_target_means_the_target_unless_it_is_written_in_backticks():
    columns = {"y": [1, 0], "target": ["own", "own"]}
    assert looked_up(table_of(columns, target="y"), "target") == [1, 0]
    assert looked_up(table_of(columns, target="y"), "target", quoted=True) == ["own", "own"]
    assert looked_up(table_of(columns), "target") == ["own", "own"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("agee", "there is no column 'agee' - did you mean 'age'?"),
        ("Age", "there is no column 'Age' - did you mean 'age'?"),
        ("wordcount", "there is no column 'wordcount' - did you mean 'word count'?"),
        ("zzz", "there is no column 'zzz'"),
        ("output", "'output' is known only after the model has run"),
        ("score", "'score' is known only after the model has run"),
        ("target", "there is no column 'target'"),
    ],
)
def test_a_name_that_is_not_known_is_refused_with_the_nearest(name, message):
    table = table_of(None, MetadataSpec("word count", WORDS))
    with pytest.raises(PredicateError) as caught:
        table.lookup(Name(name))
    assert str(caught.value).startswith(message)


def test_a_column_is_converted_once():
    table = table_of()
    assert table.lookup(Name("age")) is table.lookup(Name("age", quoted=True))


# --- metadata -----------------------------------------------------------------------------------------------------


def load_words(reference):
    return {"features:words": lambda frame: frame["text"].str.split().str.len()}[reference]


@pytest.mark.parametrize(
    ("item", "found"),
    [
        (MetadataSpec("m", parse_expression("words(text)")), [2, 1, 0, None]),
        (MetadataSpec("m", parse_expression("age > 25")), [False, True, True, None]),
        (MetadataSpec("m", parse_expression("age / 10 + 1")), [3.0, 4.0, 5.0, None]),
        (MetadataSpec("m", column="age", edges=(25.0, 35.0)), ["<25", "25-35", ">=35", None]),
        (MetadataSpec("m", column="age", quantiles=3), ["q1", "q2", "q3", None]),
        (MetadataSpec("age", column="age", edges=(25.0,)), ["<25", ">=25", ">=25", None]),
        (MetadataSpec("m", python="features:words"), [2.0, 1.0, 0.0, None]),
        (MetadataSpec("m", function=lambda _: [1, "a", None, True]), [1, "a", None, True]),
        (MetadataSpec("m", function=lambda frame: frame["age"].iloc[::-1]), [None, 40.0, 30.0, 20.0]),
        (MetadataSpec("m", function=lambda frame: frame["age"].to_numpy() > 25), [False, True, True, False]),
        (MetadataSpec("m", function=lambda frame: tuple(frame["group"])), ["x", "x", "y", "y"]),
    ],
)
def test_metadata_is_derived_as_it_is_declared(item, found):
    assert looked_up(table_of(None, item, load=load_words), item.name) == found


def test_metadata_may_be_derived_from_metadata_in_any_order():
    items = (
        MetadataSpec("long", parse_expression("length > 1")),
        MetadataSpec("band", column="length", edges=(1.0, 2.0)),
        MetadataSpec("length", parse_expression("words(text)")),
    )
    table = table_of(None, *items)
    assert looked_up(table, "long") == [True, False, False, None]
    assert looked_up(table, "band") == [">=2", "1-2", "<1", None]


def test_metadata_is_computed_when_it_is_asked_for_and_once():
    calls = []
    table = table_of(None, MetadataSpec("m", function=lambda frame: calls.append(len(frame)) or frame["age"]))
    assert calls == []
    table.lookup(Name("m"))
    table.lookup(Name("m", quoted=True))
    assert calls == [4]


def test_a_function_of_metadata_cannot_change_the_dataset():
    def spoil(frame):
        frame["age"] = 0
        frame["more"] = 1
        return frame["age"]

    table = table_of(None, MetadataSpec("m", function=spoil))
    before = table.fingerprint
    assert looked_up(table, "m") == [0, 0, 0, 0]
    assert looked_up(table, "age") == [20, 30, 40, None]
    assert table.fingerprint == before


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([MetadataSpec("m", parse_expression("m > 1"))], "metadata 'm' is defined by itself"),
        (
            [MetadataSpec("m", parse_expression("n > 1")), MetadataSpec("n", column="m", edges=(1.0,))],
            "metadata 'm' is defined by itself",
        ),
        ([MetadataSpec("m", column="m", edges=(1.0,))], "there is no column 'm'"),
        ([MetadataSpec("m", column="no", quantiles=2)], "there is no column 'no'"),
        ([MetadataSpec("m", column="text", edges=(1.0,))], "column 'text' holds text, so it has no edges"),
        ([MetadataSpec("m", parse_expression("words(age)"))], "words() takes text, but column 'age' is not text"),
        ([MetadataSpec("m", stage="output")], "metadata 'm' is `from: output`, but the model returned no such column"),
        ([MetadataSpec("m", function=lambda frame: frame["no"])], "metadata 'm': KeyError: 'no'"),
        ([MetadataSpec("m", function=lambda _: 1 / 0)], "metadata 'm': ZeroDivisionError: division by zero"),
        ([MetadataSpec("m", function=lambda _: [1, 2])], "metadata 'm' returned 2 values for 4 rows"),
        ([MetadataSpec("m", function=lambda _: 5)], "metadata 'm' returned int values for 4 rows"),
        ([MetadataSpec("m", function=lambda _: None)], "metadata 'm' returned NoneType values for 4 rows"),
        ([MetadataSpec("m", function=lambda _: "abcd")], "metadata 'm' returned str values for 4 rows"),
        ([MetadataSpec("m", function=lambda frame: frame)], "metadata 'm' returned "),
    ],
)
def test_metadata_that_cannot_be_derived_is_refused(items, message):
    with pytest.raises(BehaveError) as caught:
        table_of(None, *items).lookup(Name("m"))
    assert message in str(caught.value)


def test_a_sentence_of_the_users_own_function_is_kept():
    def refuse(_frame):
        raise DataError("these texts are in no language")

    with pytest.raises(DataError, match="these texts are in no language"):
        table_of(None, MetadataSpec("m", function=refuse)).lookup(Name("m"))


# --- outputs ------------------------------------------------------------------------------------------------------

OUTPUTS = {
    "output": pd.Series([1, 1, 0, 0]),
    "score": pd.Series([0.9, 0.6, 0.2, np.nan]),
    "topic": pd.Series(list("pqpq")),
}


def test_outputs_are_known_once_the_model_has_run():
    table = table_of(None, MetadataSpec("sure", parse_expression("score > 0.5")), MetadataSpec("topic", stage="output"))
    table = table.with_outputs(OUTPUTS)
    assert looked_up(table, "output") == [1, 1, 0, 0]
    assert looked_up(table, "score") == [0.9, 0.6, 0.2, None]
    assert looked_up(table, "topic") == ["p", "q", "p", "q"]
    assert looked_up(table, "sure") == [True, True, False, None]


def test_a_column_of_the_dataset_that_is_called_output_is_read_in_backticks():
    table = table_of({"output": ["own", "own"], "age": [1, 2]})
    assert looked_up(table, "output", quoted=True) == ["own", "own"]
    table = table.with_outputs({"score": pd.Series([0.5, 0.5])})
    with pytest.raises(
        PredicateError, match="the model gives no 'output'; for the dataset's own column write `output`"
    ):
        table.lookup(Name("output"))


def test_a_column_of_the_dataset_wins_over_one_that_the_model_adds():
    table = table_of()
    table = table.with_outputs({**OUTPUTS, "age": pd.Series([0, 0, 0, 0])})
    assert looked_up(table, "age") == [20, 30, 40, None]


def test_two_models_may_answer_for_the_same_rows():
    table = table_of(None, MetadataSpec("sure", parse_expression("score > 0.5")))
    both = parse_predicate("sure and output == 1 and age > 0")
    assert table.evaluator.mask(parse_predicate("age > 0")).tolist() == [True, True, True, False]
    one = table.with_outputs(OUTPUTS)
    other = table.with_outputs({"output": pd.Series([0, 0, 1, 1]), "score": pd.Series([0.1, 0.9, 0.9, 0.1])})
    assert one.evaluator.mask(both).tolist() == [True, True, False, False]
    assert looked_up(other, "sure") == [False, True, True, False]
    assert other.evaluator.mask(both).tolist() == [False, False, True, False]
    assert one.evaluator.mask(both).tolist() == [True, True, False, False]
    with pytest.raises(PredicateError, match="there is no column 'topic'"):
        other.lookup(Name("topic"))
    with pytest.raises(PredicateError, match="known only after the model has run"):
        table.lookup(Name("output"))


def test_a_column_that_only_the_model_knows_may_be_called_much_as_one_of_the_dataset():
    table = table_of({"conf_a": [0.1, 0.2], "age": [1, 2]})
    for name in ("conf_b", "conf_long"):
        assert table.unknown_names(parse_expression(name), open_ended=True) == ""
    assert "did you mean 'conf_a'?" in table.unknown_names(parse_expression("comf_a"), open_ended=True)
    assert "did you mean 'age'?" in table.unknown_names(parse_expression("agee"), open_ended=True)


def test_functions_of_outputs_see_the_data_the_metadata_and_the_outputs():
    seen = {}

    def note(frame):
        seen.update(frame.to_dict("list"))
        return frame["prediction"]

    table = table_of(None, MetadataSpec("length", WORDS), MetadataSpec("m", function=note, stage="output"), target="y")
    table.lookup(Name("length"))
    table = table.with_outputs(OUTPUTS)
    assert looked_up(table, "m") == [1, 1, 0, 0]
    assert set(seen) == {*ROWS, "length", "prediction", "score", "topic", "target"}
    assert seen["target"] == [1, 0, 1, 0]
    assert seen["length"][:3] == [2, 1, 0]
    assert np.isnan(seen["length"][3])
    assert "prediction" not in table.frame


@pytest.mark.parametrize(
    ("source", "needs"),
    [
        ("age > 1", False),
        ("output == 1", True),
        ("`output` == 1", False),
        ("not (age > 1 and score > 0.5)", True),
        ("words(text) in [1]", False),
        ("derived > 1", True),
        ("twice > 1", True),
        ("returned == 'p'", True),
        ("plain > 1", False),
        ("target == output", True),
    ],
)
def test_what_looks_at_the_outputs_is_told_from_what_does_not(source, needs):
    items = (
        MetadataSpec("derived", parse_expression("score * 2")),
        MetadataSpec("twice", column="derived", edges=(1.0,)),
        MetadataSpec("returned", stage="output"),
        MetadataSpec("plain", parse_expression("age * 2")),
    )
    columns = {**ROWS, "output": [0, 0, 0, 0]}
    assert table_of(columns, *items, target="y").needs_output(parse_predicate(source), open_ended=False) == needs


def test_a_model_that_may_add_columns_may_add_any_that_is_no_misspelling():
    table = table_of()
    assert table.needs_output(parse_predicate("topic == 'p'"), open_ended=True)
    assert not table.needs_output(parse_predicate("topic == 'p'"), open_ended=False)
    assert not table.needs_output(parse_predicate("agee > 1"), open_ended=True)


# --- values that a column never has -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("group", "x", ""),
        ("group", "X", "column 'group' never is 'X' - did you mean 'x'?"),
        ("group", "z", "column 'group' never is 'z' (known: x, y)"),
        ("id", "zzz", ""),  # as many values as rows: no category
        ("age", "20", ""),  # its kind is checked elsewhere
        ("output", "z", ""),
    ],
)
def test_a_value_that_a_category_never_has_is_told(name, value, sentence):
    assert table_of().unknown_value(Name(name), value) == sentence


def test_a_column_of_many_values_is_no_category():
    table = table_of({"t": [f"v{row % 51}" for row in range(200)], "c": [f"v{row % 50}" for row in range(200)]})
    assert table.unknown_value(Name("t"), "other") == ""
    assert table.unknown_value(Name("c"), "other") == "column 'c' never is 'other'"


def test_a_table_goes_at_once_when_nobody_needs_it():
    gc.disable()  # what only a collector of cycles finds would stay for long
    try:
        table = table_of({"a": [1, 2, 3]}, MetadataSpec("b", expression=parse_expression("a + 1")))
        assert table.evaluator.mask(parse_predicate("b > 2")).tolist() == [False, True, True]
        gone = weakref.ref(table), weakref.ref(table.with_outputs({}))
        del table
        assert [ref() for ref in gone] == [None, None]
    finally:
        gc.enable()
