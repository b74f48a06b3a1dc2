"""How long to wait: bounds that hold for every attempt, and what servers ask for."""

from __future__ import annotations

import datetime as dt
import itertools
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_behave.predict.backoff import FIRST_SECONDS, MOST_SECONDS, Pace, delay, retry_after

CHANCES = st.floats(0, 1, exclude_max=True)
NOW = dt.datetime(2026, 3, 1, 12, 0, 0, tzinfo=dt.timezone.utc)


@given(attempt=st.integers(0, 10_000), chance=CHANCES, asked=st.none() | st.floats(0, 1000))
def test_a_wait_is_within_its_bounds(attempt, chance, asked):
    least = asked or 0
    seconds = delay(attempt, asked, lambda: chance)
    assert least <= seconds <= least + min(MOST_SECONDS, FIRST_SECONDS * 2 ** min(attempt, 100))


@given(attempt=st.integers(0, 100), chance=CHANCES)
def test_the_bound_never_shrinks_and_the_jitter_is_full(attempt, chance):
    assert delay(attempt + 1, None, lambda: chance) >= delay(attempt, None, lambda: chance)
    assert delay(attempt, None, lambda: 0.0) == 0


@given(st.integers(0, 10**8))
def test_seconds_are_read_as_they_are(seconds):
    assert retry_after(str(seconds)) == seconds
    assert retry_after(f" {seconds}.5 ") == seconds + 0.5


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1e3", None),
        ("nan", None),
        ("inf", None),
        ("99999999999999999999", None),
        ("Sun, 01 Mar 2026 12:00:30 GMT", 30),
        ("Sunday, 01-Mar-26 12:00:30 GMT", 30),
        ("Sun Mar  1 12:00:30 2026", 30),
        ("Sun, 01 Mar 2026 13:00:30 +0100", 30),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0),
        ("Sun, 99 Mar 2026 11:00:00 GMT", None),
    ],
)
def test_a_server_may_ask_by_seconds_or_by_date(header, seconds):
    assert retry_after(header, NOW) == seconds


@given(st.text(max_size=40))
def test_whatever_the_header_says_nothing_breaks(header):
    seconds = retry_after(header, NOW)
    assert seconds is None or seconds >= 0


@given(rate=st.floats(0.1, 1000), arrivals=st.lists(st.floats(0, 10), max_size=30))
def test_turns_are_never_closer_than_the_rate_allows(rate, arrivals):
    now = 0.0
    pace = Pace(rate, lambda: now)
    turns = []
    for arrival in sorted(arrivals):
        now = arrival
        turns.append(now + pace.turn())
    gaps = [later - earlier for earlier, later in itertools.pairwise(turns)]
    assert all(gap >= 1 / rate - 1e-9 for gap in gaps)


def test_without_a_rate_turns_come_at_once_unless_a_server_rests():
    now = 5.0
    pace = Pace(None, lambda: now)
    assert [pace.turn(), pace.turn()] == [0, 0]
    pace.rest(3)
    pace.rest(1)
    assert [pace.turn(), pace.turn()] == [3, 3]
    now = 9.0
    assert pace.turn() == 0


def test_turns_taken_side_by_side_are_all_different():
    pace = Pace(1000, lambda: 0.0)
    turns = []
    threads = [threading.Thread(target=lambda: turns.append(pace.turn())) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(turns) == pytest.approx([number / 1000 for number in range(20)])
