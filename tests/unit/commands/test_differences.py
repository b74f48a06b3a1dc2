"""Two runs are compared by their records: partners by name, changes with an interval, verdicts left as they are."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings

from pytest_behave.commands.differences import UNPAIRED, run_between
from pytest_behave.records import CaseResult, Run
from pytest_behave.report.markdown import markdown
from pytest_behave.report.terminal import summary_lines
from tests.unit.report.made import behavior, change, flip, run, suite, use
from tests.unit.report.test_record import RUNS

STEADY = settings(max_examples=30)


def measured(name="overall", value=0.8, low=0.75, high=0.84, verdict="holds", **more):
    """Return a behavior that was compared with nothing."""
    return behavior(name, verdict, compared=False, value=value, low=low, high=high, **{"bounds": {"min": 0.1}, **more})


def plain(*behaviors, **more):
    return run(*behaviors, **{"baseline": None, **more})


def between(before, after):
    return run_between(before, after).suites


def test_a_change_has_the_interval_of_two_independent_values():
    (found,) = between(plain(measured()), plain(measured(value=0.7, low=0.66, high=0.76)))
    (item,) = found.behaviors
    assert item.verdict == "holds"
    assert item.baseline.value == 0.8
    assert item.baseline.change == pytest.approx(-0.1)
    # Zou & Donner 2008: each side from the distances to the facing ends
    assert item.baseline.low == pytest.approx(-0.1 - math.hypot(0.7 - 0.66, 0.84 - 0.8))
    assert item.baseline.high == pytest.approx(-0.1 + math.hypot(0.76 - 0.7, 0.8 - 0.75))
    assert (item.baseline.paired, item.baseline.reason) == (False, UNPAIRED)
    assert (item.baseline.p, item.baseline.broken, item.baseline.broken_ids) == (None, None, ())


@pytest.mark.parametrize(
    ("before", "after", "value", "difference"),
    [
        ({"value": None}, {}, None, None),
        ({}, {"value": None}, 0.8, None),
        ({"low": None}, {}, 0.8, 0.0),
        ({}, {"high": None}, 0.8, 0.0),
    ],
    ids=repr,
)
def test_what_is_not_known_stays_unknown(before, after, value, difference):
    (found,) = between(plain(measured(**before)), plain(measured(**after)))
    compared = found.behaviors[0].baseline
    assert (compared.value, compared.change) == (value, difference)
    assert (compared.low, compared.high) == (None, None)


def test_a_paired_comparison_with_the_same_value_is_kept():
    own = behavior("overall", compared=change(0.8, -0.1, (-0.15, -0.05)), instances=(flip("b0"),))
    after = run(own, flips=(flip("b0"),))
    (found,) = between(plain(measured(value=0.8 + 1e-9)), after)
    assert found == after.suites[0]


@pytest.mark.parametrize("own", [change(0.81, -0.1), change(0.8, -0.1, paired=False)], ids=["other value", "unpaired"])
def test_a_comparison_with_something_else_is_replaced(own):
    after = run(behavior("overall", compared=own, instances=(flip("b0"),)), flips=(flip("b0"),))
    (found,) = between(plain(measured(), model="old"), after)
    (item,) = found.behaviors
    assert item.verdict == "regressed"
    assert (item.baseline.value, item.baseline.reason) == (0.8, UNPAIRED)
    assert [instance.baseline_output for instance in item.instances] == [None]
    assert found.flips == ()
    assert (found.baseline.kind, found.baseline.name) == ("model", "old")


def test_suites_are_paired_by_name_and_file_and_else_by_name():
    def named(name, path, value):
        return suite(measured(value=value), suite=name, path=path, baseline=None)

    before = Run((named("a", "x", 0.1), named("a", "y", 0.2), named("b", "old/b", 0.3), named("gone", "g", 0.4)))
    after = Run((named("a", "y", 0.5), named("a", "x", 0.5), named("b", "new/b", 0.5), named("new", "n", 0.5)))
    found = between(before, after)
    assert [(item.suite, item.path) for item in found] == [
        ("a", "y"),
        ("a", "x"),
        ("b", "new/b"),
        ("new", "n"),
        ("gone", "g"),
    ]
    assert [item.behaviors[0].baseline.value for item in found[:3]] == [0.2, 0.1, 0.3]
    assert found[3].behaviors[0].baseline is None
    assert found[3].notes == ("this suite is only in the second of the two runs",)
    assert (found[4].behaviors, found[4].notes) == ((), ("this suite is only in the first of the two runs",))


def test_what_is_observed_on_either_side_is_compared_too():
    observed = measured(verdict=None, bounds={})
    (one,) = between(plain(observed=(observed,)), plain(measured(value=0.9)))
    assert one.behaviors[0].baseline.value == 0.8
    (other,) = between(plain(measured()), plain(observed=(observed,)))
    assert other.observed[0].baseline.value == 0.8
    assert other.notes == ()


def case(name, verdict):
    return CaseResult(name, verdict, {}, "x")


def test_what_is_only_in_one_of_both_and_cases_that_turned_are_noted():
    before = plain(
        measured("both"),
        *(measured(f"old{number:02d}") for number in range(12)),
        cases=(
            case("a", "holds"),
            case("b", "violated"),
            case("c", "error"),
            case("d", "violated"),
            case("e", "holds"),
        ),
        dataset_fingerprint="sha256:1",
    )
    after = plain(
        measured("both"),
        measured("new"),
        cases=(
            case("a", "error"),
            case("b", "known-failure"),
            case("c", "violated"),
            case("e", "holds"),
            case("f", "error"),
        ),
        dataset_fingerprint="sha256:2",
        notes=("its own",),
    )
    (found,) = between(before, after)
    assert found.notes == (
        "its own",
        "the two runs read different datasets",
        "added: new accuracy",
        f"removed: {', '.join(f'old{number:02d} accuracy' for number in range(10))} and 2 more",
        "newly failing cases: a",
        "newly passing cases: b",
    )


@pytest.mark.parametrize(("fingerprints", "common"), [(("s", "s"), 250), (("s", "t"), 0), ((None, None), 0)])
def test_rows_are_in_common_only_where_the_datasets_are_the_same(fingerprints, common):
    before, after = (plain(measured(), dataset_fingerprint=fingerprint) for fingerprint in fingerprints)
    (found,) = between(before, after)
    assert found.baseline.common == common


def test_a_difference_is_told_like_any_comparison():
    before = plain(measured("down"), measured("up"), measured("same"), model="old")
    after = plain(measured("down", 0.5, 0.45, 0.55), measured("up", 0.95, 0.92, 0.97), measured("same"), model="new")
    found = run_between(before, after)
    text = markdown(found)
    assert "baseline: model old" in text
    assert "> 3 behaviors compared by their value alone: two run records hold no common instances" in text
    for title, row in (
        ("**1 worse**", "| down (152) | accuracy | 0.800 → 0.500 | -0.300 [-0.36, -0.23] | - | **holds** |"),
        ("**1 improved**", "| up (152) | accuracy | 0.800 → 0.950 |"),
        ("<summary>1 holding</summary>", "| same (152) | accuracy | 0.800 → 0.800 |"),
    ):
        assert text.index(title) < text.index(row)
    lines = list(summary_lines(found, 100))
    assert "  worse: down accuracy 0.800 → 0.500 (-0.300 [-0.36, -0.23])" in lines
    assert "  improved: up accuracy 0.800 → 0.950 (+0.150 [0.10, 0.20])" in lines


@STEADY
@given(before=RUNS, after=RUNS)
def test_any_two_runs_can_be_compared(before, after):
    found = run_between(before, after)
    assert [item.verdict for one in found.suites for item in one.behaviors] == [
        item.verdict for one in after.suites for item in one.behaviors
    ]
    assert markdown(found)
    assert list(summary_lines(found, 80))


def test_a_run_against_itself_has_no_worse_and_no_better():
    same = plain(measured(), measured("s", 0.3, 0.2, 0.4), dataset_fingerprint="sha256:1")
    (found,) = between(same, same)
    assert {item.baseline.change for item in found.behaviors} == {0.0}
    assert found.notes == ()
    assert use(kind="model", name="vader-3.3.2", common=250, tests=0, seed=0) == found.baseline
    assert len(list(summary_lines(Run((found,)), 80))) == 1
