"""``python -m pytest_behave`` is ``pytest-behave``."""

import sys

from pytest_behave.cli import main

sys.exit(main())
