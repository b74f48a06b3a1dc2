"""What an idle plugin costs: `python tests/benchmarks/bench_idle.py`.

One empty test, with the plugin and without it, interleaved. Other plugins are kept out of both sides
(PYTEST_DISABLE_PLUGIN_AUTOLOAD), so that "without" is a pytest that has never heard of this one.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

RUNS = 11
MOST_MILLISECONDS = 15


def seconds(folder: str, *arguments: str) -> float:
    """Return the wall time of one pytest process."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> int:
    """Measure, print, and return 1 if the plugin costs too much."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "test_nothing.py").write_text("def test_nothing(): pass\n", encoding="utf-8")
        plugin = ("-p", "pytest_behave.plugin")
        seconds(folder), seconds(folder, *plugin)  # compiles what is not compiled yet
        pairs = [(seconds(folder), seconds(folder, *plugin)) for _ in range(RUNS)]
    difference = statistics.median(with_it - without for without, with_it in pairs) * 1000
    print(f"Python {platform.python_version()}, pytest {pytest.__version__}, {RUNS} interleaved runs, medians")
    print(f"without the plugin {statistics.median(a for a, _ in pairs) * 1000:7.1f} ms")
    print(f"with it, idle      {statistics.median(b for _, b in pairs) * 1000:7.1f} ms")
    print(f"difference         {difference:7.1f} ms (required: under {MOST_MILLISECONDS})")
    return int(difference >= MOST_MILLISECONDS)


if __name__ == "__main__":
    sys.exit(main())
