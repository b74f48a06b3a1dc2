"""Overlapping slices that lose the same instances are told once, by the slices in which the losses are densest."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_behave.records.verdicts import WORST_FIRST
from pytest_behave.report.lines import worst_first
from pytest_behave.report.stories import TOLD, also_names, stories

from .made import behavior, change

STEADY = settings(max_examples=200)


def losing(name, ids, size, verdict="regressed", **more):
    """Return a behavior that lost these instances."""
    compared = change(flips=(len(ids), 0), broken_ids=tuple(map(str, ids)))
    return behavior(name, verdict, compared=compared, size=size, **more)


def told(*behaviors):
    """Return the names of the slices shown, and of those folded under each."""
    return {story.behavior.slice: [item.slice for item in story.also] for story in stories(behaviors)}


@pytest.mark.parametrize(
    ("behaviors", "expected"),
    [
        pytest.param([], {}, id="nothing"),
        pytest.param(
            [losing("overall", range(23), 4800), losing("no", range(23), 60)], {"no": ["overall"]}, id="the denser one"
        ),
        pytest.param(
            [losing("all", range(62), 4800), losing("tweets", range(60), 4200), losing("no", range(23), 60)],
            {"no": [], "tweets": ["all"]},
            id="what is left is told by the next",
        ),
        pytest.param(
            [losing("whole", range(20), 900), losing("left", range(10), 50), losing("right", range(10, 20), 50)],
            {"left": ["whole"], "right": []},
            id="two together tell a third",
        ),
        pytest.param(
            [losing("a", range(10), 50), losing("b", range(1, 11), 60), losing("c", range(3, 13), 60)],
            {"a": ["b"], "c": []},
            id="nine in ten are enough, eight are not",
        ),
        pytest.param(
            [losing("a", range(10), 50), losing("a", range(10), 20, metric="f1")], {"a": []}, id="each metric by itself"
        ),
        pytest.param(
            [losing("small", range(3), 5, "suspect"), losing("overall", range(3), 900)],
            {"overall": ["small"]},
            id="a suspect does not hide what regressed",
        ),
        pytest.param(
            [losing("mild", range(3), 5, severity="warning"), losing("overall", range(3), 900)],
            {"overall": ["mild"]},
            id="what warns does not hide what fails",
        ),
        pytest.param(
            [losing("a", range(3), 5, "suspect"), losing("b", range(3), 900, "suspect")],
            {"a": ["b"]},
            id="suspects among themselves",
        ),
        pytest.param(
            [losing("a", range(3), 5), losing("b", range(3), 900, "violated"), losing("c", [], 5)],
            {"a": [], "b": [], "c": []},
            id="other verdicts, and those without ids, stand alone",
        ),
        pytest.param([losing("b", range(3), 9), losing("a", range(3), 9)], {"a": ["b"]}, id="equals by name"),
    ],
)
def test_the_smallest_set_that_explains_the_flips_is_shown(behaviors, expected):
    assert told(*behaviors) == told(*reversed(behaviors)) == expected


def test_what_was_not_compared_stands_alone():
    alone = behavior("s", "regressed", compared=False)
    assert told(alone, replace(alone, slice="t")) == {"s": [], "t": []}


def test_the_folded_are_named_worst_first():
    (story,) = stories([losing(name, range(5), 100 + size) for size, name in enumerate("xyz")])
    assert also_names(story) == "y, z"


SLICES = st.lists(
    st.builds(
        losing,
        st.sampled_from("abcdefgh"),
        st.frozensets(st.integers(0, 12), max_size=12).map(sorted),
        st.integers(0, 40),
        st.sampled_from(["regressed", "suspect", "violated", "holds"]),
        metric=st.sampled_from(["accuracy", "f1"]),
        severity=st.sampled_from(["error", "warning"]),
    ),
    max_size=12,
)


@STEADY
@given(behaviors=SLICES)
def test_every_behavior_is_told_once_and_only_folded_where_others_tell_it(behaviors):
    found = stories(behaviors)
    everything = [item for story in found for item in (story.behavior, *story.also)]
    assert sorted(map(id, everything)) == sorted(map(id, behaviors))
    assert [story.behavior for story in found] == worst_first(story.behavior for story in found)
    for story in found:
        for item in story.also:
            above = WORST_FIRST.index(story.behavior.verdict), story.behavior.severity == "warning"
            assert story.behavior.metric == item.metric
            assert above <= (WORST_FIRST.index(item.verdict), item.severity == "warning")
            ids = set(item.baseline.broken_ids)
            shown = [other.behavior.baseline for other in found if other.behavior.metric == item.metric]
            explained = ids & {name for change in shown for name in change.broken_ids}
            assert len(explained) >= TOLD * len(ids) - 1e-9
            assert ids & set(story.behavior.baseline.broken_ids)


@STEADY
@given(behaviors=SLICES, seed=st.randoms(use_true_random=False))
def test_the_order_of_the_behaviors_does_not_matter(behaviors, seed):
    distinct = list({(item.slice, item.metric, item.verdict, item.severity): item for item in behaviors}.values())
    mixed = list(distinct)
    seed.shuffle(mixed)
    assert stories(mixed) == stories(distinct)


def test_thousands_of_overlapping_slices_take_a_moment():
    many = [losing(f"s{number}", range(number % 500, number % 500 + 200), number + 1) for number in range(3_000)]
    start = time.process_time()
    assert sum(1 + len(story.also) for story in stories(many)) == 3_000
    assert time.process_time() - start < 5
