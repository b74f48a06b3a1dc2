"""Git LFS pointers: what stands in place of a large file until ``git lfs pull`` fetches it."""

from __future__ import annotations

import re
from pathlib import Path

POINTER = re.compile(rb"version https://(git-lfs\.github|hawser\.github)\.com/spec/")
LONGEST = 1024  # bytes of a pointer
ADVICE = "is a git LFS pointer: run `git lfs pull`, or set `lfs: true` in the checkout step"


def is_pointer(data: bytes) -> bool:
    """Tell whether a file is only a pointer, by its first bytes."""
    return POINTER.match(data) is not None


def is_pointer_file(path: Path) -> bool:
    """Tell whether a regular file is only a pointer; one that cannot be read is none."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return is_pointer(file.read(LONGEST))
    except OSError:
        return False
