"""Files that are no data: what git LFS leaves in place of a large one, pipes and devices."""

from __future__ import annotations

import re
from pathlib import Path

from pytest_behave.errors import BehaveError

POINTER = re.compile(rb"version https://(git-lfs\.github|hawser\.github)\.com/spec/")
LONGEST = 1024  # bytes of a pointer
ADVICE = "is a git LFS pointer: run `git lfs pull`, or set `lfs: true` in the checkout step"


def is_pointer(data: bytes) -> bool:
    """Tell whether a file is only a pointer, by its first bytes."""
    return POINTER.match(data) is not None


def check_readable(path: Path, kind: type[BehaveError]) -> None:
    """Raise ``kind`` for a pointer, and for a pipe or device, from which one could wait for ever.

    Whatever else is wrong with a file, reading it tells.
    """
    try:
        if path.is_file():
            with path.open("rb") as file:
                start = file.read(LONGEST)
        elif path.is_dir() or not path.exists():
            return
        else:
            raise kind(f"{path} is a pipe or a device, not a file")
    except OSError:
        return
    if is_pointer(start):
        raise kind(f"{path} {ADVICE}")
