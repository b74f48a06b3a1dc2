"""What the verdicts of suites depend on in this run: its options and plugins, and by suite its files and code."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pytest_behave.changed.dependencies import Code, Files, State, code_facts, relative_to, versions

if TYPE_CHECKING:
    import pytest

    from pytest_behave.evaluate import Prepared

HOOKS = ("metrics", "read_dataset", "model_source", "engine")


class States:
    """What the verdicts of suites depend on: options and plugins, and by suite its files and code."""

    def __init__(self, config: pytest.Config, conftests_above: Callable[[Path], list[ModuleType]]) -> None:
        self._config = config
        self._conftests_above = conftests_above
        self._facts: dict[tuple[Path, Code], tuple[dict[str, str], int]] = {}

    @cached_property
    def options(self) -> dict[str, Any]:
        """What was asked of this run and can change a verdict."""
        config, option = self._config, self._config.getoption
        reference = option("behave_against")
        return {
            "--behave-strict": bool(option("behave_strict") or config.getini("behave_strict")),
            "--behave-model": option("behave_model"),
            "--behave-against": reference and _commit(reference, config.rootpath),
            "--behave-engine": option("behave_engine"),
            "--behave-memory": option("behave_memory"),
            "--runxfail": bool(option("runxfail", default=False)),
            "filterwarnings": [*config.getini("filterwarnings"), *(option("pythonwarnings", default=None) or ())],
        }

    def modules(self, path: Path) -> tuple[tuple[str, Path], ...]:
        """Return the modules whose hooks and marked functions a suite may use: plugins, and conftest files above it."""
        loaded = {(module.__name__, Path(str(module.__file__))) for module in self._conftests_above(path)}
        return (*sorted(loaded), *self._plugins)

    @cached_property
    def _plugins(self) -> tuple[tuple[str, Path], ...]:
        callers = (getattr(self._config.hook, f"pytest_behave_{name}") for name in HOOKS)
        plugins = [implementation.plugin for caller in callers for implementation in caller.get_hookimpls()]
        modules = [plugin if isinstance(plugin, ModuleType) else _module_of(plugin) for plugin in plugins]
        files = {(module.__name__, Path(module.__file__)) for module in modules if module and module.__file__}
        return tuple(sorted(item for item in files if item[1].name != "conftest.py"))

    def facts(self, folder: Path, code: Code) -> tuple[dict[str, str], int]:
        """Return what some code reaches, and when its modules changed last (ns); found once per process."""
        if (folder, code) not in self._facts:
            self._facts[folder, code] = code_facts(folder, code)
        return self._facts[folder, code]

    def before(self, prepared: Prepared, started: int) -> Callable[[dict[str, Any]], State]:
        """Return what makes the state of a suite, once it has run, with the code as it is now.

        What changes later than ``started`` (ns) is never taken for what the suite ran with. Files are read when the
        state is made, except those that the earlier state, its argument, knows.
        """
        from pytest_behave.changed.inputs import inputs_of

        path = prepared.suite.path
        found = inputs_of(prepared, self._config.getoption("behave_model"))
        folder = path.parent
        code = Code(tuple(sorted(found.names)), self.modules(path))
        facts, changed_at = self.facts(folder, code)

        def state(earlier: dict[str, Any]) -> State:
            files = Files(folder, started, time.time_ns(), earlier.get("files", {}))
            for label, file in found.files:
                files.add(label, file)
            return State(
                files=files.found,
                patterns=[[label, relative_to(pattern, folder)] for label, pattern in found.patterns],
                names=code.names,
                facts=facts if changed_at <= started else {},
                options=self.options,
                versions=versions(),
                until=found.until,
                unknown=found.unknown,
            )

        return state


def _module_of(plugin: object) -> ModuleType | None:
    return sys.modules.get(type(plugin).__module__)


def _commit(reference: str, folder: Path) -> str:
    """Return the commit that a name stands for; the name itself where git knows none, which the run itself says."""
    if reference.startswith("-"):
        return reference
    command = ["git", "rev-parse", "--verify", "--quiet", f"{reference}^{{commit}}"]
    try:
        found = subprocess.run(  # noqa: S603 - git, and a name that is no option
            command, cwd=folder, capture_output=True, text=True, check=False, timeout=60
        )
    except (OSError, subprocess.SubprocessError):
        return reference
    return found.stdout.strip() or reference
