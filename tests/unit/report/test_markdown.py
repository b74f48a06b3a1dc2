"""The Markdown report shows data as it is, lets none of it come alive, and fits its limit with the worst first."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from pytest_behave.records import Instance, Run, Unread
from pytest_behave.report.markdown import COMMENT_LIMIT, MARKER, markdown
from pytest_behave.text import for_markdown, printable

from .test_record import BEHAVIOR, CASE, ODD, RUNS, SUITE

STEADY = settings(max_examples=30)
RENDERER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
OF_A_TABLE = {"table", "thead", "tbody", "tr", "th", "td"}
OWN_TAGS = {"h2", "h3", "h4", "p", "blockquote", "details", "summary", "strong"} | OF_A_TABLE
CELLS = {"td", "summary", "p", "h3"}
# what GitHub turns into links where it finds it in the text that it has rendered
ALIVE = re.compile(r"@[\w-]|#\d|\bGH-\d|://|\bwww\.", re.IGNORECASE)


class Page(HTMLParser):
    """What a browser would see of a report: tags, attributes, and texts, each up to the next tag or comment."""

    def __init__(self, source):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.texts, self.cells, self.open = set(), [], [], [], False
        self.feed(RENDERER.render(source))
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs
        if tag in CELLS:
            self.cells.append("")
            self.open = True

    def handle_endtag(self, tag):
        self.open = self.open and tag not in CELLS

    def handle_data(self, data):
        self.texts.append(data)
        if self.open:
            self.cells[-1] += data


def is_inert(page):
    return page.tags <= OWN_TAGS and not page.attributes and not [text for text in page.texts if ALIVE.search(text)]


EVIL = [
    *ODD,
    "a | b || c \\| d",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<a href='https://example.org'>x</a>",
    "</summary></details><b>x</b>",
    "<!-- comment -->",
    "&lt;b&gt; &amp; &#64; &copy;",
    "[click](https://example.org)",
    "[click](javascript:alert(1))",
    "![image](https://example.org/x.png)",
    "[a]: https://example.org 'x'",
    "<https://example.org>",
    "https://example.org/?a=1&b=2",
    "HTTPS://EXAMPLE.ORG",
    "www.example.org",
    "ftp://example.org",
    "me@example.org",
    "mailto:me@example.org",
    "@octocat and @org/team",
    "#12 and owner/repo#12 and GH-12",
    "`code` ``more`` ```fence```",
    "**bold** __bold__ *it* _it_ ~~gone~~ snake_case_name",
    "# heading",
    "- item",
    "1. item",
    "> quote",
    "---",
    "===",
    "    indented",
    "a\n\nb",
    "a\r\n| b |",
    "$x$ \\(y\\)",
    "\\",
    "\\\\|",
    "line\\\nbreak  \nbreak",
    "<details>",
    "a<br>b",
    "&",
    "&#x3C;script&#x3E;",
]

# --- any text -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", EVIL, ids=repr)
def test_a_text_in_a_cell_is_shown_as_it_is_and_stays_dead(text):
    page = Page(f"| a | b |\n|---|---|\n| {for_markdown(text)} | end |\n")
    assert page.cells == [printable(text), "end"]
    assert is_inert(page)


PIECES = st.sampled_from(
    [*"|\\`*_{}[]()<>#+-.!~$&@:;/='\" \n\t\r0aw", "www.", "://", "<!--", "-->", "&lt;", "GH-", "é", "\x1b"]
)


@settings(STEADY, max_examples=300)
@given(text=st.lists(PIECES, max_size=14).map("".join) | st.text(max_size=20))
@example("@@a")
@example("\\@a")
@example("#1#2")
@example("://://")
@example("<!-- --@a -->")
def test_any_text_is_shown_as_it_is_and_stays_dead(text):
    page = Page(f"| a | b |\n|---|---|\n| {for_markdown(text)} | end |\n")
    assert page.cells == [printable(text), "end"]
    assert is_inert(page)


def run_of(*behaviors, cases=(), **changes):
    return Run((replace(SUITE, behaviors=behaviors, cases=cases, **{"notes": (), **changes}),))


@pytest.mark.parametrize("text", EVIL[1:], ids=repr)
def test_a_text_is_shown_as_it_is_wherever_it_comes_from(text):
    shown = printable(text)
    instance = Instance(text, text, text, 0.5, {text: text})
    behavior = replace(BEHAVIOR, slice=text, metric=text, reason=text, between=(text, text), instances=(instance,))
    case = replace(CASE, id=text, output=text, reason=text)
    run = run_of(behavior, cases=(case,), suite=text, model=text, owner=text, notes=(text,))

    page = Page(markdown(run))

    assert is_inert(page)
    row = [f"{shown} (10)", f"{shown} ({shown} to {shown})", "0.500 [0.150, 0.850]", "max 0.45", f"violated: {shown}"]
    instances = [shown, shown, shown, "0.500", printable(f"{text}: {text}")]
    cells = [" ".join(cell.split()) for cell in page.cells]
    expected = [
        f"{shown} (10 rows · model {shown} · {shown})",
        shown,
        *row,
        *[shown] * 3,
        f"{shown} {shown}: 1 instance",
        *instances,
    ]
    assert cells[-len(expected) :] == [" ".join(cell.split()) for cell in expected]


@STEADY
@given(run=RUNS)
def test_any_run_is_rendered_without_anything_alive(run):
    text = markdown(run)
    assert text.startswith(f"{MARKER}\n## ")
    assert is_inert(Page(text))
    assert text.count("<details>") == text.count("</details>")


# --- what it says -------------------------------------------------------------------------------------------------


def test_the_first_line_is_a_hidden_marker_and_the_second_says_how_it_went():
    assert markdown(run_of(BEHAVIOR)).splitlines()[:2] == [MARKER, "## ❌ Behaviors: 1 violated in 1 suite"]
    good = run_of(replace(BEHAVIOR, verdict="holds"))
    assert markdown(good).splitlines()[:2] == [MARKER, "## ✅ Behaviors: 1 holds in 1 suite"]
    assert MARKER not in "".join(Page(markdown(good)).texts)


def test_a_run_in_which_nothing_was_measured_does_not_look_green():
    assert markdown(Run(())) == f"{MARKER}\n## ⚠️ Behaviors: nothing measured in 0 suites\n"


UNREAD = (Unread("a.behave.yaml", "a.behave.yaml:1:1: <what> | this\n\nb\nc\nd\ne"), Unread("b.behave.yaml", "x"))


@pytest.mark.parametrize(
    ("run", "headline"),
    [
        (Run((), unread=UNREAD), "❌ Behaviors: 2 suites could not be read"),
        (Run((), unread=(*UNREAD, Unread("test_c.py", "x"))), "❌ Behaviors: 3 files could not be read"),
        (Run((), left_out=("c", "d")), "✅ Behaviors: 2 suites not run: nothing changed"),
        (
            replace(run_of(replace(BEHAVIOR, verdict="holds")), unread=UNREAD[:1], left_out=("c",)),
            "❌ Behaviors: 1 holds in 1 suite; 1 suite could not be read; 1 suite not run: nothing changed",
        ),
    ],
)
def test_what_could_not_be_read_and_what_was_left_out_are_said(run, headline):
    assert markdown(run).splitlines()[:2] == [MARKER, f"## {headline}"]


def test_the_first_lines_of_an_error_are_shown_and_of_a_traceback_what_was_raised():
    traceback = Unread("test_c.py", "file:3: in <module>\n    import @nix\nE   ImportError: no @nix\nE   at all")
    lines = markdown(Run((), unread=(*UNREAD, traceback))).splitlines()[2:]
    assert lines == [
        "",
        "| could not be read | why |",
        "|---|---|",
        r"| a.behave.yaml | a.behave.yaml:1:1: &lt;what&gt; \| this<br>b<br>c<br>... and 2 more lines |",
        "| b.behave.yaml | x |",
        r"| test\_c.py | ImportError: no @<!-- -->nix<br>at all |",
    ]


def test_what_broke_is_in_sight_and_the_rest_is_folded():
    behaviors = [
        replace(BEHAVIOR, verdict=verdict, slice=verdict) for verdict in ("holds", "undecided", "known-failure")
    ]
    text = markdown(run_of(BEHAVIOR, *behaviors, cases=(CASE,)))
    summaries = re.findall(r"<summary>(.*)</summary>", text)
    assert summaries == ["race=A fpr: 1 instance", "1 undecided", "1 known failures", "1 holding"]
    before = text[: text.index("<details>")]
    assert "| race=A (10) | fpr | 0.500 [0.150, 0.850] | max 0.45 | **violated**: 0.5 is above max 0.45 |" in before
    assert r"| t\-1 | 5 | not 4 |" in before
    assert "holds (10)" not in before


def test_the_worst_come_first_among_suites_and_within_each():
    worse = replace(BEHAVIOR, slice="worse", value=0.9)
    good = replace(SUITE, suite="a good one", behaviors=(replace(BEHAVIOR, verdict="holds"),), cases=())
    bad = replace(SUITE, suite="z bad one", behaviors=(BEHAVIOR, worse), cases=())
    text = markdown(Run((good, bad)))
    assert text.index("z bad one") < text.index("worse (10)") < text.index("race=A (10)") < text.index("a good one")


# --- its limit ----------------------------------------------------------------------------------------------------


@STEADY
@given(run=RUNS, limit=st.integers(0, 3_000))
def test_no_limit_is_ever_exceeded(run, limit):
    text = markdown(run, limit)
    assert len(text.encode()) <= limit
    assert text == "" or text.startswith(MARKER)


def large_run(count, reason="0.5 is above max 0.45"):
    behaviors = tuple(replace(BEHAVIOR, slice=f"slice {number:04d}", reason=reason) for number in range(count))
    return run_of(*behaviors, cases=tuple(replace(CASE, id=f"c{number}") for number in range(count)))


@pytest.mark.parametrize("limit", [200, 500, 1_000, 5_000, 20_000, COMMENT_LIMIT, 900 * 1024])
def test_a_large_report_is_cut_between_sections_and_says_what_is_left_out(limit):
    text = markdown(large_run(400), limit)
    assert len(text.encode()) <= limit
    if limit < 900 * 1024:
        assert re.search(r"\n\d+ more sections are in the JSON report\.\n$", text)
    else:
        assert "more sections" not in text
    assert text.count("<details>") == text.count("</details>")
    page = Page(text)
    assert is_inert(page)
    for line in text.splitlines():
        if line.startswith("| slice "):
            assert line.endswith(" |")


def test_the_limit_of_a_comment_is_used_well():
    assert len(markdown(large_run(400)).encode()) > COMMENT_LIMIT * 0.8


@pytest.mark.parametrize("character", ["x", "<", "@", "|", "é", "😀"])
def test_one_endless_reason_does_not_push_out_the_others(character):
    endless = replace(BEHAVIOR, reason=character * 200_000, verdict="error")
    text = markdown(run_of(endless, BEHAVIOR, cases=(replace(CASE, output=character * 200_000),)))
    assert len(text.encode()) <= COMMENT_LIMIT
    assert "race=A (10) | fpr | 0.500" in text
    assert "more sections" not in text


@pytest.mark.parametrize("character", ["x", "<", "@", "😀"])
def test_many_long_reasons_still_leave_room_for_the_worst(character):
    text = markdown(large_run(300, reason=character * 5_000))
    assert COMMENT_LIMIT * 0.4 < len(text.encode()) <= COMMENT_LIMIT
    assert "slice 0000" in text


def test_cells_and_names_of_instances_are_cut():
    instance = Instance("i" * 5_000, "t" * 5_000, "o" * 5_000, None, {"n" * 5_000: "v" * 5_000})
    text = markdown(run_of(replace(BEHAVIOR, slice="s" * 5_000, metric="m" * 5_000, instances=(instance,) * 10)))
    assert "more sections" not in text
    assert max(map(len, text.splitlines())) < 4_000
