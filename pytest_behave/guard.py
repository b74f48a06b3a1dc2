"""The one guard around code of the user: whatever it does ends in one sentence for its suite, and others go on."""

from __future__ import annotations

import sysconfig
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pytest_behave.errors import BehaveError
from pytest_behave.text import printable

INSTALLED = {"site-packages", "dist-packages"}
STANDARD = Path(sysconfig.get_paths()["stdlib"])
THIS_PACKAGE = Path(__file__).parent
MOST_CHARACTERS = 200  # of what an exception says


@contextmanager
def guarded(
    kind: type[BehaveError], what: str, place_of: Callable[[BaseException], str] | None = None
) -> Iterator[None]:
    """Raise ``kind`` with ``what`` and the exception in words, whatever is raised within: sys.exit and skips too.

    An error of this package goes on as it is, and so does an interrupt by the user. ``place_of`` says where an exception
    comes from; by default, only the user's own code is named.
    """
    try:
        yield
    except (BehaveError, KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:
        raise kind(f"{what} {said(error)}{(place_of or own_place)(error)}") from error


def said(error: BaseException) -> str:
    """Return an exception in words: ``KeyError: 'age'``."""
    text = printable(error)[:MOST_CHARACTERS]
    return f"{type(error).__name__}{f': {text}' * bool(text)}"


def own_place(error: BaseException) -> str:
    """Return where in the user's own code an exception came from, `` (model.py:3)``; nothing if it did not."""
    own = [(path, line) for path, line in _frames(error) if path.is_file() and is_own_file(path)]
    return _shown(own)


def any_place(error: BaseException) -> str:
    """Return the same, or else the innermost place: of what nobody foresaw, that is where to look."""
    return own_place(error) or _shown(_frames(error))


def _frames(error: BaseException) -> list[tuple[Path, int | None]]:
    return [(Path(frame.filename), frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]


def _shown(frames: Sequence[tuple[Path, int | None]]) -> str:
    return f" ({frames[-1][0].name}:{frames[-1][1]})" if frames else ""


def is_own_file(path: Path) -> bool:
    """Tell whether a file or folder is the user's own: neither installed, nor Python's, nor this package's."""
    return not (
        INSTALLED & set(path.parts)
        or path.suffix == ".zip"
        or path.is_relative_to(STANDARD)
        or path.is_relative_to(THIS_PACKAGE)
    )
