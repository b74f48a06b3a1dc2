"""Text from data, suites, file names, exceptions and servers steers no output, and stays as readable as it was."""

from __future__ import annotations

import re
import sys
import unicodedata
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_behave.errors import DataError, SuiteError
from pytest_behave.text import (
    for_github,
    for_github_property,
    for_html,
    for_markdown,
    for_terminal,
    lines_for_terminal,
    printable,
    sentences,
    written,
)

STEADY = settings(max_examples=200)
EVERY_CHARACTER = "".join(map(chr, range(sys.maxunicode + 1)))
COMMANDS = ["::error::x", " ::stop-commands::t", "##[error]x", "x ##[group]y", "a##vso[task.complete]", "##teamcity[x]"]


def no_control_characters(text):
    """Tell whether a text has none: by the categories of Unicode, one character at a time."""
    return not any(unicodedata.category(character)[0] == "C" for character in text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        (" a \n b\t\r\nc ", "a b c"),
        ("a\u2028b\x85c\x0bd", "a b c d"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("a\0b", r"a\x00b"),
        ("\u202eabc", r"\x202eabc"),
        ("\ud83d", r"\xd83d"),
        ("日本 é 😀", "日本 é 😀"),
        (5, "5"),
        (None, "None"),
        ("", ""),
    ],
)
def test_a_text_is_shown_on_one_line_without_control_characters(text, shown):
    assert printable(text) == shown


def test_every_character_is_shown_as_its_category_asks():
    by_category = [
        character if unicodedata.category(character)[0] != "C" else f"\\x{ord(character):02x}"
        for character in EVERY_CHARACTER
        if not character.isspace()
    ]
    assert [printable(character) for character in EVERY_CHARACTER if not character.isspace()] == by_category
    assert {printable(f"a{character}b") for character in EVERY_CHARACTER if character.isspace()} == {"a b"}


@STEADY
@given(text=st.text())
def test_no_text_breaks_a_line_or_steers_a_terminal(text):
    for show in (printable, for_terminal):
        shown = show(text)
        assert len(shown.splitlines()) <= 1
        assert no_control_characters(shown)
        assert shown.encode("utf-8").decode() == shown


def test_a_line_keeps_its_columns_and_its_blanks():
    assert for_terminal("  a   b\tc\N{NO-BREAK SPACE}d") == "  a   b c d"
    assert lines_for_terminal("a\n  b\x1b\n") == "a\n  b\\x1b\n"


@pytest.mark.parametrize("text", COMMANDS)
def test_no_line_is_a_command_of_a_ci_server(text):
    shown = for_terminal(text)
    assert not re.search(r"^\s*::|##\w*\[", shown)
    assert len(shown) - len(text) in (0, 1)


def test_a_line_that_is_no_command_is_left_alone():
    for line in ("a::b", "  a ::b::", "## heading", "#[x]", ""):
        assert for_terminal(line) == line


@STEADY
@given(text=st.text() | st.sampled_from(COMMANDS))
def test_a_value_of_a_workflow_command_ends_neither_it_nor_its_part(text):
    data, title = for_github(text), for_github_property(text)
    assert not set("\r\n") & set(data)
    assert not set("\r\n,:") & set(title)
    assert not re.search(r"##\w*\[", data + title)
    assert title.replace("%3A", ":").replace("%2C", ",") == data


@STEADY
@given(name=st.text())
def test_a_name_in_a_node_id_is_well_formed_in_xml(name):
    element = ET.Element("testcase", name=for_terminal(name))
    assert ET.fromstring(ET.tostring(element)).get("name") == for_terminal(name)  # noqa: S314 - our own


def test_markdown_and_html_show_no_control_characters_either():
    assert for_markdown("a|b\x1b") == r"a\|b\\x1b"
    assert for_html("<b>\u202e") == r"&lt;b&gt;\x202e"


class Odd:
    """An object that ends the process when it is looked at."""

    def __str__(self):
        raise SystemExit(3)

    def __repr__(self):
        raise KeyError


def test_a_value_that_cannot_be_written_is_named_by_its_kind():
    assert printable(Odd()) == "<Odd that cannot be written>"
    assert written(Odd(), repr) == "<Odd that cannot be written>"


def test_an_error_is_one_line_or_one_per_problem():
    assert list(sentences(DataError("a\n::error::b"))) == ["a ::error::b"]
    assert list(sentences(SuiteError(["::a\n", "b\x07"]))) == [": a", r"b\x07"]
