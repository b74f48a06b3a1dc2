"""--behave-changed, through real runs: what is left out, what runs and why, and what is never taken for green."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
import time

import pytest

SUITE = """\
dataset: {path: rows.csv, id: id, target: target}
model: "model:predict"
metrics: [accuracy]
slices: {group: {by: group}}
expect:
  overall: {accuracy: {min: 0.5}}
  group: {accuracy: {min: 0.1}}
cases:
  - include: more/*.yaml
  - {id: one, input: {score: 0.9}, expect: {equals: 1}}
"""
FILES = {
    "s.behave.yaml": SUITE,
    "more/a.yaml": "- {id: two, input: {score: 0.1}, expect: {equals: 0}}\n",
    "model.py": "from helper import limit\n\ndef predict(df):\n    return (df['score'] > limit()).astype(int)\n",
    "helper.py": "from deeper import LIMIT\n\ndef limit():\n    return LIMIT\n",
    "deeper.py": "LIMIT = 0.35\n",
    "other.behave.yaml": "dataset: {path: rows.csv, target: target}\nmodel: {column: guess}\n"
    "metrics: [accuracy]\nexpect: {overall: {accuracy: {min: 0.5}}}\n",
}
NOT_RUN = "behave: s.behave.yaml not run: nothing changed since it was green on "
FAILED = "not everything passed on "


@pytest.fixture
def suites(project):
    """Give a project with two suites, older than the moment, as a project is."""
    for name, text in FILES.items():
        project.write(name, text)
    settle(project)
    return project


def settle(project):
    """Let all files be an hour old, each a little younger than those before."""
    settle.ticks += 1
    at = time.time() - 3600 + settle.ticks
    for path in project.path.rglob("*"):
        if path.is_file() and ".behave_cache" not in path.parts:
            os.utime(path, (at, at))


settle.ticks = 0


def run(project, *arguments):
    """Run with --behave-changed; return what became of the items, and the lines that are said by suite."""
    result = project.run("--behave-changed", *arguments)
    lines = [line.removeprefix("behave: ") for line in result.outlines if " runs: " in line or " not run: " in line]
    return outcomes(result), dict(line.split(" ", 1) for line in lines)


def outcomes(result):
    """Return what became of the items; pytest may warn that the plugin is imported already, where it is installed."""
    return {name: count for name, count in result.parseoutcomes().items() if name not in ("warning", "warnings")}


def reason(project, *arguments):
    """Run with --behave-changed; return why the first suite ran, None if it did not."""
    said = run(project, *arguments)[1]["s.behave.yaml"]
    return said.removeprefix("runs: ") if said.startswith("runs: ") else None


def today():
    return dt.date.today()  # noqa: DTZ011 - the user's own calendar


def test_the_day_that_is_told_is_that_of_the_run(suites):
    before = today()
    run(suites)
    days = {before.isoformat(), today().isoformat()}  # two if midnight came between
    told = run(suites)[1]["s.behave.yaml"]
    assert told in {f"not run: nothing changed since it was green on {day}" for day in days}


def test_a_suite_of_which_nothing_changed_is_not_run(suites):
    first = run(suites)
    assert first[0] == {"passed": 6}
    assert set(first[1].values()) == {"runs: it has not been green yet"}
    result = suites.run("--behave-changed", "--behave-report=json:record.json", "--behave-report=md:o.md")
    assert NOT_RUN in result.stdout.str()
    assert result.ret == 0
    assert json.loads((suites.path / "record.json").read_text())["suites"] == []
    assert "\n## ✅ Behaviors: 2 suites not run: nothing changed\n" in (suites.path / "o.md").read_text()
    # a plain run is one to go by as well, and leaves nothing out
    assert outcomes(suites.run()) == {"passed": 6}
    suites.write("rows.csv", (suites.path / "rows.csv").read_text() + "9,more,b,35,2026-04-12,0,0,0.3\n")
    assert outcomes(suites.run()) == {"passed": 6}
    assert run(suites)[0] == {}


EDITS = {
    "s.behave.yaml": ("0.5", "0.55", "s.behave.yaml changed"),
    "more/a.yaml": ("two", "three", "more/a.yaml changed"),
    "rows.csv": ("good day", "fine day", "data rows.csv changed"),
    "deeper.py": ("0.35", "0.36", "module deeper changed"),
    "conftest.py": ("1", "2", "module conftest changed"),
}


@pytest.mark.parametrize("name", EDITS)
def test_what_changed_runs_and_says_why(suites, name):
    old, new, expected = EDITS[name]
    suites.write("conftest.py", "ONE = 1\n")
    settle(suites)
    run(suites)
    path = suites.path / name
    text = path.read_text()
    settle(suites)  # touched, not changed
    assert reason(suites) is None
    path.write_text(text.replace(old, new, 1))
    assert reason(suites) == expected
    assert reason(suites) is None
    path.write_text(text)
    assert reason(suites) == expected


def test_an_edit_of_equal_length_and_time_is_seen_while_the_clock_may_not_tell(suites):
    path = suites.path / "rows.csv"
    os.utime(path)
    state = path.stat()
    time.sleep(0.02)
    run(suites)
    path.write_text(path.read_text().replace("good day", "fine day"))
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert reason(suites) == "data rows.csv changed"


def test_new_and_lost_files_run(suites):
    run(suites)
    path = suites.write("more/b.yaml", "- {id: three, input: {score: 0.1}, expect: {equals: 0}}\n")
    assert reason(suites) == "more/b.yaml is new"
    path.unlink()
    assert reason(suites) == "more/b.yaml is gone"
    suites.write("rows.csv", (suites.path / "rows.csv").read_text().replace("1,good", "0,good"))
    assert run(suites)[1] == dict.fromkeys(["s.behave.yaml", "other.behave.yaml"], "runs: data rows.csv changed")


def test_an_inherited_suite_counts(suites):
    suites.write("standard.yaml", "comparison: {alpha: 0.05}\n")
    suites.write("s.behave.yaml", f"extends: standard.yaml\n{SUITE}")
    settle(suites)
    run(suites)
    suites.write("standard.yaml", "comparison: {alpha: 0.04}\n")
    assert reason(suites) == "standard.yaml changed"


def test_accepting_a_baseline_runs_again(suites):
    suites.write("s.behave.yaml", SUITE.replace("{min: 0.5}", "{min: 0.5, max_regression: 0.3}"))
    assert "no-baseline" in str(suites.run("--behave-changed").outlines)
    suites.run("--behave-baseline=accept")
    settle(suites)
    assert reason(suites) == "it has not been green yet"
    assert reason(suites) is None
    suites.write("model.py", FILES["model.py"].replace("limit()", "0.65"))
    suites.run("--behave-baseline=accept")
    settle(suites)
    assert reason(suites) == "baseline baselines/s.json changed"
    assert reason(suites) is None


def test_failing_then_fixed(suites):
    run(suites)
    suites.write("model.py", FILES["model.py"].replace("limit()", "2"))
    outcome, said = run(suites)
    assert outcome["failed"] == 1
    assert said["s.behave.yaml"] == "runs: module model changed"
    assert said["other.behave.yaml"].startswith("not run: ")
    suites.write("model.py", FILES["model.py"])  # as it was when it was green; but since then it failed
    assert reason(suites).startswith(FAILED)
    assert reason(suites) is None


@pytest.mark.parametrize(
    "selection", [("-k", "overall"), ("-m", "behave and not x", "-k", "one"), ("--deselect=s.behave.yaml::cases::one",)]
)
def test_a_part_is_never_taken_for_the_whole(suites, selection):
    suites.run(*selection)
    assert reason(suites) == "it has not been green yet"
    assert reason(suites) is None
    # what is left out stays so, and an item that is asked for by name runs
    assert run(suites, "s.behave.yaml::cases::one")[0] == {"passed": 1}
    assert reason(suites) is None


def test_a_run_that_stops_early_is_never_green(suites):
    suites.write("a.behave.yaml", SUITE.replace("equals: 1", "equals: 0"))
    suites.write("test_z.py", "def test_z():\n    raise KeyboardInterrupt\n")
    suites.run("-x")
    assert reason(suites, "--deselect=test_z.py") == "it has not been green yet"
    (suites.path / ".behave_cache" / "green.json").unlink()
    with pytest.raises(KeyboardInterrupt):
        suites.run()
    assert reason(suites, "--deselect=test_z.py") == "it has not been green yet"


def test_setup_and_teardown_that_fail_are_no_green(suites):
    conftest = "import pytest\n\n@pytest.fixture(autouse=True)\ndef broken():\n    {}\n"
    for body in ("assert 0", "yield\n    assert 0", "pytest.skip()"):
        suites.write("conftest.py", conftest.format(body))
        run(suites)
        assert reason(suites).startswith(("it has not been green yet", FAILED))


def test_options_that_can_change_a_verdict_count(suites):
    run(suites)
    assert reason(suites, "--behave-strict") == "--behave-strict differs"
    assert reason(suites, "--behave-strict") is None
    assert reason(suites) == "--behave-strict differs"
    assert reason(suites, "-W", "default") == "filterwarnings differs"


@pytest.mark.parametrize("name", ["numpy", "python", "pytest_behave"])
def test_versions_count(suites, name):
    run(suites)
    path = suites.path / ".behave_cache" / "green.json"
    found = json.loads(path.read_text())
    for entry in found["suites"].values():
        entry["state"]["versions"][name] = "0.1"
    path.write_text(json.dumps(found))
    assert f"{name} is " in (reason(suites) or "") or name == "pytest_behave"
    path.write_text(path.read_text()[:-9])  # cut off
    assert reason(suites) == "it has not been green yet"


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("{plugin: mine}", "what model 'mine' depends on cannot be told: give the model a `fingerprint:` that"),
        ("{plugin: mine, fingerprint: one}", None),
        ("{predictions: rows.csv, prediction: guess}", None),
    ],
)
def test_a_model_that_cannot_be_told_always_runs(suites, model, expected):
    suites.write("s.behave.yaml", SUITE.replace('"model:predict"', model).replace("cases:", "").split("  - include")[0])
    suites.write("conftest.py", "def pytest_behave_model_source(spec):\n    return lambda rows: rows['guess']\n")
    settle(suites)
    run(suites)
    said = reason(suites)
    assert said is None if expected is None else said.startswith(expected)


def test_data_of_a_function_always_run(suites):
    suites.write("data.py", "import pandas as pd\n\ndef rows():\n    return pd.read_csv('rows.csv')\n")
    suites.write("s.behave.yaml", SUITE.replace("rows.csv", "data:rows"))
    run(suites)
    assert reason(suites) == "only calling data:rows tells its data"


def test_only_what_is_asked_for_is_told_of(suites):
    run(suites)
    suites.write("deeper.py", "LIMIT = 0.36\n")
    assert list(run(suites, "other.behave.yaml")[1]) == ["other.behave.yaml"]


def test_files_that_rows_name_count(suites):
    suites.write("notes/1.txt", "one")
    suites.write("rows.csv", (suites.path / "rows.csv").read_text().replace("good day", "notes/1.txt"))
    settle(suites)
    run(suites)
    assert reason(suites) is None
    suites.write("notes/1.txt", "two")
    assert reason(suites) == "file notes/1.txt changed"


def test_a_known_failure_that_ends_runs(suites):
    soon = (today() + dt.timedelta(days=2)).isoformat()
    known = f"{{min: 0.99, known_failure: {{reason: x, until: {soon}}}}}"
    suites.write("s.behave.yaml", SUITE.replace("{min: 0.5}", known))
    settle(suites)
    assert run(suites)[0]["xfailed"] == 1
    assert reason(suites) is None
    path = suites.path / ".behave_cache" / "green.json"
    path.write_text(path.read_text().replace(soon, "2026-01-01"))
    assert reason(suites) == "a known failure was accepted until 2026-01-01"


def test_edits_while_it_runs_are_not_taken_for_what_ran(suites):
    suites.write("model.py", f"{FILES['model.py']}    \nimport os\nos.utime('rows.csv')\n")
    settle(suites)
    run(suites)
    assert reason(suites) == "data rows.csv changed while it ran"


def test_suites_of_fixtures_always_run(project):
    project.write(
        "test_it.py",
        """\
        import pandas as pd

        def test_accuracy(behave):
            frame = pd.read_csv("rows.csv")
            suite = behave.suite(data=frame, id="id", target="target", model=lambda rows: rows["guess"])
            assert suite.overall.accuracy > 0.4
        """,
    )
    for _ in range(2):
        assert outcomes(project.run("--behave-changed")) == {"passed": 1}


def test_under_xdist_the_controller_remembers(suites):
    def processes(*arguments):
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", "--behave"]
        return subprocess.run(
            [*command, "--behave-changed", "-n2", *arguments],
            cwd=suites.path,
            capture_output=True,
            text=True,
            check=False,
        )

    first = processes()
    assert "6 passed" in first.stdout
    assert first.stdout.count("behave: s.behave.yaml runs: it has not been green yet") == 1
    done = processes("--behave-report=md:o.md")
    assert done.returncode == 0
    assert "\n## ✅ Behaviors: 2 suites not run: nothing changed\n" in (suites.path / "o.md").read_text()
    assert done.stdout.count(NOT_RUN) == 1
    suites.write("deeper.py", "LIMIT = 2\n")
    assert "behave: s.behave.yaml runs: module deeper changed" in processes().stdout
    suites.write("deeper.py", FILES["deeper.py"])
    assert reason(suites).startswith(FAILED)


def test_a_suite_that_is_left_out_costs_nothing(suites):
    run(suites)
    program = "import pytest, sys; pytest.main(['-p', 'no:hypothesispytest', '--behave', '--behave-changed']);"
    program += (
        "print('LOADED', {'numpy', 'pandas', 'yaml', 'pydantic', 'pyarrow', 'scipy', 'model'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=suites.path, capture_output=True, text=True, check=False)
    assert NOT_RUN in done.stdout
    assert "LOADED set()" in done.stdout
