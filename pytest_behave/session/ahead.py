"""Which suites a test run is going to collect, as far as that can be told before pytest gets there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_behave.names import SUFFIXES


def suite_files_ahead(config: pytest.Config) -> Iterator[Path]:
    """Yield the suite files at or below what was named on the command line, in the order in which pytest collects.

    Folders with a conftest file of their own are left out: what it adds, or ignores, is not known before pytest loads it.
    """
    for argument in config.args:
        start = Path(os.path.abspath(config.invocation_params.dir / argument.partition("::")[0]))  # noqa: PTH100 - links stay
        if start.is_dir():
            yield from _below(config, start)
        elif start.name.endswith(SUFFIXES) and start.is_file():
            yield start


def _below(config: pytest.Config, folder: Path) -> Iterator[Path]:
    for entry in sorted(folder.iterdir(), key=lambda path: path.name):
        is_folder = entry.is_dir()
        if not (is_folder or entry.name.endswith(SUFFIXES)) or _is_ignored(config, entry):
            continue
        if not is_folder:
            yield entry
        elif not (entry / "conftest.py").exists():
            yield from _below(config, entry)


def _is_ignored(config: pytest.Config, path: Path) -> bool:
    return bool(config.hook.pytest_ignore_collect(collection_path=path, config=config))
