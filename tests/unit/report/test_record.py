"""A run written as JSON and read again is the same run, fits the schema that ships, and holds no NaN."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, fields, replace

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_behave.records import Accepted, BaselineUse, Behavior, CaseResult, Change, Instance, Run, SuiteRun
from pytest_behave.report.record import (
    FORMAT,
    behavior_to_json,
    case_to_json,
    header_to_json,
    record_schema,
    run_from_json,
    run_to_json,
    totals,
)

STEADY = settings(max_examples=30)

# --- any run ------------------------------------------------------------------------------------------------------

ODD = [
    "",
    "a|b",
    "<script>",
    "@team",
    "`x`",
    "\x1b[31m",
    "a\nb",
    "日本語",
    "::error::",
    "%0A",
    "\u202e",
    "\ud83d",
    "\0",
]
TEXTS = st.sampled_from(ODD) | st.text(max_size=12)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
LINES = st.none() | st.integers(1, 9_999)
FILES = st.none() | st.text(min_size=1, max_size=8)
FINGERPRINTS = st.just("sha256:" + "0" * 64)
BETTER = st.sampled_from(["higher", "lower"])
DECIDE = st.sampled_from(["observed", "proven", "refuted"])
INSTANCES = st.builds(
    Instance,
    TEXTS,
    st.none() | TEXTS,
    st.none() | TEXTS,
    st.none() | NUMBERS,
    st.dictionaries(TEXTS, TEXTS, max_size=5),
    st.none() | TEXTS,
    st.none() | NUMBERS,
)
COUNTS = st.integers(0, 10**9)
SHARES = st.none() | st.floats(0, 1)
IDS = st.lists(TEXTS | st.sampled_from("abcdefgh"), max_size=6).map(tuple)
CHANGES = st.builds(
    Change,
    value=st.none() | NUMBERS,
    change=st.none() | NUMBERS,
    low=st.none() | NUMBERS,
    high=st.none() | NUMBERS,
    n=COUNTS,
    test=TEXTS,
    p=SHARES,
    p_adjusted=SHARES,
    tolerance=st.none() | NUMBERS,
    broken=st.none() | COUNTS,
    fixed=st.none() | COUNTS,
    broken_ids=IDS,
    fixed_ids=IDS,
    paired=st.booleans(),
    reason=TEXTS,
    accepted=TEXTS,
)
USES = st.builds(
    BaselineUse,
    kind=st.sampled_from(["stored", "commit", "model"]),
    name=TEXTS,
    alpha=st.floats(0, 1),
    tests=COUNTS,
    seed=st.integers(),
    common=COUNTS,
    added=COUNTS,
    removed=COUNTS,
    changed=COUNTS,
    ref=TEXTS,
    accepted=st.lists(
        st.builds(Accepted, TEXTS, TEXTS, st.none() | NUMBERS, st.none() | NUMBERS, TEXTS), max_size=2
    ).map(tuple),
)


def behaviors(verdicts, bounds):
    return st.builds(
        Behavior,
        slice=TEXTS,
        metric=TEXTS,
        better=BETTER,
        size=st.integers(0, 10**9),
        n=st.integers(0, 10**9),
        value=st.none() | NUMBERS,
        low=st.none() | NUMBERS,
        high=st.none() | NUMBERS,
        bounds=bounds,
        decide=DECIDE,
        severity=st.sampled_from(["error", "warning"]),
        baseline=st.none() | CHANGES,
        verdict=verdicts,
        reason=TEXTS,
        interval=st.sampled_from(["", "wilson", "t"]),
        line=LINES,
        file=FILES,
        family=st.none() | TEXTS,
        between=st.none() | st.tuples(TEXTS, TEXTS),
        instances=st.lists(INSTANCES, max_size=3).map(tuple),
    )


JUDGED = behaviors(
    st.sampled_from(
        ["holds", "violated", "regressed", "suspect", "undecided", "no-baseline", "known-failure", "error"]
    ),
    st.dictionaries(st.sampled_from(["min", "max"]), NUMBERS)
    | st.builds(lambda gap, to: {"max_gap": gap, "gap_to": to}, st.floats(0, 1), TEXTS)
    | st.dictionaries(st.sampled_from(["max_regression", "max_gap_regression"]), st.sampled_from([0.01, "2%"])),
)
OBSERVED = behaviors(st.none(), st.just({}))
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)
CASES = st.builds(
    CaseResult,
    id=st.text(min_size=1, max_size=8),
    verdict=st.sampled_from(["holds", "violated", "known-failure", "error"]),
    input=st.dictionaries(TEXTS, PLAIN, max_size=3),
    output=st.none() | st.booleans() | NUMBERS | TEXTS,
    failures=st.lists(TEXTS, max_size=2).map(tuple),
    tags=st.lists(TEXTS, max_size=2).map(tuple),
    reason=TEXTS,
    line=LINES,
    file=FILES,
)
SUITES = st.builds(
    SuiteRun,
    suite=st.text(min_size=1, max_size=8),
    path=TEXTS,
    rows=st.integers(0, 10**9),
    task=st.sampled_from(["binary", "multiclass", "regression", "text", None]),
    model=TEXTS,
    model_fingerprint=st.just("") | FINGERPRINTS,
    dataset_fingerprint=st.none() | FINGERPRINTS,
    description=TEXTS,
    owner=TEXTS,
    strict=st.booleans(),
    notes=st.lists(TEXTS, max_size=2).map(tuple),
    baseline=st.none() | USES,
    flips=st.lists(INSTANCES, max_size=3).map(tuple),
    behaviors=st.lists(JUDGED, max_size=4).map(tuple),
    observed=st.lists(OBSERVED, max_size=2).map(tuple),
    cases=st.lists(CASES, max_size=3).map(tuple),
)
RUNS = st.builds(Run, st.lists(SUITES, max_size=3).map(tuple))


@STEADY
@given(run=RUNS)
def test_a_run_written_and_read_is_the_same_run(run):
    text = json.dumps(run_to_json(run), allow_nan=False)
    assert run_from_json(json.loads(text)) == run


@STEADY
@given(run=RUNS)
def test_any_record_fits_the_schema_that_ships(run):
    jsonschema.validate(run_to_json(run), json.loads(record_schema()))


@STEADY
@given(run=RUNS)
def test_totals_count_every_verdict_once(run):
    record = run_to_json(run)
    assert record["totals"] == totals(run)
    assert sum(record["totals"].values()) == sum(len(suite.behaviors) + len(suite.cases) for suite in run.suites)
    assert list(record["totals"]) == sorted(record["totals"])


# --- its contract -------------------------------------------------------------------------------------------------

INSTANCE = Instance("a1", "1", "0", 0.25, {"text": "hi"})
BEHAVIOR = Behavior(
    slice="race=A",
    metric="fpr",
    better="lower",
    size=10,
    n=4,
    value=0.5,
    low=0.15,
    high=0.85,
    bounds={"max": 0.45},
    decide="observed",
    verdict="violated",
    reason="0.5 is above max 0.45",
    interval="wilson",
    line=7,
    file="s.behave.yaml",
    family="race",
    between=None,
    instances=(INSTANCE,),
)
CASE = CaseResult(
    "t-1", "violated", {"text": "hi", "n": [1, {"x": None}]}, 5, ("not 4",), ("smoke",), "not 4", 9, "c.yaml"
)
SUITE = SuiteRun(
    suite="loans",
    path="s.behave.yaml",
    rows=10,
    task="binary",
    model="m:p",
    model_fingerprint="",
    dataset_fingerprint=None,
    notes=("2 of 10 outputs are 'z'",),
    behaviors=(BEHAVIOR, replace(BEHAVIOR, metric="fpr gap", family=None, between=("race=A", "race=B"), instances=())),
    observed=(replace(BEHAVIOR, metric="recall", verdict=None, bounds={}),),
    cases=(CASE,),
)
RUN = Run((SUITE,))


def test_the_record_says_its_format_and_leaves_room_for_what_is_to_come():
    record = run_to_json(RUN)
    assert record["format"] == FORMAT == "pytest-behave/run-1"
    (suite,) = record["suites"]
    assert suite["invariances"] == []
    assert {behavior["baseline"] for behavior in suite["behaviors"] + suite["observed"]} == {None}


def test_the_record_is_made_of_plain_data_alone():
    def plain(value):
        if isinstance(value, dict):
            return all(type(key) is str and plain(item) for key, item in value.items())
        if type(value) is list:
            return all(map(plain, value))
        return value is None or type(value) in (str, int, float, bool)

    assert plain(run_to_json(RUN))


@pytest.mark.parametrize("part", [BEHAVIOR, CASE], ids=["behavior", "case"])
def test_every_field_is_in_the_record(part):
    written = behavior_to_json(part, str) if isinstance(part, Behavior) else case_to_json(part, str)
    assert {field.name for field in fields(part)} <= set(written)


def test_every_field_of_a_suite_is_in_the_record():
    (suite,) = run_to_json(RUN)["suites"]
    renamed = {"model_fingerprint", "dataset_fingerprint"}
    assert {field.name for field in fields(SuiteRun)} - renamed <= set(suite)
    assert suite["model"] == {"name": "m:p", "fingerprint": ""}
    assert suite["dataset"] == {"fingerprint": None}


def test_paths_are_written_as_the_caller_asks():
    shorter = {"s.behave.yaml": "suites/s", "c.yaml": "suites/c"}.get
    assert header_to_json(SUITE, shorter)["path"] == "suites/s"
    assert behavior_to_json(BEHAVIOR, shorter)["file"] == "suites/s"
    assert case_to_json(CASE, shorter)["file"] == "suites/c"
    assert behavior_to_json(replace(BEHAVIOR, file=None), shorter)["file"] is None


COMPARED = Run(
    (
        replace(
            SUITE,
            behaviors=(replace(BEHAVIOR, baseline=Change(0.4, 0.1, broken=1, fixed=0, broken_ids=("a1",))),),
            baseline=BaselineUse(
                "commit", "s.json", 0.05, 1, 7, 9, 1, ref="main", accepted=(Accepted("a", "f1", 1, 0),)
            ),
            flips=(replace(INSTANCE, baseline_output="1", baseline_score=0.75),),
        ),
    )
)


def test_a_reader_may_meet_keys_that_it_does_not_know():
    record = run_to_json(COMPARED)
    (suite,) = record["suites"]
    for known in (
        suite,
        suite["baseline"],
        suite["baseline"]["accepted"][0],
        suite["behaviors"][0],
        suite["behaviors"][0]["baseline"],
        suite["flips"][0],
        suite["cases"][0],
    ):
        known["of a later release"] = 5
    assert run_from_json(record) == COMPARED


def test_a_record_of_an_earlier_release_can_be_read():
    record = run_to_json(RUN)
    for suite in record["suites"]:
        del suite["baseline"], suite["flips"]
        for behavior in suite["behaviors"] + suite["observed"]:
            del behavior["severity"], behavior["baseline"]
            for instance in behavior["instances"]:
                del instance["baseline_output"], instance["baseline_score"]
    assert run_from_json(record) == RUN


def test_a_comparison_has_every_field_under_its_own_name():
    (suite,) = run_to_json(COMPARED)["suites"]
    (run,) = COMPARED.suites
    lists = json.loads(json.dumps(asdict(run)))  # tuples become lists
    assert suite["baseline"] == lists["baseline"]
    assert suite["flips"] == lists["flips"]
    assert suite["behaviors"][0]["baseline"] == lists["behaviors"][0]["baseline"]
    assert header_to_json(run, str)["baseline"] == suite["baseline"]


@pytest.mark.parametrize("number", [math.nan, math.inf])
@pytest.mark.parametrize("field", ["value", "change", "low", "high", "p", "p_adjusted", "tolerance"])
def test_a_figure_of_a_comparison_that_is_no_finite_number_is_null(field, number):
    written = behavior_to_json(replace(BEHAVIOR, baseline=Change(**{"value": 0.5, field: number})), str)
    assert written["baseline"][field] is None


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_case_whose_input_is_no_finite_number_is_written_as_a_text(number):
    case = replace(CASE, input={"x": number, "deep": [{"y": number}]})
    record = run_to_json(Run((replace(SUITE, cases=(case,)),)))
    text = json.dumps(record, allow_nan=False)
    assert json.loads(text)["suites"][0]["cases"][0]["input"] == {"x": str(number), "deep": [{"y": str(number)}]}


@pytest.mark.parametrize("number", [math.nan, math.inf])
@pytest.mark.parametrize("field", ["value", "low", "high"])
def test_a_figure_that_is_no_finite_number_is_null(field, number):
    run = Run((replace(SUITE, behaviors=(replace(BEHAVIOR, **{field: number}),)),))
    json.dumps(run_to_json(run), allow_nan=False)


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_a_score_that_is_no_finite_number_is_null(number):
    behavior = replace(BEHAVIOR, instances=(replace(INSTANCE, score=number),))
    json.dumps(run_to_json(Run((replace(SUITE, behaviors=(behavior,)),))), allow_nan=False)


def test_the_schema_is_a_schema_and_refuses_what_is_no_record():
    schema = json.loads(record_schema())
    jsonschema.Draft7Validator.check_schema(schema)
    record = run_to_json(RUN)
    jsonschema.validate(record, schema)
    for wrong in (
        {**record, "format": "pytest-behave/run-2"},
        {**record, "more": 1},
        {**record, "totals": {"good": 1}},
        {**record, "suites": [{**record["suites"][0], "rows": -1}]},
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)
