"""Where, and in how many parts, a dataset is measured decides nothing: random suites are judged alike whole and in parts."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import reduce
from operator import add

import numpy as np
import pandas as pd
import pytest
import yaml

from pytest_behave.data import parts
from pytest_behave.engines.local import Local
from pytest_behave.evaluate import Extensions, Resources, prepare_file, run_suite
from pytest_behave.records import Run
from pytest_behave.report.record import run_to_json

SUITES = 40
SEEDS = range(SUITES)
METRICS = ("accuracy", "fpr", "recall", "precision", "f1", "mcc", "brier", "log_loss", "roc_auc", "ece")


class Threads(Local):
    """Measures four parts at a time."""

    def total(self, measure, parts, done):
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(measure, parts))
        for part in parts:
            done(part)
        return reduce(add, found)


def dataset(folder, rows, seed):
    generator = np.random.default_rng(seed)
    frame = pd.DataFrame({"id": [f"r{row}" for row in range(rows)], "y": generator.integers(0, 2, rows)})
    frame["group"] = generator.choice(list("abcd"), rows, p=[0.6, 0.3, 0.08, 0.02])
    frame["age"] = generator.integers(18, 80, rows)
    for name in ("old", "new"):
        score = np.clip(0.5 * frame["y"] + generator.normal(0.25, 0.25, rows), 0.01, 0.99)
        frame[name] = score.round(3)
    for number, part in enumerate((frame[: rows // 3], frame[rows // 3 :])):
        part.to_parquet(folder / f"d{number}.parquet", row_group_size=max(rows // 7, 1))


def suite(folder, seed):
    """Write a random suite: some metrics, slices, and bounds on what the model may lose."""
    pick = random.Random(seed)
    metrics = pick.sample(METRICS, 4)
    low, high = sorted(pick.sample(range(20, 78), 2))

    def bounds():
        return {
            metric: {"max_regression": pick.choice([0, 0, 0.005, 0.02, "1%"])} for metric in pick.sample(metrics, 2)
        }

    declared = {
        "dataset": {"path": "d*.parquet", "id": "id", "target": "y"},
        "models": {name: {"column": name, "as": "score", "threshold": 0.5} for name in ("old", "new")},
        "baseline": "old",
        "slices": {"group": {"by": "group"}, "middle": f"{low} <= age <= {high}", "wrong": "output != target"},
        "metrics": metrics,
        "expect": {name: bounds() for name in ("overall", "group", "middle", "wrong")},
    }
    declared["expect"]["group"].setdefault("accuracy" if "accuracy" in metrics else metrics[0], {})["max_gap"] = 0.1
    (folder / "s.behave.yaml").write_text(yaml.safe_dump(declared), encoding="utf-8")
    return folder / "s.behave.yaml"


def record(path, resources=None):
    prepared = prepare_file(path, Extensions(), resources)
    assert (prepared.parts is not None) == (resources is not None)
    run = run_suite(prepared, model="new", today="2027-01-01")
    return run_to_json(Run((replace(run, path="s"),)))


@pytest.mark.thorough
@pytest.mark.parametrize("seed", SEEDS)
def test_random_suites_are_judged_alike_whole_and_in_parts(tmp_path, monkeypatch, seed):
    monkeypatch.setattr(parts, "ROWS", 400)
    dataset(tmp_path, 3_000, seed)
    path = suite(tmp_path, seed)
    whole = record(path)
    assert whole["suites"][0]["behaviors"]
    assert record(path, Resources("threads", "1KB", lambda _name: Threads())) == whole


@pytest.mark.parametrize("rows", [100, 4_096, 4_097, 100_000])
def test_neither_do_sign_flips_depend_on_the_parts(tmp_path, monkeypatch, rows):
    monkeypatch.setattr(parts, "ROWS", max(rows // 9, 1))
    dataset(tmp_path, rows, 0)
    path = tmp_path / "s.behave.yaml"
    path.write_text(
        "dataset: {path: 'd*.parquet', id: id, target: y}\n"
        "models: {old: {column: old, as: score, threshold: 0.5}, new: {column: new, as: score, threshold: 0.5}}\n"
        "baseline: old\nslices: {group: {by: group}}\nmetrics: [brier, accuracy]\n"
        "expect: {overall: {brier: {max_regression: 0}, accuracy: {max_regression: 0}}, group: {brier: {max_regression: 0}}}\n",
        encoding="utf-8",
    )
    whole = record(path)
    assert {item["baseline"]["test"] for item in whole["suites"][0]["behaviors"]} >= {"sign-flip"}
    assert record(path, Resources(memory="1KB")) == whole


def test_neither_do_they_depend_on_the_order_of_the_rows(tmp_path):
    dataset(tmp_path, 3_000, 1)
    path = suite(tmp_path, 1)
    before = record(path)["suites"][0]["behaviors"]
    for part in tmp_path.glob("d*.parquet"):
        pd.read_parquet(part).sample(frac=1, random_state=1).to_parquet(part)
    after = record(path)["suites"][0]["behaviors"]
    for one, other in zip(before, after, strict=True):
        assert one["verdict"] == other["verdict"]
        if (
            one["baseline"]["p_adjusted"] is not None and one["baseline"]["test"] != "bootstrap"
        ):  # which draws rows by place
            assert one["baseline"]["p_adjusted"] == pytest.approx(other["baseline"]["p_adjusted"], rel=1e-6)
