"""The rules of the house: who may import whom, and what may be imported early."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "pytest_behave"
STAGES = {"declare", "data", "predict", "measure", "compare", "report"}
GROUND = {"errors", "files", "guard", "records", "text"}
HEAVY = {"pandas", "numpy", "sklearn", "scipy", "pydantic", "pyarrow", "yaml", "hypothesis", "tabulate", "tqdm"}
STANDARD = sys.stdlib_module_names
ALLOWED = {
    **{name: set() for name in GROUND},
    "files": {"errors"},
    "guard": {"errors", "text"},
    "text": {"errors"},
    **{stage: GROUND | {stage} for stage in STAGES},
    "decorators": set(),
    "engines": GROUND,
    "evaluate": GROUND | STAGES | {"evaluate", "decorators", "engines"},
    "session": GROUND | {"evaluate", "report", "predict", "session", "plugin"},
    "plugin": {"session", "hookspec", "text"},
    "hookspec": set(),
    "cli": GROUND | {"evaluate", "declare", "report", "predict"},
    "__main__": {"cli"},
    "__init__": set(),
}
PYTEST_ALLOWED = {"plugin", "hookspec", "session"}


def modules():
    return sorted(PACKAGE.rglob("*.py"))


def room_of(path):
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imports(path, *, at_import_time):
    """Yield the modules that a file imports, leaving out those for annotations alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            skipped |= {id(child) for child in ast.walk(node)}
        if at_import_time and isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            skipped |= {id(child) for child in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield from (
                f"{node.module}.{alias.name}" if node.module == "pytest_behave" else node.module for alias in node.names
            )


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_arrow_points_down(path):
    room = room_of(path)
    reached = {name.split(".")[1] for name in imports(path, at_import_time=False) if name.startswith("pytest_behave.")}
    assert reached <= ALLOWED[room] | {room}, f"{path} may not import {reached - ALLOWED[room]}"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_pytest_is_imported_only_at_the_door_and_in_the_session(path):
    names = {name.split(".")[0] for name in imports(path, at_import_time=False)}
    if room_of(path) not in PYTEST_ALLOWED:
        assert not names & {"pytest", "_pytest", "pluggy"}


@pytest.mark.parametrize("room", sorted(GROUND | {"decorators", "__init__"}))
def test_the_ground_imports_only_the_standard_library(room):
    # packed bits are numpy's, and a record that only stages import
    files = [path for path in modules() if room_of(path) == room and path.name != "bits.py"]
    names = {name.split(".")[0] for path in files for name in imports(path, at_import_time=False)}
    assert files
    assert names <= {*STANDARD, "pytest_behave"}


@pytest.mark.parametrize("name", ["plugin.py", "hookspec.py", "cli.py", "__init__.py", "__main__.py"])
def test_the_door_imports_nothing_heavy(name):
    names = {name.split(".")[0] for name in imports(PACKAGE / name, at_import_time=True)}
    assert not names & HEAVY


def test_optional_and_slow_libraries_are_imported_late():
    late = {
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
    for path in modules():
        early = {name.split(".")[0] for name in imports(path, at_import_time=True)}
        assert not early & late, f"{path} imports {early & late} when it is imported"


def test_a_module_stays_readable_in_one_sitting():
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in modules()}
    assert {str(path): length for path, length in lengths.items() if length > 440} == {}
