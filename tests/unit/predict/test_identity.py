"""Which declarations mean the same model."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_behave.predict.identity import Identity, identity_of
from pytest_behave.records import ModelSpec


@pytest.fixture
def specs(tmp_path):
    (tmp_path / "m.skops").write_bytes(b"fitted")
    (tmp_path / "m.py").write_text("def f(rows): return rows\n")
    estimator = ModelSpec("e", "estimator", str(tmp_path / "m.skops"), features=("a", "b"))
    return estimator, ModelSpec("p", "python", "m:f"), ModelSpec("s", "plugin", "service", options={"region": "eu"})


SAME = [{"name": "other"}, {"threshold": 0.1}, {"batch_size": 3}]
OTHER = [
    {"location": "m:g"},
    {"options": {"a": 1}},
    {"features": ("b", "a")},
    {"fingerprint": "1"},
    {"fingerprint": ""},
]


def test_what_changes_no_output_is_the_same_model(specs, tmp_path):
    for spec in specs[:2]:
        keys = {identity_of(replace(spec, **change), tmp_path).key for change in [{}, *SAME]}
        assert len(keys) == 1
        assert all(len(key) == 32 for key in keys)


def test_what_may_change_outputs_is_another_model(specs, tmp_path):
    python = specs[1]
    keys = {identity_of(replace(python, **change), tmp_path).key for change in [{}, *OTHER]}
    assert len(keys) == 1 + len(OTHER)
    estimator = specs[0]
    swapped = replace(estimator, features=("b", "a"))
    assert identity_of(estimator, tmp_path) != identity_of(swapped, tmp_path)


def test_a_source_that_cannot_be_told_needs_a_fingerprint(specs, tmp_path):
    plugin = specs[2]
    assert identity_of(plugin, tmp_path).key == ""
    assert "give the model a `fingerprint:`" in identity_of(plugin, tmp_path).reason
    assert identity_of(replace(plugin, fingerprint="1"), tmp_path).key


@pytest.mark.parametrize("kind", ["predictions", "column"])
def test_what_is_read_each_time_is_not_kept_and_that_is_not_worth_saying(kind, tmp_path):
    assert identity_of(ModelSpec("a", kind, "a", fingerprint="1"), tmp_path) == Identity()


def test_a_file_that_is_gone_is_left_to_the_error_of_opening_it(tmp_path):
    assert identity_of(ModelSpec("a", "estimator", str(tmp_path / "gone.skops")), tmp_path) == Identity()
