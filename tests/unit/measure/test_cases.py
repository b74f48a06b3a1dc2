"""A golden case fails with one sentence per check that its output does not meet, whatever a model returns."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_behave.declare.schema import ChecksPart
from pytest_behave.errors import BehaveError
from pytest_behave.measure.cases import CHECKS, failed_checks

MET: tuple[str, ...] = ()


def nothing_to_load(reference):
    raise AssertionError(f"{reference} was loaded, but no check names it")


def check(name, argument, output, **row):
    """Return what one check says about one output."""
    return failed_checks([(name, argument)], {**row, "prediction": output}, nothing_to_load)


def test_every_check_that_a_suite_can_declare_exists():
    declared = {field.alias or name for name, field in ChecksPart.model_fields.items()}
    assert declared == {*CHECKS, "python"}


# --- the output as a value ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["equals", "label"])
@pytest.mark.parametrize(
    ("output", "wanted"),
    [
        ("spam", "spam"),
        ("", ""),
        ("日本", "日本"),
        ("e\u0301", "e\u0301"),
        (1, 1),
        (1, 1.0),
        (1.0, 1),
        (0.1 + 0.2, 0.30000000000000004),
        (-0.0, 0),
        ("1", 1),  # YAML reads 1 as a number, models often say it as text
        (1, "1"),
        (1.0, "1"),
        (np.float64(1.0), "1"),
        (np.int64(3), 3),
        (np.float32(0.5), 0.5),
        (np.str_("spam"), "spam"),
        (True, True),
        (np.bool_(True), True),
        ("true", True),
        ("True", True),
        ("FALSE", False),
        (None, None),  # `equals: null` is the way to say that there is no answer
        (False, "false"),
    ],
)
def test_an_output_equals_what_says_the_same(name, output, wanted):
    assert check(name, wanted, output) == MET


@pytest.mark.parametrize(
    ("output", "wanted"),
    [
        ("spam", "Spam"),
        ("spam ", "spam"),
        ("é", "e\u0301"),  # the same letter, written in other code points
        ("", " "),
        (1, 2),
        (1.5, 1),
        ("1.5", 1),
        (float("nan"), 1),
        (float("nan"), "nan"),  # no answer is not the word for it
        (None, "None"),
        (None, ""),
        (None, 0),
        (None, False),
        (0, ""),
        (True, False),
        ("yes", True),
        ("1", True),
        ("spam", ["spam"]),
    ],
)
def test_an_output_does_not_equal_what_says_something_else(output, wanted):
    assert check("equals", wanted, output) == (f"the output is not {wanted!r}",)
    assert check("label", wanted, output) == (f"the label is not {wanted!r}",)


@pytest.mark.parametrize(
    ("output", "options", "met"),
    [
        ("a", ["a", "b"], True),
        ("b", ["a", "b"], True),
        ("c", ["a", "b"], False),
        ("ab", ["a", "b"], False),
        (2, [1, 2], True),
        ("2", [1, 2], True),
        (2.0, [1, 2], True),
        (True, [True], True),
        (None, ["a", "None"], False),
        ("", ["a", ""], True),
    ],
)
def test_one_of(output, options, met):
    shown = ", ".join(map(repr, options))
    assert check("one_of", options, output) == (MET if met else (f"the output is none of {shown}",))


# --- the output as a text -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "argument", "output", "failure"),
    [
        ("contains", ["sorry"], "I am sorry.", None),
        ("contains", ["sorry", "am"], "I am sorry.", None),
        ("contains", ["Sorry", "am", "no"], "I am sorry.", "the output does not contain 'Sorry', 'no'"),
        ("contains", ["👍"], "well done 👍", None),
        ("contains", ["a"], None, "the output does not contain 'a'"),
        ("contains", ["42"], 42, None),
        ("contains", ["42.0"], 42.0, "the output does not contain '42.0'"),  # a whole number reads as one
        ("contains", ["4.5"], 4.5, None),
        ("contains", ["True"], True, None),
        ("not_contains", ["buy", "sell"], "I cannot say.", None),
        ("not_contains", ["buy", "sell", "hold"], "buy or hold", "the output contains 'buy', 'hold'"),
        ("not_contains", ["None"], None, None),
        ("not_contains", ["1"], 10, "the output contains '1'"),
        ("matches", r"^\d+$", "42", None),
        ("matches", r"^\d+$", 42, None),
        ("matches", r"\d+", "about 42 or so", None),
        ("matches", r"^\d+$", "about 42", "the output does not match '^\\\\d+$'"),
        ("matches", r"^$", None, None),
        ("matches", r"(?i)straße", "STRAßE", None),
        ("not_matches", r"(?i)\bbuy\b", "Buyers beware", None),
        ("not_matches", r"(?i)\bbuy\b", "You should BUY it", "the output matches '(?i)\\\\bbuy\\\\b' with 'BUY'"),
        ("not_matches", r"^$", "", "the output matches '^$' with ''"),
        ("starts_with", "Dear", "Dear all", None),
        ("starts_with", "Dear", "Oh dear, Dear", "the output does not start with 'Dear'"),
        ("starts_with", "", None, None),
        ("starts_with", "4", 42, None),
        ("min_length", 3, "abc", None),
        ("min_length", 3, "ab", "the output has 2 characters, fewer than 3"),
        ("min_length", 1, None, "the output has 0 characters, fewer than 1"),
        ("min_length", 0, None, None),
        ("max_length", 2, "日本", None),  # characters, not bytes
        ("max_length", 3, "abcd", "the output has 4 characters, more than 3"),
        ("max_length", 2, 42.0, None),
        ("max_length", 0, "", None),
    ],
)
def test_checks_of_texts(name, argument, output, failure):
    assert check(name, argument, output) == (MET if failure is None else (failure,))


def test_a_long_text_is_cut_in_the_sentence():
    (failure,) = check("equals", "x" * 1000, "y")
    assert failure.startswith("the output is not 'xxx")
    assert failure.endswith("...")
    assert len(failure) < 160


# --- JSON ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("output", "met"),
    [
        ('{"a": [1, 2.5, null, true, "é"]}', True),
        ("3", True),
        (3.5, True),
        ('"text"', True),
        ("{'a': 1}", False),
        ("", False),
        (None, False),
        ('{"a": 1} and more', False),
        ("1" * 5_000, False),
    ],
)
def test_json(output, met):
    failures = check("json", True, output)
    assert failures == (MET if met else ("the output is not JSON",))


PERSON = {"type": "object", "required": ["name"], "properties": {"age": {"type": "integer", "minimum": 0}}}


@pytest.mark.parametrize(
    ("output", "failure"),
    [
        ('{"name": "Ada", "age": 36}', None),
        ('{"name": "Ada"}', None),
        ('{"age": 36}', "the output does not fit the schema at its top: 'name' is a required property"),
        ('{"name": "Ada", "age": -1}', "the output does not fit the schema at age: -1 is less than the minimum of 0"),
        ("[]", "the output does not fit the schema at its top: [] is not of type 'object'"),
        ("Ada", "the output is not JSON"),
        (None, "the output is not JSON"),
    ],
)
def test_json_schema(output, failure):
    assert check("json_schema", PERSON, output) == (MET if failure is None else (failure,))


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "objekt"},
        {"$ref": "#/definitions/missing"},
        {"type": "string", "pattern": "("},
    ],
)
def test_a_schema_that_is_wrong_is_an_error_and_not_a_failure_of_the_model(schema):
    with pytest.raises(BehaveError, match="json_schema"):
        check("json_schema", schema, '"text"')


# --- numbers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("output", "wanted", "failure"),
    [
        (3.0, {"value": 3.0}, None),
        ("3", {"value": 3.0}, None),
        (" 3.0\n", {"value": 3.0}, None),
        (np.float32(3), {"value": 3.0}, None),
        (3.1, {"value": 3.0, "abs": 0.11}, None),
        (2.9, {"value": 3.0, "abs": 0.11}, None),
        (3.1, {"value": 3.0}, "the output 3.1 is 0.1 from 3, more than 0"),
        (3.2, {"value": 3.0, "abs": 0.1}, "the output 3.2 is 0.2 from 3, more than 0.1"),
        (110, {"value": 100.0, "rel": 0.1}, None),
        (111, {"value": 100.0, "rel": 0.1}, "the output 111 is 11 from 100, more than 10"),
        (-110, {"value": -100.0, "rel": 0.1}, None),
        (104, {"value": 100.0, "abs": 5, "rel": 0.01}, None),  # the wider of the two
        (104, {"value": 100.0, "abs": 1, "rel": 0.05}, None),
        (float("nan"), {"value": 3.0, "abs": 10}, "the output nan is nan from 3, more than 10"),
        (float("inf"), {"value": 3.0, "abs": 10}, "the output inf is inf from 3, more than 10"),
        ("three", {"value": 3.0, "abs": 10}, "the output is not a number, so it is not close to 3"),
        ("", {"value": 0.0, "abs": 10}, "the output is not a number, so it is not close to 0"),
        (None, {"value": 0.0, "abs": 10}, "the output is not a number, so it is not close to 0"),
        (True, {"value": 1.0}, "the output is not a number, so it is not close to 1"),
    ],
)
def test_close_to(output, wanted, failure):
    assert check("close_to", wanted, output) == (MET if failure is None else (failure,))


@pytest.mark.parametrize(
    ("score", "bounds", "failure"),
    [
        (0.5, {"min": 0.5, "max": 0.5}, None),
        (0.4, {"min": 0.5}, "the score 0.4 is below 0.5"),
        (0.6, {"max": 0.5}, "the score 0.6 is above 0.5"),
        (0.6, {"min": 0.5}, None),
        (0.4, {"max": 0.5}, None),
        (0.123456, {"min": 0.5}, "the score 0.1235 is below 0.5"),
        (0, {"min": 0.5}, "the score 0 is below 0.5"),
        (np.float32(0.75), {"min": 0.5, "max": 1}, None),
        (float("nan"), {"min": 0.0}, "the model gives no score"),
        (None, {"min": 0.0}, "the model gives no score"),
    ],
)
def test_score(score, bounds, failure):
    assert check("score", bounds, "spam", score=score) == (MET if failure is None else (failure,))


def test_a_score_that_is_not_there_does_not_pass():
    assert check("score", {"max": 0.5}, "spam") == ("the model gives no score",)


# --- checks in Python ---------------------------------------------------------------------------------------------


def python(function, **row):
    """Return what a check of the user's own says."""
    return failed_checks([("python", "checks:mine")], row, {"checks:mine": function}.__getitem__)


def refuse(message):
    def raise_it(_row):
        raise AssertionError(message) if message is not None else AssertionError

    return raise_it


@pytest.mark.parametrize("answer", [None, True, 1, np.bool_(True), ["anything"]])
def test_a_check_in_python_is_met_by_none_and_by_what_is_true(answer):
    assert python(lambda _row: answer) == MET


@pytest.mark.parametrize(
    ("function", "failure"),
    [
        (lambda _row: False, "checks:mine says no"),
        (lambda _row: 0, "checks:mine says no"),
        (lambda _row: np.bool_(False), "checks:mine says no"),
        (lambda _row: "too polite", "too polite"),
        (refuse("too long: 12 > 10"), "too long: 12 > 10"),
        (refuse(None), "checks:mine failed"),
    ],
)
def test_a_check_in_python_says_no_by_false_by_a_sentence_or_by_an_assertion(function, failure):
    assert python(function) == (failure,)


def test_a_check_in_python_sees_input_and_output():
    seen = []
    python(seen.append, text="hello", prediction="spam", score=0.9)
    assert seen == [{"text": "hello", "prediction": "spam", "score": 0.9}]


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda row: row["nope"], "the check checks:mine raised KeyError: 'nope'"),
        (lambda _row: 1 / 0, "the check checks:mine raised ZeroDivisionError: division by zero"),
        (lambda: True, "the check checks:mine raised TypeError"),
        (lambda _row: np.array([True, False]), "the check checks:mine"),  # neither true nor false
    ],
)
def test_a_check_in_python_that_breaks_is_an_error_and_not_a_failure_of_the_model(function, message):
    with pytest.raises(BehaveError) as caught:
        python(function)
    assert str(caught.value).startswith(message)


# --- several checks -----------------------------------------------------------------------------------------------


def test_all_failed_checks_are_told_in_the_order_of_the_suite():
    checks = [("min_length", 10), ("contains", ["a"]), ("python", "checks:mine"), ("label", "spam"), ("json", True)]
    row = {"prediction": "ham"}
    assert failed_checks(checks, row, {"checks:mine": lambda _row: "and rude"}.__getitem__) == (
        "the output has 3 characters, fewer than 10",
        "and rude",
        "the label is not 'spam'",
        "the output is not JSON",
    )


def test_no_checks_fail_nothing():
    assert failed_checks([], {"prediction": "ham"}, nothing_to_load) == MET
