"""A progress bar for long work: only on a terminal, and only after two seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from pytest_behave.text import for_terminal

PATIENCE_IN_SECONDS = 2


@contextmanager
def progress_bar(stream: TextIO | None, total: int, label: str, unit: str = "row") -> Iterator[Callable[[int], object]]:
    """Yield a function to call with the number of rows, or other units, done since the last call."""
    if stream is None or not stream.isatty():
        yield lambda _done: None
        return
    from tqdm import tqdm

    with tqdm(
        total=total, desc=for_terminal(label), file=stream, delay=PATIENCE_IN_SECONDS, leave=False, unit=unit
    ) as bar:
        yield bar.update
