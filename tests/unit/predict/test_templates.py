"""Templates are filled with values, and values are never templates."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_behave.declare.problems import Problems
from pytest_behave.declare.templates import columns_in, parse_structure, parse_text
from pytest_behave.declare.yaml_positions import Document, Spot
from pytest_behave.predict.templates import as_text, filled, filled_text, found_at
from pytest_behave.records import ForEach, Placeholder, TextTemplate

BRACES = st.text(alphabet="{}ab $%[]")
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), BRACES)


def parsed(value):
    problems = Problems(Document(None, Spot(Path())))
    template = parse_structure((), value, problems)
    return template, problems.sentences


@given(before=BRACES, value=SCALARS, after=BRACES)
def test_what_is_put_in_is_never_read_again(before, value, after):
    template = TextTemplate((before, Placeholder("a"), after, Placeholder("b")))
    text = filled_text(template, {"a": value, "b": "{{a}}"})
    assert text == before + as_text(value) + after + "{{a}}"


@given(text=BRACES, value=BRACES)
def test_a_text_that_parses_is_its_pieces_joined_again(text, value):
    problems = Problems(Document(None, Spot(Path())))
    template = parse_text((), text, problems)
    if problems.sentences:
        return
    names = set(columns_in(template))
    written = "".join(
        f"{{{{{piece.column}}}}}" if isinstance(piece, Placeholder) else piece for piece in template.pieces
    )
    assert written.replace(" ", "") == text.replace("{{{{", "{{").replace(" ", "")
    assert filled_text(template, dict.fromkeys(names, value)).count(value) >= len(names)


@given(st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner)))
def test_a_value_of_any_kind_comes_back_where_it_was_put(value):
    template, _ = parsed({"x": ["{{v}}", 1, None, True], "rows": {"for_each": {"v": "{{v}}"}}})
    row = {"v": value}
    assert filled(template, [row, row]) == {"x": [value, 1, None, True], "rows": [{"v": value}, {"v": value}]}
    assert json.loads(json.dumps(filled(template, [row]))) == filled(template, [row])


def test_four_braces_stand_for_two_and_blanks_in_a_placeholder_do_not_count():
    template, problems = parsed("{{{{a}} is { {{ b c }} }")
    assert problems == []
    assert filled(template, [{"b c": 3.0}]) == "{{a}} is { 3 }"


@pytest.mark.parametrize(
    ("value", "text"), [(None, ""), (3.0, "3"), (2.5, "2.5"), (True, "true"), (False, "false"), ("x", "x"), (7, "7")]
)
def test_within_a_text_values_are_written_as_people_do(value, text):
    assert filled(TextTemplate(("-", Placeholder("v"))), [{"v": value}]) == f"-{text}"


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("{{a", "'{{' is never closed: write {{column}}, and four braces for two"),
        ("a}} {{ }}", "'{{ }}' names no column"),
        ("{{a{b}}", "'{{a{b}}' names no column"),
        ({"for_each": "{{a}}", "b": 1}, "`for_each` stands alone in its mapping"),
        ({"for_each": [{"for_each": "{{a}}"}]}, "`for_each` cannot stand within another"),
    ],
)
def test_a_template_that_is_wrong_is_explained(value, problem):
    _, (sentence,) = parsed(value)
    assert problem in sentence


ANSWER = {"data": [{"label": "a", "p": {"x": 1}}, {"label": "b"}], "0": "zero"}


@pytest.mark.parametrize(
    ("path", "found"),
    [("data.1.label", "b"), ("data.*.label", ["a", "b"]), ("data.0.p.x", 1), ("0", "zero"), ("data.*", ANSWER["data"])],
)
def test_a_path_leads_through_keys_and_positions(path, found):
    assert found_at(ANSWER, path) == found


@pytest.mark.parametrize(
    "path", ["dat", "data.2", "data.-1", "data.label", "data.*.p", "data.0.label.x", "0.*", "data.1.p"]
)
def test_a_path_that_leads_nowhere_is_noticed(path):
    with pytest.raises(LookupError):
        found_at(ANSWER, path)


def test_a_list_of_one_template_is_filled_with_each_row():
    assert filled(ForEach(TextTemplate((Placeholder("v"),))), [{"v": 1}, {"v": 2}]) == [1, 2]
