"""A run in parts that was killed goes on where it stopped, here or on workers, and says once what it knew."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from pytest_behave.data import parts
from tests.plugin.test_parts import differences

ROWS = 4_000
MODEL = """
    import os
    from pathlib import Path

    def path(name):
        return Path(__file__).parent / (name + ".log")  # computed: what the model writes is no part of it

    def new(frame):
        dies_at = path("dies").read_text() if path("dies").exists() else None
        if dies_at in set(frame["id"]):
            path("dies").unlink()
            os._exit(1)
        with path("new").open("a") as log:
            log.write("".join(f"{name}\\n" for name in frame["id"]))
        assert not (path("fails").exists() and int(frame["id"].iloc[-1][1:]) >= 2_400), "no such thing"
        return frame["p"].to_numpy()

    def old(frame):
        with path("old").open("a") as log:
            log.write("".join(f"{name}\\n" for name in frame["id"]))
        return frame["q"].to_numpy()
"""
SUITE = """
    dataset: {path: "d*.parquet", id: id, target: y}
    models: {old: "m:old", new: "m:new"}
    baseline: old
    slices: {region: {by: region}}
    metrics: [accuracy, brier]
    expect:
      overall: {accuracy: {min: 0.5, max_regression: 0.5}, brier: {max: 0.4}}
      region: {accuracy: {min: 0.5}}
"""
ELSEWHERE = """
    import os, shutil
    from pathlib import Path
    from pytest_behave.engines.testing import Shuffled

    class Elsewhere(Shuffled):
        def __init__(self, name):
            super().__init__(1)
            self.name = name

        def total(self, measure, parts, done):
            if type(measure).__name__ != "MeasurePart":
                return super().total(measure, parts, done)
            cache = Path(__file__).parent / ".behave_cache"
            if self.name == "nofolder":
                shutil.rmtree(cache)
            if self.name == "othercode":
                os.environ["LEVEL"] = "2"
            if self.name == "nowriting":
                for folder in cache.glob("????????????????????*"):
                    shutil.rmtree(folder)
                    folder.write_text("")
            return super().total(measure, parts, done)

    def pytest_behave_engine(name):
        return Elsewhere(name) if name in ("shuffled", "nofolder", "othercode", "nowriting") else None
"""
PARTLY = "--behave-memory=1KB"
OFF = "--behave-cache=off"


@pytest.fixture
def rows(project, monkeypatch):
    """A dataset of ten parts."""
    monkeypatch.setattr(parts, "ROWS", 400)
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"id": [f"r{row}" for row in range(ROWS)], "y": random.integers(0, 2, ROWS)})
    frame["region"] = random.choice(["north", "south"], ROWS)
    for name, weight in (("p", 0.6), ("q", 0.5)):
        frame[name] = np.clip(weight * frame["y"] + random.normal(0.2, 0.2, ROWS), 0.01, 0.99).round(3)
    for number, part in enumerate((frame[:2_000], frame[2_000:])):
        part.to_parquet(project.path / f"d{number}.parquet", row_group_size=400)
    project.write("m.py", MODEL)
    project.write("s.behave.yaml", SUITE)
    return project


def taken(project, name):
    """Return the ids that a model was given since this was asked last."""
    path = project.path / f"{name}.log"
    found = path.read_text().split() if path.exists() else []
    path.unlink(missing_ok=True)
    return found


def said(result):
    return [line.removeprefix("behave: s: ") for line in result.outlines if line.startswith("behave: s: ")]


def outcome(project, *options):
    """Return the record of a run and what the summary said of the suite."""
    result = project.run("--behave-report=json:record.json", *options)
    return json.loads((project.path / "record.json").read_text()), said(result)


def resumes(project, *engine):
    """Run three times, the first one stopped; check that each row is predicted once, and return all that was said."""
    expected, _ = outcome(project, PARTLY, OFF)
    taken(project, "old"), taken(project, "new")
    (project.path / "fails.log").touch()
    failed, first = outcome(project, *engine)
    assert "no such thing" in failed["suites"][0]["behaviors"][0]["reason"]
    known = {name: set(taken(project, name)) for name in ("old", "new")}
    known["new"] -= {f"r{row}" for row in range(2_400, ROWS)}
    assert len(known["new"]) >= 400
    (project.path / "fails.log").unlink()
    if PARTLY not in engine:
        (project.path / "dies.log").write_text("r2900")
    record, second = outcome(project, *engine)
    assert list(differences(expected, record)) == []
    assert not (project.path / "dies.log").exists()
    after = {name: taken(project, name) for name in ("old", "new")}
    for name in ("old", "new"):
        assert len(after[name]) == len(set(after[name])), name
        assert not known[name] & set(after[name])
        assert len(known[name]) + len(after[name]) == ROWS
    record, third = outcome(project, *engine)
    assert list(differences(expected, record)) == []
    assert (taken(project, "old"), taken(project, "new")) == ([], [])
    return known, first, second, third


def test_a_run_in_parts_resumes_and_says_so_once(rows):
    known, first, second, third = resumes(rows, PARTLY)
    assert {name: len(ids) for name, ids in known.items()} == {"old": 2_800, "new": 2_400}
    assert first == third == []
    assert second == [f"resumed: {count} of 4,000 rows from the cache" for count in ("2,400", "2,800")]


def test_workers_resume_and_say_so_once(rows):
    distributed = pytest.importorskip("distributed", reason="needs the extra `dask`")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        known, first, second, third = resumes(rows, f"--behave-engine=dask:{cluster.scheduler_address}")
    assert first == third == []
    # parts that the worker had finished, which died, are known when they are measured again
    counts = [int(line.split()[1].replace(",", "")) for line in second if line.startswith("resumed: ")]
    assert len(counts) == len(second) > 0
    assert len(known["new"]) <= min(counts) <= max(counts) < ROWS


SAID = {  # some parts are measured twice: the outputs for these are known by then
    "shuffled": ["resumed: 2,400 of 4,000 rows from the cache"],
    "nofolder": ["workers keep no outputs, as they have no folder "],
    "othercode": [
        f"model {name!r} is not cached: workers see other code, files or versions than the process that runs pytest"
        for name in ("new", "old")
    ],
    "nowriting": ["the cache cannot be written (", "resumed: 2,400"],  # the baseline's can be
}


def test_what_workers_have_to_say_is_said_once(rows, monkeypatch):
    rows.write("conftest.py", ELSEWHERE)
    expected = None
    for engine, sentences in SAID.items():
        monkeypatch.setenv("LEVEL", "1")
        rows.write("m.py", f"{MODEL}\n    LEVEL = os.environ['LEVEL']  # {engine}\n")
        record, lines = outcome(rows, f"--behave-engine={engine}")
        expected = expected or record["suites"][0]["behaviors"]
        assert list(differences(expected, record["suites"][0]["behaviors"])) == []
        assert set(taken(rows, "new")) == {f"r{row}" for row in range(ROWS)}
        assert len(lines) == len(sentences), lines
        assert all(line.startswith(sentence) for line, sentence in zip(lines, sentences, strict=True)), lines
