"""YAML reads as people mean it, every key and value knows its place, and no text at all does more than be refused."""

from __future__ import annotations

import contextlib
import itertools
import re

import pytest
import yaml
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from pytest_behave.declare.nesting import first_too_deep
from pytest_behave.declare.yaml_positions import read_yaml
from pytest_behave.errors import SuiteError

STEADY = settings(max_examples=100)
PLAIN = (type(None), bool, int, float, str, list, dict)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("yaml") / "some.yaml"


@pytest.fixture
def read(tmp_path):
    """Return a function from text to a document, read through a file."""

    def read_text(content):
        path = tmp_path / "some.yaml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_yaml(path)

    return read_text


def refusal(read, content):
    """Return the one sentence by which a file is refused, without the folder."""
    with pytest.raises(SuiteError) as caught:
        read(content)
    (problem,) = caught.value.problems
    return problem[problem.index("some.yaml") :]


def problems(document):
    return [problem[problem.index("some.yaml") :] for problem in document.problems]


def values(data):
    """Yield every value, the outermost first."""
    yield data
    for child in data.values() if isinstance(data, dict) else data if isinstance(data, list) else ():
        yield from values(child)


# --- scalars ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        # what YAML 1.1 takes for a truth, a time, a date, or a number in another base
        ("no", "no"),
        ("No", "No"),
        ("yes", "yes"),
        ("on", "on"),
        ("off", "off"),
        ("y", "y"),
        ("n", "n"),
        ("12:30", "12:30"),
        ("1:20:30", "1:20:30"),
        ("2027-03-01", "2027-03-01"),
        ("2027-03-01 12:30:00", "2027-03-01 12:30:00"),
        ("0o17", "0o17"),
        ("017", 17),
        ("09", 9),
        ("0x1F", "0x1F"),
        ("0b11", "0b11"),
        ("1_000", "1_000"),
        ("=", "="),
        # what YAML 1.1 takes for a text
        ("1e-3", 0.001),
        ("1E3", 1000.0),
        ("1.5e3", 1500.0),
        ("+.5", 0.5),
        # what both take for what it is
        (".5", 0.5),
        ("5.", 5.0),
        ("-0.5", -0.5),
        ("+3", 3),
        ("-0", 0),
        (".inf", float("inf")),
        ("-.INF", float("-inf")),
        ("true", True),
        ("FALSE", False),
        ("tRue", "tRue"),
        ("~", None),
        ("", None),
        ("null", None),
        ("NULL", None),
        ("nULL", "nULL"),
        # what is nothing but a text
        ("None", "None"),
        ("NA", "NA"),
        ("nan", "nan"),
        ("inf", "inf"),
        ("1.2.3", "1.2.3"),
        ("1e", "1e"),
        ("- ", [None]),
        ("٣", "٣"),
        ("'no'", "no"),
        ("'1'", "1"),
        ('"null"', "null"),
        ("''", ""),
        ("!!str 12", "12"),
        ("!!str null", "null"),
        ("!!int '12'", 12),
        ("!!float '1e3'", 1000.0),
    ],
)
def test_a_value_is_what_people_mean(read, written, meant):
    document = read(f"a:\n {written}\n")
    assert document.data == {"a": meant}
    assert type(document.data["a"]) is type(meant)
    assert document.problems == []


def test_not_a_number_is_a_number(read):
    assert str(read("a: .nan").data) == "{'a': nan}"


@pytest.mark.parametrize("key", ["no", "yes", "1", "1.50", "017", "null", "~", "true", "2027-03-01", "12:30", "<", "é"])
def test_a_key_is_the_text_as_written(read, key):
    assert read(f"{key}: 1").data == {key: 1}


@pytest.mark.parametrize("digits", [300, 5_000])
def test_a_number_of_any_length_is_read(read, digits):
    written = "9" * digits
    (found,) = read(f"- {written}").data
    assert str(found) == written


# --- any plain data -----------------------------------------------------------------------------------------------


class Dumper(yaml.SafeDumper):
    """PyYAML's dumper, which knows YAML 1.1 only, made to quote everything that starts like a number."""


Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="'" if re.match(r"[-+.0-9]", text) else None
    ),
)
TEXTS = st.one_of(
    st.sampled_from(["no", "yes", "null", "~", "1e-3", "09", "12:30", "2027-03-01", "<<", "=", "- a", "a: b", "#", ""]),
    # U+0085 does not survive PyYAML's own dumper with allow_unicode
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x85"), max_size=8),
)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-(10**20), 10**20), st.floats(allow_nan=False), TEXTS)
DATA = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=12,
)
STYLES = st.fixed_dictionaries(
    {
        "default_flow_style": st.sampled_from([True, False, None]),
        "allow_unicode": st.booleans(),
        "indent": st.sampled_from([2, 4, 7]),
        "width": st.sampled_from([20, 80, 1_000]),
        "sort_keys": st.just(False),
    }
)


@STEADY
@given(data=DATA, style=STYLES)
def test_any_plain_data_that_is_dumped_loads_back_equal(path, data, style):
    path.write_text(yaml.dump(data, Dumper=Dumper, **style), encoding="utf-8")
    document = read_yaml(path)
    assert document.data == data
    assert list(map(type, values(document.data))) == list(map(type, values(data)))
    assert document.problems == []


SHAPES = st.recursive(
    st.sampled_from(["plain", "'single'", '"double"', "empty list", "empty mapping"]),
    lambda inner: st.lists(inner, min_size=1, max_size=4) | st.lists(inner, min_size=1, max_size=4).map(tuple),
    max_leaves=15,
)


class Labels:
    """Data of a shape in which each key and scalar is a text of its own, and where each of them must be found."""

    def __init__(self, shape):
        self.numbers = itertools.count()
        self.marks = {}
        self.key_marks = {}
        self.data = self.label(shape, ())

    def label(self, shape, loc):
        if shape in ("empty list", "empty mapping"):
            return [] if shape == "empty list" else {}
        if isinstance(shape, str):
            self.marks[loc] = self.text(shape)
            return self.marks[loc]
        if isinstance(shape, list):
            return [self.label(part, (*loc, index)) for index, part in enumerate(shape)]
        result = {}
        for part in shape:
            key = self.text("plain")
            self.key_marks[(*loc, key)] = key
            result[key] = self.label(part, (*loc, key))
        return result

    def text(self, kind):
        odd = {"plain": "é", "'single'": "'😀'", '"double"': "\t\"日'"}[kind]
        return f"v{next(self.numbers):03d}v{odd}"


def paths(data, loc=()):
    """Yield where each value of some data is."""
    yield loc
    parts = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, part in parts:
        yield from paths(part, (*loc, key))


def spots(spot, loc=()):
    """Yield what is known of where things stand."""
    yield loc
    for key, part in spot.parts.items():
        yield from spots(part, (*loc, key))


def offset(text, place):
    lines = text.split("\n")
    return sum(len(line) + 1 for line in lines[: place.line - 1]) + place.column - 1


ENCODINGS = st.tuples(st.sampled_from(["\n", "\r\n"]), st.sampled_from(["utf-8", "utf-8-sig"]))


@STEADY
@given(shape=SHAPES, style=STYLES, header=st.sampled_from(["", "# é\n\n", "---\n"]), encoding=ENCODINGS)
def test_every_key_and_value_has_the_place_of_its_text(path, shape, style, header, encoding):
    labels = Labels(shape)
    text = header + yaml.safe_dump(labels.data, **style)
    path.write_text(text, newline=encoding[0], encoding=encoding[1])

    document = read_yaml(path)

    assert document.data == labels.data
    locs = set(spots(document.root))
    assert locs == set(paths(labels.data))
    for loc, mark in labels.key_marks.items():
        assert offset(text, document.key_place(loc)) in (
            text.index(mark[:5]),
            text.index(mark[:5]) - 1,
        )  # -1: its quote
    for loc in locs:
        place = document.value_place(loc)
        assert place.path == path
        if loc in labels.marks:
            assert offset(text, place) in (text.index(labels.marks[loc][:5]), text.index(labels.marks[loc][:5]) - 1)
        elif loc:
            assert text[offset(text, place)] in "[{-" or place in {
                document.key_place(inner) for inner in labels.key_marks if inner[:-1] == loc
            }


def test_a_place_that_is_not_known_is_the_nearest_around_it(read):
    document = read("a:\n  b: [1]\n")
    assert str(document.value_place(("a", "b", 0)))[-4:] == ":2:7"
    assert str(document.value_place(("a", "b", 7, "x")))[-4:] == ":2:6"
    assert str(document.key_place(("a", "b", "c")))[-4:] == ":2:3"
    assert str(document.key_place(("a", "b", 0)))[-4:] == ":2:7"
    assert str(document.key_place(("z",)))[-4:] == ":1:1"
    assert str(document.value_place(()))[-4:] == ":1:1"


@pytest.mark.parametrize("content", ["", "\n", "# nothing\n", "---\n", "\ufeff", "\ufeff# x"])
def test_an_empty_file_holds_nothing_and_still_has_a_place(read, content):
    document = read(content)
    assert document.data is None
    assert document.key_place(("dataset",)) == document.value_place(())


# --- what people get wrong ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "some.yaml:3:1: duplicate key 'a', first used in line 1"),
        ("{a: 1, 'a': 2}", "some.yaml:1:8: duplicate key 'a', first used in line 1"),
        ("1: a\n'1': b\n", "some.yaml:2:1: duplicate key '1', first used in line 1"),
        ("? [a]\n: 1\n", "some.yaml:1:3: a key must be plain text"),
        ("{a: {}, {b: 1}: 2}", "some.yaml:1:9: a key must be plain text"),
        ("<<: 5", "some.yaml:1:1: << takes a mapping (an alias such as *name)"),
        ("<<: [{a: 1}, 5]", "some.yaml:1:1: << takes a mapping (an alias such as *name)"),
        ("a: &a {<<: *a}", "some.yaml:1:8: << takes a mapping (an alias such as *name)"),
        ("a: !!int abc", "some.yaml:1:4: 'abc' cannot be tagged as int"),
        ("a: !!int 0x1F", "some.yaml:1:4: '0x1F' cannot be tagged as int"),
        ("a: !!float abc", "some.yaml:1:4: 'abc' cannot be tagged as float"),
        ("a: !!bool abc", "some.yaml:1:4: 'abc' cannot be tagged as bool"),
        ("a: !!null abc", "some.yaml:1:4: 'abc' cannot be tagged as null"),
    ],
)
def test_a_mistake_in_a_mapping_is_a_problem_with_its_place(read, content, message):
    assert problems(read(content)) == [message]


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ("a: !!python/object/apply:os.system [exit 1]", "1:4"),
        ("a: !!python/object/new:os.system [exit 1]", "1:4"),
        ("a: !!python/name:os.system", "1:4"),
        ("a: !!python/name:os.system x", "1:4"),
        ("a: !!python/module:os x", "1:4"),
        ("a: !!python/tuple [1]", "1:4"),
        ("a:\n  - !!python/object:os.stat_result {a: 1}", "2:5"),
        ("!!python/name:os.system a: x", "1:1"),
        ("!!python/object/apply:os.system\n- exit 1", "1:1"),
        ("a: !mine x", "1:4"),
        ("a: !mine [x]", "1:4"),
        ("a: !mine {x: 1}", "1:4"),
        ("a: !<tag:example.org,2027:x> x", "1:4"),
        ("a: !!set {b, c}", "1:4"),
        ("a: !!omap [b: 1]", "1:4"),
        ("a: !!binary aGk=", "1:4"),
        ("a: !!timestamp 2027-03-01", "1:4"),
        ("a: !!str [1]", "1:4"),
        ("a: !!seq {b: 1}", "1:4"),
        ("a: !!map x", "1:4"),
    ],
)
def test_a_tag_makes_nothing_but_a_problem(read, content, place):
    document = read(content)
    (problem,) = problems(document)
    assert problem.startswith(f"some.yaml:{place}: the tag ")
    assert problem.endswith(" is not allowed here: suites are plain data")
    assert {type(value) for value in values(document.data)} <= set(PLAIN)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "a: `x`",
            "1:4: this is not YAML: a value may not start with a backtick: put the whole value in single quotes",
        ),
        ("a: @team", "1:4: this is not YAML: a value may not start with @: put the whole value in single quotes"),
        ("a: %x", "1:4: this is not YAML: a value may not start with %: put the whole value in single quotes"),
        ("a: b == 'c': d", "1:12: this is not YAML: a colon followed by a space needs quotes around the whole value"),
        ("a: b: c", "1:5: this is not YAML: a colon followed by a space needs quotes around the whole value"),
        ("\ta: b", "1:1: this is not YAML: indent with spaces, not tabs"),
        ("a:\n\tb: c", "2:1: this is not YAML: indent with spaces, not tabs"),
        ("a:\n\t- b", "2:1: this is not YAML: indent with spaces, not tabs"),
        ("a: b\n\tc: d", "2:1: this is not YAML: indent with spaces, not tabs"),
        ("a: [1, 2", "2:1: this is not YAML: a comma is missing before this, or a ] that closes the [ of line 1"),
        ("a: {1", "2:1: this is not YAML: a comma is missing before this, or a } that closes the { of line 1"),
        ("a: ]", "1:4: this is not YAML: nothing is open that this ] closes"),
        ("é: 'x", "1:6: this is not YAML: the ' of line 1 is not closed"),
        ("*a", "1:1: this is not YAML: no anchor of this name stands before the alias"),
        ("a: 1\n---\nb: 2", "2:1: this is not YAML: a second document begins here: a file holds one"),
        ("a: 1\nb: \0", "2:4: this is not YAML: the control character U+0000 is not allowed"),
        ("é: \0", "1:4: this is not YAML: the control character U+0000 is not allowed"),
        ("\x07", "1:1: this is not YAML: the control character U+0007 is not allowed"),
        ('a: "\\ud800"', "1:7: this is not YAML: this is no escape: a text with a backslash goes in single quotes"),
        ("a: &a 1\nb: &a 2", "2:4: this is not YAML: an anchor of this name stands in line 1 already"),
        (
            "a:\n  - b\n c: d",
            "3:2: this is not YAML: this does not go with what stands before it: check the indentation, colons and quotes",
        ),
        ("a: &a [*a]", "1:4: an alias refers to what it stands in"),
        ("a: &a {b: {c: *a}}", "1:4: an alias refers to what it stands in"),
    ],
)
def test_what_is_not_yaml_is_refused_with_place_and_reason(read, content, message):
    assert refusal(read, content) == f"some.yaml:{message}"


@pytest.mark.parametrize("content", [b"\xff\xfea\x00", b"a: \xe9", b"a: \xed\xa0\x80"])
def test_what_is_not_utf_8_is_refused(read, content):
    assert refusal(read, content) == "some.yaml: cannot be read: it is not UTF-8"


def test_a_file_that_is_not_there_or_is_a_folder_is_refused(tmp_path):
    for name, message in (("no.yaml", "there is no such file"), ("", "cannot be read: ")):
        with pytest.raises(SuiteError, match=f"^{re.escape(str(tmp_path / name))}: {message}"):
            read_yaml(tmp_path / name)


@pytest.mark.parametrize("content", ["\ufeffa: 1\nb: 2\n", "a: 1\r\nb: 2\r\n", "a: 1\rb: 2\r", "\ufeffa: 1\r\nb: 2"])
def test_a_byte_order_mark_and_any_line_ends_change_nothing(read, content):
    document = read(content)
    assert document.data == {"a": 1, "b": 2}
    assert [str(document.key_place((key,)))[-4:] for key in document.root.parts] == [":1:1", ":2:1"]


# --- anchors ------------------------------------------------------------------------------------------------------


def test_an_alias_is_its_anchor_again(read):
    assert read("a: &a {x: [1]}\nb: *a\nc: [*a, *a]").data == {"a": {"x": [1]}, "b": {"x": [1]}, "c": [{"x": [1]}] * 2}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("{<<: *a, z: 3}", {"x": 1, "y": 2, "z": 3}),
        ("{<<: *a, y: 3}", {"x": 1, "y": 3}),
        ("{y: 3, <<: *a}", {"x": 1, "y": 3}),
        ("{<<: [{x: 8}, *a]}", {"x": 8, "y": 2}),
        ("{<<: [*a, {x: 8}]}", {"x": 1, "y": 2}),
        ("{<<: &m {<<: *a, y: 5}, z: 3}", {"x": 1, "y": 5, "z": 3}),
        ("{<<: [{<<: [{<<: *a}]}]}", {"x": 1, "y": 2}),
        ("{<<: []}", {}),
        ("{<<: {}}", {}),
        ("{'<<': 1}", {"<<": 1}),
    ],
)
def test_merging_takes_what_the_mapping_does_not_say_itself(read, written, meant):
    document = read(f"a: &a {{x: 1, y: 2}}\nb: {written}")
    assert document.data["b"] == meant
    assert document.problems == []


# --- nothing else -------------------------------------------------------------------------------------------------

BOMB = (
    "a: &a ["
    + ",".join("x" * 10)
    + "]\n"
    + "".join(
        f"{name}: &{name} [{','.join([f'*{before}'] * 10)}]\n"
        for before, name in itertools.pairwise("abcdefghijklmnop")
    )
)
MERGE_BOMB = "a: &a {x: 1}\n" + "".join(
    f"{name}: &{name} {{<<: [{','.join([f'*{before}'] * 10)}]}}\n"
    for before, name in itertools.pairwise("abcdefghijklmnop")
)
CHAIN = (
    "a: &a "
    + "[" * 60
    + "]" * 60
    + "\n"
    + "".join(
        f"{name}: &{name} {'[' * 60}*{before}{']' * 60}\n" for before, name in itertools.pairwise("abcdefghijklmnop")
    )
)


def nested(levels):
    """Return texts of as many lists and mappings within one another, in each way in which YAML nests."""
    return {
        "lists": "[" * levels + "]" * levels,
        "lists over lines": "a:\n" + "[\n" * (levels - 1) + "]" * (levels - 1),
        "mappings": "{a: " * levels + "}" * levels,
        "mappings without spaces": '{"a":' * levels + "1" + "}" * levels,
        "pairs in lists": "[a: " * (levels // 2) + "]" * (levels // 2) + "\n- " * (levels % 2),
        "lists of a block": "- " * levels + "a",
        "mappings of a block": "\n".join(" " * level + "a:" for level in range(levels)),
        "lists below their keys": "\n".join(" " * level + "- a:" for level in range(0, levels, 2)),
        "keys of more than a word": "".join("? " * levels + "a"),
        "after a text": "a: it's [ {\n" + "b: |\n  [[\nc: '[['\nd: # [[\n- " + "- " * (levels - 2) + "a",
    }


@pytest.mark.parametrize("way", nested(2))
def test_nesting_beyond_any_suite_is_refused_before_a_parser_reads_it(read, monkeypatch, way):
    with monkeypatch.context() as patch:
        patch.setattr(yaml, "compose", lambda *_args, **_options: pytest.fail("the parser was asked"))
        assert re.match(r"some.yaml:\d+:\d+: .*too deeply$", refusal(read, nested(102)[way]))
    with contextlib.suppress(SuiteError):
        assert read(nested(100)[way]) is not None


def test_aliases_that_nest_a_file_too_deeply_are_refused(read):
    assert "too deeply" in refusal(read, CHAIN)


def test_nesting_that_a_json_schema_may_need_is_read(read):
    assert len(list(values(read("{a: " * 100 + "1" + "}" * 100).data))) == 101


def levels_of(node):
    """Return how many lists and mappings a node is nested in, as the parser sees it; keys are plain texts."""
    children = [value for _, value in node.value] if isinstance(node, yaml.MappingNode) else node.value
    return 0 if isinstance(node, yaml.ScalarNode) else 1 + max(map(levels_of, children), default=0)


def test_aliases_of_aliases_are_refused_before_they_fill_the_memory(read):
    assert refusal(read, BOMB).endswith("the aliases of the file repeat more than 100,000 values")


def test_merges_of_merges_take_no_longer_than_the_file_is_long(read):
    assert read(MERGE_BOMB).data["p"] == {"x": 1}


PIECES = (
    "a§b§: §:§- §\n§\n  §\n    §[§]§{§}§, §&a §*a§&b §*b§!!str §!!int §!x §!!set §'§\"§|\n§>-\n§# §? §<<: §<<§\t§%§@§`§1§0x1§null"
    "§---\n§...\n§%YAML 1.1\n§\\§\r\n§\0§\ufeff§é§\u2028§\x85§😀§!!python/object/apply:os.system "
)
FRAGMENTS = st.lists(st.sampled_from(PIECES.split("§")), max_size=25).map("".join)


@settings(STEADY, max_examples=400)
@given(text=FRAGMENTS | st.text(max_size=60))
@example("a: !!int -")
@example("&a {*a : 1}")
@example("? &a [*a]\n: 1")
@example("<<: &a {<<: *a}")
@example("- !!float .")
@example("\ufeff\ufeff")
def test_any_text_gives_plain_data_or_a_refusal(path, text):
    path.write_text(text, encoding="utf-8", newline="")
    try:
        document = read_yaml(path)
    except SuiteError as error:
        sentences = error.problems
    else:
        sentences = document.problems
        assert {type(value) for value in values(document.data)} <= set(PLAIN)
        assert set(spots(document.root)) == set(paths(document.data))
    assert all(re.match(rf"{re.escape(str(path))}:\d+:\d+: .", sentence) for sentence in sentences)


@settings(STEADY, max_examples=400)
@given(text=FRAGMENTS)
@example("a: b\n[[[")
@example("[? ]")
@example("a: 'x' \n- [a: [b: c]]")
def test_no_text_is_nested_deeper_than_is_told(text):
    assume("\ufeff" not in text and "*" not in text)
    try:
        node = yaml.compose(text, yaml.SafeLoader)
    except (yaml.YAMLError, ValueError):
        return
    deep = levels_of(node) if node else 0
    assert deep == 0 or first_too_deep(text, deep - 1) is not None


@STEADY
@given(content=st.binary(max_size=60))
def test_any_bytes_give_plain_data_or_a_refusal(path, content):
    path.write_bytes(content)
    with contextlib.suppress(SuiteError):
        assert {type(value) for value in values(read_yaml(path).data)} <= set(PLAIN)
