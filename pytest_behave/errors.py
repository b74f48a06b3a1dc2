"""Every error that pytest-behave raises on purpose.

    BehaveError
    ├── SuiteError          a suite file does not say what it could mean; holds every problem of the file
    ├── PredicateError      an expression cannot be parsed, or does not fit the columns it names
    ├── DataError           the dataset cannot be read, or breaks a promise (ids, targets, shapes)
    ├── ModelError          the model failed, or returned something that is not a prediction
    ├── MetricError         a metric is unknown, unfit for the task, or failed
    ├── BaselineError       the stored baseline cannot be read, or not be written
    ├── CacheError          a folder is no prediction cache, or is not there
    ├── EngineError         the engine that measures the parts of a dataset is unknown, or failed
    └── MissingExtraError   an optional dependency is not installed

The text of each is one sentence that says where, what, and what to do; callers print it as it is.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class BehaveError(Exception):
    """Base of all errors of this package."""


class SuiteError(BehaveError):
    """All problems of one suite, each ``file:line:column: sentence``."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class PredicateError(BehaveError):
    """An expression of the predicate language is wrong; says what and, where it can, the nearest right name."""


class DataError(BehaveError):
    """The dataset cannot be used as declared."""


class ModelError(BehaveError):
    """The model could not be loaded, raised, or returned something unusable."""


class MetricError(BehaveError):
    """A metric cannot be computed as declared."""


class BaselineError(BehaveError):
    """The stored baseline cannot be read from the working tree or from a commit, or not be written."""


class CacheError(BehaveError):
    """What is named as a prediction cache is none."""


class EngineError(BehaveError):
    """The engine is unknown, cannot be reached, or lost its workers."""


class MissingExtraError(BehaveError):
    """An optional dependency is needed; the message carries the ``pip install`` line."""

    def __init__(self, purpose: str, package: str, extra: str) -> None:
        super().__init__(
            f"{purpose} needs {package}, which is not installed: run `pip install 'pytest-behave[{extra}]'`"
        )


def nearest(wrong: str, known: Iterable[str]) -> str | None:
    """Return the known name that is spelt most like a wrong one, None if none is much like it."""
    lowered = {name.lower(): name for name in sorted({str(name) for name in known}, reverse=True)}
    close = difflib.get_close_matches(str(wrong).lower(), lowered, n=1, cutoff=0.6)
    return lowered[close[0]] if close else None


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """Return " - did you mean 'x'?", or the few known names, or nothing; ready to append to a sentence."""
    names = sorted({str(name) for name in known})
    near = nearest(wrong, names)
    if near is not None:
        return f" - did you mean {near!r}?"
    if 0 < len(names) <= 8:  # noqa: PLR2004 - as many as a reader takes in at a glance
        return f" (known: {', '.join(names)})"
    return ""
