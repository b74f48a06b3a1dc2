"""What plugins, and the conftest files at or above a suite, add to it."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_behave.evaluate import Extensions


class Conftests:
    """The conftest modules of this process: functions marked in them can be named by the suites below."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._modules: list[ModuleType] = []

    @pytest.hookimpl
    def pytest_plugin_registered(self, plugin: object) -> None:
        """Remember conftest modules."""
        if isinstance(plugin, ModuleType) and Path(str(getattr(plugin, "__file__", ""))).name == "conftest.py":
            self._modules.append(plugin)

    def above(self, path: Path) -> list[ModuleType]:
        """Return the conftest modules at or above a suite, the outermost first."""
        parents = path.resolve().parents
        found = [module for module in self._modules if Path(str(module.__file__)).parent in parents]
        return sorted(found, key=lambda module: len(Path(str(module.__file__)).parts))

    def extensions(self, path: Path) -> Extensions:
        """Return what plugins and conftest files add to a suite."""
        from pytest_behave.evaluate import Extensions

        hook = self._config.hook
        return Extensions(
            metrics={
                metric.name: metric for found in hook.pytest_behave_metrics(config=self._config) for metric in found
            },
            read=lambda source, spec: hook.pytest_behave_read_dataset(source=source, spec=spec),
            model=lambda spec: hook.pytest_behave_model_source(spec=spec),
            modules=tuple(self.above(path)),
        )
