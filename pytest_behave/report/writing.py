"""Writing a report: whole or not at all, through links and into devices, with the mode that the file had."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

NO_FILES_OF_THEIR_OWN = (Path("/dev"), Path("/proc"))  # /dev/stdout may be a link to a file that others write to


def write_report(path: Path, text: str) -> None:
    """Write a file of UTF-8; raises OSError, and leaves what was there, where it can, and no part of a file.

    What is no regular file, such as ``/dev/stdout`` or a named pipe, is written to and not replaced.
    """
    data = text.encode("utf-8", "backslashreplace")
    if (path.exists() and not path.is_file()) or any(map(path.is_relative_to, NO_FILES_OF_THEIR_OWN)):
        path.write_bytes(data)
        return
    target = Path(os.path.realpath(path))
    unfinished = target.with_name(f".{os.getpid()}.unfinished")
    try:
        unfinished.write_bytes(data)
        if target.exists():
            shutil.copymode(target, unfinished)
        unfinished.replace(target)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
