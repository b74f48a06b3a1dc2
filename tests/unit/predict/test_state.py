"""The digest of a live callable follows what it holds and what its code says."""

from __future__ import annotations

import functools
import sys
import threading
import types
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pytest_behave.predict.plain import NotPlainError
from pytest_behave.predict.state import callable_digest

HERE = Path(__file__).parent


def digest(function):
    return callable_digest(function, HERE)


def holding(value):
    """Return a new function that holds a value."""
    return lambda rows: (rows, value)


class Rule:
    """A callable with state."""

    def __init__(self, limit):
        self.limit = limit
        self.itself = self

    def __call__(self, rows):
        return rows["x"] > self.limit

    def predict(self, rows):
        return self(rows)


class Slotted:
    """State in slots."""

    __slots__ = ("value",)

    def __init__(self, value):
        self.value = value


def local_class(limit):
    class Local:
        top = limit

        @staticmethod
        def least():
            return limit

        @property
        def named(self):
            return self.top

    return Local()


VALUES = [
    1, 2, 1.0, True, "1", b"1", None, (1,), [1], {1}, {"a": 1}, {"a": 2}, {"b": 1}, {1: "a"}, Path("a"), 1j,
    np.array([1, 2]), np.array([1.0, 2.0]), np.array([[1, 2]]), np.float32(1), np.array([1, "a"], dtype=object),
    np.array([2, "a"], dtype=object), pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [2]}), pd.Series(["x"]),
    len, max, np.mean, Rule, Rule(1), Rule(2), Rule(1).predict, Rule(2).predict, Slotted(1), Slotted(2),
    functools.partial(max, 1), functools.partial(max, 2), local_class(1), local_class(2), np,
    np.random.default_rng(1), np.random.default_rng(2), pd.Timestamp("2026-01-01"),
]  # fmt: skip


def test_each_thing_that_is_held_has_a_digest_of_its_own():
    assert len({digest(holding(value)) for value in VALUES}) == len(VALUES)
    assert [digest(holding(value)) for value in VALUES] == [digest(holding(value)) for value in VALUES]


def made(source, name="f", **names):
    """Return a function of a module that has no file."""
    module = types.ModuleType("written")
    module.__dict__.update(names)
    exec(source, module.__dict__)  # noqa: S102 - as a notebook does
    return getattr(module, name)


EDITS = [
    ("def f(rows): return rows + 1", "def f(rows): return rows + 2"),
    ("def f(rows): return rows.a", "def f(rows): return rows.b"),
    ("def f(rows, k=1): return k", "def f(rows, k=2): return k"),
    ("def f(rows, *, k=1): return k", "def f(rows, *, k=2): return k"),
    ("f = lambda rows: [r for r in rows if r > 1]", "f = lambda rows: [r for r in rows if r > 2]"),
    ("L = 1\ndef f(rows): return L", "L = 2\ndef f(rows): return L"),
    ("def g(): return 1\ndef f(rows): return g()", "def g(): return 2\ndef f(rows): return g()"),
    ("def d(f): return f\n@d\ndef f(rows): return 1", "def d(f): return lambda r: -f(r)\n@d\ndef f(rows): return 1"),
    ("def f(rows): return rows in {'a', 'b'}", "def f(rows): return rows in {'a', 'c'}"),
]


@pytest.mark.parametrize(("before", "after"), EDITS)
def test_an_edit_of_the_code_is_another_digest(before, after):
    assert digest(made(before)) == digest(made(before))
    assert digest(made(before)) != digest(made(after))


def test_a_recursive_function_and_a_cached_one_have_digests():
    assert digest(made("def f(n): return f(n - 1)"))
    one, other = (functools.cache(holding(value)) for value in (1, 2))
    assert digest(one) != digest(other)


@pytest.mark.parametrize("value", [threading.Lock(), (n for n in [1]), sys.stdout], ids=["lock", "generator", "file"])
def test_what_cannot_tell_its_state_is_refused(value):
    with pytest.raises(NotPlainError, match="an object of"):
        digest(holding(value))


def test_a_fitted_estimator_in_memory_tells_its_state():
    from sklearn.linear_model import LogisticRegression
    from sklearn.tree import DecisionTreeClassifier

    rows = np.arange(20.0).reshape(-1, 1)
    for make in (LogisticRegression, functools.partial(DecisionTreeClassifier, random_state=0)):
        one, again, other = (make().fit(rows, rows[:, 0] > limit) for limit in (5, 5, 9))
        assert digest(one.predict) == digest(again.predict)
        assert digest(one.predict) != digest(other.predict)


def test_an_endless_structure_is_refused():
    value = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(NotPlainError):
        digest(holding(value))
