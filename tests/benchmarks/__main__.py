"""Run the benchmarks one after the other: whole runs, speed, memory, engines, start-up, kills.

    python tests/benchmarks [NAME ...]

NAME is one of whole, kernel, parts, startup, kills; all of them take half an hour on two cores. Each prints the machine, the
versions, its ratios and what is required. The exit code is 1 if anything required is missed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

SCRIPTS = {
    "whole": "bench_whole.py",
    "kernel": "bench_kernel.py",
    "parts": "bench_parts.py",
    "startup": "bench_startup.py",
    "kills": "kill_runs.py",
}


def main() -> int:
    """Run what is named, all if nothing is."""
    parser = argparse.ArgumentParser(prog="python tests/benchmarks", description="Run the benchmarks.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(SCRIPTS)}; default: all")
    names = parser.parse_args().names or list(SCRIPTS)
    unknown = [name for name in names if name not in SCRIPTS]
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]!r}: name one of {', '.join(SCRIPTS)}")
    missed = []
    for name in names:
        print(f"\n== {name}", flush=True)
        if subprocess.run([sys.executable, Path(__file__).with_name(SCRIPTS[name])], check=False).returncode:
            missed.append(name)
    print(f"\nmissed in: {', '.join(missed)}" if missed else "\neverything required is met")
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
