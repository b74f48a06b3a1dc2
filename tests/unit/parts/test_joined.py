"""Stored outputs are joined in workers, which need to see their folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_behave.errors import EngineError
from pytest_behave.outputs.predictions import About
from pytest_behave.parts.joined import Joined, StoredRows


def test_a_worker_without_the_folder_says_what_to_do():
    with pytest.raises(EngineError, match="set TMPDIR, where pytest runs, to a folder that all workers share"):
        Joined(StoredRows(Path("nowhere"), About((), "m", (), ()), 0))
