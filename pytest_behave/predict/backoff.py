"""When the next request may be sent: waits that grow, what servers ask for, and a rate."""

from __future__ import annotations

import datetime as dt
import random
import re
import threading
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime

FIRST_SECONDS = 0.5
MOST_SECONDS = 30.0
_chance = random.Random()  # noqa: S311 - spreads requests over time, guards nothing


def delay(attempt: int, asked: float | None = None, chance: Callable[[], float] = _chance.random) -> float:
    """Return how long to wait after a failed attempt, counted from 0, in seconds.

    Full jitter: anything from nothing to a bound that doubles each time, so that clients which failed together do not
    come back together; never less than the server asked for.
    """
    bound = min(MOST_SECONDS, FIRST_SECONDS * 2 ** min(attempt, 16))
    return chance() * bound + (asked or 0.0)


def retry_after(value: str | None, now: dt.datetime | None = None) -> float | None:
    """Return the seconds that a Retry-After header asks for, as a number or as a date; None if it says nothing."""
    if value is None:
        return None
    if re.fullmatch(r"\s*[0-9]{1,9}(\.[0-9]{1,9})?\s*", value, re.ASCII):
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    date = date if date.tzinfo else date.replace(tzinfo=dt.timezone.utc)
    return max(0.0, (date - (now or dt.datetime.now(dt.timezone.utc))).total_seconds())


class Pace:
    """Turns for requests: at most ``rate`` per second, evenly, and none while a server has asked for rest."""

    def __init__(self, rate: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval = 1 / rate if rate else 0.0
        self._clock = clock
        self._next = clock()
        self._lock = threading.Lock()

    def turn(self) -> float:
        """Take the next turn and return the seconds until it comes."""
        with self._lock:
            now = self._clock()
            turn = max(now, self._next)
            self._next = turn + self._interval
            return turn - now

    def rest(self, seconds: float) -> None:
        """Let no turn come for some seconds."""
        with self._lock:
            self._next = max(self._next, self._clock() + seconds)
