"""The directory of a prediction cache: marked as one, for git, for backups, and for us to know it from other folders."""

from __future__ import annotations

from pathlib import Path

MARK = "CACHEDIR.TAG"
TAG = "Signature: 8a477f597d28d172789f06886806bc55\n# Predictions that pytest-behave keeps; see https://bford.info/cachedir/\n"
IGNORE = "# Created by pytest-behave automatically.\n*\n"


def is_cache(folder: Path) -> bool:
    """Tell whether a folder was made to hold a prediction cache."""
    return (folder / MARK).is_file()


def make_cache(folder: Path) -> None:
    """Make the directory where it is not there; raises OSError."""
    if not is_cache(folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".gitignore").write_text(IGNORE, encoding="utf-8")
        (folder / MARK).write_text(TAG, encoding="utf-8")
