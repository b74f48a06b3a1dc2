"""Several processes: the same results, and each model run once."""

from __future__ import annotations

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
    calls = (project.path / "calls.txt").read_text().splitlines()
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
