"""Marked text in every field there is: no output is steered by it, and every report is still well-formed."""

from __future__ import annotations

import contextlib
import json
import re
import sys
from xml.etree import ElementTree as ET

import pytest

from pytest_behave.cli import main
from pytest_behave.errors import DataError

NAME = "\x1b\x07\u202e\u2066##{LEAK}\x9b"  # what a name may hold: no line break, no brackets, no "::"
TEXT = f"{NAME}\x1b[31m\r\n::error::LEAK\n  ::set-output name=x::LEAK\n##[error]LEAK ##vso[task]LEAK\u2066\u2028|<b>@LEAK\x9b"
COMMAND = re.compile(
    r"^\s*::(?!(error|warning) (file=[^:]*,line=\d+,title=[^:]*|title=pytest-behave)::)|##\w*\[", re.MULTILINE
)
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
MODULE = f"""\
import pandas as pd

TEXT = {TEXT!r}


def rows():
    raise ValueError(TEXT)


def length(frame):
    raise KeyError(TEXT)


def cost(frame):
    raise OSError(TEXT)


def predict(frame):
    raise RuntimeError(TEXT)


def says_no(row):
    return TEXT


def breaks(row):
    raise ValueError(TEXT)


def named(frame):
    return pd.DataFrame({{TEXT: [1] * len(frame)}})
"""


def quoted(cell):
    """Return a cell of a csv file."""
    doubled = cell.replace('"', '""')
    return f'"{doubled}"'


def csv_text():
    """Return a dataset whose column names, ids, values, targets and outputs are marked."""
    rows = [["id", f"group{NAME}", TEXT, "age", "target", "guess"]]
    labels = [f"yes{TEXT}", f"no{TEXT}"]
    for row in range(12):
        guess = labels[(row + row % 3) % 2] if row else f"new{TEXT}"
        rows.append([f"{row}{TEXT}", f"g{row % 2}{TEXT}", TEXT, str(20 + row), labels[row % 2], guess])
    return "\n".join(",".join(map(quoted, row)) for row in rows) + "\n"


def suite(**more):
    """Return a suite in which every text that the format has is marked."""
    known = {"reason": f"known {TEXT}"}
    return {
        "suite": f"s{NAME}",
        "description": TEXT,
        "owner": TEXT,
        "dataset": {"path": "rows.csv", "id": "id", "target": "target", "positive": f"yes{TEXT}"},
        "models": {f"m{NAME}": {"column": "guess", "as": "prediction"}},
        "metadata": {f"long{NAME}": "length(target)"},
        "slices": {
            f"old{NAME}": "age > 25",
            f"few{NAME}": {"where": "age > 30", "min_size": 30},
            f"fam{NAME}": {"by": f"group{NAME}"},
        },
        "metrics": ["accuracy", {"name": f"rate{NAME}", "rate": "age > 21"}],
        "expect": {
            "overall": {"accuracy": {"min": 0.99}, f"rate{NAME}": {"min": 1}},
            f"old{NAME}": {"accuracy": {"min": 0.99, "severity": "warning"}},
            f"few{NAME}": {"accuracy": {"min": 0.5}},
            f"fam{NAME}": {"accuracy": {"min": 0.99, "known_failure": known, "max_gap": 0}},
        },
        "cases": [
            {
                "id": f"c{NAME}",
                "input": {"guess": TEXT, TEXT: TEXT},
                "expect": {"contains": ["nothing"]},
                "tags": [f"t{NAME}"],
            },
            {"id": f"d{NAME}", "input": {"guess": TEXT}, "expect": {"python": "mine:says_no", "equals": TEXT}},
            {"id": f"e{NAME}", "input": {"guess": TEXT}, "expect": {"python": "mine:breaks", "not_matches": "LEAK"}},
        ],
        **more,
    }


def model(reference):
    """Return what a suite needs for another model, and no cases."""
    return {"models": {f"m{NAME}": reference}, "cases": []}


UNREADABLE = {
    "unknown value": {"slices": {f"x{NAME}": f"`group{NAME}` == 'nothing'"}, "expect": {}},
    "unknown column": {"slices": {f"x{NAME}": "nosuch > 1"}, "expect": {}},
    "unknown slice": {"expect": {f"nosuch{NAME}": {"accuracy": {"min": 1}}}},
    "unknown key": {TEXT: 1},
    "encoding": {"dataset": {"path": "rows.csv", "id": "id", "target": "target", "encoding": TEXT}},
    "path": {"dataset": {"path": f"nosuch{TEXT}.csv"}, "expect": {}},
    "ending": {"dataset": {"path": f"rows.{TEXT}"}, "expect": {}},
    "dataset function": {"dataset": {"path": "mine:rows"}, "expect": {}},
    "metadata function": {"metadata": {f"long{NAME}": {"python": "mine:length"}}, "slices": {"l": f"`long{NAME}` > 1"}},
    "predictions file": model({"predictions": f"p{NAME}.csv", "prediction": "guess"}),
    "module": {"python": f"nosuch{NAME}"},
    "predicate": {"slices": {f"x{NAME}": f"age > '{NAME}'"}, "expect": {}},
    "expression": {"slices": {f"x{NAME}": f"age > {TEXT}"}, "expect": {}},
}
FAILING = {
    "model": model("mine:predict"),
    "model's frame": model("mine:named"),
    "model's module": model(f"nosuch{NAME}:predict"),
    "predictions column": model({"predictions": "rows.csv", "prediction": f"nosuch{NAME}"}),
    "command": model({"command": f"{sys.executable} answers.py"}),
    "metric": {
        "metrics": [{"name": f"cost{NAME}", "python": "mine:cost"}],
        "expect": {"overall": {f"cost{NAME}": {"max": 1}}},
    },
}


def check(text):
    """Fail if a text holds a control character, or a command of a CI server that is not ours."""
    assert CONTROL.findall(text) == []
    assert [line for line in text.split("\n") if COMMAND.search(line)] == []


@pytest.fixture
def marked(project, monkeypatch):
    """Give a project with marked data and code, on GitHub."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(project.path / "summary.md"))
    (project.path / "rows.csv").write_text(csv_text(), encoding="utf-8", newline="")
    project.write("mine.py", MODULE)
    project.write("answers.py", f"print({TEXT!r})\n")
    return project


def written(project, name, declaration):
    """Write a suite."""
    return project.write(name, json.dumps(declaration))


def checked_run(project, *arguments):
    """Run pytest with every report there is, and look at each."""
    kinds = ("json", "md", "gitlab")
    reports = [f"--behave-report={kind}:out.{kind}" for kind in kinds]
    result = project.run("-v", "-rA", "--junitxml=out.xml", *reports, *arguments)
    check(result.stdout.str())
    check(result.stderr.str())
    assert "INTERNALERROR" not in result.stdout.str()
    texts = {kind: (project.path / f"out.{kind}").read_text(encoding="utf-8") for kind in (*kinds, "xml")}
    check(texts["md"])
    check((project.path / "summary.md").read_text(encoding="utf-8"))
    for kind in ("json", "gitlab"):
        check(texts[kind].replace("\\n", " "))
    for element in ET.fromstring(texts["xml"]).iter():  # noqa: S314 - our own
        check("\n".join([*element.attrib.values(), element.text or ""]))
    return result, json.loads(texts["json"])


def test_a_suite_of_marked_text_runs_and_steers_nothing(marked):
    written(marked, f"s{NAME}.behave.yaml", suite())
    result, record = checked_run(marked)
    (found,) = record["suites"]
    assert {item["verdict"] for item in found["behaviors"]} == {"violated", "known-failure", "undecided"}
    assert [case["verdict"] for case in found["cases"]] == ["violated", "violated", "error"]
    assert found["suite"] == f"s{NAME}"  # the record has the text itself
    assert result.stdout.str().count("LEAK") > 100
    assert "::error file=" in result.stdout.str()


def test_a_baseline_of_marked_text_is_accepted_and_compared_and_steers_nothing(marked):
    bound = {"overall": {"accuracy": {"max_regression": 0}}, f"fam{NAME}": {"accuracy": {"max_regression": 0}}}
    declared = suite(expect=bound, cases=[])
    written(marked, "s.behave.yaml", declared)
    checked_run(marked)
    accepted, _ = checked_run(marked, "--behave-baseline=new", f"--behave-reason={TEXT}")
    assert "of the baseline change" in accepted.stdout.str()
    rows = csv_text().replace(quoted(f"yes{TEXT}") + "\n", quoted(f"no{TEXT}") + "\n")
    (marked.path / "rows.csv").write_text(rows, encoding="utf-8", newline="")
    _, record = checked_run(marked)
    assert record["suites"][0]["flips"]


@pytest.mark.parametrize("what", UNREADABLE)
def test_a_suite_that_cannot_be_read_says_why_and_steers_nothing(marked, capsys, what):
    path = written(marked, f"s{NAME}.behave.yaml", suite(**UNREADABLE[what]))
    result, record = checked_run(marked)
    assert "LEAK" in result.stdout.str()
    assert [item["verdict"] for item in record["unread"]] == ["error"]
    assert record["totals"] == {"error": 1}
    assert [entry["severity"] for entry in json.loads((marked.path / "out.gitlab").read_text())] == ["blocker"]
    assert main(["lint", str(path)]) == 4
    check("".join(capsys.readouterr()))


@pytest.mark.parametrize("what", FAILING)
def test_a_suite_that_cannot_be_measured_says_why_and_steers_nothing(marked, what):
    written(marked, "s.behave.yaml", suite(**FAILING[what]))
    _, record = checked_run(marked)
    (found,) = record["suites"]
    assert "error" in {item["verdict"] for item in found["behaviors"]}


def test_commands_are_not_steered_either(marked, capsys):
    path = written(marked, f"s{NAME}.behave.yaml", suite())
    checked_run(marked)
    for arguments in (
        ["lint", str(path)],
        ["lint", str(marked.path / f"nosuch{TEXT}.behave.yaml")],
        ["selfcheck", str(path)],
        ["diff", str(marked.path / "out.json"), str(marked.path / "out.json")],
        ["diff", "--format=md", str(marked.path / "out.json"), str(marked.path / "out.json")],
        ["diff", str(marked.path / f"nosuch{TEXT}.json"), str(marked.path / "out.json")],
        ["init", str(marked.path / "rows.csv"), "-o", str(marked.path / f"i{TEXT}.behave.yaml")],
        ["cache", "info", "--cache", str(marked.path / f"nosuch{TEXT}")],
    ):
        with contextlib.suppress(SystemExit):
            main(arguments)
        output = capsys.readouterr()
        assert output.out + output.err
        check(output.out + output.err)


def test_an_error_in_a_python_test_steers_nothing(marked):
    marked.write(
        "test_it.py",
        f"""\
        import pandas as pd
        from pytest_behave.errors import DataError

        def test_raised(behave):
            raise DataError({TEXT!r})

        def test_compared(behave):
            frame = pd.DataFrame({{"y": [0, 1], "p": [1, 0]}})
            view = behave.suite(data=frame, target="y", model={{"column": "p"}}, slices={{{NAME!r}: "y >= 0"}})
            assert view[{NAME!r}].accuracy >= 0.8
        """,
    )
    result = marked.run("--tb=line")
    result.assert_outcomes(failed=2)
    check(result.stdout.str())


def test_options_of_marked_text_steer_nothing(marked):
    written(marked, "s.behave.yaml", suite())
    for option in ("--behave-report", "--behave-engine", "--behave-memory", "--behave-model", "--behave-against"):
        result = marked.run(f"{option}={TEXT}")
        assert result.ret
        check(result.stdout.str() + result.stderr.str())


def test_a_marked_error_is_told_on_one_line():
    assert "\n" in str(DataError(TEXT))  # the text itself is kept, so that the funnel is what changes it
