"""What a state is held against: every kind of change is told, once, and what is as it was is told of nothing."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import pytest

from pytest_behave.changed.dependencies import Code, Files, Now, State, changes, code_facts, relative_to, versions

LATER = 4_000_000_000 * 10**9  # ns: everything that a test writes is settled by then
OPTIONS = {"--behave-model": None, "--behave-strict": False}


@pytest.fixture
def folder(tmp_path):
    for name in ("s.behave.yaml", "rows.csv", "parts/1.csv", "model.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"the content of {name}\n")
    (tmp_path / "model.py").write_text("NUMBER = 1\n")
    return tmp_path


@pytest.fixture
def state(folder):
    """Return the state of a suite with data, a part found by a pattern, a baseline that is not there, and a model."""
    files = Files(folder, LATER, LATER, {})
    for label, name in [("", "s.behave.yaml"), ("data", "rows.csv"), ("data", "parts/1.csv"), ("baseline", "b.json")]:
        files.add(label, folder / name)
    return State(
        files=files.found,
        patterns=[("data", "parts/*.csv")],
        names=["model"],
        facts=code_facts(folder, Code(("model",), ()))[0],
        options=OPTIONS,
        versions=versions(),
        until="2026-05-01",
    )


def told(state, folder, *, today="2026-05-01", **options):
    return list(changes(state, Now(folder, (), {**OPTIONS, **options}, today, code_facts)))


def test_nothing_is_told_of_what_is_as_it_was(folder, state):
    assert told(state, folder) == []
    os.utime(folder / "rows.csv", ns=(1, 1))
    assert told(state, folder) == []  # only touched
    (folder / "parts" / "note.txt").write_text("fits no pattern")
    assert told(state, folder) == []


EDITS = {
    " s.behave.yaml changed": lambda folder: (folder / "s.behave.yaml").write_text("other"),
    "data rows.csv changed": lambda folder: (folder / "rows.csv").write_text("the content of ROWS.csv\n"),
    "data rows.csv is gone": lambda folder: (folder / "rows.csv").unlink(),
    "data parts/1.csv is gone": lambda folder: (folder / "parts" / "1.csv").unlink(),
    "data parts/2.csv is new": lambda folder: (folder / "parts" / "2.csv").write_text("more"),
    "baseline b.json is new": lambda folder: (folder / "b.json").write_text("{}"),
    "module model changed": lambda folder: (folder / "model.py").write_text("NUMBER = 2\n"),
}


@pytest.mark.parametrize("sentence", EDITS)
def test_a_file_that_changes_is_named_once(folder, state, sentence):
    EDITS[sentence](folder)
    assert told(state, folder) == [sentence.lstrip()]


def test_a_content_of_the_same_size_and_time_is_told_where_the_time_had_not_settled(folder):
    path = folder / "rows.csv"
    changed_at = path.stat().st_mtime_ns
    for now, sentences in [(changed_at, ["data rows.csv changed"]), (LATER, [])]:
        path.write_text("the content of rows.csv\n")
        os.utime(path, ns=(changed_at, changed_at))
        files = Files(folder, changed_at, now, {})
        files.add("data", path)
        path.write_text("the content of ROWS.csv\n")
        os.utime(path, ns=(changed_at, changed_at))
        assert told(State(files=files.found, options=OPTIONS, versions=versions()), folder) == sentences


def test_a_file_that_changed_while_the_suite_ran_always_counts_as_changed(folder):
    files = Files(folder, 0, LATER, {})
    files.add("data", folder / "rows.csv")
    state = State(files=files.found, options=OPTIONS, versions=versions())
    assert told(state, folder) == ["data rows.csv changed while it ran"]


CLAIMS = {
    "it reads an address": ({"unknown": "it reads an address"}, {}),
    "--behave-strict differs": ({}, {"--behave-strict": True}),
    "--behave-new differs": ({}, {"--behave-new": 1}),
    "--behave-old differs": ({"options": {**OPTIONS, "--behave-old": 1}}, {}),
    "a known failure was accepted until 2026-04-30": ({"until": "2026-04-30"}, {}),
    "numpy is {numpy}, and was 0.1": ({"versions": {**versions(), "numpy": "0.1"}}, {}),
    "numpy is {numpy}, and was not there": (
        {"versions": {name: version for name, version in versions().items() if name != "numpy"}},
        {},
    ),
    "module gone is gone": ({"facts": {"module gone": "0"}, "names": []}, {}),
    "module model is new": ({"facts": {}}, {}),
}


@pytest.mark.parametrize("sentence", CLAIMS)
def test_what_a_state_says_otherwise_is_told_once(folder, state, sentence):
    claims, options = CLAIMS[sentence]
    assert told(replace(state, **claims), folder, **options) == [sentence.format(**versions())]


def test_all_that_changed_is_told_and_the_cheapest_to_find_out_first(folder, state):
    for edit in ("module model changed", "data rows.csv is gone", "data parts/2.csv is new"):
        EDITS[edit](folder)
    assert told(replace(state, unknown="it reads a pipe"), folder, today="2026-05-02", **{"--behave-model": "new"}) == [
        "it reads a pipe",
        "--behave-model differs",
        "a known failure was accepted until 2026-05-01",
        "data rows.csv is gone",
        "data parts/2.csv is new",
        "module model changed",
    ]


def test_a_plugin_is_code_too(folder, state):
    (folder / "plugin.py").write_text("X = 1\n")
    now = Now(folder, (("plugin", folder / "plugin.py"),), OPTIONS, "2026-05-01", code_facts)
    assert list(changes(state, now)) == ["module plugin is new"]


def test_a_state_survives_as_json_where_the_folder_has_moved(folder, state):
    moved = folder.rename(folder.with_name("elsewhere"))
    assert told(State(**json.loads(json.dumps(state.to_json()))), moved) == []


def test_files_that_an_earlier_state_knows_are_not_read_again(folder, state):
    known = {name: [*entry[:3], "digest of then"] for name, entry in state.files.items()}
    files = Files(folder, LATER, LATER, known)
    for name in ("rows.csv", "model.py"):
        files.add("data", folder / name)
    assert files.found["rows.csv"][3] == "digest of then"
    assert len(files.found["model.py"][3]) > len("digest of then")


def test_paths_are_relative_to_the_suite_wherever_they_are(folder):
    assert relative_to(folder / "parts" / "1.csv", folder) == "parts/1.csv"
    assert relative_to(folder / "rows.csv", folder / "parts") == "../rows.csv"
