"""A run against a baseline: what got worse, by how much and for whom, in the terminal and in Markdown."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from pytest_behave.records import Accepted
from pytest_behave.report import changes
from pytest_behave.report.lines import bounds, broken, count_line, failing, improved, instance_line, suspects
from pytest_behave.report.markdown import COMMENT_LIMIT, markdown
from pytest_behave.report.terminal import summary_lines

from .made import behavior, change, flip, run, suite, use
from .test_markdown import EVIL, Page, is_inert
from .test_terminal import LONG, WIDTHS, too_wide

HELD = behavior("same", "holds", compared=change(0.6, 0.0, (0.0, 0.0), (0, 0)))
BETTER = behavior("emoji", "holds", compared=change(0.6, 0.2, (0.1, 0.3), (0, 30)))
SUSPECT = behavior(
    "physics", "suspect", compared=change(0.571, -0.071, (-0.25, 0.11), (3, 2), broken_ids=("p1", "p2", "p3")), size=14
)
UNDECIDED = behavior("tiny", "undecided", compared=change(0.6, -0.1, (-0.5, 0.3), (1, 0)), size=5)
NO_BASELINE = behavior("news", "no-baseline", compared=False, value=0.7, reason="run `pytest --behave-baseline=new`")
VIOLATED = behavior("young", "violated", compared=change(0.7, 0.01, (-0.02, 0.04), (3, 5)), bounds={"min": 0.8})
UNPAIRED = change(0.9, -0.1, (-0.15, -0.05), (None, None), paired=False, reason="no predictions are stored")

# --- words --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("compared", "words"),
    [
        (change(), "0.974 → 0.823 (-0.151 [-0.21, -0.10]), 23 broken, 0 fixed"),
        (change(0.5, 0.0, (0.0, 0.0), (0, 0)), "0.500 → 0.500 (0 [0, 0]), 0 broken, 0 fixed"),
        (change(0.5, 0.012, (0.009, 0.015), (0, 3)), "0.500 → 0.512 (+0.012 [0.0090, 0.0150]), 0 broken, 3 fixed"),
        (change(120.0, 11.5, (-2.25, 25.25), (None, None)), "120 → 131.5 (+11.5 [-2, 25])"),
        (change(0.5, -0.1, (None, None), (None, None)), "0.500 → 0.400 (-0.100)"),
        (change(0.5, None, (None, None), (None, None)), "0.500 → 0.500"),
        (change(None, None, (None, None), (None, None)), "- → -"),
        (change(0.5, 1e-9, (-1e-9, 3e-9), (None, None)), "0.500 → 0.500 (+1e-09 [-1e-09, 3e-09])"),
    ],
)
def test_a_change_is_told_in_the_unit_of_the_metric(compared, words):
    assert changes.change_words(behavior(compared=compared)) == words


def test_without_a_baseline_the_value_stands_alone():
    assert changes.change_words(NO_BASELINE) == "0.700"


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (use(), "baseline: stored, 240 of 250 rows in common"),
        (use(common=250), "baseline: stored, all 250 rows in common"),
        (
            use(added=8, removed=2, changed=1_003),
            "baseline: stored, 240 of 250 rows in common, 8 added, 2 removed, 1,003 changed",
        ),
        (use(kind="commit", ref="main"), "baseline: that of main, 240 of 250 rows in common"),
        (use(kind="model", name="gpt-3.5"), "baseline: model gpt-3.5, 240 of 250 rows in common"),
        (use(kind="model", name="a\nb", common=0), "baseline: model a b"),
        (use(common=0, removed=3), "baseline: stored, 0 of 250 rows in common, 3 removed"),
    ],
)
def test_one_line_says_what_the_baseline_is(given, line):
    assert changes.baseline_line(suite(), given) == line


@pytest.mark.parametrize(
    ("instance", "line"),
    [
        (flip("a1"), "a1: target negative, output positive (was negative) (score 0.610)  text no good, a1"),
        (flip("a1", after="negative", input={}), "a1: target negative, output negative (score 0.610, was 0.220)"),
        (flip("a1", before=None, input={}), "a1: target negative, output positive (score 0.610, was 0.220)"),
        (flip("a\n\x07", input={}, score=None), r"a \x07: target negative, output positive (was negative)"),
    ],
)
def test_an_instance_says_what_its_output_was(instance, line):
    assert instance_line(instance) == line


@pytest.mark.parametrize(
    ("compared", "better", "expected"),
    [
        (change(0.6, 0.2, (0.1, 0.3)), "higher", True),
        (change(0.6, 0.2, (0.1, 0.3)), "lower", False),
        (change(0.6, -0.2, (-0.3, -0.1)), "lower", True),
        (change(0.6, 0.2, (0.0, 0.3)), "higher", False),
        (change(0.6, 0.2, (None, None)), "higher", False),
        (change(0.6, 0.2, (0.1, 0.3), paired=False), "higher", False),
        (False, "higher", False),
    ],
)
def test_improved_is_what_is_paired_better_and_not_by_chance(compared, better, expected):
    assert improved(behavior("s", "holds", compared=compared, better=better)) is expected


# --- what fails ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verdict", ["error", "regressed", "violated", "no-baseline"])
def test_what_is_of_severity_warning_is_shown_and_never_fails(verdict):
    lenient = suite(behavior("s", verdict, severity="warning"), strict=True)
    assert failing(lenient) == []
    assert broken(lenient) == list(lenient.behaviors)
    assert failing(suite(behavior("s", verdict))) == [behavior("s", verdict)]


def test_strict_runs_fail_what_is_suspect_or_undecided():
    assert [item.slice for item in failing(suite(HELD, UNDECIDED, SUSPECT, strict=True))] == ["physics", "tiny"]
    assert failing(suite(HELD, UNDECIDED, SUSPECT)) == []
    assert suspects(suite(SUSPECT)) == [SUSPECT]
    assert suspects(suite(SUSPECT, strict=True)) == []


# --- the terminal -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", WIDTHS)
def test_when_nothing_got_worse_there_is_one_line(width):
    assert list(summary_lines(run(HELD, BETTER), width)) == ["behave: 2 hold in 1 suite, 1 improved"]


WIDE = """\
behave: 1 regressed in 1 suite

sentiment (250 rows, model vader-3.3.2)
  baseline: stored, 240 of 250 rows in common, 8 added
  slice    metric    rows  before → after  change [95%]           broken/fixed  verdict    bound
  word no  accuracy  152   0.974 → 0.823   -0.151 [-0.21, -0.10]  23/0          regressed  max_regression 0.01
      b0: target negative, output positive (was negative) (score 0.610) text no good, b0
      b1: target negative, output positive (was negative) (score 0.610) text no good, b1
      b2: target negative, output positive (was negative) (score 0.610) text no good, b2
"""
MEDIUM = """\
behave: 1 regressed in 1 suite

sentiment (250 rows, model vader-3.3.2)
  baseline: stored, 240 of 250 rows in common, 8 added
  slice    metric    before → after  change [95%]           verdict
  word no  accuracy  0.974 → 0.823   -0.151 [-0.21, -0.10]  regressed
      23 broken, 0 fixed, max_regression 0.01, 152 rows
      b0: target negative, output positive (was negative) (score 0.610) text ...
      b1: target negative, output positive (was negative) (score 0.610) text ...
      b2: target negative, output positive (was negative) (score 0.610) text ...
"""
NARROW = """\
behave: 1 regressed in 1 suite

sentiment (250 rows, model vader-3.3.2)
  baseline: stored, 240 of 250 rows in common, 8 added
  word no accuracy
    0.974 → 0.823, -0.151 [-0.21, -0.10], 23 broken, 0
    fixed, regressed, max_regression 0.01, 152 rows
      b0: target negative, output positive (was negative)...
      b1: target negative, output positive (was negative)...
      b2: target negative, output positive (was negative)...
"""


@pytest.mark.parametrize(("width", "expected"), [(125, WIDE), (80, MEDIUM), (60, NARROW)])
def test_what_regressed_is_a_table_as_wide_as_the_terminal_allows(width, expected):
    found = run(behavior(), baseline=use(added=8))
    assert "\n".join(summary_lines(found, width)) + "\n" == expected


def test_what_else_changed_has_a_line_each():
    accepted = (Accepted("urls", "accuracy", 0.91, 0.88, "labels were wrong"), Accepted("old", "f1", 0.5, None))
    lenient = behavior("mild", severity="warning", compared=change(broken_ids=("x",)))
    lines = list(summary_lines(run(lenient, SUSPECT, BETTER, NO_BASELINE, baseline=use(accepted=accepted)), 110))
    for line in (
        "      only warns, max_regression 0.01",
        "  no baseline for news accuracy:",
        "    run `pytest --behave-baseline=new`",
        "  suspect: physics accuracy 0.571 → 0.500 (-0.071 [-0.25, 0.11]), 3 broken, 2 fixed",
        "  improved: emoji accuracy 0.600 → 0.800 (+0.200 [0.10, 0.30]), 0 broken, 30 fixed",
        "  accepted in this change: urls accuracy 0.910 → 0.880 (labels were wrong)",
        "  accepted in this change: old f1 0.500 → nothing (no reason given)",
    ):
        assert line in lines


def test_overlapping_slices_are_one_row_that_names_the_others():
    overall = behavior("overall", compared=change(0.9, -0.01, (-0.02, -0.005)), size=4_800)
    lines = list(summary_lines(run(behavior(), overall), 80))
    assert "      also: overall" in lines
    assert not [line for line in lines if line.startswith("  overall")]


def test_long_lists_say_how_many_more_there_are():
    doubtful = [replace(SUSPECT, slice=f"s{number:02d}") for number in range(9)]
    accepted = tuple(Accepted(f"s{number}", "f1", 0.5, 0.4) for number in range(40))
    lines = list(summary_lines(run(*doubtful, baseline=use(accepted=accepted)), 80))
    assert "  suspect: 6 more" in lines
    assert "  ... and 10 more accepted; --behave-report=md:PATH has them all" in lines


def test_what_was_not_paired_says_so_once():
    loose = [behavior(f"s{number}", compared=UNPAIRED) for number in range(3)]
    text = "\n".join(summary_lines(run(*loose), 100))
    assert text.count("no predictions are stored") == 1
    assert "3 behaviors compared by their value alone: no predictions are stored" in text


@pytest.mark.parametrize("width", WIDTHS)
def test_any_names_fit(width):
    wide = "\u540d\u524d" * 30
    ids = ("b0", LONG, wide)
    compared = change(-123.456, -12345.6, (-99999.5, -0.5), (123_456, 99_999), broken_ids=ids)
    items = [
        behavior(name, verdict, metric=metric, compared=compared, size=10**7, severity=severity)
        for name, metric in (("s", "m"), (LONG, "m"), ("s", LONG), (LONG, LONG), (wide, wide))
        for verdict in ("regressed", "violated", "suspect", "no-baseline")
        for severity in ("error", "warning")
    ]
    accepted = (Accepted(LONG, wide, 0.5, 0.25, LONG),)
    for shown in ([items[0]], items):
        found = run(*shown, BETTER, suite=LONG, baseline=use(name=LONG, kind="model", accepted=accepted), notes=(LONG,))
        assert too_wide(found, width) == []


COMMAND = re.compile(r"^\s*::|##\[")


@pytest.mark.parametrize("text", ["::error::x", " ::stop-commands::t", "##[error]x", "x ##[group]y", "\n::add-mask::a"])
@pytest.mark.parametrize("width", WIDTHS)
def test_no_line_is_a_command_of_github(text, width):
    broken_one = behavior(text, metric=text, compared=change(broken_ids=(text,)), bounds={"gap_to": text}, reason=text)
    error = replace(broken_one, verdict="error", baseline=None)
    accepted = (Accepted(text, text, 1.0, 0.5, text),)
    found = run(
        broken_one, error, SUSPECT, suite=text, model=text, notes=(text,), baseline=use(name=text, accepted=accepted)
    )
    assert [line for line in summary_lines(found, width) if COMMAND.search(line)] == []


# --- Markdown -----------------------------------------------------------------------------------------------------


def test_markdown_tells_the_worst_first_and_folds_what_holds():
    accepted = (Accepted("urls", "f1", 0.91, 0.88, "labels"),)
    overall = behavior("overall", compared=change(0.9, -0.01, (-0.02, -0.005)), size=4_800)
    known = behavior("known", "known-failure", compared=change(0.5, 0.0, (0, 0), (0, 0)))
    items = (HELD, UNDECIDED, BETTER, SUSPECT, NO_BASELINE, VIOLATED, overall, known, behavior())
    text = markdown(run(*items, baseline=use(accepted=accepted, added=8)))
    assert is_inert(Page(text))
    order = [
        "baseline: stored, 240 of 250 rows in common, 8 added",
        "| word no (152) | accuracy | 0.974 → 0.823 | -0.151 [-0.21, -0.10] | 23 / 0 | **regressed**: lost 0.151",
        "; also: overall |",
        "| young (152) | accuracy | 0.700 → 0.710 | +0.010 [-0.020, 0.040] | 3 / 5 | **violated** |",
        "| news (152) | accuracy | 0.700 | - | - | **no-baseline**",
        "**1 suspect**: worse, but within noise",
        "| physics (14) | accuracy | 0.571 → 0.500 | -0.071 [-0.25, 0.11] | 3 / 2 | **suspect** |",
        "#### Accepted in this change",
        "| urls | f1 | 0.910 → 0.880 | labels |",
        "**1 improved**",
        "| emoji (152) |",
        "<details><summary>word no accuracy: 10 instances (23 broken, 0 fixed)</summary>",
        "| b0 | negative | negative | positive | 0.220 → 0.610 | text: no good, b0 |",
        "<details><summary>1 overlapping slice: the same story</summary>",
        "| overall (4,800) |",
        "<details><summary>1 undecided</summary>",
        "<details><summary>1 known failures</summary>",
        "<details><summary>1 holding</summary>",
        "| same (152) |",
    ]
    places = [text.index(part) for part in order]
    assert places == sorted(places)


def test_what_has_no_bound_is_not_said_to_hold():
    unpaired = replace(change(0.8, -0.05, (-0.1, 0.01), (None, None)), paired=False)
    observed = tuple(replace(behavior(name, None, compared=unpaired), bounds={}) for name in ("one", "other"))
    text = markdown(run(HELD, observed=observed))
    assert re.findall("<summary>(.*)</summary>", text) == ["1 holding", "2 not bounded"]


def test_strict_runs_list_what_is_undecided_once():
    for baseline in (use(), None):
        given = UNDECIDED if baseline else replace(UNDECIDED, baseline=None)
        text = markdown(run(given, replace(given, slice="huge", verdict="suspect"), strict=True, baseline=baseline))
        assert text.count("| tiny (5) |") == text.count("| huge (5) |") == 1
        assert "<summary>1 undecided" not in text


def test_what_only_warns_is_shown_and_the_run_stays_green():
    text = markdown(run(behavior(severity="warning")))
    assert text.splitlines()[1].startswith("## ✅ ")
    assert "**regressed (warning)**" in text


def test_many_improvements_do_not_push_out_the_flips():
    many = [replace(BETTER, slice=f"better {number}") for number in range(300)]
    text = markdown(run(behavior(), *many))
    assert "**300 improved**" in text
    assert text.index("10 instances (23 broken") < text.index("<summary>280 more improved</summary>")


@pytest.mark.parametrize("text", EVIL[1:], ids=repr)
def test_no_text_of_a_comparison_comes_alive(text):
    item = behavior(text, compared=change(broken_ids=(text,), reason=text, accepted=text), metric=text, reason=text)
    other = replace(item, slice="other", size=9_000, bounds={"gap_to": text})
    flips = (flip(text, before=text, after=text + "x", target=text, input={text: text}),)
    accepted = (Accepted(text, text, 1.0, 0.5, text),)
    loose = behavior("loose", "holds", compared=replace(UNPAIRED, reason=text))
    baseline = use(kind="model", name=text, ref=text, accepted=accepted)
    assert is_inert(Page(markdown(run(item, other, SUSPECT, loose, flips=flips, baseline=baseline))))
    plain = replace(item, baseline=None, bounds={"max_gap": 0.1, "gap_to": text})
    assert is_inert(Page(markdown(run(plain, baseline=None))))


@pytest.fixture(scope="module")
def thousands():
    """Return a run of thousands of behaviors and flips, of texts that take more room when they are escaped."""
    evil = "a | b <b> @team `x` \u65e5 " * 8
    items = [
        behavior(
            f"{number:04d} {evil}",
            ("regressed", "suspect", "violated", "holds", "undecided")[number % 5],
            compared=change(broken_ids=tuple(f"{number}/{flip}" for flip in range(40)), reason=evil),
            reason=evil,
        )
        for number in range(2_000)
    ]
    accepted = tuple(Accepted(f"{number} {evil}", evil, 0.5, 0.25, evil) for number in range(2_000))
    flips = tuple(flip(f"{number}/{index}", before=evil) for number in range(0, 2_000, 5) for index in range(10))
    return run(*items, flips=flips, baseline=use(accepted=accepted))


@pytest.mark.parametrize("limit", [300, 5_000, COMMENT_LIMIT, 900 * 1024])
def test_thousands_of_behaviors_and_flips_fit_any_limit(thousands, limit):
    text = markdown(thousands, limit)
    assert len(text.encode()) <= limit
    assert re.search(r"\n\d+ more sections are in the JSON report\.\n$", text)
    assert text.count("<details>") == text.count("</details>")
    assert is_inert(Page(text))


def test_the_headline_counts_what_improved():
    assert count_line(run(BETTER, replace(BETTER, slice="b"), HELD, SUSPECT)) == (
        "3 hold, 1 suspect in 1 suite, 2 improved"
    )


def test_every_limit_above_the_headline_gives_a_report_that_is_no_longer():
    found = run(behavior(), SUSPECT, BETTER, HELD, UNDECIDED)
    whole = markdown(found)
    lengths = [len(markdown(found, limit).encode()) for limit in range(200, len(whole.encode()) + 1)]
    assert min(lengths) > 100
    assert all(length <= limit for limit, length in enumerate(lengths, start=200))
    assert markdown(found, len(whole.encode())) == whole


def test_a_slice_that_a_bound_names_cannot_steer_a_terminal():
    assert bounds(behavior(bounds={"max_gap": 0.2, "gap_to": "a\n\x1b[31m"})) == r"max_gap 0.2, gap_to a \x1b[31m"
