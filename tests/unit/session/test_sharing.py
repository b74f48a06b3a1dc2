"""What processes leave for each other: one works on a suite, and what it did not finish is found out by the others."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pytest_behave.predict.waiting import Audience
from pytest_behave.session.sharing import SharedFolder, begun_and_not_ended

SUITE = Path("/suites/a.behave.yaml")
OTHER = Path("/suites/b.behave.yaml")
DIES = """
import os, sys
from pathlib import Path
from pytest_behave.session.sharing import SharedFolder
share = SharedFolder(Path(sys.argv[1]), "gw0")
for suite in sys.argv[2].split(","):
    share.claim(Path(suite))
for suite in filter(None, sys.argv[3].split(",")):
    share.begin(Path(suite))
os._exit(7)
"""


@pytest.fixture
def share(tmp_path):
    """Give what a process shares that lives."""
    found = SharedFolder(tmp_path / "shared", "gw1")
    yield found
    found.close()


def died(share, claimed, begun=()):
    """Let another process claim suites, begin some, and die."""
    words = [str(share.folder), ",".join(map(str, claimed)), ",".join(map(str, begun))]
    assert subprocess.run([sys.executable, "-c", DIES, *words], check=False).returncode == 7


def test_a_suite_is_one_process_s(share, tmp_path):
    other = SharedFolder(tmp_path / "shared", "gw2")
    assert share.claim(SUITE)
    assert share.claim(SUITE)  # still
    assert not other.claim(SUITE)
    assert other.claim(OTHER)
    other.close()


def test_what_one_publishes_the_others_read(share, tmp_path):
    other = SharedFolder(tmp_path / "shared", "gw2")
    share.claim(SUITE)
    assert other.read(SUITE, "outline") is None
    share.publish(SUITE, "outline", "süß")
    assert other.read(SUITE, "outline") == other.wait(SUITE, "outline", Audience(), "it") == "süß"
    assert other.read(SUITE, "result") is other.read(OTHER, "outline") is None
    other.close()


def test_a_process_that_died_is_not_waited_for(share):
    died(share, [SUITE])
    assert not share.claim(SUITE)
    assert share.wait(SUITE, "result", Audience(), "it") is None


def test_a_suite_that_killed_its_process_is_given_up_for_all(share):
    died(share, [SUITE, OTHER], begun=[SUITE])
    assert list(begun_and_not_ended(share.folder)) == [(SUITE, "gw0")]
    for suite in (SUITE, OTHER):
        share.give_up(suite, "result", lambda: "it died")
    assert share.read(SUITE, "result") == "it died"
    assert not share.claim(SUITE)
    assert share.read(OTHER, "result") is None
    assert share.claim(OTHER)  # it had not begun: another process does it


def test_a_suite_whose_reading_killed_the_process_is_given_up_for_all(share):
    died(share, [SUITE])
    share.give_up(SUITE, "outline", lambda: "it died")
    share.give_up(SUITE, "outline", lambda: "told twice")
    assert share.read(SUITE, "outline") == "it died"


def test_a_living_process_is_never_given_up(share, tmp_path):
    other = SharedFolder(tmp_path / "shared", "gw2")
    other.claim(SUITE)
    other.begin(SUITE)
    share.give_up(SUITE, "result", lambda: "it died")
    assert share.read(SUITE, "result") is None
    other.end(SUITE)
    assert not list(begun_and_not_ended(share.folder))
    other.close()


def test_a_process_that_leaves_lets_the_others_have_what_it_did_not_do(share, tmp_path):
    other = SharedFolder(tmp_path / "shared", "gw2")
    other.claim(SUITE)
    other.close()
    assert share.wait(SUITE, "result", Audience(), "it") is None
    share.give_up(SUITE, "result", lambda: "it died")
    assert share.claim(SUITE)
