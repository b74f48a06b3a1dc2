"""Where the work on suites is done: reading them with their data, and measuring them. What is heavy is imported here."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

import pytest

from pytest_behave.errors import BehaveError, DataError, EngineError, SuiteError
from pytest_behave.guard import any_place, guarded
from pytest_behave.records import Behavior, SuiteRun
from pytest_behave.session.conftests import Conftests
from pytest_behave.session.options import RunOptions, refused
from pytest_behave.session.outline import Outline, outline_of
from pytest_behave.session.places import Places

if TYPE_CHECKING:
    from pytest_behave.evaluate import Prepared, Resources

AfterRun = Callable[[], dict[str, Any]]
Witness = Callable[["Prepared", int], AfterRun]


class Measurement(NamedTuple):
    """A run, the file of outputs that accepting it would store, and the state of files and code in which it ran."""

    run: SuiteRun
    staged: str | None
    state: dict[str, Any] | None


class Workshop:
    """Reads and measures suites in this process, each once; what was read is kept until it is measured.

    A ``witness`` gets each suite as it is read, with the time (ns) before that, and returns what says after the run in
    which state of files and code the suite ran.
    """

    def __init__(
        self, config: pytest.Config, options: RunOptions, places: Places, conftests: Conftests, terminal: TextIO | None
    ) -> None:
        self._config = config
        self._options = options
        self._places = places
        self._conftests = conftests
        self._terminal = terminal
        self._resources: Resources | None = None
        self._prepared: dict[Path, Prepared] = {}
        self._after: dict[Path, AfterRun] = {}
        self.witness: Witness | None = None

    @pytest.hookimpl
    def pytest_sessionstart(self) -> None:
        """Refuse an engine or a size that is none before anything is read."""
        if self._config.getoption("behave_engine") != "local" or self._config.getoption("behave_memory"):
            self.open_resources()

    def open_resources(self) -> Resources:
        """Return where suites run, always the same; raise ``UsageError`` for an engine or a size that is none."""
        if self._resources is None:
            self._resources = self._opened_resources()
        return self._resources

    def _opened_resources(self) -> Resources:
        from pytest_behave.evaluate import Resources

        name, memory = (self._config.getoption(f"behave_{option}") for option in ("engine", "memory"))
        try:
            hook = self._config.hook.pytest_behave_engine
            with guarded(EngineError, "a plugin raised"):
                found = Resources(name, memory, lambda name: hook(name=name), self._terminal)
        except EngineError as error:
            raise refused(f"--behave-engine: {error}") from None
        except BehaveError as error:
            raise refused(f"--behave-memory: {error}") from None
        self._config.add_cleanup(found.close)
        return found

    def prepare(self, path: Path) -> Outline:
        """Read a suite and its data; raises SuiteError with everything that is wrong with them."""
        from pytest_behave.evaluate import pick_model, prepare_file

        started, resources = time.time_ns(), self.open_resources()
        try:
            with guarded(DataError, "a plugin or conftest.py raised", any_place):
                extensions = self._conftests.extensions(path)
            prepared = prepare_file(path, extensions, resources)
            model = pick_model(prepared, self._options.model)
        except SuiteError:
            raise
        except BehaveError as error:
            raise SuiteError([f"{path}: {error}"]) from None
        self._prepared[path] = prepared
        if self.witness is not None:
            self._after[path] = self.witness(prepared, started)
        return outline_of(prepared, model.name)

    def measure(self, path: Path) -> Measurement:
        """Run the model of a suite; return everything measured and judged."""
        from pytest_behave.evaluate import run_suite

        if path not in self._prepared:
            self.prepare(path)
        prepared = self._prepared.pop(path)
        keep = self.place_to_keep(path) if self._options.accepts and prepared.baseline is None else None
        run = run_suite(
            prepared,
            model=self._options.model,
            ref=self._options.against,
            keep=keep,
            terminal=self._terminal,
            cache=self._places.open_cache(),
        )
        after = self._after.pop(path, None)
        run = replace(run, strict=self._options.is_strict, behaviors=tuple(map(self._stored, run.behaviors)))
        staged = None if keep is None or not keep.exists() else str(keep)
        return Measurement(run, staged, None if after is None else after())

    def _stored(self, behavior: Behavior) -> Behavior:
        """Return a behavior as it stands once this test run has stored it."""
        if self._options.accepts and behavior.verdict == "no-baseline":
            return replace(behavior, verdict="holds", reason="stored by this run")
        return behavior

    def has_read(self, path: Path) -> bool:
        """Tell whether a suite was read here and not measured yet."""
        return path in self._prepared

    def place_to_keep(self, path: Path) -> Path:
        """Return where outputs are to be written for the controller, which alone writes baselines."""
        self._places.shared.mkdir(parents=True, exist_ok=True)
        name = hashlib.sha256(os.fsencode(path)).hexdigest()[:32]
        return self._places.shared / f"{name}-{os.getpid()}.baseline"
