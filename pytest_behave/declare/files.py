"""Questions about files whose names a suite gives: any text may stand there, also one that no file can have."""

from __future__ import annotations

from pathlib import Path


def exists(path: Path) -> bool:
    """Tell whether there is such a file or folder."""
    try:
        return path.exists()
    except (OSError, ValueError):  # a name that is too long, or holds a NUL
        return False


def names_beside(path: Path) -> list[str]:
    """Return the names of what lies in the same folder, to suggest the nearest."""
    try:
        return [entry.name for entry in path.parent.iterdir()]
    except (OSError, ValueError):  # no folder, or none that may be read
        return []
