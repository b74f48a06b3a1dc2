"""The rules of the house: who may import whom, and what may be imported early."""

from __future__ import annotations

import ast
import sys
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "pytest_behave"
# From the ground up. A room imports from floors below its own; rooms of one floor do not know each other.
FLOORS = (
    {"errors"},
    {"text", "decorators", "names"},
    {"guard", "files", "records", "codes"},
    {"declare", "data", "predict", "measure", "compare", "report", "engines"},
    {"outputs"},
    {"prepare"},
    {"evidence"},
    {"parts"},
    {"judge"},
    {"evaluate"},
    {"commands", "changed"},
    {"session", "cli"},
    {"hookspec"},
    {"plugin", "__main__"},
)
FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
GROUND = {"errors", "text", "decorators", "guard", "files", "records", "__init__"}
HEAVY = {"pandas", "numpy", "sklearn", "scipy", "pydantic", "pyarrow", "yaml", "hypothesis", "tabulate", "tqdm"}
LATE = {
    "sklearn",
    "scipy",
    "skops",
    "joblib",
    "PIL",
    "jiwer",
    "rouge_score",
    "sacrebleu",
    "jsonschema",
    "tqdm",
    "httpx",
}
SEE_PYTEST = {"plugin", "hookspec", "names", "changed", "session"}
MOST_LINES = 460


def modules():
    return sorted(PACKAGE.rglob("*.py"))


def room_of(path):
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


@cache
def tree_of(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path, *, at_import_time):
    """Yield the modules that a file imports, leaving out those for annotations alone."""
    skipped = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            skipped |= {id(child) for child in ast.walk(node)}
        if at_import_time and isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            skipped |= {id(child) for child in ast.walk(node)}
    for node in ast.walk(tree_of(path)):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield from (found if found in OURS else node.module for found in names_imported(node))


def names_imported(node):
    return [f"{node.module}.{alias.name}" for alias in node.names]


def name_of(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


OURS = {name_of(path): path for path in modules()}


def rooms_reached(path):
    names = {name for name in imports(path, at_import_time=False) if name.startswith("pytest_behave.")}
    return {name.split(".")[1] for name in names} - {room_of(path)}


def test_every_room_has_its_floor():
    assert {room_of(path) for path in modules()} - {"__init__"} == set(FLOOR_OF)


def test_every_arrow_points_down():
    up = [
        f"{path.relative_to(PACKAGE)} imports {room}"
        for path in modules()
        for room in sorted(rooms_reached(path))
        if room_of(path) != "__init__" and FLOOR_OF[room] >= FLOOR_OF[room_of(path)]
    ]
    assert up == []


def test_there_is_no_circle_anywhere():
    # a package's __init__ stands for its public names, which its own modules do not need
    graph = {name: set(imports(path, at_import_time=False)) & set(OURS) - {name} for name, path in OURS.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(error.args[1][::-1]))


def test_nobody_imports_the_door():
    assert [path for path in modules() if "pytest_behave.plugin" in imports(path, at_import_time=False)] == []


def test_pytest_is_imported_only_at_the_door_and_in_the_session():
    found = {
        room_of(path)
        for path in modules()
        if {name.split(".")[0] for name in imports(path, at_import_time=False)} & {"pytest", "_pytest", "pluggy"}
    }
    assert found <= SEE_PYTEST


def test_the_ground_imports_only_the_standard_library():
    # packed bits are numpy's, and a record that only stages import
    files = [path for path in modules() if room_of(path) in GROUND and path.name != "bits.py"]
    names = {name.split(".")[0] for path in files for name in imports(path, at_import_time=False)}
    assert files
    assert names <= {*sys.stdlib_module_names, "pytest_behave"}


@pytest.mark.parametrize("name", ["plugin.py", "hookspec.py", "cli.py", "__init__.py", "__main__.py"])
def test_the_door_imports_nothing_heavy(name):
    names = {name.split(".")[0] for name in imports(PACKAGE / name, at_import_time=True)}
    assert not names & HEAVY


def test_optional_and_slow_libraries_are_imported_late():
    early = {
        str(path): found
        for path in modules()
        if (found := {name.split(".")[0] for name in imports(path, at_import_time=True)} & LATE)
    }
    assert early == {}


def test_a_module_stays_readable_in_one_sitting():
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in modules()}
    assert {str(path): length for path, length in lengths.items() if length > MOST_LINES} == {}
