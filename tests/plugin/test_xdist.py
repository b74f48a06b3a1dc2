"""Several processes: the same results, and each model run once."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import pytest

from tests.conftest import SUITE

MODEL = """\
import os, pandas as pd

def predict(df):
    with open("calls.txt", "a") as calls:
        calls.write(f"{os.getpid()} {len(df)}\\n")
    return pd.DataFrame({"prediction": df["guess"], "score": df["score"] / 3, "mood": df["text"].str[:1], "mixed": [1, "a"] * (len(df) // 2)})
"""
SLICES = "slices:\n" + "".join(f"  s{n}: age > {n}\n" for n in range(1, 20))
EXPECT = "expect:\n" + "".join(
    f"  s{n}: {{accuracy: {{min: 0.5}}, roc_auc: {{min: 0.99}}, worst: {{max: 1}}}}\n" for n in range(1, 20)
)
TEXT = (
    "dataset: {path: rows.csv, id: id, target: target}\nmodel: model:predict\n"
    + SLICES
    + "  mood: {by: mood}\n"
    + "metrics: [accuracy, roc_auc, {name: worst, python: 'model:worst', better: lower}]\n"
    + EXPECT
    + "cases:\n"
    + "".join(
        f"  - {{id: c{n}, input: {{guess: {n % 2}, score: 0.3, text: ab}}, expect: {{label: 1}}}}\n" for n in range(4)
    )
)


@pytest.fixture
def suite(project):
    project.write("model.py", MODEL + "\ndef worst(df):\n    return float(df['score'].max())\n")
    project.write("s.behave.yaml", TEXT)
    return project


def run(project, *arguments):
    for name in ("o.json", "o.md", "calls.txt"):
        (project.path / name).unlink(missing_ok=True)
    arguments = ("--behave-report=json:o.json", "--behave-report=md:o.md", *arguments)
    result = project.pytester.runpytest_subprocess("--behave", "-p", "no:hypothesispytest", *arguments)
    made = project.path / "calls.txt"
    calls = made.read_text().splitlines() if made.exists() else []
    return result, (project.path / "o.json").read_bytes(), (project.path / "o.md").read_bytes(), calls


@pytest.mark.parametrize("caches", [("one", "two"), ("off", "off")])
def test_results_are_the_same_byte_for_byte_and_the_model_runs_once(suite, caches):
    alone, json_alone, md_alone, calls_alone = run(suite, f"--behave-cache={caches[0]}")
    both, json_both, md_both, calls_both = run(suite, f"--behave-cache={caches[1]}", "-n", "2")
    assert alone.parseoutcomes() == {**both.parseoutcomes()}
    assert json_alone == json_both
    assert md_alone == md_both
    assert len(calls_alone) == len(calls_both) == 2  # the rows, and the cases


def test_a_failing_model_fails_once(suite):
    suite.write("model.py", MODEL + "    raise OSError('gone')\n\ndef worst(df): return 0.0\n")
    (suite.path / "model.py").write_text(
        (suite.path / "model.py").read_text().replace("    return pd", "    raise OSError('gone')\n    return pd")
    )
    result, _, _, calls = run(suite, "-n", "2")
    assert len(calls) == 1
    assert result.parseoutcomes()["failed"] == 19 * 3 + 4


def test_a_suite_s_mistakes_are_reported_under_xdist_too(project):
    project.write("s.behave.yaml", SUITE.replace("overall", "overal"))
    result = project.pytester.runpytest_subprocess("--behave", "-p", "no:hypothesispytest", "-n", "2")
    assert result.ret != 0
    assert "unknown slice 'overal' - did you mean 'overall'?" in result.stdout.str()


# -- suites of each kind, whose rows every process gets in another order

DATA = """\
import os, random
import pandas as pd

def data():
    rows = [{"id": f"q{i}", "g": "abcd"[i % 4], "x": i, "y": int(i % 3 == 0)} for i in range(80)]
    return pd.DataFrame(random.Random(os.urandom(8)).sample(rows, len(rows)))

def some():
    return data().head(60).sort_values("id")

def right(rows):
    return [int(x % 3 == 0) for x in rows["x"]]

def scored(rows):
    return pd.DataFrame({"score": [(x % 3 == 0) * 0.9 for x in rows["x"]], "even": rows["x"] % 2 == 0})

def biased(rows):
    return [int((x % 3 == 0) != (g == "a")) for x, g in zip(rows["x"], rows["g"])]
"""
BASE = """\
dataset: {path: "m:data", id: id, target: y}
model: "m:right"
slices: {g: {by: g}}
metrics: [accuracy, fpr]
expect:
  overall: {accuracy: {min: 1}, fpr: {max: 0}}
  g: {accuracy: {min: 1, max_gap: 0.2}}
"""
KINDS = {
    "plain": BASE,
    "scored": BASE.replace("m:right", "m:scored").replace("{g:", "{even: {by: even}, g:") + "  even: {fpr: {max: 0}}\n",
    "repeated": BASE.replace('"m:right"', '{python: "m:right", repeats: 2}'),
    "compared": BASE.replace('model: "m:right"', 'models: {a: "m:right", b: "m:scored"}\nbaseline: a').replace(
        "accuracy: {min: 1}", "accuracy: {max_regression: 0}"
    ),
    "biased": BASE.replace("m:right", "m:biased"),
    "cases": 'model: "m:right"\nexpect: {cases: {t: {pass_rate: {min: 1}}}}\n'
    "cases: [{id: one, tags: t, input: {x: 3}, expect: {label: 1}}, {id: two, input: {x: 3}, expect: {label: 0}}]\n",
    "broken": BASE.replace("m:right", "m:nobody"),
    "unread": BASE.replace("overall", "overal"),
}


@pytest.fixture
def kinds(project):
    """Give suites of each kind, in folders of their own."""
    for name, text in KINDS.items():
        project.write(f"{name}/m.py", DATA)
        project.write(f"{name}/{name}.behave.yaml", text)
    return project


def files_written(project, *arguments):
    """Run and return the outcomes, and the record and the Markdown without what depends on the order of rows: which instances are shown."""
    result, record, markdown, _ = run(project, "--continue-on-collection-errors", *arguments)
    record = json.loads(record)
    for suite in record["suites"]:
        suite["dataset"] = None  # the digest of rows in this order
        for behavior in suite["behaviors"]:
            behavior["instances"] = len(behavior["instances"])
    return result.ret, record, markdown.decode().partition("<details>")[0]


DEALT = [("-n2",), ("-n3", "--dist=loadfile"), ("--dist=each", "--tx=2*popen"), ("-n2", "--dist=worksteal")]


@pytest.mark.thorough
@pytest.mark.parametrize(("cache", "dealt"), [("off", DEALT), ("kept", DEALT[:1])])
def test_the_order_of_rows_in_a_process_decides_nothing(kinds, cache, dealt):
    alone = files_written(kinds, f"--behave-cache={cache}")
    verdicts = {
        suite["suite"]: {item["verdict"] for item in (*suite["behaviors"], *suite["cases"])}
        for suite in alone[1]["suites"]
    }
    assert verdicts == {
        **{name: {"holds"} for name in ("plain", "scored", "repeated", "compared")},
        "biased": {"holds", "violated"},
        "cases": {"holds", "violated"},
        "broken": {"error"},
    }
    for arguments in dealt:
        assert files_written(kinds, f"--behave-cache={cache}", *arguments) == alone, arguments


def test_other_rows_in_each_process_are_measured_by_one(kinds):
    kinds.write("plain/plain.behave.yaml", BASE.replace("m:data", "m:some"))
    for _ in range(2):
        result, record, *_ = run(kinds, "plain", "-n2", "--behave-cache=kept")
        assert result.ret == 0
        assert {item["value"] for item in json.loads(record)["suites"][0]["behaviors"]} <= {0.0, 1.0}


# -- who does what

WATCH = """\
import atexit, os, sys

HEAVY = ("numpy", "pandas", "pyarrow", "pydantic", "scipy", "yaml")
STAGES = tuple(f"pytest_behave.{room}" for room in ("declare", "data", "measure", "compare", "evaluate"))

NAMES = []

def pytest_configure(config):
    NAMES.append(getattr(config, "workerinput", {}).get("workerid", "controller"))

@atexit.register
def report():
    loaded = sorted({name for name in sys.modules if name in (*HEAVY, *STAGES)})
    with open(os.path.join(os.path.dirname(__file__), "loaded.txt"), "a") as file:
        file.write(f"{NAMES[0]} {' '.join(loaded)}\\n")
"""


def test_one_process_imports_what_a_suite_needs(suite):
    suite.write("conftest.py", WATCH)
    assert run(suite, "-n3")[0].parseoutcomes()["passed"] > 0
    loaded = dict(line.split(" ", 1) for line in (suite.path / "loaded.txt").read_text().splitlines())
    assert sorted(loaded) == ["controller", "gw0", "gw1", "gw2"]
    assert sorted(map(bool, loaded.values())) == [False, False, False, True], loaded
    assert "pandas" in "".join(loaded.values())


@pytest.mark.parametrize("folder", ["", "in{}/"])
def test_several_suites_are_spread_over_the_workers(project, folder):
    for n in range(6):
        project.write(f"{folder.format(n)}m{n}.py", DATA.replace("def right(rows):\n", RECORDING))
        text = BASE.replace("m:right", f"m{n}:right").replace("m:data", f"m{n}:slow")
        project.write(f"{folder.format(n)}s{n}.behave.yaml", text)
    result, _, _, calls = run(project, "-n2", "--behave-cache=off")
    assert result.ret == 0
    assert len(calls) == 6
    assert 2 <= min(calls.count(process) for process in set(calls)) < 6


RECORDING = """\
def slow():
    __import__("time").sleep(0.3)
    return data()

def right(rows):
    with open("calls.txt", "a") as calls:
        calls.write(f"{os.getpid()}\\n")
"""


@pytest.mark.thorough
def test_models_of_which_nothing_is_selected_do_not_run(suite):
    suite.write("other.behave.yaml", TEXT.split("cases:")[0])
    for arguments in (("-k", "cases"), ("--collect-only",), ("-m", "not behave"), ("s.behave.yaml::cases",)):
        (suite.path / "calls.txt").write_text("")
        suite.pytester.runpytest_subprocess("--behave", "--behave-cache=off", "-n2", *arguments)
        calls = (suite.path / "calls.txt").read_text().splitlines()
        assert len(calls) == (2 if "cases" in arguments[-1] else 0), arguments


@pytest.mark.thorough
def test_what_a_model_prints_and_warns_of_is_the_first_item_s(suite):
    noisy = "    import warnings; print('a word'); warnings.warn('careful')\n"
    suite.write("model.py", MODEL.replace("    with", f"{noisy}    with") + "\ndef worst(df):\n    return 9.0\n")
    for arguments in ((), ("-n2",)):
        shown = run(suite, "--behave-cache=off", "--tb=short", *arguments)[0].stdout.str()
        assert shown.splitlines().count("a word") <= 2  # the rows and the cases
        assert shown.count("UserWarning: careful") == 1
        failed = run(suite, "--behave-cache=off", "-W", "error::UserWarning", *arguments)[0]
        assert failed.parseoutcomes()["failed"] == 19 * 3 + 4


# -- processes that die

DEADLY = """\
import os, time

def data():
    {first}
    return __import__("pandas").read_csv("rows.csv")

def predict(df):
    with open("calls.txt", "a") as calls:
        calls.write("deadly\\n")
    {second}
"""
DIE = "time.sleep(0.3); os._exit(7)"
TWO_SUITES = """\
dataset: {path: "m:data", id: id, target: target}
model: "m:predict"
slices: {group: {by: group}}
metrics: [accuracy, fpr]
expect:
  overall: {accuracy: {min: 0.5}, fpr: {max: 1}}
  group: {accuracy: {min: 0.5}, fpr: {max: 1}}
cases:
  - {id: one, input: {guess: 1}, expect: {label: 1}}
"""
REPORTS = ("json:o.json", "md:o.md", "gitlab:o.gitlab")


@pytest.fixture
def deadly(project, monkeypatch):
    """Give a suite that ends its process when it is measured, and two good ones."""
    project.write("m.py", DEADLY.format(first="pass", second=DIE))
    project.write("bad.behave.yaml", TWO_SUITES)
    for name in ("also", "good"):
        project.write(
            f"{name}.behave.yaml", TWO_SUITES.replace("m:data", "rows.csv").replace('"m:predict"', "{column: guess}")
        )
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(project.path / "step.md"))
    return project


def run_to_death(project, *arguments):
    reports = [f"--behave-report={report}" for report in REPORTS]
    options = ("--behave", "--behave-cache=off", "-p", "no:hypothesispytest", "--junitxml=o.xml", *reports, *arguments)
    return project.pytester.runpytest_subprocess(*options), json.loads((project.path / "o.json").read_text())


@pytest.mark.thorough
@pytest.mark.parametrize("arguments", [("-n2",), ("-n2", "--dist=loadfile"), ("-n2", "--dist=worksteal")])
def test_a_suite_that_kills_its_process_is_an_error_everywhere_and_the_others_go_on(deadly, arguments):
    result, record = run_to_death(deadly, *arguments)
    assert result.ret == 1
    assert record["totals"] == {"error": 7, "holds": 14}
    reason = "the process that measured this suite died (a crash of its model, or no memory left)"
    bad = next(suite for suite in record["suites"] if suite["suite"] == "bad")
    assert {item["reason"] for item in (*bad["behaviors"], *bad["cases"])} == {reason}
    assert "❌ Behaviors: 14 hold, 7 errors in 3 suites" in (deadly.path / "o.md").read_text()
    assert "❌ Behaviors: 14 hold, 7 errors in 3 suites" in (deadly.path / "step.md").read_text()
    assert len(json.loads((deadly.path / "o.gitlab").read_text())) == 7
    outcomes = result.parseoutcomes()
    assert (outcomes["failed"], outcomes["passed"]) == (7, 14)
    root = ET.fromstring((deadly.path / "o.xml").read_bytes())  # noqa: S314 - pytest's own
    failed = [case for case in root.iter("testcase") if case.find("failure") is not None]
    assert [case.get("classname").partition(".")[0] for case in failed] == ["bad"] * 7
    result.stdout.fnmatch_lines(["behave: 14 hold, 7 errors in 3 suites"])
    assert (deadly.path / "calls.txt").read_text().splitlines() == ["deadly"]


def test_a_process_that_is_not_replaced_leaves_no_green_report(deadly):
    result, record = run_to_death(deadly, "-n1", "--max-worker-restart=0")
    assert result.ret == 1
    assert record["totals"]["error"] == 7
    assert (deadly.path / "calls.txt").read_text().splitlines() == ["deadly"]


def test_a_process_that_dies_while_it_reads_a_suite_spoils_that_suite_alone(deadly):
    deadly.write("m.py", DEADLY.format(first=DIE, second="return df['guess']"))
    result, record = run_to_death(deadly, "-n2")
    assert result.ret == 1
    assert record["totals"] == {"error": 1, "holds": 14}
    assert [item["path"] for item in record["unread"]] == ["bad.behave.yaml"]
    said = "bad.behave.yaml: the process that read this suite and its data died (a crash, or no memory left)"
    assert said in result.stdout.str()
    assert "❌ Behaviors: 14 hold in 2 suites; 1 suite could not be read" in (deadly.path / "o.md").read_text()
