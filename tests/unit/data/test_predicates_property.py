"""The array evaluator of predicates agrees with the row-by-row oracle, obeys Kleene's laws, and survives any string."""

from __future__ import annotations

import keyword
import os
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pytest_behave.data.predicates import Evaluator
from pytest_behave.declare.predicate import parse_expression, parse_predicate
from pytest_behave.errors import PredicateError
from tests.oracles.predicate_rows import RowError, evaluate_rows, evaluate_values, truths

pytestmark = pytest.mark.thorough

if TYPE_CHECKING:
    from collections.abc import Callable

FUZZ = int(os.environ.get("BEHAVE_FUZZ", "3000"))
STEADY = settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@dataclass(frozen=True)
class Refusal:
    """What either side gives for a wrong source: equal to any other refusal, whatever the reason."""

    why: str = field(default="", compare=False)


ERROR = Refusal()

# ---------------------------------------------------------------------------------------------------------------- data

INTEGERS = st.one_of(st.integers(-3, 3), st.sampled_from([2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63)]))
FLOATS = st.sampled_from([0.0, -0.0, 0.5, 1.5, 2.5, -1.0, 3.0, 0.1, 1e308, 5e-324, 2.0**53, 2.0**64, np.inf, -np.inf])
TEXTS = st.one_of(
    st.sampled_from(
        ["", " ", "None", "nan", "NaN", "NA", "No", "a", "A", "ab", "b c", "x\ny", "1", "İ", "ΑΣ", "straße"]
    ),
    st.sampled_from(
        ["٣", "\x1c", "\u2003a\u2003b", "😀 ok?", "Hi. Bye", "What?! Yes... no", "a.b", ". ", "2020-01-01"]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
)
WORDS = st.sampled_from(["red", "Blue", "", "None", "é"])
DATES = st.sampled_from(
    [
        datetime.fromisoformat("1969-12-31T23:59:59"),
        datetime.fromisoformat("2020-01-01T00:00:00"),
        datetime.fromisoformat("2020-02-29T12:30:00"),
        datetime.fromisoformat("2021-12-31T23:59:59.999999"),
        datetime.fromisoformat("2026-06-07T01:00:00"),
    ]
)
FAR_DATES = st.one_of(
    DATES, st.sampled_from(["0001-01-01", "1500-06-07T08:00", "9999-12-31"]).map(datetime.fromisoformat)
)
ISO_TEXTS = st.sampled_from(
    ["2020-01-01", "2020-02-29T12:30:00", "1969-12-31 23:59:59", "2021-12-31T06:05", "1500-06-07", "9999-12-31"]
)


@dataclass(frozen=True)
class Column:
    """A column of the generated frames: what its cells are and how pandas may hold them."""

    name: str
    cells: st.SearchStrategy[Any]
    series: st.SearchStrategy[Callable[[list[Any]], pd.Series]]


def missing_or(cells: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(cells, cells, cells, st.none())


def dtypes(*names: str) -> st.SearchStrategy[Callable[[list[Any]], pd.Series]]:
    return st.sampled_from(names).map(lambda name: lambda cells: pd.Series(cells, dtype=name))


@st.composite
def categoricals(draw: Callable[..., Any]) -> Callable[[list[Any]], pd.Series]:
    categories = draw(st.permutations(["red", "Blue", "", "None", "é", "unused"]))
    kind = pd.CategoricalDtype(categories, ordered=draw(st.booleans()))
    return lambda cells: pd.Series(cells, dtype=kind)


COLUMNS = [
    Column("n", INTEGERS, dtypes("int64", "Int64", "object")),
    Column("gaps", missing_or(st.integers(-3, 3).map(float)), dtypes("float64")),
    Column("f", missing_or(FLOATS), dtypes("float64", "object", "Float64")),
    Column("big", missing_or(INTEGERS), dtypes("Int64", "object")),
    Column("any_number", missing_or(st.one_of(INTEGERS, FLOATS)), dtypes("object")),
    Column("sure", st.booleans(), dtypes("bool", "boolean")),
    Column("flag", missing_or(st.booleans()), dtypes("object", "boolean", "category")),
    Column("t", missing_or(TEXTS), dtypes("object", "str", "string")),
    Column("iso", missing_or(ISO_TEXTS), dtypes("object", "str")),
    Column("cat", missing_or(WORDS), categoricals()),
    Column("d", missing_or(DATES), dtypes("datetime64[ns]", "datetime64[us]", "object")),
    Column("far", missing_or(FAR_DATES), dtypes("datetime64[us]", "object")),
    Column("day", missing_or(FAR_DATES.map(datetime.date)), dtypes("object")),
    Column(
        "huge", st.sampled_from([0, 1, 2**53 + 1, 2**63, 2**64 - 1]), dtypes("uint64", "UInt64", "object", "category")
    ),
    Column("mix", missing_or(st.one_of(INTEGERS, FLOATS, st.booleans(), TEXTS, DATES)), dtypes("object")),
    Column("void", st.none(), dtypes("object", "float64", "Int64", "str", "category", "datetime64[ns]", "boolean")),
    Column("first name", missing_or(TEXTS), dtypes("object", "str")),
    Column("class", st.integers(-3, 3), dtypes("int64", "int8")),
]


@dataclass(frozen=True)
class Table:
    """The same data twice: as pandas holds it, and as plain rows."""

    frame: pd.DataFrame
    rows: list[dict[str, Any]]


@st.composite
def tables(draw: Callable[..., Any]) -> Table:
    size = draw(st.integers(0, 6))
    cells = {column.name: draw(st.lists(column.cells, min_size=size, max_size=size)) for column in COLUMNS}
    frame = pd.DataFrame({column.name: draw(column.series)(cells[column.name]) for column in COLUMNS})
    return Table(frame, [dict(zip(cells, row, strict=True)) for row in zip(*cells.values(), strict=True)])


# ------------------------------------------------------------------------------------------------------------- sources


def written(name: str) -> str:
    return name if name.isidentifier() and not keyword.iskeyword(name) else f"`{name}`"


def literal(value: object) -> str:
    return repr(value).replace("inf", "1e999") if isinstance(value, float) else repr(value)


def form(pattern: str, *parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(*parts).map(lambda values: pattern.format(*values))


def names(*choices: str) -> st.SearchStrategy[str]:
    return st.sampled_from(choices).map(written)


NUMBER_LITERALS = st.one_of(INTEGERS, FLOATS, st.booleans(), st.just(2**64)).map(literal)
TEXT_LITERALS = st.one_of(TEXTS, WORDS).map(literal)
DATE_LITERALS = st.one_of(ISO_TEXTS, st.sampled_from(["2020-02-29", "0001-01-01", "9999-12-31T23:59:59"])).map(literal)
ANY_LITERALS = st.one_of(NUMBER_LITERALS, TEXT_LITERALS, DATE_LITERALS)
NUMBER_NAMES = names("n", "gaps", "f", "big", "any_number", "sure", "flag", "class", "huge", "void")
DATE_NAMES = names("d", "far", "day", "void")
TEXT_NAMES = names("t", "iso", "cat", "first name", "void")
PARTS = st.sampled_from(["", "a", "N", "one", " ", "?", "é", ".", "1"]).map(literal)
PATTERNS = st.sampled_from(["a", r"^\w+$", r"\d", "(?i)NO", "a|b", "(?<=a)b", "", ".$", r"\bno\b"]).map(literal)
ORDER = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
EQUALITY = st.sampled_from(["==", "!="])
MEMBER = st.sampled_from(["in", "not in"])


def lists(items: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    inner = st.lists(items, max_size=3)
    return st.one_of(
        inner.map(lambda parts: f"[{', '.join(parts)}]"),
        inner.map(lambda parts: f"({''.join(p + ', ' for p in parts)})"),
    )


def texts(depth: int) -> st.SearchStrategy[str]:
    return TEXT_NAMES if depth <= 0 else st.one_of(TEXT_NAMES, form("lower({})", texts(depth - 1)))


def numbers(depth: int) -> st.SearchStrategy[str]:
    leaves = st.one_of(NUMBER_NAMES, NUMBER_NAMES, NUMBER_LITERALS)
    if depth <= 0:
        return leaves
    less = numbers(depth - 1)
    of_text = st.sampled_from(["length", "words", "characters", "sentences", "non_ascii_share"])
    return st.one_of(
        leaves,
        form("({} {} {})", less, st.sampled_from(["+", "-", "*", "/", "//", "%"]), less),
        form("(-{})", less),
        form("abs({})", less),
        form("round({})", less),
        form("round({}, {})", less, st.sampled_from(["-15", "-1", "0", "1", "2", "15"])),
        form("{}({})", of_text, texts(depth - 1)),
        form("{}({})", st.sampled_from(["year", "month", "weekday", "hour"]), names("d", "far", "day", "iso", "void")),
        form("quantile({}, {})", NUMBER_NAMES, st.sampled_from(["0", "0.25", "0.5", "0.9", "1"])),
    )


def conditions(depth: int) -> st.SearchStrategy[str]:
    """Well-typed conditions, but for the data: a mixed or text column may turn out otherwise."""
    inner = depth - 1
    atoms = st.one_of(
        form("{} {} {}", numbers(inner), ORDER, numbers(inner)),
        form("{} {} {} {} {}", numbers(inner), ORDER, numbers(inner), ORDER, numbers(inner)),
        form("{} {} {}", texts(inner), ORDER, st.one_of(TEXT_LITERALS, texts(inner))),
        form("{} {} {}", DATE_NAMES, ORDER, st.one_of(DATE_LITERALS, DATE_NAMES)),
        form("{} {} {} {} {}", DATE_LITERALS, ORDER, DATE_NAMES, ORDER, DATE_LITERALS),
        form("mix {} {}", EQUALITY, st.one_of(ANY_LITERALS, names("n", "f", "t", "far", "flag", "mix", "void"))),
        form("{} {} {}", numbers(inner), MEMBER, lists(NUMBER_LITERALS)),
        form("{} {} {}", texts(inner), MEMBER, lists(TEXT_LITERALS)),
        form("{} {} {}", DATE_NAMES, MEMBER, lists(DATE_LITERALS)),
        form("{} {} {}", names("mix", "void"), MEMBER, lists(ANY_LITERALS)),
        form("{} <= {} {} {}", numbers(0), numbers(0), MEMBER, lists(NUMBER_LITERALS)),
        form("{}({}, {})", st.sampled_from(["contains", "startswith", "endswith"]), texts(inner), PARTS),
        form("matches({}, {})", texts(inner), PATTERNS),
        form("is_question({})", texts(inner)),
        form("isnull({})", st.one_of(names(*(column.name for column in COLUMNS)), numbers(inner), texts(inner))),
        names("flag", "sure", "void"),
    )
    if depth <= 0:
        return atoms
    less = conditions(depth - 1)
    return st.one_of(
        atoms,
        form("({} and {})", less, less),
        form("({} or {})", less, less),
        form("({} or {} or {})", less, less, less),
        form("not ({})", less),
        form("isnull({})", less),
    )


ANYTHING = st.one_of(
    names(*(column.name for column in COLUMNS)), ANY_LITERALS, numbers(1), texts(1), conditions(0), lists(ANY_LITERALS)
)
ODD = st.one_of(
    ANYTHING,
    form("({}) {} ({})", ANYTHING, ORDER, ANYTHING),
    form("({}) {} {}", ANYTHING, MEMBER, lists(ANY_LITERALS)),
    form("({}) + ({})", ANYTHING, ANYTHING),
    form("not ({})", ANYTHING),
    form("({}) and ({})", ANYTHING, conditions(0)),
    form("{}({})", st.sampled_from(["abs", "round", "length", "lower", "year", "isnull", "is_question"]), ANYTHING),
    form("contains({}, {})", ANYTHING, ANYTHING),
    form(
        "{} > {}",
        DATE_NAMES,
        st.sampled_from(["soon", "now", "today", "May", "NaT", "", "10:30", "31/01/2027"]).map(literal),
    ),
    form("year({}) > 2020", TEXT_NAMES),
    st.just("matches(t, '(')"),
)
PREDICATES = st.one_of(conditions(2), conditions(2), conditions(1), ODD)
VALUES = st.one_of(numbers(2), texts(2), names(*(column.name for column in COLUMNS)), conditions(1), ODD)

# ------------------------------------------------------------------------------------------------------------ outcomes


def oracle(
    evaluate: Callable[[str, list[dict[str, Any]]], list[Any]], source: str, table: Table
) -> list[Any] | Refusal:
    try:
        return evaluate(source, table.rows)
    except RowError as error:
        return Refusal(str(error))


def masked(source: str, data: pd.DataFrame | Evaluator) -> list[bool] | Refusal:
    evaluator = data if isinstance(data, Evaluator) else Evaluator.of_frame(data)
    try:
        mask = evaluator.mask(parse_predicate(source))
    except PredicateError as error:
        return Refusal(str(error))
    assert isinstance(mask, np.ndarray)
    assert mask.dtype == np.bool_
    assert mask.ndim == 1
    return mask.tolist()


def valued(source: str, frame: pd.DataFrame) -> list[Any] | Refusal:
    try:
        column = Evaluator.of_frame(frame).column(parse_expression(source))
    except PredicateError as error:
        return Refusal(str(error))
    assert len(column.values) == len(column.missing) == len(frame)
    return [None if gone else plain(value) for value, gone in zip(column.values, column.missing, strict=True)]


def plain(value: Any) -> Any:
    """Give a cell as Python compares it: a datetime64 as a Timestamp, another numpy scalar as its item."""
    if isinstance(value, np.datetime64):
        return pd.Timestamp(value)
    return value.item() if isinstance(value, np.generic) else value


# ---------------------------------------------------------------------------------------------------------- properties


@STEADY
@given(tables(), PREDICATES)
def test_evaluator_and_oracle_select_the_same_rows(table, source):
    assert masked(source, table.frame) == oracle(evaluate_rows, source, table)


@STEADY
@given(tables(), VALUES)
def test_evaluator_and_oracle_compute_the_same_values(table, source):
    assert valued(source, table.frame) == oracle(evaluate_values, source, table)


@STEADY
@given(tables(), st.lists(PREDICATES, min_size=2, max_size=5))
def test_an_evaluator_that_is_asked_again_does_not_mix_things_up(table, sources):
    evaluator = Evaluator.of_frame(table.frame)
    again = [masked(source, evaluator) for source in sources]
    assert again == [masked(source, table.frame) for source in sources]


@STEADY
@given(tables(), conditions(2))
def test_a_row_is_in_the_slice_or_in_its_negation_or_unknown(table, source):
    inside, outside = masked(source, table.frame), masked(f"not ({source})", table.frame)
    known = oracle(truths, source, table)
    if ERROR in (inside, outside, known):
        assert inside == outside == known
        return
    assert not any(a and b for a, b in zip(inside, outside, strict=True))
    assert [not (a or b) for a, b in zip(inside, outside, strict=True)] == [truth is None for truth in known]


@STEADY
@given(tables(), conditions(1), conditions(1), st.sampled_from(["and", "or"]))
def test_the_order_of_and_and_or_does_not_matter(table, one, other, word):
    assert masked(f"({one}) {word} ({other})", table.frame) == masked(f"({other}) {word} ({one})", table.frame)


@STEADY
@given(tables(), conditions(1), conditions(1))
def test_the_laws_of_de_morgan_hold(table, one, other):
    both = masked(f"not (({one}) and ({other}))", table.frame)
    assert both == masked(f"not ({one}) or not ({other})", table.frame)


# ---------------------------------------------------------------------------------------- expectations written by hand

HAND = Table(
    pd.DataFrame(
        {
            "n": [1, 2**53 + 1, -3],
            "gaps": [1.0, None, -2.5],
            "f": [np.inf, -np.inf, None],
            "flag": pd.Series([True, False, None], dtype=object),
            "t": ["Hi. Bye", None, "None"],
            "d": pd.to_datetime(["2020-02-29 12:30", None, "2021-12-31 00:00"]),
            "iso": ["2020-02-29T12:30", None, "2021-12-31"],
            "mix": pd.Series([1, "1", None], dtype=object),
            "wide": pd.Series([2**53 + 1, 0.5, None], dtype=object),
            "far": pd.Series(["0001-01-01", None, "9999-12-31"], dtype="datetime64[us]"),
            "void": pd.Series([None, None, None], dtype=object),
            "first name": ["é", "İ", ""],
            "class": [0, 1, 2],
            "length": [1, 2, 3],
        }
    ),
    [
        {
            "n": 1,
            "gaps": 1.0,
            "f": np.inf,
            "flag": True,
            "t": "Hi. Bye",
            "d": datetime.fromisoformat("2020-02-29T12:30:00"),
        }
        | {"wide": 2**53 + 1, "far": datetime.fromisoformat("0001-01-01"), "length": 1}
        | {"iso": "2020-02-29T12:30", "mix": 1, "void": None, "first name": "é", "class": 0},
        {"n": 2**53 + 1, "gaps": None, "f": -np.inf, "flag": False, "t": None, "d": None}
        | {"wide": 0.5, "far": None, "length": 2}
        | {"iso": None, "mix": "1", "void": None, "first name": "İ", "class": 1},
        {
            "n": -3,
            "gaps": -2.5,
            "f": None,
            "flag": None,
            "t": "None",
            "d": datetime.fromisoformat("2021-12-31T00:00:00"),
        }
        | {"wide": None, "far": datetime.fromisoformat("9999-12-31"), "length": 3}
        | {"iso": "2021-12-31", "mix": None, "void": None, "first name": "", "class": 2},
    ],
)
T, F, U = True, False, None
TRUTHS = [
    ("gaps > 0", [T, U, F]),
    ("not gaps > 0", [F, U, T]),
    ("gaps > 0 or flag", [T, U, U]),
    ("gaps > 0 and flag", [T, F, F]),
    ("flag", [T, F, U]),
    ("not flag", [F, T, U]),
    ("flag == 1", [T, F, U]),
    ("flag + 1 == 2", [T, F, U]),
    ("True", ERROR),
    ("n > 0 and True", ERROR),
    ("n", ERROR),
    ("t", ERROR),
    ("n == '1'", ERROR),
    ("n != '1'", ERROR),
    ("t == 1", ERROR),
    ("n == 9007199254740993", [F, T, F]),
    ("n == 9007199254740992", [F, F, F]),
    ("n == 9007199254740992.0", [F, F, F]),
    ("n + 0 == 9007199254740992", [F, T, F]),
    ("n < 9223372036854775808", [T, T, T]),
    ("wide == 9007199254740992", [F, F, U]),
    ("wide == 9007199254740993", [T, F, U]),
    ("f < n", [F, T, U]),
    ("-5 < n < 2 <= 2", [T, F, T]),
    ("n in [1, -3.0]", [T, F, T]),
    ("n in (1,)", [T, F, F]),
    ("n in (1)", ERROR),
    ("n in [1, 'a']", ERROR),
    ("n in n", ERROR),
    ("n in []", [F, F, F]),
    ("gaps in []", [F, U, F]),
    ("gaps not in []", [T, U, T]),
    ("mix in [1, 'a']", [T, F, U]),
    ("mix == 1", [T, F, U]),
    ("mix != 1", [F, T, U]),
    ("mix == '1'", [F, T, U]),
    ("mix > 1", ERROR),
    ("mix", ERROR),
    ("mix + 1 == 2", ERROR),
    ("void == 1", [U, U, U]),
    ("void < 'a'", [U, U, U]),
    ("void", [U, U, U]),
    ("isnull(void)", [T, T, T]),
    ("isnull(gaps)", [F, T, F]),
    ("isnull(1 / `class`)", [T, F, F]),
    ("isnull(n // 0)", [T, T, T]),
    ("isnull(gaps > 0)", [F, T, F]),
    ("t == 'None'", [F, U, T]),
    ("t > 'I'", [F, U, T]),
    ("contains(t, '. B')", [T, U, F]),
    ("matches(t, '(?i)^n.*e$')", [F, U, T]),
    ("matches(t, '(')", ERROR),
    ("contains(n, '1')", ERROR),
    ("contains(mix, '1')", ERROR),
    ("contains(t, t)", ERROR),
    ("contains(t, part='a')", ERROR),
    ("d >= '2020-02-29T12:30'", [T, U, T]),
    ("'2020-01-01' <= d < '2021-01-01'", [T, U, F]),
    ("d in ['2021-12-31']", [F, U, T]),
    ("'0001-01-01' < d < '9999-12-31'", [T, U, T]),
    ("far < d", [T, U, F]),
    ("d == 'soon'", ERROR),
    ("d == 'now'", ERROR),
    ("d < 'May'", ERROR),
    ("d < '31/01/2027'", ERROR),
    ("d == t", ERROR),
    ("d == 2020", ERROR),
    ("`first name` == 'é'", [T, F, F]),
    ("`class` >= 1", [F, T, T]),
    ("length(t) > length", [T, U, T]),
    ("class >= 1", ERROR),
    ("contains(`first name`, '`')", [F, F, F]),
    ("n is 1", ERROR),
    ("n ** 2 == 1", ERROR),
    ("+n == 1", ERROR),
    ("n == None", ERROR),
    ("n in {1, 2}", ERROR),
    ("t.lower() == 'a'", ERROR),
    ("n if flag else n", ERROR),
    ("nope > 1", ERROR),
    ("nope(t)", ERROR),
    ("", ERROR),
]
FIGURES = [
    ("n // -2", [-1.0, float(-(2**52)), 1.0]),
    ("n % -2", [-1.0, 0.0, -1.0]),
    ("gaps // 1", [1.0, None, -3.0]),
    ("1 / `class`", [None, 1.0, 0.5]),
    ("f - f", [None, None, None]),
    ("-flag", [-1.0, 0.0, None]),
    ("abs(gaps)", [1.0, None, 2.5]),
    ("round(gaps)", [1.0, None, -2.0]),
    ("round(n / 3, 2)", [0.33, round(2.0**53 / 3, 2), -1.0]),
    ("round(f)", [np.inf, -np.inf, None]),
    ("length(t)", [7, None, 4]),
    ("length(lower(`first name`))", [1, 2, 0]),
    ("words(t)", [2, None, 1]),
    ("characters(t)", [7, None, 4]),
    ("sentences(t)", [2, None, 1]),
    ("sentences(`first name`)", [1, 1, 0]),
    ("non_ascii_share(`first name`)", [1.0, 1.0, 0.0]),
    ("is_question(t)", [False, None, False]),
    ("year(d)", [2020, None, 2021]),
    ("year(far)", [1, None, 9999]),
    ("month(iso)", [2, None, 12]),
    ("weekday(d)", [5, None, 4]),
    ("hour(iso)", [12, None, 0]),
    ("year(t)", ERROR),
    ("year(n)", ERROR),
    ("quantile(gaps, 0.5)", [-0.75, -0.75, -0.75]),
    ("quantile(void, 0.5)", [None, None, None]),
    ("quantile(t, 0.5)", ERROR),
    ("quantile(n, 2)", ERROR),
    ("t + t", ERROR),
    ("d - d", ERROR),
    ("length(n)", ERROR),
    ("lower(t)", ["hi. bye", None, "none"]),
    ("gaps", [1.0, None, -2.5]),
    ("n", [1, 2**53 + 1, -3]),
    ("far", [datetime.fromisoformat("0001-01-01"), None, datetime.fromisoformat("9999-12-31")]),
]


@pytest.mark.parametrize(("source", "expected"), TRUTHS)
def test_a_condition_means_what_the_reference_says(source, expected):
    assert oracle(truths, source, HAND) == expected
    assert masked(source, HAND.frame) == (ERROR if expected == ERROR else [truth is True for truth in expected])


@pytest.mark.parametrize(("source", "expected"), FIGURES)
def test_an_expression_gives_what_the_reference_says(source, expected):
    assert oracle(evaluate_values, source, HAND) == expected
    assert valued(source, HAND.frame) == expected


# ---------------------------------------------------------------------------------------------------------------- fuzz

NASTY = [
    "lambda: 0",
    "lambda n: n",
    "__import__('os')",
    "__import__('os').system('true')",
    ".__class__",
    ".__class__.__mro__[1].__subclasses__()",
    "f'{n}'",
    "f'{__import__(\"os\")}'",
    "(n := 1)",
    "[n for n in n]",
    "{n: n for n in n}",
    "(n for n in n)",
    "10**10**10",
    "'a' * 10**10",
    "1" * 30,
    "1" * 400,
    "1" * 5000,
    "0x" + "f" * 300,
    "1e999",
    "1_000",
    "1j",
    "b'a'",
    "...",
    "None",
    "n[0]",
    "*n",
    "**n",
    "await n",
    "yield",
    "import os",
    "n = 1",
    "print(n)",
    "\x00",
    "\ud800",
    "'\\ud800'",
    "'\\x00'",
    "'\\N{DIGIT ONE}'",
    "'\\d'",
    "`",
    "``",
    "`nope`",
    "`first name`",
    "`class`",
    "`a\x00b`",
    "'`'",
    "#",
    ";",
    "\\",
    "\n",
    "\t",
    "\x0c",
    "\r",
    "\ufeff",
    "'",
    '"""',
    "'a{99999999999999}'",
    "'(?P<a>'",
    "'(?i)a'",
    "'[[a]'",
    "'a(?i)'",
    "'" + "(" * 3000 + "'",
    "'99999-01-01'",
    "'2020-13-01'",
    "'2020-01-01T00:00:00Z'",
    "'2020-W01-1'",
    "round(f, 400)",
    "round(f, -400)",
    "round(n, 1" + "0" * 30 + ")",
    "quantile(f, 2)",
    "quantile(f, 1e999)",
    "quantile(t, 0.5)",
    "quantile(n)",
    "matches(t, t)",
    "matches(t, '(')",
    "year(t)",
    "year('2020-01-01T00:00:00+01:00')",
    "isnull()",
    "isnull",
    "abs",
    "µ",
    "ﬁ",
    "٣",
    "(" * 150,
    "(" * 300,
    "[" * 300,
    "-" * 3000,
    "not " * 3000,
    "n + " * 3000 + "n",
    "n < " * 3000 + "n",
    "n > 0 and " * 3000 + "n > 0",
    "n > 0 or (" * 150 + "n > 0" + ")" * 150,
    "abs(" * 90 + "n" + ")" * 90,
    "isnull(" * 2000 + "n" + ")" * 2000,
]
PLAIN = [
    *("n", "f", "t", "d", "flag", "mix", "void", "and", "or", "not", "in", "not in", "is", "if", "else"),
    *("==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "//", "%", "**", "@", "&", "|", "~", "^", "<<", ":=", "="),
    *(
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        ", ",
        ":",
        ".",
        "0",
        "1",
        "2.5",
        "-1",
        "True",
        "False",
        "'a'",
        "''",
        "'2020-01-01'",
    ),
    *("length(", "lower(", "contains(", "matches(", "isnull(", "round(", "year(", "quantile(", "abs(", "words("),
    *("n > 0", "t == 'a'", "isnull(t)", "flag", "d < '2021-01-01'", "mix == 1", "[1, 2]", "['a']", "[]"),
]
SMALL = pd.DataFrame(
    {
        "n": [0, 2**53 + 1, -(2**63)],
        "f": [0.5, np.inf, None],
        "t": ["a", "", None],
        "d": pd.to_datetime(["2020-01-01", None, "2021-12-31"]),
        "flag": pd.Series([True, False, None], dtype=object),
        "mix": pd.Series([1, "1", None], dtype=object),
        "void": pd.Series([None, None, None], dtype=object),
        "first name": ["é", "İ", ""],
        "class": [0, 1, 2],
        "big": pd.array([2**63 - 1, None, 0], dtype="Int64"),
        "cat": pd.Categorical(["red", None, ""]),
        "iso": ["2020-01-01", None, "9999-12-31T12:30"],
    }
)
TOKENS = st.one_of(st.sampled_from(PLAIN), st.sampled_from(PLAIN), st.sampled_from(NASTY))
SEPARATORS = st.sampled_from([" ", " ", ""])


@st.composite
def damaged(draw: Callable[..., Any]) -> str:
    """Draw a right predicate, some stretch of which is replaced by a token."""
    source = draw(conditions(1))
    start = draw(st.integers(0, len(source)))
    return source[:start] + draw(TOKENS) + source[start + draw(st.integers(0, 6)) :]


FUZZED = st.one_of(
    damaged(),
    conditions(1),
    st.text(max_size=40),
    st.text(st.characters(categories=None), max_size=40),
    st.text("nft0123456789.'\"`()[]<>=!+-*/% ,andornot\\", max_size=40),
    st.tuples(SEPARATORS, st.lists(TOKENS, max_size=9)).map(lambda parts: parts[0].join(parts[1])),
    st.tuples(TOKENS, ORDER, TOKENS).map(" ".join),
    form("{}({}, {})", st.sampled_from(["round", "quantile", "matches", "contains", "isnull"]), TOKENS, TOKENS).map(
        lambda call: f"{call} == 1"
    ),
)


@settings(STEADY, max_examples=FUZZ)
@given(FUZZED)
@example("")
@example("n > 0 \x00")
def test_any_string_is_an_error_or_a_mask(source):
    mask = masked(source, SMALL)
    assert mask == ERROR or len(mask) == len(SMALL)


@pytest.mark.parametrize("source", NASTY, ids=[str(number) for number in range(len(NASTY))])
@pytest.mark.parametrize(
    "pattern", ["{}", "n == {}", "isnull({})", "f + {} > 1", "t == {}", "n in [{}]", "d > {}", "matches(t, {})"]
)
def test_a_nasty_string_is_an_error_or_a_mask(pattern, source):
    mask = masked(pattern.format(source), SMALL)
    assert mask == ERROR or len(mask) == len(SMALL)
