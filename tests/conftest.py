"""Fixtures that build tiny projects."""

from __future__ import annotations

import contextlib
import json
import textwrap

# pytester forgets what a run in this process imported; these cannot be imported twice
import numpy as np  # noqa: F401
import pandas as pd  # noqa: F401
import pandas.core.arrays.arrow.extension_types  # noqa: F401
import pyarrow.parquet  # noqa: F401
import pytest
import scipy.special  # noqa: F401
from hypothesis import settings

import pytest_behave.evaluate  # noqa: F401

with contextlib.suppress(ImportError):  # it takes the place of the finder of installed packages, and comes with dask
    import importlib_metadata  # noqa: F401

with contextlib.suppress(ImportError):  # only with the extra `http`
    import httpcore  # noqa: F401
    import httpx  # noqa: F401

pytest_plugins = ["pytester"]

# the same examples everywhere, however slow or busy the machine is
settings.register_profile("steady", derandomize=True, deadline=None, database=None)
settings.load_profile("steady")

ROWS = """\
id,text,group,age,when,target,guess,score
1,good day,a,20,2026-01-05,1,1,0.9
2,bad day,a,30,2026-01-06,0,0,0.2
3,fine,a,40,2026-02-07,1,0,0.4
4,what?,a,50,2026-02-08,0,1,0.7
5,good,b,60,2026-03-09,1,1,0.8
6,bad,b,,2026-03-10,0,0,0.1
7,ok,b,25,2026-04-11,1,1,0.6
8,no,b,35,2026-04-12,0,0,0.3
"""
SUITE = """\
dataset: {path: rows.csv, id: id, target: target}
model: {column: guess, as: prediction}
slices:
  group: {by: group}
metrics: [accuracy]
expect:
  overall: {accuracy: {min: 0.5}}
"""


class Project:
    """A folder with rows.csv and suites; runs pytest in it."""

    def __init__(self, pytester):
        self.pytester = pytester
        self.path = pytester.path
        self.write("rows.csv", ROWS)

    def write(self, name, text):
        """Write a file, dedented."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    def run(self, *arguments):
        """Run pytest --behave in this process."""
        # hypothesis' own plugin takes a second to import, in every run
        return self.pytester.runpytest_inprocess("-p", "no:hypothesispytest", "--behave", *arguments)

    def record(self, *arguments):
        """Run pytest --behave and return the run record."""
        self.run("--behave-report=json:record.json", *arguments)
        return json.loads((self.path / "record.json").read_text(encoding="utf-8"))

    def behaviors(self, *arguments):
        """Run and return the behaviors of the first suite by (slice, metric)."""
        (suite, *_) = self.record(*arguments)["suites"]
        return {(item["slice"], item["metric"]): item for item in suite["behaviors"]}


@pytest.fixture
def project(pytester, monkeypatch):
    """Give a project, away from the environment of a CI job."""
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)
    return Project(pytester)
