"""Texts that differ only behind a NUL, which some releases of pandas take for one, in every place that tells texts apart."""

from __future__ import annotations

import json

import pytest

SUITE = """\
dataset: {path: rows.jsonl, id: id, target: kind, cluster: CLUSTER}
model: {column: said, as: prediction}
slices:
  group: {by: group}
  second: group == "g\\0b"
metrics: [accuracy, count, "recall of k\\0b"]
expect:
  overall: {accuracy: {min: 0}}
"""


@pytest.fixture
def nul(project):
    texts = [("a", "a"), ("b", "b"), ("b", "a"), ("b", "b")]
    rows = [
        {"id": f"i\0{row}", "kind": f"k\0{kind}", "said": f"k\0{said}", "group": f"g\0{kind}", "user": f"u\0{row % 3}"}
        for row, (kind, said) in enumerate(texts * 10)
    ]
    project.write("rows.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    return project


def values(nul, cluster):
    nul.write("s.behave.yaml", SUITE.replace("CLUSTER", cluster))
    (suite,) = nul.record()["suites"]
    return suite, {(one["slice"], one["metric"]): one for one in (*suite["behaviors"], *suite["observed"])}


def test_labels_families_conditions_and_ids_are_told_apart(nul):
    suite, found = values(nul, "null")
    assert suite["rows"] == 40
    sizes = sorted(one["value"] for (slice_, metric), one in found.items() if slice_ != "overall" and metric == "count")
    assert sizes == [10, 30, 30]  # both members of the family, and the slice
    assert found["overall", "accuracy"]["value"] == pytest.approx(0.75)
    assert found["overall", "recall of k\0b"]["value"] == pytest.approx(2 / 3)


def test_clusters_are_told_apart(nul):
    _, found = values(nul, "user")
    assert found["overall", "accuracy"]["interval"] == "wilson, effective size"
    assert found["overall", "accuracy"]["low"] is not None
