"""The reference is complete: every key, function, option, field, hook and public name stands in it, and nothing else."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic_core import PydanticUndefined

import pytest_behave
from pytest_behave import cli, hookspec, plugin
from pytest_behave.compare.verdicts import instances_needed
from pytest_behave.data.predicates import Evaluator
from pytest_behave.data.readers import read_table
from pytest_behave.declare import schema, schema_models
from pytest_behave.declare.predicate import FUNCTIONS, parse_predicate
from pytest_behave.errors import BehaveError
from pytest_behave.evaluate.views import suite_of_frame
from pytest_behave.measure.registry import BUILT_IN
from pytest_behave.predict.normalize import PROBA
from pytest_behave.records import DatasetSpec
from pytest_behave.records.verdicts import FAILING, UNSURE, WORST_FIRST
from pytest_behave.report.record import record_schema

DOCS = Path(__file__).parents[2] / "docs"
REFERENCE = DOCS / "reference"
PARTS = {
    "suite": schema.SuitePart,
    "dataset": schema.DatasetPart,
    "model": schema_models.ModelPart,
    "messages": schema_models.MessagePart,
    "comparison": schema.ComparisonPart,
    "metadata": schema.MetadataPart,
    "slices": schema.SlicePart,
    "metrics": schema.MetricPart,
    "expect": schema.BoundsPart,
    "max_regression": schema.TolerancePart,
    "known_failure": schema.KnownFailurePart,
    "pass_rate": schema.PassRatePart,
    "cases": schema.CasePart,
    "include": schema.IncludePart,
    "checks": schema.ChecksPart,
    "close_to": schema.CloseToPart,
    "score": schema.RangePart,
}


def table(page, heading):
    """Return the rows of the first table below a heading, as lists of cells."""
    text = (REFERENCE / page).read_text(encoding="utf-8")
    section = re.split(r"^#+ ", text.split(f"# {heading}\n", 1)[1], flags=re.MULTILINE)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]


def names(page, heading):
    """Return what stands in backticks in the first column of a table."""
    return [name for row in table(page, heading) for name in re.findall(r"`([^`]+)`", row[0])]


# -- the suite format


@pytest.mark.parametrize("heading", PARTS)
def test_the_suite_format_names_every_key_and_its_default(heading):
    fields = {field.alias or name: field for name, field in PARTS[heading].model_fields.items()}
    rows = {row[0].strip("`"): row for row in table("suite-format.md", heading)}
    assert sorted(rows) == sorted(fields)
    for key, field in fields.items():
        shown = rows[key][2]
        if field.is_required():
            assert shown == "required", key
        elif field.default not in (None, "", PydanticUndefined) and field.default not in ([], {}):
            assert shown == f"`{json.dumps(field.default).strip(chr(34))}`", key
        else:
            assert shown != "required", key


def test_every_part_of_the_schema_has_a_section():
    known = [*vars(schema).values(), *vars(schema_models).values()]
    parts = {part for part in known if isinstance(part, type) and issubclass(part, schema.Part)}
    assert set(PARTS.values()) == parts - {schema.Part}


# -- predicates


def test_the_functions_of_predicates_are_all_named_with_their_arguments():
    told = {}
    for call in names("predicates.md", "Functions"):
        name, arguments = re.fullmatch(r"(\w+)\((.*)\)", call).groups()
        told.setdefault(name, set()).add(len(arguments.split(", ")))
    assert told == {name: set(range(least, most + 1)) for name, (least, most) in FUNCTIONS.items()}


def test_the_examples_of_predicates_are_true_for_the_rows_they_say(tmp_path):
    text = (REFERENCE / "predicates.md").read_text(encoding="utf-8")
    rows = re.search(r"<!-- file: rows.csv -->\n```text\n(.*?)```", text, re.DOTALL)[1]
    (tmp_path / "rows.csv").write_text(rows)
    frame = read_table(tmp_path / "rows.csv", DatasetSpec(source="rows.csv"))
    evaluator = Evaluator.of_frame(frame)
    examples = table("predicates.md", "Examples")
    assert len(examples) > 10
    for expression, true_for, _ in examples:
        mask = evaluator.mask(parse_predicate(expression.strip("`")))
        assert ", ".join(frame["id"][mask]) == true_for, expression


# -- metrics


@pytest.fixture(scope="module")
def generate():
    specification = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_the_page_of_metrics_is_what_the_metrics_say_of_themselves(generate):
    text = generate.PAGE.read_text(encoding="utf-8")
    assert text == generate.page(text), "run `python docs/generate.py`"


def test_every_built_in_metric_has_a_row(generate):
    shown = re.findall(r"^\| `([^`]+)` \|", generate.tables(), re.MULTILINE)
    assert sorted(shown) == sorted([metric.name for metric in BUILT_IN] + [m.name for m in generate.OF_ONE_CLASS])


def test_a_metric_that_changes_its_words_changes_the_page(generate, monkeypatch):
    first, *others = generate.BUILT_IN
    monkeypatch.setattr(generate, "BUILT_IN", (replace(first, definition="something else"), *others))
    text = generate.PAGE.read_text(encoding="utf-8")
    assert text != generate.page(text)


# -- verdicts, the command line, hooks, the Python API


def test_every_verdict_is_explained_the_worst_first():
    assert [row[0].strip("`") for row in table("verdicts.md", "Verdicts")] == list(WORST_FIRST)


def test_which_verdicts_fail_is_said():
    outcomes = {row[0].strip("`"): (row[2], row[3]) for row in table("verdicts.md", "Verdicts")}
    assert [name for name in WORST_FIRST if outcomes[name] == ("failed", "1")] == list(FAILING)
    assert [name for name in WORST_FIRST if outcomes[name] == ("passed, with a warning", "0")] == list(UNSURE)


def test_every_way_to_write_a_baseline_is_named():
    assert names("command-line.md", "Baselines") == list(plugin.MODES)


def test_every_type_of_report_is_named():
    parser = pytest.Parser(_ispytest=True)
    plugin.pytest_addoption(parser)
    (option,) = [option for option in parser.getgroup("behave").options if "--behave-report" in option.names()]
    (row,) = [row for row in table("command-line.md", "pytest options") if "--behave-report" in row[0]]
    assert re.findall(r"`(\w+):PATH`", row[2]) == re.findall(r"(\w+):PATH", option.attrs()["help"])


def test_the_table_of_instances_needed_is_what_verdicts_use():
    for bound, proven, refuted in table("verdicts.md", "How many instances would do"):
        value = float(re.search(r"0\.\d+", bound)[0])
        assert [int(proven), int(refuted)] == [instances_needed(value, "min", how) for how in ("proven", "refuted")]


def test_every_option_and_setting_is_named():
    parser = pytest.Parser(_ispytest=True)
    plugin.pytest_addoption(parser)
    options = {name for option in parser.getgroup("behave").options for name in option.names()}
    told = table("command-line.md", "pytest options")
    assert {re.search(r"--[\w-]+", row[0])[0] for row in told} == options
    settings = {re.search(r"\w+", row[1])[0] for row in told if row[1]}
    assert settings == {name for name in parser._inidict if name.startswith("behave")}


def test_every_command_is_named():
    commands = cli._parser()._subparsers._group_actions[0].choices
    told = {name.split()[1] for name in names("command-line.md", "pytest-behave") if name.startswith("pytest-behave")}
    assert told == set(commands)


def test_every_hook_is_named_with_its_arguments():
    hooks = {name: function for name, function in vars(hookspec).items() if name.startswith("pytest_behave_")}
    signatures = {
        f"{name}({', '.join(function.__code__.co_varnames[: function.__code__.co_argcount])})"
        for name, function in hooks.items()
    }
    assert set(names("hooks.md", "Hooks")) == signatures


def test_every_public_name_is_explained_and_there():
    assert sorted(names("python-api.md", "Python API")) == sorted(pytest_behave.__all__)
    kinds = {name: type(getattr(pytest_behave, name)).__name__ for name in pytest_behave.__all__}
    assert set(kinds.values()) <= {"function", "type"}, kinds
    assert issubclass(pytest_behave.SuiteError, BehaveError)


def test_every_argument_of_behave_suite_is_explained():
    arguments = set(suite_of_frame.__kwdefaults__ or {}) | set(suite_of_frame.__annotations__)
    by_the_fixture = {"folder", "extensions", "ref", "accepts", "cache"}
    assert set(names("python-api.md", "The `behave` fixture")) == arguments - by_the_fixture - {"return"}


# -- the run record


@pytest.mark.parametrize(
    ("heading", "definition"),
    [("record", None), ("suite", "suite"), ("behavior", "behavior"), ("instance", "instance"), ("case", "case")],
)
def test_every_field_of_the_run_record_is_explained(heading, definition):
    whole = json.loads(record_schema())
    part = whole["definitions"][definition] if definition else whole
    told = [row[0].strip("`") for row in table("run-record.md", heading)]
    assert told == part["required"]
    assert set(told) == set(part["properties"])


# -- the rest


def test_how_a_model_names_probabilities_is_said():
    assert f"`{PROBA}<class>`" in (DOCS / "how-to" / "models.md").read_text(encoding="utf-8")


def test_the_documentation_builds_without_a_warning(tmp_path):
    pytest.importorskip("furo")
    source = shutil.copytree(DOCS, tmp_path / "docs", ignore=shutil.ignore_patterns("_build", "__pycache__"))
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", source, tmp_path / "html"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "html" / "reference" / "metrics.html").is_file()
