"""A file that is no run record is refused in one sentence, whatever it holds."""

from __future__ import annotations

import contextlib
import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_behave.errors import BehaveError
from pytest_behave.report.markdown import markdown
from pytest_behave.report.reading import read_record
from pytest_behave.report.record import run_to_json
from pytest_behave.report.terminal import summary_lines

from .test_record import COMPARED, RUNS

STEADY = settings(max_examples=30)
RECORD = json.loads(json.dumps(run_to_json(COMPARED)))


@STEADY
@given(run=RUNS)
def test_every_record_that_is_written_can_be_read(run):
    assert read_record(json.dumps(run_to_json(run)).encode(), "a.json") == run


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "a.json is not a run record, as it is not JSON"),
        (b"{", "is not JSON"),
        (b"\xff\xfe\x00", "is not JSON"),
        (b"1" * 5_000, "is not JSON"),
        (b"[]", "as its `format` is not 'pytest-behave/run-1'"),
        (b"{}", "`pytest --behave --behave-report=json:PATH` writes one"),
        (b'{"format": 5}', "as its `format` is not"),
        (b'{"format": "pytest-behave/baseline-1"}', "as its `format` is not"),
        (b'{"format": "pytest-behave/run-2"}', "is of a newer release ('pytest-behave/run-2'): upgrade pytest-behave"),
        (b'{"format": "pytest-behave/run-1"}', "is not a whole run record: 'suites' is missing"),
        (b'{"format": "pytest-behave/run-1", "suites": 5}', "is not a whole run record: a list or an object"),
        (b'{"format": "pytest-behave/run-1", "suites": [5]}', "is not a whole run record"),
        (b'{"format": "pytest-behave/run-1", "suites": [{"suite": NaN}]}', "NaN is no number"),
    ],
)
def test_what_is_no_record_is_refused_in_one_sentence(content, words):
    with pytest.raises(BehaveError) as error:
        read_record(content, "a.json")
    assert words in str(error.value)
    assert str(error.value).startswith("a.json ")
    assert len(str(error.value).splitlines()) == 1
    assert len(str(error.value)) < 250


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("rows",), "ten", "`suites[0].rows` must be a whole number, not 'ten'"),
        (("rows",), True, "`suites[0].rows` must be a whole number, not True"),
        (("strict",), 1, "`suites[0].strict` must be true or false, not 1"),
        (("suite",), None, "`suites[0].suite` must be a text, not None"),
        (("behaviors", 0, "value"), "much", "`suites[0].behaviors[0].value` must be a number, not 'much'"),
        (("behaviors", 0, "value"), 10**400, "`suites[0].behaviors[0].value` must be a number"),
        (("behaviors", 0, "verdict"), "good", "`suites[0].behaviors[0].verdict` must be one of holds, violated"),
        (("behaviors", 0, "between"), ["a"], "`suites[0].behaviors[0].between` must have 2 items, not 1"),
        (("behaviors", 0, "bounds"), {"max": "x"}, "`suites[0].behaviors[0].bounds.max` must be a number, not 'x'"),
        (("behaviors", 0, "bounds"), 5, "`suites[0].behaviors[0].bounds` must be an object, not 5"),
        (("behaviors", 0, "baseline", "change"), [], "`suites[0].behaviors[0].baseline.change` must be a number"),
        (("behaviors", 0, "baseline", "broken_ids"), [5], "`suites[0].behaviors[0].baseline.broken_ids[0]` must be"),
        (("baseline", "kind"), "other", "`suites[0].baseline.kind` must be one of stored, commit, model, not 'other'"),
        (("flips", 0, "input"), ["a"], "`suites[0].flips[0].input` must be an object"),
        (("cases", 0, "failures"), [None], "`suites[0].cases[0].failures[0]` must be a text, not None"),
    ],
)
def test_a_field_of_another_type_is_named(path, value, words):
    record = copy.deepcopy(RECORD)
    place = record["suites"][0]
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(BehaveError) as error:
        read_record(json.dumps(record).encode(), "a.json")
    assert words in str(error.value)


def leaves(value, path=()):
    """Yield the path of every value in a record, whole lists and objects too."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from leaves(item, (*path, key))


@settings(STEADY, max_examples=300)
@given(
    path=st.sampled_from([path for path in leaves(RECORD) if path]),
    value=st.sampled_from([None, True, -1, 0.5, 10**400, "x", "", [], ["a"], [[]], {}, {"a": 1}, {"": None}]),
)
def test_any_one_wrong_value_is_refused_or_harmless(path, value):
    record = copy.deepcopy(RECORD)
    place = record
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with contextlib.suppress(BehaveError):
        run = read_record(json.dumps(record).encode(), "a.json")
        assert markdown(run)
        assert list(summary_lines(run, 80))
