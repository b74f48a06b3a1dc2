"""The command line: schema, init, lint."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from pytest_behave.cli import main
from tests.conftest import ROWS, SUITE


@pytest.fixture
def here(project, monkeypatch):
    monkeypatch.chdir(project.path)
    return project


def test_schema_prints_json_schema(capsys):
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out)["$schema"] == "http://json-schema.org/draft-07/schema#"


def test_it_runs_as_a_module():
    done = subprocess.run([sys.executable, "-m", "pytest_behave", "--help"], capture_output=True, text=True, check=True)
    assert "lint" in done.stdout


TEXTS = "id,text,label\n" + "".join(
    f"{n},{'good film number' if n % 3 else 'bad film number'} {n},{'pos' if n % 3 else 'neg'}\n" for n in range(90)
)
NUMBERS = "key,area,town,price,prediction\n" + "".join(
    f"k{n},{n % 17 + 0.5},{'north' if n % 2 else 'south'},{n * 3.7},{n * 3.5}\n" for n in range(80)
)
FREE = "question,expected,output\n" + "".join(
    f"what is {n}?,answer {n},answer {n if n % 5 else 0}\n" for n in range(60)
)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (ROWS, ["id: id", "target: target", "task: binary", "column: score"]),
        (TEXTS, ["id: id", "target: label", "task: binary", "placeholder"]),
        (NUMBERS, ["id: key", "target: price", "task: regression", "column: prediction", "town"]),
        (FREE, ["target: expected", "task: text", "column: output"]),
    ],
)
def test_init_writes_a_suite_that_is_green_as_written(here, capsys, data, words):
    here.write("data.csv", data)
    assert main(["init", "data.csv"]) == 0
    assert "wrote data.behave.yaml; run it with: pytest --behave data.behave.yaml" in capsys.readouterr().out
    text = (here.path / "data.behave.yaml").read_text()
    for word in words:
        assert word in text
    result = here.run("data.behave.yaml")
    assert result.ret == 0
    outcomes = result.parseoutcomes()
    assert outcomes["passed"] >= 1
    assert "failed" not in outcomes
    assert main(["lint", "data.behave.yaml"]) in (0, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["init", "nothing.csv"], "nothing.csv cannot be read"),
        (["init", "rows.csv", "--target", "tagret"], "rows.csv has no column 'tagret' - did you mean 'target'?"),
        (["init", "rows.csv", "--output", "rows.csv"], "rows.csv exists already"),
        (["lint", "nothing.behave.yaml"], "nothing.behave.yaml: there is no such file"),
    ],
)
@pytest.mark.usefixtures("here")
def test_wrong_arguments_get_one_sentence_and_exit_code_4(capsys, arguments, message):
    assert main(arguments) == 4
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


LINT = """\
dataset: {path: rows.csv, id: id, target: target}
model: {column: guess}
slices:
  group: {by: group, min_size: 5}
  first: group == 'a'
  nearly: age >= 20
metrics: [accuracy, fpr]
expect:
  overall: {accuracy: {min: 0.99, decide: proven}}
"""


def test_lint_says_what_would_run_and_what_is_odd(here, capsys):
    here.write("s.behave.yaml", LINT)
    assert main(["lint", "s.behave.yaml"]) == 1
    assert capsys.readouterr().out == (
        "s: 1 behavior, 0 golden cases\n"
        "  models   guess\n"
        "  dataset  8 rows, id id, target target\n"
        "  task     binary (inferred from the target)\n"
        "  metrics  accuracy, fpr\n"
        "  without a bound: fpr\n"
        "  slices\n"
        "    overall          8  100.00%\n"
        "    group=a          4   50.00%  below min_size 5: undecided\n"
        "    group=b          4   50.00%  below min_size 5: undecided\n"
        "    first            4   50.00%\n"
        "    nearly           7   87.50%\n"
        "  rows in no slice: 0 of 8\n"
        "s.behave.yaml: warning: slices 'group=a' and 'first' are the same rows\n"
        "s.behave.yaml: warning: overall accuracy: 8 rows can never decide min 0.99 (proven); 381 would\n"
    )


BOUNDS = """\
dataset: {path: rows.csv, id: id, target: target}
model: {column: guess, as: prediction}
slices:
  group: {by: group, min_size: 1}
metrics: [accuracy, mcc, count]
expect:
  overall: {accuracy: {min: 70}, mcc: {min: -0.5, max: 1.5}, count: {max: -1}}
  group: {accuracy: {max: 99, max_gap: 0.9}, mcc: {max_gap: 2.5}}
  cases: {x: {pass_rate: {min: 95}}}
cases:
  - {id: c, input: {txt: hi, age: 3}, tags: [x], expect: {equals: 1}}
  - {id: d, input: {text: hi, Age: 3, texts: [a], tone: 2}, expect: {equals: 1}}
"""


def test_lint_warns_of_bounds_out_of_range_and_of_inputs_called_much_as_a_column(here, capsys):
    here.write("s.behave.yaml", BOUNDS)
    assert main(["lint", "s.behave.yaml"]) == 1
    said = capsys.readouterr().out.splitlines()
    assert [line.removeprefix("s.behave.yaml: warning: ") for line in said if "outside" in line or "case " in line] == [
        "overall accuracy: min 70 lies outside its range, 0 to 1: no outcome can meet it",
        "overall mcc: max 1.5 lies outside its range, -1 to 1: every outcome meets it",
        "overall count: max -1 lies outside its range, 0 or more: no outcome can meet it",
        "group=a accuracy: max 99 lies outside its range, 0 to 1: every outcome meets it",
        "group mcc gap: max_gap 2.5 lies outside its range, 0 to 2: every outcome meets it",
        "cases=x pass_rate: min 95 lies outside its range, 0 to 1: no outcome can meet it",
        "case c: the dataset has no column 'txt' - did you mean 'text'?",
        "case d: the dataset has no column 'Age' - did you mean 'age'?",
    ]


def test_lint_does_not_call_the_model(here, capsys):
    here.write("model.py", "raise SystemExit('called')\n")
    here.write("s.behave.yaml", SUITE.replace("{column: guess, as: prediction}", "model:predict"))
    assert main(["lint", "s.behave.yaml"]) == 0
    assert "models   model:predict" in capsys.readouterr().out


def test_lint_sees_what_a_conftest_marks(here):
    here.write("conftest.py", "import pytest_behave\n@pytest_behave.metric\ndef mine(df): return 1.0\n")
    here.write("s.behave.yaml", SUITE.replace("accuracy", "mine"))
    assert main(["lint", "s.behave.yaml"]) == 0
