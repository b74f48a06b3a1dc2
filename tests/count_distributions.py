"""Print the distributions of this environment, installers left out, and fail if there are more than allowed."""

from __future__ import annotations

import sys
from importlib.metadata import distributions

MOST = 30
INSTALLERS = {"pip", "setuptools", "wheel"}

names = sorted({distribution.metadata["Name"] for distribution in distributions()} - INSTALLERS, key=str.lower)
print(f"{len(names)} distributions (at most {MOST}): {', '.join(names)}")
sys.exit(len(names) > MOST)
