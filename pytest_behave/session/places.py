"""Where a test run keeps files: the prediction cache, and the folder that its processes share."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_behave.predict.directory import is_cache
from pytest_behave.session.options import refused

if TYPE_CHECKING:
    from pytest_behave.predict.cache import Cache
    from pytest_behave.session.messages import Messages


class Places:
    """Two folders. An xdist worker is told of them by the controller, which removes the shared one in the end."""

    def __init__(self, config: pytest.Config, messages: Messages) -> None:
        told: dict[str, str] | None = getattr(config, "workerinput", None)
        self._messages = messages
        self._cache: Cache | None = None
        if told is not None:
            self.cache = Path(told["behave_cache"]) if told["behave_cache"] else None
            self.shared = Path(told["behave_shared_folder"])
            return
        self.cache = _cache_folder(config)
        self.shared = Path(tempfile.gettempdir()) / f"pytest-behave-{uuid.uuid4().hex}"
        config.add_cleanup(lambda: shutil.rmtree(self.shared, ignore_errors=True))

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell each xdist worker where things are kept."""
        node.workerinput["behave_shared_folder"] = str(self.shared)
        node.workerinput["behave_cache"] = "" if self.cache is None else str(self.cache)

    @pytest.hookimpl
    def pytest_sessionstart(self) -> None:
        """Refuse a folder of other files before anything is read."""
        if self.cache is not None and _holds_other_files(self.cache):
            raise refused(
                f"--behave-cache: {self.cache} holds other files and is no prediction cache: name a folder of its own"
            )

    def open_cache(self) -> Cache | None:
        """Return the prediction cache, always the same; None if it is switched off."""
        if self._cache is None and self.cache is not None:
            from pytest_behave.predict.cache import Cache

            self._cache = Cache(self.cache, self._messages.audience)
        return self._cache


def _cache_folder(config: pytest.Config) -> Path | None:
    """Return where outputs are kept: below the directory that the option was given in, else the root directory."""
    given = config.getoption("behave_cache")
    if "off" in (given, given or config.getini("behave_cache")):
        return None
    if given:
        return config.invocation_params.dir / given
    return config.rootpath / str(config.getini("behave_cache"))


def _holds_other_files(folder: Path) -> bool:
    """Tell whether a folder is there and no cache; of one that cannot be read, the cache itself will tell."""
    try:
        return folder.is_dir() and any(folder.iterdir()) and not is_cache(folder)
    except OSError:
        return False
