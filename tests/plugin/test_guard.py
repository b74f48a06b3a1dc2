"""Whatever code of the user does ends in one sentence for its suite: other suites go on, and nothing is lost."""

from __future__ import annotations

import importlib.util
import io
import os
import re
import stat
import time
import zipfile
from pathlib import Path

import pytest

from pytest_behave.cli import main
from tests.conftest import SUITE

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
CODE = """\
import sys
import numpy as np
import pandas as pd
import pytest


class Odd(Exception):
    def __str__(self):
        sys.exit(0)
    __repr__ = __bool__ = __len__ = __float__ = __eq__ = __hash__ = __str__


def act(frame=None):
    {act}


def rows():
    act()
    return pd.DataFrame({{"id": [1, 2], "target": [0, 1], "guess": [0, 1]}})


def length(frame):
    act(frame)
    return frame["text"].str.len()


def cost(frame):
    act(frame)
    return 1.0


def check(row):
    act()
    return True


def predict(frame):
    act(frame)
    return frame["guess"]


def returned(frame=None):
    size = 8 if frame is None else len(frame)
    return {returned}
"""
RAISED = {
    "exits": ("sys.exit(0)", "SystemExit: 0"),
    "skips": ("pytest.skip('not today')", "Skipped: not today"),
    "fails": ("pytest.fail('no good')", "Failed: no good"),
    "ends the session": ("pytest.exit('enough')", "Exit: enough"),
    "says nothing": ("raise ValueError", "ValueError (mine.py:14)"),
    "cannot be shown": ("raise Odd", "Odd: <Odd that cannot be written>"),
    "is no error": ("raise BaseException('x')", "BaseException: x"),
    "stops a generator": ("raise StopIteration('x')", "StopIteration: x"),
    "never ends": ("return act(frame)", "RecursionError: maximum recursion depth exceeded"),
}
MODEL = "model: {column: guess, as: prediction}"
DATASET = "{path: rows.csv, id: id, target: target}"
CASE = "cases: [{id: c, input: {guess: 1}, expect: {python: 'mine:check'}}]\n"
PLACES = {
    "dataset": SUITE.replace(DATASET, "{path: 'mine:rows', id: id, target: target}").replace(
        "group: {by: group}", "a: id > 0"
    ),
    "metadata": SUITE.replace("slices:", "metadata: {long: {python: 'mine:length'}}\nslices:\n  l: long > 1"),
    "metric": SUITE.replace("[accuracy]", "[accuracy, {name: cost, python: 'mine:cost'}]").replace(
        "overall: {", "overall: {cost: {max: 2}, "
    ),
    "check": SUITE + CASE,
    "model": SUITE.replace(MODEL, "model: 'mine:predict'"),
}
KNOWN_BEFORE_A_MODEL_RUNS = ("dataset", "metadata")


@pytest.fixture
def two(project):
    """Give a project with a suite to spoil, ``s``, and one that is good, ``t``."""
    project.write("t.behave.yaml", SUITE)
    return project


def code(project, act="pass", returned="None"):
    """Write the module that suites name."""
    (project.path / "mine.py").write_text(CODE.format(act=act, returned=returned), encoding="utf-8")


def failed_run(project, *arguments):
    """Run both suites: the good one passes, the other does not, and says so; return what pytest printed."""
    result = project.run("--continue-on-collection-errors", *arguments)
    shown = result.stdout.str()
    assert "INTERNALERROR" not in shown + result.stderr.str()
    outcomes = result.parseoutcomes()
    assert outcomes["passed"] >= 1
    assert outcomes.get("failed", 0) + outcomes.get("error", 0) + outcomes.get("errors", 0) >= 1
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "Traceback" not in shown
    return shown


@pytest.mark.parametrize(
    ("where", "how"),
    [
        *(("dataset", how) for how in RAISED),
        *(
            (where, how)
            for where in ("metadata", "metric", "check", "model")
            for how in ("exits", "skips", "cannot be shown")
        ),
    ],
)
def test_a_function_that_raises_is_one_sentence_with_its_line(two, capsys, where, how):
    act, said = RAISED[how]
    code(two, act)
    path = two.write("s.behave.yaml", PLACES[where])
    shown = " ".join(failed_run(two).split())
    assert said in shown
    assert "(mine.py:14)" in shown
    if where in KNOWN_BEFORE_A_MODEL_RUNS:
        assert main(["lint", str(path), str(two.path / "t.behave.yaml")]) == 4
        output = capsys.readouterr()
        assert said in output.err
        assert "1 behavior" in output.out  # the other suite is checked all the same


@pytest.mark.parametrize("how", ["exits", "skips", "cannot be shown"])
@pytest.mark.parametrize("where", ["python: mine\n", "model"])
def test_a_module_that_raises_when_it_is_imported_is_one_sentence(two, capsys, where, how):
    act, said = RAISED[how]
    code(two)
    with (two.path / "mine.py").open("a", encoding="utf-8") as file:
        file.write(f"\n{act}\n")
    path = two.write("s.behave.yaml", PLACES["model"] if where == "model" else where + SUITE)
    shown = failed_run(two)
    assert f"module 'mine' cannot be imported: {said}" in shown
    if where != "model":
        assert main(["lint", str(path)]) == 4
        assert said in capsys.readouterr().err


@pytest.mark.parametrize("how", ["exits", "cannot be shown"])
@pytest.mark.parametrize("hook", ["metrics(config)", "read_dataset(source)", "model_source(spec)"])
def test_a_hook_that_raises_is_one_sentence_for_each_suite(two, hook, how):
    act, said = RAISED[how]
    code(two)
    two.write("conftest.py", f"import sys, pytest\nfrom mine import Odd\ndef pytest_behave_{hook}:\n    {act}\n")
    two.write("conftest.py", two.path.joinpath("conftest.py").read_text().replace("from mine import Odd", ODD))
    two.write("s.behave.yaml", SUITE.replace(MODEL, "model: {plugin: own}"))
    result = two.run("--continue-on-collection-errors")
    assert "INTERNALERROR" not in result.stdout.str()
    assert result.ret != 0
    assert said in result.stdout.str()
    assert "(conftest.py:" in result.stdout.str()


ODD = """\
class Odd(Exception):
    def __str__(self):
        sys.exit(0)
"""


def test_a_conftest_that_exits_is_told_by_lint(two, capsys):
    two.write("conftest.py", "import sys\nsys.exit(0)\n")
    assert main(["lint", str(two.path / "t.behave.yaml")]) == 4
    assert "conftest.py cannot be imported: SystemExit: 0 (conftest.py:2)" in capsys.readouterr().err


def test_a_report_format_that_raises_or_gives_no_text_leaves_the_verdicts(two):
    two.write(
        "conftest.py",
        """\
        import sys
        def pytest_behave_report_formats():
            return {"own": lambda run: sys.exit(0), "none": lambda run: None}
        """,
    )
    result = two.run("--behave-report=own:o", "--behave-report=none:n")
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "the report format 'own' raised SystemExit: 0 (conftest.py:3)" in result.stdout.str()
    assert "the report format 'none' gives NoneType, not text" in result.stdout.str()
    assert not (two.path / "o").exists()


@pytest.mark.parametrize(
    ("where", "returned", "said"),
    [
        ("model", "Odd()", ""),
        ("model", "[Odd()] * size", ""),
        ("model", "pd.DataFrame([[1, 1]] * size, columns=['prediction', 'prediction'])", "more than one column 'prediction'"),
        ("model", "pd.DataFrame([[1, 1]] * size, columns=['prediction', None])", None),
        ("model", "pd.DataFrame([[1, 1]] * size, columns=[None, ('a', 'b')])", "without `prediction`"),
        ("model", "pd.DataFrame([[1, 1]] * size, columns=['prediction', ('a', 1)])", None),
        ("model", "pd.DataFrame([[1, 1]] * size, columns=['prediction', 7])", None),
        ("model", "pd.DataFrame([[1, 1]] * size, columns=pd.MultiIndex.from_tuples([('a', 1), ('a', 2)]))", "without"),
        ("model", "pd.DataFrame({'prediction': 1, 'embedding': [[1, 2]] * (size - 1) + [[1]]})", "ValueError"),
        ("model", "pd.DataFrame({'prediction': frame['guess'], 'score': np.inf})", "an infinite score for 8 instances"),
        ("model", "np.where(frame['id'] == 3, np.inf, 1.0)", "an infinite prediction for 1 instance, the first is '3'"),
        ("model", "pd.Series([1, 0] * 3 + [float('-inf'), 0], dtype=object)", "the first is '7'"),
        ("model", "pd.DataFrame({'prediction': frame['guess'], 'proba:0': .5, 'proba:1': np.inf})", "infinite proba:1"),
        ("metric", "Odd()", "SystemExit"),
        ("metric", "[Odd()] * size", "SystemExit"),
        ("metric", "None", "gives no finite number"),
        ("metric", "float('nan')", "gives no finite number"),
        ("metric", "float('inf')", "gives no finite number"),
        ("metric", "float('-inf')", "gives no finite number"),
        ("metric", "[float('nan')] * size", "gives no finite number"),
        ("metric", "[1.0] * (size - 1) + [float('-inf')]", "gives no finite number"),
        ("check", "Odd()", "SystemExit"),
        ("check", "''", "mine:returned says no"),
        ("check", "float('nan')", "mine:returned says no"),
        ("metadata", "Odd()", "returned Odd values for 8 rows"),
        ("metadata", "[Odd()] * size", ""),
        ("metadata", "pd.DataFrame({'a': [1] * size})", "returned 8 values"),
        ("metadata", "None", "returned NoneType values"),
        ("dataset", "Odd()", "Odd, not a pandas DataFrame"),
        ("dataset", "pd.DataFrame([[1, 1, 1]] * size, columns=['id', 'id', 'target'])", "more than one column 'id'"),
        ("dataset", "pd.DataFrame({'id': range(size), 'target': [Odd()] * size, 'guess': 0})", ""),
        ("dataset", "pd.DataFrame({'id': range(1, 9), 'target': 0, 'guess': 0, 'x': [Odd()] * size})", None),
        ("model", "pd.DataFrame({'prediction': frame['guess'], 'x': [Odd()] * size})", None),
        ("dataset", "pd.DataFrame({'id': range(size), 'target': 0, Odd: 1})", None),
    ],
)  # fmt: skip
def test_an_odd_answer_is_one_sentence_or_is_taken_as_it_is(two, where, returned, said):
    code(two, returned=returned)
    function = {"dataset": "rows", "metadata": "length", "metric": "cost", "check": "check", "model": "predict"}[where]
    two.write("s.behave.yaml", PLACES[where].replace(f"mine:{function}", "mine:returned"))
    if said is None:
        assert "INTERNALERROR" not in two.run("--continue-on-collection-errors").stdout.str()
        return
    assert said in " ".join(failed_run(two).split())


@pytest.mark.parametrize("metric", ["latency", "cost"])
def test_an_infinite_latency_or_cost_is_violated(two, metric):
    frame = f"pd.DataFrame({{'prediction': frame['guess'], '{metric}': np.where(frame['id'] == 3, np.inf, 1.0)}})"
    code(two, returned=frame)
    text = PLACES["model"].replace("predict", "returned").replace("[accuracy]", f"[accuracy, {metric}]")
    two.write("s.behave.yaml", text.replace("overall: {", f"overall: {{{metric}: {{max: 5}}, "))
    found = two.behaviors("s.behave.yaml")["overall", metric]
    assert (found["verdict"], found["value"]) == ("violated", None)
    assert "infinite values" in found["reason"]


def test_an_infinite_prediction_of_a_regression_names_its_row(two):
    rows = "id,y,p\n" + "".join(f"{row},{row / 7},{'inf' if row == 4 else row / 7}\n" for row in range(20))
    two.write("numbers.csv", rows)
    text = "dataset: {path: numbers.csv, id: id, target: y}\nmodel: {column: p}\nmetrics: [mae]\n"
    two.write("s.behave.yaml", text + "expect: {overall: {mae: {max: 1}}}\n")
    assert "an infinite prediction for 1 instance, the first is '4'" in failed_run(two)


# --- files --------------------------------------------------------------------------------------------------------


def zipped(name):
    """Return a zip file that is no estimator."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        file.writestr(name, "{}")
    return data.getvalue()


@pytest.mark.skipif(importlib.util.find_spec("skops") is None, reason="needs the extra `sklearn`")
def test_a_broken_estimator_is_one_sentence(two):
    for number, content in enumerate([b"", b"PK\x03\x04cut", zipped("other.txt"), zipped("schema.json")]):
        (two.path / f"m{number}.skops").write_bytes(content)
        two.write(f"s{number}.behave.yaml", SUITE.replace(MODEL, f"model: {{estimator: m{number}.skops}}"))
    shown = failed_run(two)
    assert [number for number in range(4) if f"m{number}.skops cannot be loaded: " not in shown] == []


NAMING = {
    "m.skops": SUITE.replace(MODEL, "model: {estimator: m.skops}"),
    "m.joblib": SUITE.replace(MODEL, "model: {estimator: m.joblib, allow_pickle: true}"),
    "d.csv": SUITE.replace("rows.csv", "d.csv"),
    "d.tsv": SUITE.replace("rows.csv", "d.tsv"),
    "d.jsonl": SUITE.replace("rows.csv", "d.jsonl"),
    "d.parquet": SUITE.replace("rows.csv", "d.parquet"),
    "p.csv": SUITE.replace(MODEL, "model: {predictions: p.csv, prediction: guess}"),
    "p.parquet": SUITE.replace(MODEL, "model: {predictions: p.parquet, prediction: guess}"),
    "cases.yaml": f"{SUITE}cases: [{{include: cases.yaml}}]\n",
    "standard.yaml": f"extends: standard.yaml\n{SUITE}",
}


def test_every_file_left_in_git_lfs_says_what_to_run(two):
    two.write("s.behave.yaml", POINTER)
    for name, text in NAMING.items():
        two.write(name, POINTER)
        two.write(f"{name}.behave.yaml", text)
    shown = failed_run(two)
    said = "is a git LFS pointer: run `git lfs pull`"
    assert [name for name in ("s.behave.yaml", *NAMING) if f"{name} {said}" not in shown] == []


def test_a_pipe_in_place_of_a_file_is_not_waited_for(two):
    for name, text in NAMING.items():
        os.mkfifo(two.path / name)
        two.write(f"{name}.behave.yaml", text)
    shown = failed_run(two)
    assert [name for name in NAMING if f"{name} is a pipe or a device, not a file" not in shown] == []


def test_a_run_record_left_in_git_lfs_says_what_to_run(two, capsys):
    path = two.write("a.json", POINTER)
    assert main(["diff", str(path), str(path)]) == 4
    assert "a.json is a git LFS pointer: run `git lfs pull`" in capsys.readouterr().err


# --- metadata of metadata -----------------------------------------------------------------------------------------


def with_metadata(*declared):
    """Return a suite with derived columns, the last of which makes a slice."""
    lines = "".join(f"  {line}\n" for line in declared)
    name = declared[-1].partition(":")[0]
    return SUITE.replace("slices:", f"metadata:\n{lines}slices:\n  s: {name} > 1")


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        (["age: age / 2"], "4: metadata 'age' is defined by itself"),
        (["a: b + 1", "b: a + 1"], "4: metadata 'a' is defined by itself, through 'b'"),
        (["a: age", "b: c + a", "c: d + 1", "d: b"], "5: metadata 'b' is defined by itself, through 'c', 'd'"),
        (
            ["a: {column: b, edges: [1]}", "b: {column: a, edges: [1]}"],
            "4: metadata 'a' is defined by itself, through 'b'",
        ),
        (
            [f"m{n}: m{(n + 1) % 900} + 1" for n in range(900)],
            "4: metadata 'm0' is defined by itself, through 'm1', 'm2', 'm3', ...",
        ),
    ],
    ids=["a column", "two", "a ring behind others", "bins", "900"],
)
def test_metadata_that_is_defined_by_itself_is_told_with_its_place(two, capsys, declared, said):
    path = two.write("s.behave.yaml", with_metadata(*declared))
    line, _, said = said.partition(": ")
    told = re.compile(rf"s.behave.yaml:{line}:\d+: {re.escape(said)}")
    assert told.search(failed_run(two))
    assert main(["lint", str(path)]) == 4
    assert told.search(capsys.readouterr().err)


@pytest.mark.parametrize(
    "declared",
    [
        ["m0: age", *(f"m{n}: m{n - 1} + 1" for n in range(1, 900))],
        [*(f"m{n}: m{n - 1} + 1" for n in range(899, 0, -1)), "m0: age", "last: m899"],
        ["m0: age / 1e9", *(f"m{n}: m{n - 1} + m{n - 1}" for n in range(1, 60))],
    ],
    ids=["900", "900 backwards", "doubling"],
)
def test_a_long_chain_of_metadata_is_computed_in_linear_time(two, declared):
    two.write("s.behave.yaml", with_metadata(*declared))
    started = time.perf_counter()
    assert two.run("s.behave.yaml").ret == 0
    assert time.perf_counter() - started < 20  # a chain that doubles took 2^60 steps


# --- what cannot be written ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["rows.csv/o.json", "folder", "/dev/full", "n" * 300])
def test_a_report_that_cannot_be_written_leaves_the_verdicts_and_the_other_reports(two, path):
    (two.path / "folder").mkdir()
    result = two.run(f"--behave-report=json:{path}", "--behave-report=md:o.md")
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"ERROR: --behave-report=json:{path} cannot be written: " in result.stdout.str().replace("\n", "")
    assert (two.path / "o.md").exists()
    assert [item.name for item in two.path.rglob("*.unfinished")] == []


@pytest.mark.parametrize("name", ["rows.csv/summary.md", "folder", "/dev/full"])
def test_a_step_summary_that_cannot_be_written_leaves_the_verdicts(two, monkeypatch, name):
    (two.path / "folder").mkdir()
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(two.path / name))
    result = two.run()
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "ERROR: GITHUB_STEP_SUMMARY cannot be written: " in result.stdout.str()


def test_failing_behaviors_are_worse_than_a_report_that_cannot_be_written(two):
    two.write("s.behave.yaml", SUITE.replace("0.5", "0.99"))
    assert two.run("--behave-report=json:/dev/full").ret == pytest.ExitCode.TESTS_FAILED


@pytest.mark.parametrize("cache", ["rows.csv", "rows.csv/cache", "/dev/null", "/dev/null/cache", "n" * 300])
def test_a_cache_that_cannot_be_written_leaves_the_verdicts(two, cache):
    code(two)
    two.write("s.behave.yaml", PLACES["model"])
    result = two.run(f"--behave-cache={cache}")
    result.assert_outcomes(passed=2)
    assert "INTERNALERROR" not in result.stdout.str()
    assert "cannot be written (" in result.stdout.str()


def test_a_report_is_written_through_a_link_and_keeps_the_mode_of_the_file(two):
    folder = two.path / "kept"
    folder.mkdir()
    target, link = folder / "o.json", two.path / "o.json"
    target.write_text("before")
    target.chmod(0o600)
    link.symlink_to(target)
    assert two.run("--behave-report=json:o.json").ret == 0
    assert link.is_symlink()
    assert target.read_text().startswith('{\n "format"')
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert list(folder.iterdir()) == [target]


def test_a_report_is_written_into_a_pipe_and_a_device(two):
    pipe = two.path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    result = two.run(f"--behave-report=gitlab:{pipe}", "--behave-report=json:/dev/null")
    assert result.ret == 0
    assert os.read(reader, 100) == b"[]\n"
    os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert not Path("/dev/null").is_file()
