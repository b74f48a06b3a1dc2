"""How much memory a dataset would take, and how much there is."""

from __future__ import annotations

import os
import re
from pathlib import Path

from pytest_behave.data.readers import format_of, reading
from pytest_behave.errors import DataError
from pytest_behave.records.sizes import bytes_of

# as measured on suites of 10^5 to 10^7 rows, their ids, labels and what they are compared by reckoned in
COLUMNS = 2  # times the bytes of parquet's columns
PER_ROW = 600
TEXT = 8  # times the bytes of a file of text
PACKED = 6  # what compressors make of text
CGROUP = Path("/sys/fs/cgroup")


def memory_of(size: str) -> int:
    """Return the bytes of a size such as ``500MB`` that data may take; raises DataError for anything else, or none."""
    try:
        found = bytes_of(size)
    except ValueError as error:
        raise DataError(str(error)) from None
    if not found:
        raise DataError(f"{size!r} is no memory at all: write 500MB or 2GB, for example")
    return found


def estimated_bytes(path: Path) -> int:
    """Return about how many bytes it takes to run a suite over the rows of a file."""
    size = path.stat().st_size
    if format_of(path) != "parquet":
        is_packed = path.suffix.lower() in (".gz", ".bz2", ".xz", ".zst")
        return size * TEXT * (PACKED if is_packed else 1)
    import pyarrow.parquet as pq

    with reading(path):
        metadata = pq.read_metadata(path)
    columns = sum(metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups))
    return COLUMNS * columns + PER_ROW * int(metadata.num_rows)


def free_bytes() -> int | None:
    """Return how many bytes this process may still take, None if the system does not tell."""
    found = [value for value in (_of_machine(), _of_cgroup(), _of_process()) if value is not None]
    return max(min(found), 0) if found else None


def _of_machine() -> int | None:
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:
        return None
    found = re.search(r"MemAvailable:\s+(\d+) kB", text)
    return int(found[1]) * 1024 if found else None


def _of_cgroup() -> int | None:
    try:
        limit, used = ((CGROUP / f"memory.{name}").read_text(encoding="ascii").strip() for name in ("max", "current"))
    except OSError:
        return None
    return None if limit == "max" else int(limit) - int(used)


def _of_process() -> int | None:
    """Return what is left of the limits on address space and data."""
    try:
        import resource

        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()
    except (ImportError, OSError):
        return None
    used = {resource.RLIMIT_AS: int(pages[0]), resource.RLIMIT_DATA: int(pages[5])}
    left = [
        resource.getrlimit(limit)[0] - count * os.sysconf("SC_PAGE_SIZE")
        for limit, count in used.items()
        if resource.getrlimit(limit)[0] != resource.RLIM_INFINITY
    ]
    return min(left) if left else None
