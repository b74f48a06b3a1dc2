"""Committed releases: `write` tries the newest ones and writes them down, `differ` says where this environment left them.

    python .ci/releases.py write tests/constraints.txt '.[test]'
    ENVIRONMENT/bin/python .ci/releases.py differ tests/constraints.txt

`write` installs into an environment of its own for each of the supported Pythons, which all must be there.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from importlib.metadata import distributions
from pathlib import Path

PYTHONS = ("3.10", "3.11", "3.12", "3.13")
HEADER = """\
# The newest releases that install together, on Python {first} to {last}. Made by
#     python .ci/releases.py write {arguments}
"""


def newest(python: str, wanted: list[str]) -> dict[str, str]:
    """Install into a new environment and return the releases that it got, the plugin left out."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([f"python{python}", "-m", "venv", folder], check=True)
        pip = [f"{folder}/bin/python", "-m", "pip", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", "--quiet", *wanted], check=True)
        command = [*pip, "freeze", "--exclude", "pytest-behave"]
        lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return {
        re.sub(r"[-_.]+", "-", name).lower(): release for name, _, release in (line.partition("==") for line in lines)
    }


def merged(found: dict[str, dict[str, str]]) -> list[str]:
    """Return a line per release, with the Pythons that it is for where they differ."""
    lines = []
    for name in sorted({name for releases in found.values() for name in releases}):
        pythons: dict[str, list[str]] = {}
        for python, releases in found.items():
            if name in releases:
                pythons.setdefault(releases[name], []).append(python)
        for release, these in pythons.items():
            marker = " or ".join(f"python_version == '{python}'" for python in these)
            lines.append(f"{name}=={release}" + (f" ; {marker}" if len(pythons) > 1 else ""))
    return lines


def differences(constraints: Path) -> list[str]:
    """Return what this environment holds in another release than the constraints say."""
    from packaging.requirements import Requirement

    lines = [line for line in constraints.read_text(encoding="utf-8").splitlines() if line and line[0] != "#"]
    told = [one for one in map(Requirement, lines) if one.marker is None or one.marker.evaluate()]
    releases = {one.name: str(one.specifier).removeprefix("==") for one in told}
    found = {re.sub(r"[-_.]+", "-", one.name).lower(): one.version for one in distributions()}
    names = sorted(found.keys() - {"pip", "setuptools", "wheel", "pytest-behave"})
    return [
        f"{name} {releases.get(name, 'none')} -> {found[name]}" for name in names if releases.get(name) != found[name]
    ]


def main(action: str, path: str, *wanted: str) -> None:
    """Do what the first argument says."""
    if action == "differ":
        print("\n".join(differences(Path(path))))
    else:
        lines = merged({python: newest(python, list(wanted)) for python in PYTHONS})
        arguments = " ".join([path, *(f"'{word}'" for word in wanted)])
        header = HEADER.format(first=PYTHONS[0], last=PYTHONS[-1], arguments=arguments)
        Path(path).write_text(header + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
