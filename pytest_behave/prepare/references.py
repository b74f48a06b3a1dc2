"""Loading what a suite names in Python: ``module:function``, a marked function by name, a module."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from pytest_behave.errors import BehaveError, did_you_mean
from pytest_behave.guard import guarded


class References:
    """Finds objects for one suite: modules beside the suite file first, then whatever can be imported."""

    def __init__(self, folder: Path, modules: tuple[ModuleType, ...] = ()) -> None:
        self.folder = folder.resolve()
        self.modules = modules

    def with_module(self, name: str | None) -> References:
        """Return references that also look in the suite's own ``python:`` module."""
        return References(self.folder, (*self.modules, self.module(name))) if name else self

    def load(self, reference: str) -> Any:
        """Return the object that ``module:name`` stands for; raises BehaveError with one sentence."""
        module_name, _, attribute = reference.partition(":")
        found: Any = self.module(module_name)
        with guarded(BehaveError, f"{reference} cannot be loaded:"):
            for part in attribute.split("."):
                if not hasattr(found, part):
                    names = [name for name in getattr(found, "__dict__", ()) if not name.startswith("_")]
                    raise BehaveError(f"{module_name} has no {part!r}{did_you_mean(part, names)}")
                found = getattr(found, part)
        return found

    def module(self, name: str) -> ModuleType:
        """Import a module; one that stands beside the suite is kept apart from others of the same name."""
        beside = self.folder / f"{name}.py"
        with guarded(BehaveError, f"module {name!r} cannot be imported:"), self._importable():
            try:
                return _load_file(beside) if beside.is_file() else importlib.import_module(name)
            except ModuleNotFoundError as error:
                if error.name == name.partition(".")[0] or error.name == name:
                    near = [path.stem for path in self.folder.glob("*.py")]
                    raise BehaveError(f"there is no module {name!r}{did_you_mean(name, near)}") from None
                raise BehaveError(f"module {name!r} cannot be imported: {error}") from error

    @contextmanager
    def _importable(self) -> Iterator[None]:
        """Let modules import their neighbours; two suites may each have a helper.py."""
        folder = str(self.folder)
        names = {path.stem for path in self.folder.glob("*.py")}
        others = {name: sys.modules.pop(name) for name in names if _is_of_another_suite(name, self.folder)}
        sys.modules.update(_NEIGHBOURS.get(self.folder, {}))
        sys.path.insert(0, folder)
        try:
            yield
        finally:
            _NEIGHBOURS[self.folder] = {name: sys.modules[name] for name in names if _folder_of(name) == self.folder}
            sys.modules.update(others)
            sys.path.remove(folder)
            if folder not in sys.path:
                sys.path.append(folder)  # for what a function imports when it is called


_NEIGHBOURS: dict[Path, dict[str, ModuleType]] = {}


def _folder_of(name: str) -> Path | None:
    file = getattr(sys.modules.get(name), "__file__", None)
    return Path(file).parent if file else None


def _is_of_another_suite(name: str, folder: Path) -> bool:
    found = _folder_of(name)
    return found != folder and found in _NEIGHBOURS


def _load_file(path: Path) -> ModuleType:
    # two suites may both have a model.py: the name in sys.modules carries the folder
    digest = hashlib.sha256(str(path.parent).encode()).hexdigest()[:12]
    name = f"_behave_{digest}_{path.stem}"
    if name in sys.modules:
        return sys.modules[name]
    specification = importlib.util.spec_from_file_location(name, path)
    if specification is None or specification.loader is None:
        raise BehaveError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    try:
        specification.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
