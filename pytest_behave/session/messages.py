"""What a process has to say besides its results: at once on the terminal, or in the summary."""

from __future__ import annotations

import os
from typing import TextIO

import pytest

from pytest_behave.predict.waiting import Audience
from pytest_behave.text import for_terminal


class Messages:
    """Lines for the summary, in order and each once, and a terminal that pytest does not capture."""

    def __init__(self, config: pytest.Config) -> None:
        # duplicated now, while pytest does not capture: a model runs while it does
        self._screen = os.fdopen(os.dup(2), "w", encoding="utf-8", errors="replace") if os.isatty(2) else None
        if self._screen is not None:
            config.add_cleanup(self._screen.close)
        worker: dict[str, str] | None = getattr(config, "workerinput", None)
        self.terminal: TextIO | None = None if worker is not None else self._screen
        name = f"process {os.getpid()}" if worker is None else worker["workerid"]
        self.audience = Audience(name, self._show, self.say)
        self.said: dict[str, None] = {}

    def say(self, text: str) -> None:
        """Keep a line for the summary."""
        self.said[text] = None

    def take(self) -> list[str]:
        """Return what was said since this was asked last."""
        said, self.said = list(self.said), {}
        return said

    def _show(self, text: str) -> None:
        if self._screen is not None:
            self._screen.write(f"{for_terminal(f'behave: {text}')}\r\n")
            self._screen.flush()
