"""Every code block of the documentation does what the page says it does."""

from __future__ import annotations

import datetime as dt
import re
import sys
from pathlib import Path

import pytest

from tests.docs.pages import Page, WrongPageError, blocks_of, is_shown

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md") if "_build" not in page.parts)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The page's own folder: where its files are written and its commands run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    known = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - known:
        if str(getattr(sys.modules[name], "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.mark.parametrize("page", PAGES)
def test_every_block_of_a_page_does_what_the_page_says(page: str, folder: Path) -> None:
    Page(DOCS / page, folder).run()


def test_a_known_failure_of_a_page_that_runs_is_over_for_good_or_never() -> None:
    files = [(page, block) for page in PAGES for block in blocks_of(DOCS / page) if block.kind == "file"]
    days = {(page, day) for page, block in files for day in re.findall(r"until: (\S+?)\}", block.text)}
    today = dt.date.today().isoformat()  # noqa: DTZ011 - the user's own calendar
    assert days
    assert [found for found in days if found[1] >= today] == []


# -- the machinery itself: a block that is wrong is noticed

WRONG = {
    "no comment": ("```yaml\nsuite: a\n```\n", "must say what it is"),
    "other output": ("<!-- run -->\n```console\n$ python -c 'print(1)'\n2\n```\n", "does not print what is shown"),
    "other exit code": ("<!-- run: exit 1 -->\n```console\n$ python -c 'print(1)'\n1\n```\n", "exit code 0, not 1"),
    "key that is none": ("<!-- fragment -->\n```yaml\ndataste: {path: a.csv}\n```\n", "unknown key 'dataste'"),
    "suite that is wrong": ("<!-- file: a.behave.yaml -->\n```yaml\nmodel: a\n```\n", "a.behave.yaml does not load"),
    "suite that is right": (
        "<!-- file: a.behave.yaml, wrong -->\n```yaml\ndataset: {path: a.csv}\nmodel: {column: a}\n```\n",
        "should be refused",
    ),
    "session": ("<!-- run -->\n```pycon\n>>> 1 + 1\n3\n```\n", "Expected:\n    3\nGot:\n    2"),
    "not closed": ("<!-- run -->\n```python\n1\n", "not closed"),
}


@pytest.mark.parametrize(("text", "sentence"), WRONG.values(), ids=WRONG)
def test_a_block_that_breaks_its_promise_fails_the_page(text: str, sentence: str, folder: Path) -> None:
    page = folder / "page.md"
    page.write_text(text)
    with pytest.raises(WrongPageError) as error:
        Page(page, folder).run()
    assert sentence in str(error.value)


def test_a_python_block_that_raises_fails_the_page(folder: Path) -> None:
    page = folder / "page.md"
    page.write_text("<!-- run -->\n```python\nraise KeyError('gone')\n```\n")
    with pytest.raises(KeyError, match="gone"):
        Page(page, folder).run()


def test_directives_are_no_code_blocks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```{toctree}\nindex\n```\n\n<!-- shown -->\n```console\n$ pip install x\n```\n")
    assert [block.kind for block in blocks_of(page)] == ["shown"]


@pytest.mark.parametrize(
    ("shown", "output", "fits"),
    [
        ("a\nb", "a\nb\n", True),
        ("a\nb", "a\nc\nb\n", False),
        ("a\n...\nb", "a\nc\nd\nb\n", True),
        ("a\n...\nb", "a\nb\n", True),
        ("...\nb", "a\nb\n", True),
        ("a\n...", "a\nb\n", True),
        ("a\n...\nc\n...\ne", "a\nb\nc\nd\ne\n", True),
        ("a\n...\nc\n...\ne", "a\nb\nd\ne\n", False),
        ("a\n...\nb\n...", "a\nc\n", False),
        ("a", "a\nb\n", False),
        ("== 1 passed in 0.12s ==", "==== 1 passed in 3.40s ====\n", True),
        ("== 1 passed in 0.12s ==", "==== 2 passed in 3.40s ====\n", False),
        ("green on 2026-11-22", "green on 2031-02-03\n", True),
        ("green on 2026-11-22", "green on Monday\n", False),
        ("week=2026-11-22", "week=2031-02-03\n", False),
    ],
)
def test_three_dots_stand_for_any_lines_and_no_length_of_time_or_day_of_a_run_counts(
    shown: str, output: str, *, fits: bool
) -> None:
    assert is_shown(shown, output) is fits
