"""Names that the door and the rooms behind it share: what a suite file is called, and the warning of a behavior."""

from __future__ import annotations

import pytest

SUFFIXES = (".behave.yaml", ".behave.yml")


class BehaveWarning(pytest.PytestWarning):
    """A behavior passed without being decided, or failed a bound that is declared to warn only."""
