"""What a prediction cache holds, and making it smaller."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import re
import shutil
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_behave.errors import CacheError
from pytest_behave.predict.directory import is_cache
from pytest_behave.predict.journal import adopted
from pytest_behave.predict.segments import rows_in, segments_in
from pytest_behave.predict.store import ABOUT, journals_in

GREEN = "green.json"
OF_A_MODEL = re.compile(r"[0-9a-f]{32}")
SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


@dataclass(frozen=True, slots=True)
class Kept:
    """The outputs of one model: ``size`` in bytes, ``used`` in seconds since 1970."""

    folder: Path
    model: str
    suite: str
    rows: int
    size: int
    used: float


def models_in(cache: Path) -> list[Kept]:
    """Return what a cache holds, last used first; raises CacheError if it is no folder, or holds something else."""
    if not cache.is_dir():
        raise CacheError(
            f"there is no folder {cache}: run this where pytest's root directory is, or name it with --cache"
        )
    if not is_cache(cache):
        raise CacheError(f"{cache} is not a prediction cache (it has no CACHEDIR.TAG): name one with --cache")
    folders = [path for path in cache.iterdir() if OF_A_MODEL.fullmatch(path.name) and _is_of_a_model(path)]
    return sorted(map(_kept, folders), key=lambda kept: (-kept.used, kept.folder))


def _is_of_a_model(folder: Path) -> bool:
    return (folder / ABOUT).is_file() or bool(segments_in(folder) or journals_in(folder))


def _kept(folder: Path) -> Kept:
    about, used = {}, folder.stat().st_mtime
    with contextlib.suppress(OSError, ValueError):
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        used = (folder / ABOUT).stat().st_mtime
    rows = 0
    for path in segments_in(folder):
        with contextlib.suppress(ValueError):
            rows += rows_in(path)
    sizes = [path.stat().st_size for path in folder.iterdir()]
    return Kept(folder, str(about.get("model", "?")), str(about.get("suite", "?")), rows, sum(sizes), used)


def info_lines(cache: Path) -> list[str]:
    """Return a line per model: its key, rows, size, when it was last used, its suite and name."""
    kept = models_in(cache)
    if not kept:
        return [f"{cache} holds no outputs"]
    total = f"{cache}: {_models(len(kept))}, {sum(item.rows for item in kept):,} rows, {size_text(_size(kept))}"
    return [total, *map(_line, kept)]


def _line(kept: Kept) -> str:
    used = dt.datetime.fromtimestamp(kept.used).strftime("%Y-%m-%d %H:%M")  # noqa: DTZ006 - the user's own clock
    waiting = " and a journal" if journals_in(kept.folder) else ""
    rows = f"{kept.rows:,} rows{waiting}"
    return f"  {kept.folder.name}  {rows}  {size_text(kept.size)}  used {used}  {kept.suite}: {kept.model}"


def clear_lines(cache: Path) -> list[str]:
    """Remove all outputs and say so, and what else is kept beside them: which suites were green."""
    lines = _removed(models_in(cache))
    (cache / GREEN).unlink(missing_ok=True)
    return lines


def collect_lines(cache: Path, *, older_than: float | None = None, max_size: int | None = None) -> list[str]:
    """Remove models not used for ``older_than`` seconds, then those not used for longest until ``max_size`` bytes remain."""
    kept = models_in(cache)
    old = [item for item in kept if older_than is not None and time.time() - item.used > older_than]
    rest = [item for item in kept if item not in old]
    while max_size is not None and _size(rest) > max_size:
        old.append(rest.pop())
    return _removed(old)


def _removed(kept: Sequence[Kept]) -> list[str]:
    busy = [item for item in kept if not _remove(item.folder)]
    gone = [item for item in kept if item not in busy]
    lines = [f"removed {_models(len(gone))}, {size_text(_size(gone))}"]
    return [*lines, *(f"left {item.folder.name} ({item.model}): a process is writing to it" for item in busy)]


def _remove(folder: Path) -> bool:
    """Remove a model's folder, unless a process is writing to it; return whether it is gone."""
    locks = [adopted(path) for path in journals_in(folder)]
    try:
        if None in locks:
            return False
        shutil.rmtree(folder, ignore_errors=True)
        return True
    finally:
        for lock in locks:
            if lock is not None:
                lock.release()


def _size(kept: Iterable[Kept]) -> int:
    return sum(item.size for item in kept)


def _models(count: int) -> str:
    return f"{count} model{'s' * (count != 1)}"


def size_text(size: float) -> str:
    """Return a number of bytes as people read it."""
    for unit in ("B", "KB", "MB"):
        if size < 1_000:  # noqa: PLR2004 - of the next unit
            return f"{size:.3g} {unit}"
        size /= 1_000
    return f"{size:.3g} GB"


def seconds_of(text: str) -> float:
    """Return a length of time such as ``30d`` or ``12h`` in seconds; raises ValueError."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw])", text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no length of time: write 30d, 12h or 2w")
    return float(found[1]) * SECONDS[found[2]]
