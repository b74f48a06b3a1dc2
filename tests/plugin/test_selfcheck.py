"""``pytest-behave selfcheck``: how often a suite would cry wolf on the user's own data, and what it can see."""

from __future__ import annotations

import random
import re
import subprocess
import sys

import pytest

from pytest_behave.cli import main
from tests.plugin.test_baseline import EAST, SUITE, accepted, loans, write_answers

pytestmark = pytest.mark.thorough

__all__ = ["accepted", "loans"]  # fixtures


def run(project, *arguments):
    """Run the command line in a process of its own."""
    command = [sys.executable, "-m", "pytest_behave", "selfcheck", *arguments]
    return subprocess.run(command, cwd=project.path, capture_output=True, text=True, encoding="utf-8", check=False)


@pytest.fixture
def here(accepted, monkeypatch):
    """The accepted suite with a candidate that is worse in the east, and better elsewhere."""
    write_answers(accepted, EAST)
    monkeypatch.chdir(accepted.path)
    return accepted


def test_a_suite_that_keeps_its_level_is_told_what_it_sees(here):
    done = run(here, "loans.behave.yaml", "--runs", "50")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "loans: 120 rows, 4 bounds on changes, alpha 0.05"
    assert lines[1] == "  50 runs in which neither model was better:"
    assert re.fullmatch(r"    false alarms \d+\.\d% \(95% \[\d\.\d%, \d+\.\d%\]\)", lines[2])
    assert re.fullmatch(r"    a gate on any loss beyond the tolerance would fail \d+% of them", lines[3])
    start = next(number for number, line in enumerate(lines) if line.split()[:2] == ["slice", "metric"])
    assert lines[start].split("  ")[-1].strip() == "to see less"
    table = {line.split()[0]: line for line in lines[start + 1 :]}
    assert sorted(table) == ["overall", "region=east", "region=north", "region=south"]
    assert re.search(r"accuracy +40 +[\d.]+ points +[\d,]+ rows would see [\d.]+", table["region=east"])
    seen = {name: float(re.search(r"([\d.]+) points", line)[1]) for name, line in table.items()}
    assert seen["region=east"] > seen["overall"], "more rows see more"
    assert seen["region=east"] > seen["region=north"], "less noise sees more"
    assert done.stderr == ""


@pytest.mark.usefixtures("here")
def test_it_says_the_same_every_time(capsys):
    said = []
    for _ in range(2):
        assert main(["selfcheck", "loans.behave.yaml", "--runs", "20"]) == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]
    main(["selfcheck", "loans.behave.yaml", "--runs", "21"])
    assert capsys.readouterr().out != said[0]


def test_the_baseline_may_be_a_model_and_the_candidate_picked(here, capsys):
    write_answers(here, name="old.csv")
    models = "models: {new: {predictions: p.csv, prediction: answer}, old: {predictions: old.csv, prediction: answer}}"
    text = SUITE.replace("model: {predictions: p.csv, prediction: answer, score: score}", models)
    here.write("two.behave.yaml", text + "baseline: {predictions: old.csv, prediction: answer}\n")
    assert main(["selfcheck", "two.behave.yaml", "--runs", "10", "--model", "new"]) == 0
    assert "region=east" in capsys.readouterr().out
    assert main(["selfcheck", "two.behave.yaml", "--runs", "10", "--model", "nwe"]) == 4
    assert "there is no model 'nwe' - did you mean 'new'?" in capsys.readouterr().err


WITHOUT = {
    "baseline": (
        {},
        ["--runs", "5"],
        "loans.behave.yaml: a self-check compares with a baseline and its predictions, and there are none: accept",
    ),
    "bounds": (
        {"max_regression: 0.01": "min: 0.5", "max_regression: 0.02": "min: 0.5"},
        ["--runs", "5"],
        "loans.behave.yaml: there is no `max_regression` to check",
    ),
    "runs": ({}, ["--runs", "0"], "argument --runs: '0' is not a number of runs"),
    "a number of runs": ({}, ["--runs", "-3"], "is not a number of runs"),
    "a suite": ({"expect": "expct"}, [], "loans.behave.yaml:6:1: unknown key 'expct' - did you mean 'expect'?"),
}


@pytest.mark.parametrize("what", WITHOUT)
def test_without_something_to_check_it_is_one_sentence(loans, monkeypatch, capsys, what):
    changes, options, sentence = WITHOUT[what]
    monkeypatch.chdir(loans.path)
    text = SUITE
    for old, new in changes.items():
        text = text.replace(old, new)
    loans.write("loans.behave.yaml", text)
    if what == "bounds":
        loans.run("--behave-baseline=new")
    try:
        code = main(["selfcheck", "loans.behave.yaml", *options])
    except SystemExit as stop:  # of argparse
        code = stop.code
    assert code == (2 if "number of runs" in sentence else 4)
    assert sentence in capsys.readouterr().err


def test_the_command_named_without_a_baseline_is_the_one_that_helps(loans, monkeypatch, capsys):
    monkeypatch.chdir(loans.path)
    main(["selfcheck", "loans.behave.yaml"])
    (command,) = re.findall(r"`pytest --behave (.*?)`", capsys.readouterr().err)
    assert loans.run(*command.split()).ret == 0
    write_answers(loans, EAST)
    assert main(["selfcheck", "loans.behave.yaml", "--runs", "5"]) == 0


def clustered(project, *, declared):
    """600 rows of 30 speakers: on each speaker, either both models are the same or one of them is wrong everywhere."""
    chance = random.Random(5)
    rows = ["id,speaker,target"]
    answers = {name: ["id,answer"] for name in ("old", "new")}
    for speaker in range(30):
        loser = chance.choice(["old", "new"])
        for row in range(20):
            name, target = f"s{speaker:02}r{row:02}", row % 2
            rows.append(f"{name},{speaker},{target}")
            for model, lines in answers.items():
                lines.append(f"{name},{target ^ (model == loser)}")
    project.write("rows.csv", "\n".join([*rows, ""]))
    for name, lines in answers.items():
        project.write(f"{name}.csv", "\n".join([*lines, ""]))
    cluster = ", cluster: speaker" if declared else ""
    return project.write(
        "s.behave.yaml",
        f"dataset: {{path: rows.csv, id: id, target: target{cluster}}}\n"
        "model: {predictions: new.csv, prediction: answer}\nbaseline: {predictions: old.csv, prediction: answer}\n"
        "metrics: [accuracy]\nexpect:\n  overall: {accuracy: {max_regression: 0}}\n",
    )


def test_declared_clusters_keep_the_level_and_see_less_than_as_many_rows_would(project):
    seen = {}
    for declared in (True, False):
        done = run(project, clustered(project, declared=declared).name, "--runs", "100")
        assert done.returncode == 0, done.stdout + done.stderr
        assert float(re.search(r"false alarms ([\d.]+)%", done.stdout)[1]) <= 12
        seen[declared] = float(re.search(r"(?:clusters|600) +([\d.]+)", done.stdout)[1]) * (100 if declared else 1)
        assert ("accuracy  30 clusters" in done.stdout) is declared
        assert ("clusters would see" in done.stdout) is declared
    assert seen[True] > 2 * seen[False]


def test_lint_names_the_slices_that_can_never_fail(here, capsys):
    text = SUITE.replace("slices:\n", "slices:\n  tiny: age < 21\n  small: 20 <= age < 22\n  tolerant: age < 25\n")
    expect = (
        "  tiny: {accuracy: {max_regression: 0}}\n  small: {accuracy: {max_regression: 0}}\n"
        "  tolerant: {accuracy: {max_regression: 0.9}}\n"
    )
    here.write("s.behave.yaml", text + expect)
    assert main(["lint", "s.behave.yaml"]) == 1
    lines = capsys.readouterr().out.splitlines()
    warnings = [line.removeprefix("s.behave.yaml: warning: ") for line in lines if "warning" in line]
    assert "tiny accuracy: 3 rows can never fail max_regression 0; 4 would" in warnings
    assert "small accuracy: 6 rows can never fail max_regression 0 alone; 7 would" in warnings
    assert any(
        re.fullmatch(r"tolerant accuracy: 15 rows can never fail max_regression 0\.9; \d+ would", line)
        for line in warnings
    )
    assert not any(line.startswith(("overall", "region")) for line in warnings)
    assert "  baseline none yet" in lines


def test_two_models_alike_make_the_figures_best_cases(accepted, monkeypatch, capsys):
    monkeypatch.chdir(accepted.path)
    said = "the two models give the same values everywhere, so the losses below are best cases"
    main(["selfcheck", "loans.behave.yaml", "--runs", "5"])
    assert said in capsys.readouterr().out
    write_answers(accepted, EAST)
    main(["selfcheck", "loans.behave.yaml", "--runs", "5"])
    assert said not in capsys.readouterr().out
