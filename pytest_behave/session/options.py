"""What was asked of a test run, and how it names files."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_behave.text import for_terminal


class RunOptions:
    """The options that decide what becomes of a behavior, and paths as pytest and the reports show them."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self.mode: str = config.getoption("behave_baseline")
        self.model: str | None = config.getoption("behave_model")
        self.against: str | None = config.getoption("behave_against")
        self.is_strict = bool(config.getoption("behave_strict") or config.getini("behave_strict"))
        self._relative: dict[str, str] = {}

    @property
    def accepts(self) -> bool:
        """Whether this test run stores what it measures, so that a change is no failure."""
        return self.mode in ("new", "accept")

    def shown(self, text: object) -> str:
        """Return a text with paths below the invocation directory made relative, as pytest shows them."""
        return str(text).replace(f"{self._config.invocation_params.dir}/", "")

    def relative(self, path: str | Path) -> str:
        """Return a path relative to the root directory, with forward slashes, as reports hold it."""
        name = str(path)
        if name not in self._relative:
            try:
                self._relative[name] = Path(name).relative_to(self._config.rootpath).as_posix()
            except ValueError:
                self._relative[name] = Path(name).as_posix()
        return self._relative[name]


def refused(text: str) -> pytest.UsageError:
    """Return the error that ends pytest before anything runs."""
    return pytest.UsageError(for_terminal(text))
