"""Let Python sleep under libfaketime, which turns the moment that `time.sleep` waits for into one that has passed."""

from __future__ import annotations

import select
import time


def sleep(seconds: float) -> None:
    """Wait by a length of time, which libfaketime leaves alone."""
    select.select([], [], [], seconds)


time.sleep = sleep
