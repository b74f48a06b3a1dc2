"""Metadata is computed after what it needs, and what needs itself is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_behave.data.derived import names_read_by, order_of
from pytest_behave.declare.predicate import parse_expression
from pytest_behave.records import MetadataSpec, Name


def needs_of(graph):
    """Return metadata by name, and what each needs, of a graph {name: names}."""
    items = {name: MetadataSpec(name) for name in graph}
    return items, {name: [items[other] for other in others] for name, others in graph.items()}


@given(edges=st.sets(st.tuples(st.integers(0, 9), st.integers(0, 9))))
def test_everything_that_is_needed_comes_first_or_a_circle_is_found(edges):
    graph = {str(name): sorted(str(other) for one, other in edges if one == name) for name in range(10)}
    items, needs = needs_of(graph)
    order = order_of(items["0"], needs, ())
    if order.circle:
        for name, other in zip(order.circle, (*order.circle[1:], order.circle[0]), strict=True):
            assert other in graph[name]
        return
    names = [item.name for item in order.items]
    assert names[-1] == "0"
    assert len(set(names)) == len(names)
    for place, name in enumerate(names):
        assert set(graph[name]) <= set(names[:place])


def test_what_is_known_is_not_computed_again():
    items, needs = needs_of({"a": ["b", "c"], "b": ["c"], "c": []})
    assert [item.name for item in order_of(items["a"], needs, {"c"}).items] == ["b", "a"]


@pytest.mark.parametrize(
    ("graph", "problem"),
    [
        ({"a": ["a"]}, "metadata 'a' is defined by itself: "),
        ({"a": ["b"], "b": ["a"]}, "metadata 'a' is defined by itself, through 'b': "),
        ({"a": ["b"], "b": ["c"], "c": ["b"]}, "metadata 'b' is defined by itself, through 'c': "),
        (
            {str(number): [str((number + 1) % 5)] for number in range(5)} | {"a": ["0"]},
            "metadata '0' is defined by itself, through '1', '2', '3', ...: ",
        ),
        ({"a": []}, ""),
    ],
)
def test_a_circle_is_named_from_where_it_is_entered(graph, problem):
    items, needs = needs_of(graph)
    found = order_of(items["a"], needs, ()).problem
    assert found.startswith(problem)
    assert bool(found) == bool(problem)


def test_names_are_read_from_expressions_and_columns():
    assert names_read_by(MetadataSpec("m", parse_expression("a + `b c` + a"))) == [Name("a"), Name("b c", quoted=True)]
    assert names_read_by(MetadataSpec("m", column="a", edges=(1.0,))) == [Name("a", quoted=True)]
    assert names_read_by(MetadataSpec("m", column="m", edges=(1.0,))) == []
    assert names_read_by(MetadataSpec("m", python="x:y")) == []
