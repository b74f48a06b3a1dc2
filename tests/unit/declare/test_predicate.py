"""Sources of the predicate language become expressions, or one sentence that says what to write instead."""

from __future__ import annotations

import ast
import keyword
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_behave.declare.predicate import FUNCTIONS, parse_expression, parse_predicate
from pytest_behave.errors import PredicateError
from pytest_behave.records import (
    And,
    Arithmetic,
    Call,
    Comparison,
    Constant,
    Membership,
    Name,
    Negative,
    Not,
    Or,
)

STEADY = settings(max_examples=120)
A, B = Name("a"), Name("b")


def number(value):
    return Constant(value, type(value).__name__)


def text(value):
    return Constant(value, "str")


def equal(name, value):
    return Comparison("==", Name(name), number(value))


# --- what is written and what it means ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "meant"),
    [
        ("a", A),
        (" a ", A),
        ("a == 1", equal("a", 1)),
        ("a == 1.0", Comparison("==", A, number(1.0))),
        ("a == True", Comparison("==", A, number(True))),
        ("a == 'x'", Comparison("==", A, text("x"))),
        ('a == "it\'s"', Comparison("==", A, text("it's"))),
        ("a == 'None'", Comparison("==", A, text("None"))),
        ("a != 1", Comparison("!=", A, number(1))),
        ("1 < a", Comparison("<", number(1), A)),
        ("1 < a <= 3", And((Comparison("<", number(1), A), Comparison("<=", A, number(3))))),
        ("a > -1", Comparison(">", A, number(-1))),
        ("a > -1.5", Comparison(">", A, number(-1.5))),
        ("a > --1", Comparison(">", A, number(1))),
        ("-a > 1", Comparison(">", Negative(A), number(1))),
        ("a > 1_000", Comparison(">", A, number(1000))),
        ("a > 1e3", Comparison(">", A, number(1000.0))),
        ("a == 0x1F", Comparison("==", A, number(31))),
        ("a == 9223372036854775807", Comparison("==", A, number(2**63 - 1))),
        ("a == 9223372036854775808", Comparison("==", A, number(2.0**63))),
        ("a and b", And((A, B))),
        ("a and b and c", And((A, B, Name("c")))),
        ("a or b and not c", Or((A, And((B, Not(Name("c"))))))),
        ("(a or b) and c", And((Or((A, B)), Name("c")))),
        ("not a == 1", Not(equal("a", 1))),
        ("a in [1, 'x', True]", Membership(A, (number(1), text("x"), number(True)))),
        ("a in (1, 2)", Membership(A, (number(1), number(2)))),
        ("a in [-1]", Membership(A, (number(-1),))),
        ("a in []", Membership(A, ())),
        ("a not in [1]", Not(Membership(A, (number(1),)))),
        ("1 < a in [2]", And((Comparison("<", number(1), A), Membership(A, (number(2),))))),
        ("a + b * 2 > 1", Comparison(">", Arithmetic("+", A, Arithmetic("*", B, number(2))), number(1))),
        ("a // 2 % 3 == 1", Comparison("==", Arithmetic("%", Arithmetic("//", A, number(2)), number(3)), number(1))),
        ("contains(a, 'x')", Call("contains", (A, text("x")))),
        ("words(lower(a)) > 3", Comparison(">", Call("words", (Call("lower", (A,)),)), number(3))),
        ("quantile(a, 0.5) < a", Comparison("<", Call("quantile", (A, number(0.5))), A)),
        ("quantile(a, 1) == a", Comparison("==", Call("quantile", (A, number(1))), A)),
        ("round(a, -2) == 100", Comparison("==", Call("round", (A, number(-2))), number(100))),
        (r"matches(a, '\d+')", Call("matches", (A, text(r"\d+")))),
        ("isnull(a)", Call("isnull", (A,))),
        ("isnull(a + 1)", Call("isnull", (Arithmetic("+", A, number(1)),))),
        ("a == 'x' 'y'", Comparison("==", A, text("xy"))),
        ("a  # the column", A),
        ("(a ==\n 1)", equal("a", 1)),
        ("größe > 1", Comparison(">", Name("größe"), number(1))),
    ],
)
def test_a_source_means_what_python_readers_take_it_for(source, meant):
    found = parse_expression(source)
    assert found == meant
    assert repr(found) == repr(meant)  # 1, 1.0 and True are equal, but not the same


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("`first name` == 1", "first name"),
        ("`a` == 1", "a"),
        ("`` == 1", ""),
        ("`class` == 1", "class"),
        ("`a.b` == 1", "a.b"),
        ("`it's` == 1", "it's"),
        ('`say "hi"` == 1', 'say "hi"'),
        ("`a\\b` == 1", "a\\b"),
        ("`50 %` == 1", "50 %"),
        ("`a\nb` == 1", "a\nb"),
        ("`target` == 1", "target"),
        ("(`日本 語`) == 1", "日本 語"),
    ],
)
def test_a_name_in_backticks_is_taken_as_it_is(source, name):
    assert parse_predicate(source) == Comparison("==", Name(name, quoted=True), number(1))


@pytest.mark.parametrize("value", ["`x`", "a `x", "`", "'`'", 'a"`"b`'])
def test_backticks_within_a_text_are_part_of_the_text(value):
    assert parse_predicate(f"a == {value!r}") == Comparison("==", A, text(value))


def test_several_names_in_backticks_are_kept_apart():
    source = "`x y` < `y x` and `x y` in ['`']"
    one, other = Name("x y", quoted=True), Name("y x", quoted=True)
    assert parse_predicate(source) == And((Comparison("<", one, other), Membership(one, (text("`"),))))


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("output == 1", Name("output")),
        ("baseline.output == 1", Name("baseline.output")),
        ("baseline.score == 1", Name("baseline.score")),
        ("baseline . output == 1", Name("baseline.output")),
        ("`baseline.output` == 1", Name("baseline.output", quoted=True)),
        ("`baseline.score` == 1", Name("baseline.score", quoted=True)),
        ("baseline == 1", Name("baseline")),
    ],
)
def test_a_name_without_backticks_may_mean_the_output(source, name):
    assert parse_predicate(source) == Comparison("==", name, number(1))


@pytest.mark.parametrize(
    ("source", "meant"),
    [
        ("output != baseline.output", Comparison("!=", Name("output"), Name("baseline.output"))),
        ("not baseline.output", Not(Name("baseline.output"))),
        ("isnull(baseline.score)", Call("isnull", (Name("baseline.score"),))),
        ("baseline.output in ['a']", Membership(Name("baseline.output"), (text("a"),))),
        (
            "score - baseline.score > 1",
            Comparison(">", Arithmetic("-", Name("score"), Name("baseline.score")), number(1)),
        ),
    ],
)
def test_what_the_baseline_said_stands_wherever_a_name_may(source, meant):
    assert parse_predicate(source) == meant


# --- what is refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["1", "'x'", "True", "a + 1", "-a", "abs(a)", "length(a)", "quantile(a, 0.5)"])
def test_a_value_is_an_expression_but_no_condition(source):
    parse_expression(source)
    with pytest.raises(PredicateError, match="is a value, not a condition: compare it with something"):
        parse_predicate(source)


@pytest.mark.parametrize(
    "source", ["a", "`a b`", "not a", "isnull(a)", "contains(a, 'x')", "is_question(a)", "a in []"]
)
def test_what_may_be_true_is_a_condition(source):
    assert parse_predicate(source) == parse_expression(source)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("", "is not an expression: it is empty"),
        ("   ", "is not an expression: it is empty"),
        ("age <", "'age <' is not an expression: a value or an operator is missing, or one is too many"),
        ("a = 1", "is not an expression: write == to compare"),
        ("(a > 1", "is not an expression: a bracket is not closed, or not opened"),
        ("'a' == x'", "is not an expression: a quote is not closed"),
        ("a == 'x", "is not an expression: a quote is not closed"),
        ("a == `x", "is not an expression: a backtick is not closed"),
        ("a b", "is not an expression: "),
        ("`a``b`", "is not an expression: "),
        ("a; b", "is not an expression: "),
        ("a\nb", "is not an expression: "),
        ("import os", "is not an expression: "),
        ("a == 1\0", "is not an expression: "),
        ("a == 09", "is not an expression: "),
        ("a.b == 1", "there are no attributes; write `a.b` in backticks if it is a column"),
        ("baseline.outpt == 1", "there are no attributes; write `a.b` in backticks if it is a column"),
        ("baseline.output.x == 1", "there are no attributes; write `a.b` in backticks if it is a column"),
        ("`baseline`.output == 1", "there are no attributes; write `a.b` in backticks if it is a column"),
        ("base.output == 1", "there are no attributes; write `a.b` in backticks if it is a column"),
        ("baseline.output() == 1", "it goes beyond comparisons"),
        ("a[0] == 1", "there is no indexing"),
        ("a == [1]", "a list may only stand on the right of `in`"),
        ("a == (1, 2)", "a list may only stand on the right of `in`"),
        ("a, b", "a list may only stand on the right of `in`"),
        ("a in {1, 2}", "the right of `in` must be a list such as"),
        ("a == {1}", "write a list on the right of `in`"),
        ("a in 'abc'", 'for part of a text use contains(column, "part")'),
        ("'x' in a", 'for part of a text use contains(column, "part")'),
        ("a in [b]", "a list on the right of `in` may hold only literals"),
        ("a in [1 + 1]", "a list on the right of `in` may hold only literals"),
        ("a in [*b]", "it goes beyond comparisons"),
        ("1 if a else 2", "there is no if-else"),
        ("(a > 1) & (b > 1)", "write `and` instead of `&`"),
        ("(a > 1) | (b > 1)", "write `or` instead of `|`"),
        ("~a", "write `not` instead of `~`"),
        ("a ** 2 > 1", "there is no power"),
        ("+a > 1", "it goes beyond comparisons"),
        ("a @ b", "it goes beyond comparisons"),
        ("a << 1", "it goes beyond comparisons"),
        ("lambda: a", "it goes beyond comparisons"),
        ("[x for x in a]", "it goes beyond comparisons"),
        ("(a := 1)", "it goes beyond comparisons"),
        ("f'{a}' == 'x'", "it goes beyond comparisons"),
        ("await_ == 1j", "it goes beyond comparisons"),
        ("a == b'x'", "it goes beyond comparisons"),
        ("a == ...", "it goes beyond comparisons"),
        ("a is None", "uses `is`: write == or isnull(column)"),
        ("a is not b", "uses `is`: write == or isnull(column)"),
        ("a == None", "compares with None: ask isnull(column) instead"),
        ("a == 1" + "0" * 400, "holds a number that is too large"),
        ("contain(a, 'x')", "calls an unknown function 'contain' - did you mean 'contains'?"),
        ("eval('1')", "calls an unknown function 'eval'"),
        ("a.lower() == 'x'", "cannot be used as an expression: write lower(a)"),
        ("`a b`.lower() == 'x'", "cannot be used as an expression: write lower(`a b`)"),
        ("a.contains('x')", "write contains(a, ...)"),
        ("a.str.contains('x')", "write contains(a, ...)"),
        ("a.dt.year() > 2000", "write year(a)"),
        ("a.str.lower().str.contains('x')", "write contains(...)"),
        ("baseline.output.lower() == 'x'", "write lower(...)"),
        (f"`{'a' * 500}`.lower() == 'x'", "write lower(`aaa"),
        ("a.strip() == 'x'", "it goes beyond comparisons"),
        ("length(a)(b)", "it goes beyond comparisons"),
        ("__import__('os').system('true')", "it goes beyond comparisons"),
        ("contains(a)", "contains() takes 2 plain arguments"),
        ("contains(a, 'x', 'y')", "contains() takes 2 plain arguments"),
        ("contains(a, part='x')", "contains() takes 2 plain arguments"),
        ("lower()", "lower() takes 1 plain argument"),
        ("round(a, 1, 2) > 1", "round() takes 1 or 2 plain arguments"),
        ("contains(a, b)", "the second argument of contains() must be a text in quotes"),
        ("contains(a, 1)", "the second argument of contains() must be a text in quotes"),
        ("round(a, 1.5) > 1", "the second argument of round() must be a whole number"),
        ("round(a, True) > 1", "the second argument of round() must be a whole number"),
        ("round(a, 99) > 1", "the second argument of round() must be a whole number"),
        ("quantile(a, 1.5) > 1", "the second argument of quantile() must be a number from 0 to 1"),
        ("quantile(a, -0.1) > 1", "the second argument of quantile() must be a number from 0 to 1"),
        ("quantile(a, '0.5') > 1", "the second argument of quantile() must be a number from 0 to 1"),
        ("matches(a, '[')", "the regular expression is wrong"),
        ("matches(a, '*')", "the regular expression is wrong"),
        ("_behave_backticked_0_ == 1", "uses a reserved name"),
    ],
)
def test_what_is_not_of_the_language_is_refused_with_what_to_write(source, message):
    with pytest.raises(PredicateError) as caught:
        parse_expression(source)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_source_of_any_length_is_refused_without_reading_it():
    with pytest.raises(PredicateError, match=r"an expression of 10,001 characters is too long \(at most 10,000\)"):
        parse_predicate("a" + " " * 10_000)


def test_a_long_source_is_shown_by_its_start():
    with pytest.raises(PredicateError) as caught:
        parse_predicate("a == '" + "x" * 500)
    assert str(caught.value).startswith("\"a == '" + "x" * 71 + '..." is not')


@pytest.mark.parametrize(
    "nested",
    ["not " * 61 + "a", "-" * 61 + "a", "not-" * 31 + "a", "(" * 61 + "a" + " + 1)" * 61, "abs(" * 61 + "a" + ")" * 61],
)
def test_what_is_nested_too_deeply_is_told_before_python_parses_it(nested, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(ast, "parse", lambda *_arguments, **_options: pytest.fail("Python was asked"))
        with pytest.raises(PredicateError, match=r"nested too deeply$"):
            parse_predicate(f"{nested} > 1")


@pytest.mark.parametrize(
    "nested", ["not " * 59 + "a", "-" * 59 + "a", "(" * 60 + "a" + ")" * 60, "a == '" + "(" * 99 + "-" * 99 + "'"]
)
def test_what_is_less_deep_is_read(nested):
    assert parse_expression(nested)


def test_a_chain_that_python_cannot_take_is_refused(monkeypatch):
    def parse(*_arguments, **_options):
        raise RecursionError

    with monkeypatch.context() as patch:
        patch.setattr(ast, "parse", parse)
        with pytest.raises(PredicateError, match="is not an expression"):
            parse_predicate("a > 1")


def test_a_long_chain_is_not_deep():
    source = " or ".join(f"a == {value}" for value in range(500))
    assert len(parse_predicate(source).parts) == 500


def test_parsing_warns_of_nothing_and_loads_nothing():
    before = set(sys.modules)
    assert parse_predicate(r"matches(a, '\d[[a]')")  # of which Python itself warns twice
    assert set(sys.modules) == before


# --- any expression -----------------------------------------------------------------------------------------------

NAMES = st.builds(
    Name, st.sampled_from(["a", "b", "größe", "output", "baseline.output", "baseline.score"])
) | st.builds(
    Name, st.text(st.characters(exclude_categories=["Cs"], exclude_characters="`\0\r"), max_size=6), st.just(True)
)
LITERALS = st.one_of(
    st.integers(-(2**63) + 1, 2**63 - 1).map(number),
    st.floats(allow_nan=False, allow_infinity=False).map(number),
    st.booleans().map(number),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=6).map(text),
)
SECOND = {
    "contains": st.text(max_size=4).map(text),
    "startswith": st.text(max_size=4).map(text),
    "endswith": st.text(max_size=4).map(text),
    "matches": st.sampled_from(["a", r"\d+", "[ab]", "^x$", "(?i)y"]).map(text),
    "round": st.integers(-15, 15).map(number),
    "quantile": st.floats(0, 1).map(number),
}


def calls(inner):
    return st.sampled_from(sorted(FUNCTIONS)).flatmap(
        lambda name: st.tuples(inner, *([SECOND[name]] if name in SECOND else [])).map(lambda parts: Call(name, parts))
    )


def composed(inner):
    several = st.lists(inner, min_size=2, max_size=3).map(tuple)
    return st.one_of(
        several.map(And),
        several.map(Or),
        inner.map(Not),
        inner.filter(lambda part: not isinstance(part, Constant)).map(Negative),
        st.builds(Comparison, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), inner, inner),
        st.builds(Arithmetic, st.sampled_from(["+", "-", "*", "/", "//", "%"]), inner, inner),
        st.builds(Membership, inner, st.lists(LITERALS, max_size=3).map(tuple)),
        calls(inner),
    )


def written(expression):
    """Return a source that means the expression, with brackets around every part."""
    match expression:
        case Name(name, quoted):
            return f"`{name}`" if quoted else name
        case Constant(value, _):
            return repr(value)
        case And(parts):
            return " and ".join(f"({written(part)})" for part in parts)
        case Or(parts):
            return " or ".join(f"({written(part)})" for part in parts)
        case Not(operand):
            return f"not ({written(operand)})"
        case Negative(operand):
            return f"-({written(operand)})"
        case Comparison(symbol, left, right) | Arithmetic(symbol, left, right):
            return f"({written(left)}) {symbol} ({written(right)})"
        case Membership(operand, options):
            return f"({written(operand)}) in [{', '.join(map(repr, (option.value for option in options)))}]"
        case Call(function, arguments):
            return f"{function}({', '.join(map(written, arguments))})"


@STEADY
@given(expression=st.recursive(NAMES | LITERALS, composed, max_leaves=8))
def test_any_expression_that_is_written_down_is_read_back(expression):
    assert repr(parse_expression(written(expression))) == repr(expression)


def test_no_name_of_the_language_is_a_keyword():
    assert not [name for name in FUNCTIONS if keyword.iskeyword(name)]
