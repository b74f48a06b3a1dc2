"""The baseline file: it says what was accepted, in a text that git merges, and never half of it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_behave.compare.store import (
    WorkingTree,
    accept,
    add_missing,
    baseline_paths,
    baseline_text,
    differences,
    prune,
    read_baseline,
    write_atomically,
)
from pytest_behave.errors import BaselineError
from pytest_behave.records import Accepted, BaselineEntry, StoredBaseline

STEADY = settings(max_examples=80)
SUITE = Path("suites/loans.behave.yaml")

# half of a surrogate pair, as YAML may hold; two halves in a row would be one character in JSON
TEXTS = st.text(st.characters() | st.sampled_from(["\udfff", "\u2028", "\u202e", "<", "%"]), max_size=6)
FLOATS = st.floats()
ENTRIES = st.builds(
    BaselineEntry,
    value=st.none() | FLOATS,
    n=st.integers(10, 10**7),
    size=st.integers(0, 10**7),
    hits=st.none() | st.integers(0, 10),
    low=st.none() | FLOATS,
    high=st.none() | FLOATS,
    best=st.none() | FLOATS,
    reason=st.just("") | TEXTS,
    paired=st.booleans(),
)
KEYS = st.tuples(TEXTS, st.sampled_from(["accuracy", "fpr gap", "é"]))
BASELINES = st.builds(
    StoredBaseline,
    suite=TEXTS,
    dataset=st.none() | TEXTS,
    model=TEXTS,
    entries=st.dictionaries(KEYS, ENTRIES, max_size=4),
)


class Held:
    """A place that holds one file."""

    def __init__(self, text):
        self.data = text if isinstance(text, bytes) else text.encode()

    def read(self, path):  # noqa: ARG002
        return self.data

    def shown(self, path):
        return str(path)


def read(text, suite="loans"):
    return read_baseline(Held(text), Path("baselines/loans.json"), suite)


def entry(value, **others):
    return BaselineEntry(**{"value": value, "n": 240, "size": 240, **others})


def baseline(entries=(), suite="loans"):
    return StoredBaseline(suite, "sha256:d", "sha256:m", dict(entries))


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("loans", "loans"),
        ("Größe 点 (v1.2)", "Größe 点 (v1.2)"),
        ("team/loans", "team%2Floans"),
        (r"a\b:c*d?e|f<g>h\"i", "a%5Cb%3Ac%2Ad%3Fe%7Cf%3Cg%3Eh%5C%22i"),
        ("100%", "100%25"),
        ("team%2Floans", "team%252Floans"),
        ("tab\there", "tab%09here"),
        ("half \ud800", "half %ED%A0%80"),
        ("con", "%63on"),
        ("COM1.eu", "%43OM1.eu"),
        ("console", "console"),
        ("..", ".."),
        ("-x", "-x"),
    ],
)
def test_the_files_lie_beside_the_suite_under_a_name_that_any_system_takes(name, stem):
    folder = Path("suites/baselines")
    assert baseline_paths(SUITE, name) == (folder / f"{stem}.json", folder / f"{stem}.parquet")


@STEADY
@given(names=st.lists(st.text(st.characters() | st.sampled_from("/:%\ud800é点"), min_size=1), min_size=1, unique=True))
def test_no_two_suites_share_a_file_and_the_name_can_be_read_from_it(names):
    stems = [baseline_paths(SUITE, name)[0].name.removesuffix(".json") for name in names]
    assert len(set(stems)) == len(names)
    for name, stem in zip(names, stems, strict=True):
        assert len(stem.encode()) < 140
        assert not set(stem) & set('<>:"/\\|?*\0\n')
        if len(stem.encode()) <= 100:
            assert unquote(stem, errors="surrogatepass") == name


def test_long_names_that_begin_alike_have_files_of_their_own(tmp_path):
    names = ["点" * 200 + "a", "点" * 200 + "b", "x" * 101, "x" * 102, "/" * 100]
    paths = {baseline_paths(tmp_path / "s.behave.yaml", name)[0] for name in names}
    assert len(paths) == len(names)
    for path in paths:
        write_atomically(path, b"")


def test_the_file_reads_as_the_documentation_shows_it():
    stored = baseline(
        {
            ("women", "accuracy"): entry(0.7916666666, hits=190),
            ("overall", "auc"): entry(0.81, low=0.7712345678, high=1.0, n=90, best=0.85, reason="new scorer, №7"),
            ("overall", "accuracy"): entry(None, n=0, paired=False),
        }
    )
    expected = """\
    {
      "behaviors": {
        "overall": {
          "accuracy": {
            "n": 0,
            "paired": false,
            "size": 240,
            "value": null
          },
          "auc": {
            "best": 0.85,
            "high": 1.0,
            "low": 0.771235,
            "n": 90,
            "reason": "new scorer, №7",
            "size": 240,
            "value": 0.81
          }
        },
        "women": {
          "accuracy": {
            "hits": 190,
            "n": 240,
            "size": 240,
            "value": 0.791667
          }
        }
      },
      "dataset": "sha256:d",
      "format": "pytest-behave/baseline-1",
      "model": "sha256:m",
      "suite": "loans"
    }
    """
    assert baseline_text(stored) == textwrap.dedent(expected)


LINE = re.compile(r' *(".*": )?([{}],?|"([^"\\]|\\.)*",?|-?\d[\d.e+-]*,?|true,?|false,?|null,?|\{\},?)')


@STEADY
@given(stored=BASELINES)
def test_what_is_written_is_read_back_and_written_as_the_same_bytes(stored):
    text = baseline_text(stored)
    back = read(text, stored.suite)
    assert baseline_text(back) == text
    assert (back.suite, back.dataset, back.model) == (stored.suite, stored.dataset, stored.model)
    assert back.entries.keys() == stored.entries.keys()
    assert differences(stored, back) == ()
    assert all(LINE.fullmatch(line) for line in text.splitlines()), "one scalar per line"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (1 / 3, 0.333333),
        (2 / 3, 0.666667),
        (123456789.0, 123457000.0),
        (1e-9, 1e-09),
        (-0.0, 0.0),
        (1, 1.0),
        (1.7976931348623157e308, 1.79769e308),
        (float("nan"), None),
        (float("inf"), None),
        (float("-inf"), None),
    ],
)
def test_values_have_six_significant_digits_and_are_numbers_or_nothing(value, written):
    text = baseline_text(baseline({("a", "m"): entry(value, low=value)}))
    assert str(json.loads(text)["behaviors"]["a"]["m"]["value"]) == str(written)
    assert ("low" in text) == (written is not None)


GOOD = baseline_text(baseline({("women", "accuracy"): entry(0.79, hits=190)}))
ACCEPT = "take either side, then rerun `pytest --behave --behave-baseline=accept`"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (("{", "<<<<<<< HEAD\n{"), f":1: git conflict markers: {ACCEPT}"),
        (('    "women"', '=======\n    "women"'), f":3: git conflict markers: {ACCEPT}"),
        (('    "women"', '>>>>>>> 1f2e3d (a branch)\n    "women"'), f":3: git conflict markers: {ACCEPT}"),
        (('"n": 240,', '"n": 240'), ":7:9: this is not JSON"),
        ((GOOD, ""), ":1:1: this is not JSON"),
        ((GOOD[70:], ""), ":5:17: this is not JSON"),
        (('"n": 240', '"n": 1' + "0" * 5_000), " cannot be read as JSON: "),
        (('"n": 240', '"n": 240, "n": 240'), " cannot be read as JSON: the key 'n' is there twice"),
        ((GOOD, "[]"), ": this is no baseline: its `format` is not 'pytest-behave/baseline-1'"),
        (("pytest-behave/baseline-1", "x"), ": this is no baseline: its `format` is not 'pytest-behave/baseline-1'"),
        (
            ("baseline-1", "baseline-2"),
            ": a newer release wrote this, in the format 'pytest-behave/baseline-2': upgrade pytest-behave",
        ),
        (('"loans"', '"homes"'), ": this is the baseline of suite 'homes', not of 'loans': rename or move one"),
        (('  "dataset": "sha256:d",\n', ""), ": `dataset` is missing"),
        (('"dataset": "sha256:d"', '"dataset": 1'), ": `dataset` must be text or null, not 1"),
        (('"model"', '"modle"'), ": `model` is missing"),
        (('"suite"', '"suit": 1, "suite"'), ": `suit` is unknown - did you mean 'suite'?"),
        (('"behaviors"', '"behaviors": [], "x"'), ": `x` is unknown"),
        (('"women": {', '"men": [], "women": {'), ": `behaviors.men` must be a mapping, not []"),
        (('"accuracy": {', '"f1": 0.7, "accuracy": {'), ": `behaviors.women.f1` must be a mapping, not 0.7"),
        (('"n": 240,', ""), ": `behaviors.women.accuracy.n` is missing"),
        (('"n": 240', '"n": 240.5'), ": `behaviors.women.accuracy.n` must be a whole number, not 240.5"),
        (('"n": 240', '"n": true'), ": `behaviors.women.accuracy.n` must be a whole number, not True"),
        (('"n": 240', '"n": -1'), ": `behaviors.women.accuracy.n` must be a whole number, not -1"),
        (('"n": 240', '"n": 189'), ": `behaviors.women.accuracy.hits` must not be more than n, which is 189"),
        (("0.79", '"0.79"'), ": `behaviors.women.accuracy.value` must be a number or null, not '0.79'"),
        (("0.79", "NaN"), ": `behaviors.women.accuracy.value` must be a number or null, not nan"),
        (("0.79", "1e999"), ": `behaviors.women.accuracy.value` must be a number or null, not inf"),
        (("0.79", "1" + "0" * 400), ": `behaviors.women.accuracy.value` must be a number or null"),
        (('"hits": 190', '"hit": 190'), ": `behaviors.women.accuracy.hit` is unknown - did you mean 'hits'?"),
        (('"hits": 190', '"paired": 0'), ": `behaviors.women.accuracy.paired` must be true or false, not 0"),
        (('"hits": 190', '"low": null'), ": `behaviors.women.accuracy.low` must be a number, not None"),
        (('"hits": 190', '"reason": null'), ": `behaviors.women.accuracy.reason` must be text, not None"),
    ],
)
def test_a_file_that_is_wrong_says_where_and_what_to_do(changed, message):
    assert changed[0] in GOOD
    with pytest.raises(BaselineError) as caught:
        read(GOOD.replace(*changed))
    assert str(caught.value).startswith(f"baselines/loans.json{message}")
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
            "baselines/loans.json is a git LFS pointer: run `git lfs pull`, or set `lfs: true` in the checkout step",
        ),
        (b'{"suite": "\xff"}', "baselines/loans.json cannot be read as JSON"),
    ],
)
def test_bytes_that_are_no_baseline_say_what_they_are(data, message):
    with pytest.raises(BaselineError, match=re.escape(message)):
        read(data)


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b"\n", b"\r\n"])
def test_what_editors_add_does_not_matter(mark):
    assert baseline_text(read(mark + GOOD.encode().replace(b"\n", b"\r\n"))) == GOOD


@STEADY
@given(junk=st.binary(max_size=20), cut=st.integers(0, len(GOOD)))
def test_no_content_gives_a_traceback(junk, cut):
    data = GOOD.encode()[:cut] + junk + GOOD.encode()[cut + len(junk) :]
    try:
        read(data)
    except BaselineError as error:
        assert str(error).startswith("baselines/loans.json")  # noqa: PT017 - raising or not are both right


def test_no_file_is_no_baseline(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "loans.json", tmp_path / "gone" / "loans.json", tmp_path / "file" / "loans.json"):
        assert read_baseline(WorkingTree(), path, "loans") is None


def test_a_folder_in_the_place_of_the_file_is_told(tmp_path):
    with pytest.raises(BaselineError, match="cannot be read: "):
        read_baseline(WorkingTree(), tmp_path, "loans")


OLD = baseline({("women", "accuracy"): entry(0.8, reason="first"), ("men", "accuracy"): entry(0.9, paired=False)})
WOMEN, MEN, ALL = ("women", "accuracy"), ("men", "accuracy"), ("overall", "fpr")


def test_accepting_overwrites_what_was_measured_and_nothing_else():
    after, changes = accept(OLD, {WOMEN: entry(0.7, reason="why"), ALL: entry(0.1)}, "loans", {})
    assert after.entries == {WOMEN: entry(0.7, reason="why"), MEN: OLD.entries[MEN], ALL: entry(0.1)}
    assert (after.suite, after.dataset, after.model) == (OLD.suite, OLD.dataset, OLD.model)
    assert changes == (Accepted(*ALL, None, 0.1), Accepted(*WOMEN, 0.8, 0.7, "why"))


def test_a_first_accept_starts_the_file():
    after, changes = accept(None, {WOMEN: entry(0.7)}, "loans", {})
    assert after == StoredBaseline("loans", None, "", {WOMEN: entry(0.7)})
    assert changes == (Accepted(*WOMEN, None, 0.7),)


def test_a_reason_stays_until_the_value_that_it_explains_changes():
    same, changes = accept(OLD, {WOMEN: entry(0.8 + 1e-9, reason="another")}, "loans", {})
    assert same == OLD
    assert changes == ()
    assert accept(OLD, {WOMEN: entry(0.81)}, "loans", {})[0].entries[WOMEN].reason == ""
    assert accept(OLD, {WOMEN: entry(0.8, paired=False)}, "loans", {})[0].entries[WOMEN].reason == "first"


def test_new_adds_only_what_the_baseline_lacks():
    after, changes = add_missing(OLD, {WOMEN: entry(0.7), ALL: entry(0.1)}, "loans", {ALL: "lower"})
    assert after.entries == {**OLD.entries, ALL: entry(0.1, best=0.1)}
    assert changes == (Accepted(*ALL, None, 0.1),)
    assert add_missing(None, {WOMEN: entry(0.7)}, "loans", {})[0].entries == {WOMEN: entry(0.7)}


def test_prune_removes_what_is_no_longer_declared():
    after, changes = prune(OLD, {WOMEN, ALL})
    assert after.entries == {WOMEN: OLD.entries[WOMEN]}
    assert changes == (Accepted(*MEN, 0.9, None, "no longer in the baseline"),)


@pytest.mark.parametrize(
    ("values", "better", "best"),
    [
        ([0.8, 0.79, 0.78], "higher", 0.8),
        ([0.8, 0.85, 0.84], "higher", 0.85),
        ([0.2, 0.21, 0.22], "lower", 0.2),
        ([0.2, 0.15, 0.19], "lower", 0.15),
        ([None, 0.5], "higher", 0.5),
        ([0.5, None, None], "higher", 0.5),
        ([None], "higher", None),
        ([0.8, 0.7], None, None),
    ],
)
def test_the_best_value_ever_accepted_is_kept_where_it_is_asked_for(values, better, best):
    stored = None
    for value in values:
        stored, _ = accept(stored, {WOMEN: entry(value)}, "loans", {WOMEN: better} if better else {})
        stored = read(baseline_text(stored))
    assert stored.entries[WOMEN] == entry(values[-1], best=best)


def test_the_best_value_starts_from_the_value_accepted_before_it_was_asked_for():
    after, _ = accept(OLD, {WOMEN: entry(0.7)}, "loans", {WOMEN: "higher"})
    assert after.entries[WOMEN].best == 0.8


@pytest.mark.parametrize(
    "change", [{"best": 0.9}, {"paired": False}, {"reason": "x"}, {"n": 239}, {"low": 0.7}, {"value": None}]
)
def test_an_entry_edited_by_hand_is_a_difference(change):
    edited = baseline({**OLD.entries, WOMEN: replace(OLD.entries[WOMEN], **change)})
    (found,) = differences(OLD, edited)
    assert (found.slice, found.metric, found.before) == (*WOMEN, 0.8)


def test_a_baseline_that_begins_or_ends_differs_in_all_its_entries():
    assert differences(None, None) == ()
    assert [item.after for item in differences(None, OLD)] == [0.9, 0.8]
    assert [item.before for item in differences(OLD, None)] == [0.9, 0.8]


@STEADY
@given(old=BASELINES, one=st.dictionaries(KEYS, ENTRIES, max_size=3), other=st.dictionaries(KEYS, ENTRIES, max_size=3))
def test_accepting_is_done_once_and_in_any_order(old, one, other):
    other = {key: value for key, value in other.items() if key not in one}

    def accepted(stored, measured):
        return accept(stored, measured, old.suite, {})[0]

    after = accepted(accepted(old, one), other)
    assert differences(after, accepted(accepted(old, other), one)) == ()
    assert accept(after, {**one, **other}, old.suite, {})[1] == ()
    assert {(item.slice, item.metric) for item in accept(old, one, old.suite, {})[1]} <= one.keys()


def test_writing_makes_the_folder_and_replaces_the_file(tmp_path):
    path = tmp_path / "baselines" / "loans.json"
    write_atomically(path, b"one")
    write_atomically(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of another kind")
def test_writing_keeps_permissions_and_links(tmp_path):
    path, link, other = tmp_path / "loans.json", tmp_path / "link.json", tmp_path / "other"
    other.write_bytes(b"")
    write_atomically(path, b"one")
    assert path.stat().st_mode == other.stat().st_mode, "as open() makes files"
    path.chmod(0o640)
    link.symlink_to(path)
    write_atomically(link, b"two")
    assert link.is_symlink()
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_write_that_fails_leaves_everything_as_it_was(tmp_path):
    path = tmp_path / "loans.json"
    path.mkdir()
    with pytest.raises(BaselineError, match=r"loans\.json cannot be written \(.+\); what was there is untouched"):
        write_atomically(path, b"two")
    (tmp_path / "baselines").write_text("a file")
    with pytest.raises(BaselineError, match="cannot be written"):
        write_atomically(tmp_path / "baselines" / "loans.json", b"two")
    assert sorted(found.name for found in tmp_path.rglob("*")) == ["baselines", "loans.json"]


FULL_DISK = """
import resource, sys
from pathlib import Path
from pytest_behave.compare.store import write_atomically
from pytest_behave.errors import BaselineError
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_atomically(Path(sys.argv[1]), b"x" * 100_000)
except BaselineError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on the size of files")
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "loans.json"
    path.write_bytes(b"old")
    command = [sys.executable, "-c", FULL_DISK, str(path)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said == f"{path} cannot be written (File too large); what was there is untouched\n"
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
