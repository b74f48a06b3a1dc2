"""What is written where: terminal, Markdown, step summary, annotations."""

from __future__ import annotations

import json

import pytest

from tests.conftest import SUITE

RED = SUITE.replace("{min: 0.5}", "{min: 0.9}")


def test_when_all_is_well_the_terminal_gets_one_line(project):
    project.write("s.behave.yaml", SUITE)
    lines = project.run().stdout.lines
    assert "behave: 1 holds in 1 suite" in lines
    assert not any("= behaviors =" in line for line in lines)


@pytest.mark.parametrize("width", [50, 80, 132])
def test_the_table_fits_the_terminal(project, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    project.write(
        "s.behave.yaml",
        RED.replace("  group:", "  a rather long name of a slice that goes on: age > 0\n  group:").replace(
            "overall:", "a rather long name of a slice that goes on:"
        ),
    )
    lines = project.run().stdout.lines
    start = next(index for index, line in enumerate(lines) if "behaviors" in line and line.startswith("="))
    end = next(index for index, line in enumerate(lines) if "short test summary" in line)
    assert any("min 0.9" in line for line in lines[start:end])
    if width >= 80:
        assert max(map(len, lines[start:end])) <= width


def test_data_cannot_steer_the_terminal_or_the_markdown(project):
    evil = b"\\x1b[31m<img src=x onerror=alert(1)>|@team `code`".decode("unicode_escape")
    rows = (project.path / "rows.csv").read_text().replace("fine", f'"{evil}"')
    project.write("rows.csv", rows)
    project.write("s.behave.yaml", RED)
    result = project.run("--behave-report=md:o.md")
    assert "\x1b[31m" not in result.stdout.str()
    markdown = (project.path / "o.md").read_text()
    assert "<img" not in markdown
    assert "@team" not in markdown
    assert "&lt;img" in markdown


def test_the_step_summary_is_appended_and_markdown_starts_with_its_marker(project, monkeypatch):
    summary = project.write("summary.md", "before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    project.write("s.behave.yaml", RED)
    project.run("--behave-report=md:o.md")
    text = summary.read_text()
    assert text.startswith("before\n<!-- pytest-behave -->\n## ❌ Behaviors: 1 violated in 1 suite")
    assert (project.path / "o.md").read_text().startswith("<!-- pytest-behave -->\n")


def test_suites_that_cannot_be_read_are_told_in_markdown_and_in_the_step_summary(project, monkeypatch):
    summary = project.write("summary.md", "")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    project.write("s.behave.yaml", SUITE.replace("accuracy: {min", "acuracy: {min"))
    project.run("--behave-report=md:o.md", "--behave-report=json:o.json")
    text = (project.path / "o.md").read_text()
    assert text.startswith("<!-- pytest-behave -->\n## ❌ Behaviors: 1 suite could not be read\n")
    assert "| s.behave.yaml | s.behave.yaml:" in text
    assert "did you mean 'accuracy'?" in text
    assert summary.read_text() == f"{text}\n"
    record = json.loads((project.path / "o.json").read_text())
    assert record["totals"] == {"error": 1}
    (unread,) = record["unread"]
    assert (unread["path"], unread["verdict"]) == ("s.behave.yaml", "error")
    assert unread["message"].startswith("s.behave.yaml:7:13: unknown metric 'acuracy'")


def test_annotations_point_at_lines_of_the_suite(project, monkeypatch):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    project.write("s.behave.yaml", RED)
    (line,) = [line for line in project.run().stdout.lines if line.startswith("::error")]
    assert line.startswith("::error file=s.behave.yaml,line=7,title=overall accuracy::s: overall (8 rows): accuracy")


def test_reports_are_written_into_new_folders_and_on_green_too(project):
    project.write("s.behave.yaml", SUITE)
    project.run("--behave-report=md:out/deep/o.md").assert_outcomes(passed=1)
    assert "✅ Behaviors: 1 holds in 1 suite" in (project.path / "out/deep/o.md").read_text()


@pytest.mark.parametrize("value", ["json", "json:", ""])
def test_a_report_without_a_path_is_refused(project, value):
    project.write("s.behave.yaml", SUITE)
    result = project.run(f"--behave-report={value}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "write TYPE:PATH, for example json:behave.json" in result.stderr.str()


def test_a_report_that_cannot_be_written_is_said(project):
    project.write("s.behave.yaml", SUITE)
    project.write("taken", "a file\n")
    result = project.run("--behave-report=json:taken/o.json")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "ERROR: --behave-report=json:taken/o.json cannot be written" in result.stdout.str()
