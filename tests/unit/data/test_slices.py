"""Every declared slice becomes a mask of its instances, or says why it cannot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_behave.data.slices import OVERALL, check_values, deferred_slices, make_slices
from pytest_behave.data.table import Table
from pytest_behave.declare.predicate import parse_expression, parse_predicate
from pytest_behave.errors import PredicateError
from pytest_behave.records import DatasetSpec, MetadataSpec, Place, SliceSpec

STEADY = settings(max_examples=100)
ROWS = {
    "id": list("abcdefgh"),
    "age": [20, 30, 40, 50, 60, None, 25, 35],
    "group": ["x", "x", "x", "x", "y", "y", "y", None],
    "sex": ["m", "f", "m", "f", "m", "f", "m", "f"],
    "when": ["2026-01-05", "2026-01-06", "2026-02-07", "2026-02-08", "2026-03-09", "2026-03-10", "2026-04-11", None],
    "y": [1, 0, 1, 0, 1, 0, 1, 0],
}


def table_of(*metadata, **columns):
    spec = DatasetSpec("rows.csv", id=("id",), target="y")
    return Table(pd.DataFrame({**ROWS, **columns}), spec, metadata, {}.get, Path())


def where(name, source, **options):
    return SliceSpec(name, predicate=parse_predicate(source), **options)


def all_of(name, *parts):
    return SliceSpec(name, parts=tuple(parse_predicate(part) if " " in part else part for part in parts))


def ids(slice_):
    """Return the instances of a slice, as one word."""
    return "".join(np.array(list("abcdefgh"))[slice_.mask])


def made(*specs, table=None):
    return {slice_.name: slice_ for slice_ in make_slices(table or table_of(), specs)}


def found(*specs, table=None):
    """Return the instances of each slice by name, or its problem."""
    slices = made(*specs, table=table)
    assert ids(slices.pop(OVERALL)) == "abcdefgh"
    return {name: slice_.problem or ids(slice_) for name, slice_ in slices.items()}


# --- single slices ------------------------------------------------------------------------------------------------


def test_overall_is_every_instance():
    overall = made()[OVERALL]
    assert (ids(overall), overall.family, overall.min_size, overall.problem) == ("abcdefgh", None, 1, None)


@pytest.mark.parametrize(
    ("source", "instances"),
    [
        ("age < 30", "ag"),
        ("not age < 30", "bcdeh"),
        ("isnull(age)", "f"),
        ("group == 'x' and sex == 'f'", "bd"),
        ("group in ['x', 'y']", "abcdefg"),
        ("target == 1", "aceg"),
        ("month(when) == 2", "cd"),
    ],
)
def test_a_predicate_selects_the_rows_for_which_it_is_true(source, instances):
    assert found(where("s", source)) == {"s": instances}


def test_a_list_selects_the_rows_that_are_in_all_of_its_parts():
    specs = [where("young", "age < 40"), SliceSpec("group", by=("group",)), SliceSpec("few", ids=("a", "b", "e"))]
    parts = [
        all_of("1", "young", "sex == 'm'"),
        all_of("2", "young", "group=x"),
        all_of("3", "few", "young", "group=x"),
    ]
    result = found(*specs, *parts)
    assert {name: result[name] for name in "123"} == {"1": "ag", "2": "ab", "3": "ab"}


def test_parts_may_be_declared_later():
    assert found(all_of("both", "young", "men"), where("young", "age < 40"), where("men", "sex == 'm'"))["both"] == "ag"


def test_a_slice_may_be_made_of_slices_that_are_made_of_slices():
    specs = [
        all_of("c", "b", "age > 20"),
        all_of("b", "a", "sex == 'm'"),
        where("a", "age < 50"),
        all_of("d", "c", "b"),
    ]
    assert found(*specs) == {"a": "abcgh", "b": "acg", "c": "cg", "d": "cg"}


def test_ids_select_the_instances_of_that_name():
    assert found(SliceSpec("few", ids=("h", "a", "a"))) == {"few": "ah"}


def test_a_slice_keeps_its_place_and_its_least_size():
    place = Place(Path("s.behave.yaml"), 4, 3)
    slices = made(
        where("s", "age < 30", min_size=30, place=place), SliceSpec("g", by=("group",), min_size=2, place=place)
    )
    assert [(slice_.min_size, slice_.place) for slice_ in slices.values()][1:] == [(30, place), (2, place), (2, place)]


# --- families -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "members"),
    [
        (SliceSpec("g", by=("group",)), {"g=x": "abcd", "g=y": "efg"}),
        (SliceSpec("g", by=("target",)), {"g=0": "bdfh", "g=1": "aceg"}),
        (SliceSpec("g", by=("age",), edges=(30.0, 50.0)), {"g=<30": "ag", "g=30-50": "bch", "g=>=50": "de"}),
        (SliceSpec("g", by=("age",), edges=(5.0, 90.0)), {"g=<5": "", "g=5-90": "abcdegh", "g=>=90": ""}),
        (SliceSpec("g", by=("age",), quantiles=2), {"g=q1": "abg", "g=q2": "cdeh"}),
        (
            SliceSpec("g", by=("when",), every="month"),
            {"g=2026-01": "ab", "g=2026-02": "cd", "g=2026-03": "ef", "g=2026-04": "g"},
        ),
        (SliceSpec("g", by=("when",), every="quarter"), {"g=2026-Q1": "abcdef", "g=2026-Q2": "g"}),
        (
            SliceSpec("g", by=("group", "sex")),
            {"g=x, f": "bd", "g=x, m": "ac", "g=y, f": "f", "g=y, m": "eg"},
        ),
        (SliceSpec("g", by=("group",), predicate=parse_predicate("age > 30")), {"g=x": "cd", "g=y": "e"}),
        (SliceSpec("g", by=("group",), predicate=parse_predicate("age < 30")), {"g=x": "a", "g=y": "g"}),
        (SliceSpec("g", by=("group",), predicate=parse_predicate("age == 60")), {"g=y": "e"}),
        (
            SliceSpec("g", by=("age",), edges=(50.0,), predicate=parse_predicate("sex == 'f'")),
            {"g=<50": "bh", "g=>=50": "d"},
        ),
    ],
)
def test_a_family_has_one_member_per_group(spec, members):
    slices = made(spec)
    slices.pop(OVERALL)
    assert {name: ids(slice_) for name, slice_ in slices.items()} == members
    assert {slice_.family for slice_ in slices.values()} == {"g"}
    assert {slice_.problem for slice_ in slices.values()} == {None}


def test_a_family_may_be_made_by_metadata():
    metadata = (
        MetadataSpec("band", column="age", edges=(30.0, 100.0)),
        MetadataSpec("old", parse_expression("age > 30")),
    )
    specs = [SliceSpec("b", by=("band",)), SliceSpec("o", by=("old", "sex"))]
    assert found(*specs, table=table_of(*metadata)) == {
        "b=<30": "ag",
        "b=30-100": "bcdeh",
        "o=False, f": "b",
        "o=False, m": "ag",
        "o=True, f": "dh",
        "o=True, m": "ce",
    }


def test_names_by_which_a_family_is_made_are_columns_even_if_they_are_words_of_the_language():
    table = table_of(**{"first name": list("ppppqqqq"), "not": list("rrrrrrss")})
    assert found(SliceSpec("a", by=("first name",)), SliceSpec("b", by=("not",)), table=table) == {
        "a=p": "abcd",
        "a=q": "efgh",
        "b=r": "abcdef",
        "b=s": "gh",
    }


@STEADY
@given(
    cells=st.lists(st.none() | st.sampled_from([1.5, 2.0, -3.0, 40.0]), min_size=8, max_size=8),
    rule=st.sampled_from([{}, {"edges": (0.0, 2.0)}, {"quantiles": 3}]),
)
def test_members_of_a_family_never_share_an_instance_and_leave_out_only_what_is_missing(cells, rule):
    slices = make_slices(table_of(v=pd.Series(cells, dtype=float)), (SliceSpec("g", by=("v",), **rule),))[1:]
    counts = np.sum([slice_.mask for slice_ in slices], axis=0)
    if all(cell is None for cell in cells):
        assert [slice_.problem is not None for slice_ in slices] == [True]
    else:
        assert counts.tolist() == [int(cell is not None) for cell in cells]


# --- what cannot be made ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("specs", "problems"),
    [
        ([where("s", "age > 99")], {"s": "selects no instance"}),
        ([where("s", "agee > 9")], {"s": "there is no column 'agee' - did you mean 'age'?"}),
        ([where("s", "age > '9'")], {"s": "column 'age' is a number and the text '9' is text: > cannot compare them"}),
        ([where("s", "age + 1 > output")], {"s": "'output' is known only after the model has run"}),
        ([where("s", "group == 'X'")], {"s": "column 'group' never is 'X' - did you mean 'x'?"}),
        ([SliceSpec("s", ids=("a", "zz", "z", "zzz"))], {"s": "names 3 ids that the dataset lacks (zz, z, zzz)"}),
        ([all_of("s", "age < 30", "age > 30")], {"s": "selects no instance"}),
        ([all_of("s", "young")], {"s": "there is no slice 'young'"}),
        ([all_of("s", "youn"), where("young", "age < 30")], {"s": "there is no slice 'youn'", "young": "ag"}),
        (
            [all_of("s", "group=z"), SliceSpec("group", by=("group",))],
            {"s": "there is no slice 'group=z' - did you mean 'group=", "group=x": "abcd", "group=y": "efg"},
        ),
        (
            [all_of("s", "group"), SliceSpec("group", by=("group",))],
            {"s": "there is no slice 'group'", "group=x": "abcd", "group=y": "efg"},
        ),
        (
            [all_of("s", "none", "age > 1"), where("none", "age > 99")],
            {"s": "is made from 'none', which selects no instance", "none": "selects no instance"},
        ),
        ([all_of("s", "s", "age > 1")], {"s": "refers to itself through 's'"}),
        (
            [all_of("a", "b"), all_of("b", "c"), all_of("c", "a")],
            {
                "a": "is made from 'b', which is made from 'c', which refers to itself through 'a'",
                "b": "is made from 'c', which refers to itself through 'a'",
                "c": "refers to itself through 'a'",
            },
        ),
        ([SliceSpec("g", by=("grup",))], {"g": "there is no column 'grup' - did you mean 'group'?"}),
        ([SliceSpec("g", by=("group", "no"))], {"g": "there is no column 'no'"}),
        ([SliceSpec("g", by=("group",), edges=(1.0,))], {"g": "column 'group' holds text, so it has no edges"}),
        ([SliceSpec("g", by=("group",), every="day")], {"g": "every: day() takes dates, but column 'group' holds 'x'"}),
        ([SliceSpec("g", by=("group",), predicate=parse_predicate("age > 99"))], {"g": "selects no instance"}),
        ([SliceSpec("g", by=("group",), predicate=parse_predicate("group == 'q'"))], {"g": "column 'group' never is"}),
    ],
)
def test_a_slice_that_cannot_be_made_says_why_and_holds_nothing(specs, problems):
    slices = made(*specs)
    result = found(*specs)
    assert set(result) == set(problems)
    for name, problem in problems.items():
        assert result[name].startswith(problem)
        assert slices[name].problem is None or not slices[name].mask.any()


def test_a_family_that_cannot_be_made_is_still_known_as_a_family():
    (_, slice_) = make_slices(table_of(), (SliceSpec("g", by=("no",)),))
    assert (slice_.name, slice_.family) == ("g", "g")


def test_a_slice_that_is_called_like_a_member_of_a_family_never_takes_its_place():
    slices = make_slices(table_of(), (where("group=x", "age > 50"), SliceSpec("group", by=("group",))))
    named = [slice_ for slice_ in slices if slice_.name == "group=x" and slice_.problem is None]
    assert [ids(slice_) for slice_ in named] == ["e"] or not named
    assert any(slice_.problem for slice_ in slices)


def test_one_bad_slice_leaves_the_others_whole():
    assert found(where("bad", "agee > 1"), where("good", "age < 30"))["good"] == "ag"


# --- slices that wait for the model -------------------------------------------------------------------------------


def test_what_looks_at_the_outputs_waits_and_so_does_all_that_is_made_of_it():
    specs = (
        where("young", "age < 30"),
        where("wrong", "output != target"),
        all_of("a", "young", "wrong"),
        all_of("b", "a", "age > 1"),
        all_of("c", "young", "age > 1"),
        all_of("d", "score > 0.5", "young"),
        SliceSpec("says", by=("output",)),
        all_of("e", "says=1"),
        SliceSpec("bins", by=("score",), edges=(0.5,)),
        SliceSpec("in", by=("group",), predicate=parse_predicate("score > 0.5")),
        SliceSpec("group", by=("group",)),
        SliceSpec("few", ids=("a",)),
        SliceSpec("told", by=("topic",)),
    )
    waiting = {"wrong", "a", "b", "d", "says", "e", "bins", "in"}
    assert deferred_slices(table_of(), specs, open_ended=False) == waiting
    assert deferred_slices(table_of(), specs, open_ended=True) == {*waiting, "told"}


def test_a_part_whose_own_name_has_an_equals_sign_waits_like_any_other():
    specs = (where("x=1", "output == 1"), all_of("s", "x=1"))
    assert deferred_slices(table_of(), specs, open_ended=False) == {"x=1", "s"}


def test_slices_of_outputs_are_made_once_those_are_known():
    table = table_of().with_outputs({"output": pd.Series([1, 1, 1, 1, 0, 0, 0, 0])})
    assert found(where("wrong", "output != target"), SliceSpec("says", by=("output",)), table=table) == {
        "wrong": "bdeg",
        "says=0": "efgh",
        "says=1": "abcd",
    }


# --- values that a column never has -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "source",
    [
        "group == 'X'",
        "group != 'X'",
        "'X' == group",
        "group in ['x', 'X']",
        "not group in ['X']",
        "age > 1 and (sex == 'm' or not group == 'X')",
        "isnull(age) and group == 'X'",
    ],
)
def test_a_misspelt_value_is_found_wherever_it_stands(source):
    with pytest.raises(PredicateError, match=r"column 'group' never is 'X' - did you mean 'x'\?"):
        check_values(table_of(), parse_predicate(source))


@pytest.mark.parametrize(
    "source", ["group == 'x'", "group < 'X'", "contains(group, 'X')", "id == 'zz'", "lower(group) == 'X'"]
)
def test_what_may_be_meant_is_left_alone(source):
    check_values(table_of(), parse_predicate(source))
