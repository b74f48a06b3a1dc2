"""The releases that are committed: they cover every dependency on every Python, and the README's commands use them."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

tomllib = pytest.importorskip("tomllib", reason="a part of Python since 3.11")

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PYTHONS = [words[-1] for words in map(str.split, PROJECT["classifiers"]) if re.fullmatch(r"3\.\d+", words[-1])]
NEEDED = [
    requirement
    for group in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())
    for requirement in map(Requirement, group)
    if requirement.name != PROJECT["name"]
]


def pinned(name, python):
    """Return the releases of a file for one Python, by name."""
    lines = [line for line in (ROOT / "tests" / name).read_text(encoding="utf-8").splitlines() if line[0] != "#"]
    found = [
        one for one in map(Requirement, lines) if not one.marker or one.marker.evaluate({"python_version": python})
    ]
    assert len({one.name for one in found}) == len(found)
    assert all(str(one.specifier).startswith("==") for one in found)
    return {canonicalize_name(one.name): str(one.specifier).removeprefix("==") for one in found}


@pytest.fixture(scope="module")
def script():
    specification = importlib.util.spec_from_file_location("releases", ROOT / ".ci" / "releases.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.mark.parametrize("python", PYTHONS)
def test_every_dependency_has_one_release_that_it_allows(python):
    releases = pinned("constraints.txt", python)
    assert len(releases) > 100  # what the dependencies need is there too
    assert [str(one) for one in NEEDED if releases.get(canonicalize_name(one.name)) not in one.specifier] == []


def test_the_oldest_releases_are_those_that_the_package_asks_for():
    releases = pinned("oldest.txt", "3.10")
    for needed in map(Requirement, PROJECT["dependencies"]):
        (bound,) = needed.specifier
        assert bound.operator == ">="
        assert f"{releases[canonicalize_name(needed.name)]}.".startswith(f"{bound.version}."), needed


def test_the_readme_has_two_commands_of_set_up_and_ci_installs_as_they_do():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    installed = re.findall(r"pip install (.+?) &&", readme)
    assert installed == ["-c tests/constraints.txt '.[examples]'", "-c tests/constraints.txt -e '.[test]'"]
    run = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert re.findall(r"^ *environment (?:try|test) python3 (.+)$", run, re.MULTILINE) == installed
    for command in re.findall(r"\.venv/bin/(pytest .+)", readme):
        program, _, arguments = command.partition(" ")
        assert f'/bin/{program}" {arguments}' in run


def test_what_all_pythons_share_is_one_line_and_what_they_do_not_names_them(script):
    found = {"3.10": {"a": "1", "b": "1", "c": "1"}, "3.11": {"a": "1", "b": "2"}, "3.12": {"a": "1", "b": "2"}}
    assert script.merged(found) == [
        "a==1",
        "b==1 ; python_version == '3.10'",
        "b==2 ; python_version == '3.11' or python_version == '3.12'",
        "c==1",
    ]


def test_a_release_that_differs_is_told_with_both_numbers(script, tmp_path):
    path = tmp_path / "constraints.txt"
    path.write_text("# ...\npytest==0.1\nnumpy==0.1 ; python_version < '3'\n", encoding="utf-8")
    told = script.differences(path)
    assert f"pytest 0.1 -> {pytest.__version__}" in told
    assert any(line.startswith("numpy none -> ") for line in told)
    assert not any(line.startswith("pytest-behave ") for line in told)
