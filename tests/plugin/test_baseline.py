"""The stored baseline through real runs: what each mode writes, what it never writes, and how it is read back."""

from __future__ import annotations

import json
import os
import re
import shlex

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pytest_behave.outputs.predictions import read_predictions

ROWS = 120
REGIONS = ("east", "north", "south")
SUITE = """\
dataset: {path: loans.csv, id: id, target: repaid}
model: {predictions: p.csv, prediction: answer, score: score}
slices:
  region: {by: region}
metrics: [accuracy]
expect:
  overall: {accuracy: {max_regression: 0.01}}
  region: {accuracy: {max_regression: 0.02}}
"""
STRICT = SUITE.replace("[accuracy]", "[accuracy, log_loss]").replace(
    "{accuracy: {max_regression: 0.01}}", "{accuracy: {max_regression: 0}, log_loss: {max_regression: 0}}"
)
WRONG = frozenset(range(12))  # 4 in each region, so that each has an accuracy of 0.9
EAST = range(12, 60, 3)  # 16 rows of the east that are right at first
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
BEHAVIORS = ["overall", *(f"region={name}" for name in REGIONS)]


def write_rows(project, rows=range(ROWS), header="id,region,age,repaid", row="a{n:03},{region},{age},{repaid}"):
    """Write the dataset: row n is of the region n % 3, its target n % 2, its first answer wrong in ``WRONG``."""
    columns = [
        {
            "n": n,
            "region": REGIONS[n % 3],
            "age": 20 + n // 3,
            "repaid": n % 2,
            "answer": (n % 2) ^ (n in WRONG),
            "speaker": n,
            "few": f"{n % 3}{n // 12}",
        }
        for n in rows
    ]
    lines = [row.format(**cells) for cells in columns]
    return project.write("loans.csv", "\n".join([header, *lines, ""]))


def write_answers(project, *wrong, rows=range(ROWS), name="p.csv"):
    """Write a model's answers, right but for the rows of ``WRONG`` and those given."""
    lost = WRONG.union(*wrong)
    lines = [f"a{n:03},{(n % 2) ^ (n in lost)},{0.9 if (n % 2) ^ (n in lost) else 0.1}" for n in rows]
    return project.write(name, "\n".join(["id,answer,score", *lines, ""]))


@pytest.fixture
def loans(project):
    """A suite whose model answers 108 of 120 rows rightly; nothing is accepted yet."""
    write_rows(project)
    write_answers(project)
    project.write("loans.behave.yaml", SUITE)
    return project


@pytest.fixture
def accepted(loans):
    """The same, accepted."""
    loans.run("--behave-baseline=new").assert_outcomes(passed=4)
    return loans


def files(project, folder="."):
    """Return the content of every file of a project but caches."""
    found = (project.path / folder).rglob("*")
    return {
        path.relative_to(project.path).as_posix(): path.read_bytes()
        for path in found
        if path.is_file() and not {".pytest_cache", "__pycache__", ".behave_cache"} & set(path.parts)
    }


def entries(project, name="loans"):
    """Return the accepted entries by slice and metric."""
    stored = json.loads((project.path / "baselines" / f"{name}.json").read_text("utf-8"))
    return {(name, metric): entry for name, found in stored["behaviors"].items() for metric, entry in found.items()}


def text(result):
    return result.stdout.str() + result.stderr.str()


# -- check


@pytest.mark.parametrize("wrong", [(), EAST], ids=["green", "red"])
@pytest.mark.parametrize("options", [(), ("--behave-strict",), ("-k", "east"), ("--collect-only",)])
def test_checking_never_writes(accepted, wrong, options):
    write_answers(accepted, wrong)
    before = files(accepted)
    accepted.run(*options)
    accepted.run("--behave-baseline=check", *options)
    assert files(accepted) == before


def test_checking_without_a_baseline_does_not_write_one(loans):
    before = files(loans)
    loans.run().assert_outcomes(failed=4)
    assert files(loans) == before


@pytest.mark.parametrize("folder", [".", "deep/er", "with a space"])
@pytest.mark.parametrize("start", [".", "elsewhere"])
def test_without_a_baseline_the_failure_names_the_command_that_makes_it_green(loans, monkeypatch, folder, start):
    home = loans.path / folder
    home.mkdir(parents=True, exist_ok=True)
    for name in ("loans.behave.yaml", "loans.csv", "p.csv"):
        (loans.path / name).rename(home / name)
    (loans.path / start).mkdir(exist_ok=True)
    monkeypatch.chdir(loans.path / start)
    suite = os.path.relpath(home / "loans.behave.yaml")
    root = f"--rootdir={loans.path}"
    result = loans.run(root, "--behave-report=json:o.json", suite)
    result.assert_outcomes(failed=4)
    (command,) = set(re.findall(r"`pytest --behave (.*?)`", result.stdout.str()))
    recorded = json.loads((loans.path / start / "o.json").read_text("utf-8"))["suites"][0]["behaviors"][0]
    assert recorded["verdict"] == "no-baseline"
    assert f"`pytest --behave {command}`" in recorded["reason"]
    assert loans.run(root, *shlex.split(command)).ret == 0
    loans.run(root, suite).assert_outcomes(passed=4)


# -- new


def test_new_writes_a_file_that_people_and_git_can_read(accepted):
    content = (accepted.path / "baselines/loans.json").read_text("utf-8")
    document = json.loads(content)
    assert content == json.dumps(document, indent=2, sort_keys=True) + "\n"
    assert document["behaviors"]["overall"]["accuracy"] == {"value": 0.9, "n": 120, "size": 120, "hits": 108}
    assert sorted(document["behaviors"]) == BEHAVIORS
    assert sorted(document) == ["behaviors", "dataset", "format", "model", "suite"]
    stored = read_predictions((accepted.path / "baselines/loans.parquet").read_bytes(), "loans.parquet")
    assert stored.ids.tolist() == [f"a{n:03}" for n in range(ROWS)]
    assert (accepted.path / "baselines").stat().st_nlink
    assert sorted(path.name for path in (accepted.path / "baselines").iterdir()) == ["loans.json", "loans.parquet"]


def test_new_adds_only_what_is_missing_with_the_value_of_the_baseline_s_own_answers(accepted):
    before = files(accepted, "baselines")
    write_answers(accepted, EAST, range(61, 120, 3))
    accepted.write(
        "loans.behave.yaml",
        SUITE.replace("slices:\n", "slices:\n  old: age >= 30\n")
        .replace("expect:\n", "expect:\n  old: {accuracy: {max_regression: 0}, fnr: {max_regression: 0}}\n")
        .replace("[accuracy]", "[accuracy, fnr]"),
    )
    result = accepted.run("--behave-baseline=new")
    assert result.ret == 0
    assert "loans: 2 values of the baseline change" in result.stdout.str()
    after = entries(accepted)
    assert after["old", "accuracy"] == {"value": 1.0, "n": 90, "size": 90, "hits": 90}
    assert after["old", "fnr"] == {"value": 0.0, "n": 45, "size": 90, "hits": 0}
    assert files(accepted, "baselines")["baselines/loans.parquet"] == before["baselines/loans.parquet"]
    former = json.loads(before["baselines/loans.json"])
    now = json.loads((accepted.path / "baselines/loans.json").read_bytes())
    assert {**now, "behaviors": {name: now["behaviors"][name] for name in BEHAVIORS}} == former
    assert accepted.behaviors()["old", "accuracy"]["verdict"] == "regressed"


def test_new_without_stored_answers_takes_this_run_s_value(accepted):
    (accepted.path / "baselines/loans.parquet").unlink()
    write_answers(accepted, EAST)
    accepted.write(
        "loans.behave.yaml", SUITE + "  region=east: {accuracy: {max_regression: 0}, f1: {max_regression: 0}}\n"
    )
    accepted.write(
        "loans.behave.yaml",
        (accepted.path / "loans.behave.yaml").read_text().replace("[accuracy]", "[accuracy, f1]"),
    )
    accepted.run("--behave-baseline=new")
    assert entries(accepted)["region=east", "f1"]["paired"] is False
    assert entries(accepted)["region=east", "accuracy"]["value"] == 0.9
    assert not (accepted.path / "baselines/loans.parquet").exists()


def test_new_where_nothing_is_missing_writes_nothing(accepted):
    before = files(accepted, "baselines")
    write_answers(accepted, EAST)
    assert "loans: the baseline stays as it is" in accepted.run("--behave-baseline=new").stdout.str()
    assert files(accepted, "baselines") == before


# -- accept


def test_accepting_a_selection_overwrites_it_alone_and_says_that_it_has_no_answers(accepted):
    before = files(accepted, "baselines")
    write_answers(accepted, EAST)
    accepted.run("--behave-baseline=accept", "-k", "east").assert_outcomes(passed=1, deselected=3)
    after = files(accepted, "baselines")
    assert after["baselines/loans.parquet"] == before["baselines/loans.parquet"]
    assert entries(accepted)["region=east", "accuracy"] == {
        "value": 0.5,
        "n": 40,
        "size": 40,
        "hits": 20,
        "paired": False,
    }
    now, former = (json.loads(found["baselines/loans.json"]) for found in (after, before))
    now["behaviors"]["region=east"] = former["behaviors"]["region=east"]
    assert json.dumps(now, indent=2, sort_keys=True) + "\n" == before["baselines/loans.json"].decode()


@pytest.mark.parametrize("count", [1, 2, 4])
def test_what_was_just_accepted_holds(accepted, count):
    """A stored value has six digits: 0.891667 is no loss against 0.8916666667."""
    accepted.write("loans.behave.yaml", STRICT)
    accepted.run("--behave-baseline=new")
    write_answers(accepted, EAST[:count])
    accepted.run("--behave-baseline=accept", "-k", "overall")
    found = accepted.behaviors("-k", "overall")
    assert [(item["verdict"], item["baseline"]["change"]) for item in found.values()] == [("holds", 0), ("holds", 0)]
    assert not any(item["baseline"]["paired"] for item in found.values())


def test_accepting_everything_rewrites_values_and_answers(accepted):
    before = files(accepted, "baselines")
    write_answers(accepted, EAST)
    accepted.run("--behave-baseline=accept").assert_outcomes(passed=4)
    after = files(accepted, "baselines")
    assert after.keys() == before.keys()
    assert all(after[name] != before[name] for name in after)
    assert entries(accepted)["region=east", "accuracy"] == {"value": 0.5, "n": 40, "size": 40, "hits": 20}
    baseline = accepted.behaviors()["region=east", "accuracy"]["baseline"]
    assert (baseline["paired"], baseline["broken"], baseline["fixed"]) == (True, 0, 0)
    accepted.run("--behave-baseline=accept")
    assert files(accepted, "baselines") == after


def test_accepting_everything_makes_single_values_paired_again(accepted):
    write_answers(accepted, EAST)
    accepted.run("--behave-baseline=accept", "-k", "east")
    accepted.run("--behave-baseline=accept")
    assert all("paired" not in entry for entry in entries(accepted).values())


def test_the_reason_stays_beside_the_values_that_it_changed(accepted):
    write_answers(accepted, EAST)
    accepted.run("--behave-baseline=accept", "--behave-reason=incomes were wrong")
    reasons = {name: entry.get("reason") for (name, _), entry in entries(accepted).items()}
    changed = {"overall": "incomes were wrong", "region=east": "incomes were wrong"}
    assert reasons == {**dict.fromkeys(BEHAVIORS), **changed}
    write_answers(accepted, EAST, [13])
    accepted.run("--behave-baseline=accept", "--behave-reason=again")
    reasons = {name: entry.get("reason") for (name, _), entry in entries(accepted).items()}
    again = {"overall": "again", "region=north": "again"}
    assert reasons == {**dict.fromkeys(BEHAVIORS), **changed, **again}


def test_old_and_new_values_are_printed_with_their_verdicts_before_anything_is_written(accepted):
    write_answers(accepted, EAST, [13])
    lines = accepted.run("--behave-baseline=accept").stdout.lines
    start = lines.index("loans: 3 values of the baseline change")
    assert lines[start + 1 : start + 6] == [
        "  overall accuracy: 0.900 → 0.758, regressed",
        "  region=east accuracy: 0.900 → 0.500, regressed",
        "  region=north accuracy: 0.900 → 0.875, suspect",
        "  wrote baselines/loans.json",
        "  wrote baselines/loans.parquet",
    ]
    assert not any(line.strip() == "[100%]" for line in lines[start:]), "the bar of progress ends before"


def test_one_changed_value_is_one(accepted):
    write_answers(accepted, EAST)
    output = accepted.run("--behave-baseline=accept", "-k", "east").stdout.str()
    assert "loans: 1 value of the baseline changes" in output


@pytest.mark.parametrize("options", [(), ("-k", "east"), ("-n", "2")], ids=" ".join)
def test_prune_removes_what_is_no_longer_declared_and_nothing_else(accepted, options):
    before = files(accepted, "baselines")
    write_answers(accepted, [13])
    accepted.write("loans.behave.yaml", SUITE.replace("by: region", "by: region, where: region != 'south'"))
    note = "the baseline has 1 entry that the suite no longer declares (region=south accuracy)"
    assert note in " ".join(accepted.run("--behave-report=md:o.md").stdout.str().split())
    result = accepted.run("--behave-baseline=prune", *options)
    result.stdout.fnmatch_lines(
        [
            "loans: 1 value of the baseline changes",
            "  region=south accuracy: 0.900 → nothing, no longer declared",
            "  wrote baselines/loans.json",
        ]
    )
    assert sorted(name for name, _ in entries(accepted)) == BEHAVIORS[:-1]
    assert entries(accepted)["region=north", "accuracy"]["value"] == 0.9, "not this run's value"
    assert files(accepted, "baselines")["baselines/loans.parquet"] == before["baselines/loans.parquet"]


def test_prune_with_nothing_to_prune_or_no_baseline_writes_nothing(loans):
    assert "loans: there is no baseline to prune" in loans.run("--behave-baseline=prune").stdout.str()
    assert not (loans.path / "baselines").exists()
    loans.run("--behave-baseline=new")
    before = files(loans, "baselines")
    assert "loans: the baseline stays as it is" in loans.run("--behave-baseline=prune").stdout.str()
    assert files(loans, "baselines") == before


def test_prune_keeps_what_a_model_that_fails_leaves_unknown(accepted):
    accepted.write(
        "loans.behave.yaml", SUITE.replace("{predictions: p.csv, prediction: answer, score: score}", "m:predict")
    )
    accepted.write("m.py", "def predict(frame):\n    raise OSError('gone')\n")
    before = files(accepted, "baselines")
    result = accepted.run("--behave-baseline=prune")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "loans: not pruned, as not all of its behaviors could be told" in result.stdout.str()
    assert files(accepted, "baselines") == before


# -- nothing is written by a run that did not come to its end

MODEL = SUITE.replace("{predictions: p.csv, prediction: answer, score: score}", "m:predict")
FAILED, INTERRUPTED = pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED
UNFINISHED = {
    "-x": ({"test_z.py": "def test_z():\n    assert 0\n"}, ("-x",), FAILED),
    "exit": ({"test_z.py": "import pytest\ndef test_z():\n    pytest.exit('enough')\n"}, (), INTERRUPTED),
    "module that cannot be imported": ({"test_z.py": "import nothing_of_the_kind\n"}, (), INTERRUPTED),
    "suite that cannot be read": ({"z.behave.yaml": "datset: {}\n"}, (), INTERRUPTED),
    "model that raises": (
        {"loans.behave.yaml": MODEL, "m.py": "def predict(frame):\n    raise OSError('gone')\n"},
        (),
        FAILED,
    ),
}


@pytest.mark.parametrize("first", [True, False], ids=["first", "later"])
@pytest.mark.parametrize("why", UNFINISHED)
def test_a_run_that_breaks_off_writes_nothing(loans, why, first):
    changed, options, code = UNFINISHED[why]
    if not first:
        loans.run("--behave-baseline=new")
        write_answers(loans, EAST)
    for name, content in changed.items():
        loans.write(name, content)
    before = files(loans)
    result = loans.run("--behave-baseline=accept", "--behave-cache=off", *options)
    assert result.ret == code
    assert "wrote" not in text(result)
    assert files(loans) == before


def in_a_process(project, *options):
    return project.pytester.runpytest_subprocess("-p", "no:hypothesispytest", "--behave", *options)


@pytest.mark.parametrize("why", ["-x", "module that cannot be imported", "model that raises"])
def test_a_run_of_several_processes_that_breaks_off_writes_nothing(loans, why):
    changed, options, _ = UNFINISHED[why]
    for name, content in changed.items():
        loans.write(name, content)
    result = in_a_process(loans, "--behave-baseline=accept", "-n", "1", *options)
    assert result.ret == (INTERRUPTED if why == "-x" else FAILED)  # as xdist has it
    assert "wrote" not in text(result)
    assert not (loans.path / "baselines").exists()


INTERRUPTING = {
    "between tests": {"test_z.py": "def test_z():\n    raise KeyboardInterrupt\n"},
    "in a model": {"loans.behave.yaml": MODEL, "m.py": "def predict(frame):\n    raise KeyboardInterrupt\n"},
}


@pytest.mark.parametrize("where", INTERRUPTING)
def test_ctrl_c_writes_nothing(accepted, where):
    write_answers(accepted, EAST)
    for name, content in INTERRUPTING[where].items():
        accepted.write(name, content)
    before = files(accepted, "baselines")
    result = in_a_process(accepted, "--behave-baseline=accept")
    assert result.ret == INTERRUPTED
    assert "wrote" not in text(result)
    assert files(accepted, "baselines") == before


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_a_process_that_is_killed_leaves_the_old_baseline_and_no_other_file(accepted):
    accepted.write("m.py", "import os\n\ndef predict(frame):\n    os.kill(os.getpid(), 9)\n")
    accepted.write("loans.behave.yaml", MODEL)
    before = files(accepted, "baselines")
    assert in_a_process(accepted, "--behave-baseline=accept").ret < 0
    assert files(accepted, "baselines") == before


def test_a_folder_that_cannot_be_written_is_one_sentence(loans):
    loans.write("baselines", "taken by a file")
    result = loans.run("--behave-baseline=new")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (line,) = [line for line in result.stderr.lines if "cannot be written" in line]
    assert line.startswith("ERROR: --behave-baseline=new: baselines/loans.json cannot be written (")
    assert "Traceback" not in text(result)
    assert "wrote" not in result.stdout.str()
    assert (loans.path / "baselines").read_text() == "taken by a file"


# -- files that cannot be read

CONFLICT = "{{\n<<<<<<< HEAD\n{0}=======\n{0}>>>>>>> theirs\n}}\n"


def damage(project, name, change):
    path = project.path / "baselines" / name
    path.write_bytes(change(path.read_bytes()))


UNREADABLE = {
    "conflict markers": (
        lambda old: CONFLICT.format(old.decode()).encode(),
        "baselines/loans.json:2: git conflict markers: take either side, then rerun `pytest --behave --behave-baseline=accept`",
    ),
    "LFS pointer": (
        lambda _: POINTER.encode(),
        "baselines/loans.json is a git LFS pointer: run `git lfs pull`, or set `lfs: true` in the checkout step",
    ),
    "newer format": (
        lambda old: old.replace(b"baseline-1", b"baseline-2"),
        "baselines/loans.json: a newer release wrote this, in the format 'pytest-behave/baseline-2': upgrade pytest-behave",
    ),
    "cut off": (lambda old: old[:100], "baselines/loans.json:7:6: this is not JSON"),
    "empty": (lambda _: b"", "baselines/loans.json:1:1: this is not JSON"),
    "of another suite": (
        lambda old: old.replace(b'"suite": "loans"', b'"suite": "other"'),
        "baselines/loans.json: this is the baseline of suite 'other', not of 'loans': rename or move one",
    ),
    "misspelt": (lambda old: old.replace(b'"hits"', b'"hit"'), "is unknown - did you mean 'hits'?"),
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_values_that_cannot_be_read_fail_in_one_sentence(accepted, what):
    change, sentence = UNREADABLE[what]
    damage(accepted, "loans.json", change)
    result = accepted.run()
    result.assert_outcomes(failed=4)
    assert sentence in result.stdout.str()
    assert "Traceback" not in text(result)


@pytest.mark.parametrize("mode", ["new", "accept", "prune"])
@pytest.mark.parametrize("what", ["conflict markers", "newer format"])
def test_values_that_cannot_be_read_are_not_overwritten(accepted, what, mode):
    change, sentence = UNREADABLE[what]
    damage(accepted, "loans.json", change)
    before = files(accepted, "baselines")
    result = accepted.run(f"--behave-baseline={mode}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.stderr.lines[0] == f"ERROR: --behave-baseline={mode}: {sentence}"
    assert files(accepted, "baselines") == before


def of_a_newer_release(data):
    table = pq.read_table(pa.BufferReader(data))
    about = table.schema.metadata[b"pytest-behave"].replace(b"predictions-1", b"predictions-2")
    sink = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata({b"pytest-behave": about}), sink)
    return sink.getvalue().to_pybytes()


UNUSABLE = {
    "missing": (None, "there is no baselines/loans.parquet"),
    "LFS pointer": (lambda _: POINTER.encode(), "baselines/loans.parquet is a git LFS pointer: run `git lfs pull`"),
    "cut off": (lambda old: old[:-200], "baselines/loans.parquet is cut off or damaged;"),
    "newer format": (
        of_a_newer_release,
        "baselines/loans.parquet has the unknown format 'pytest-behave/predictions-2'",
    ),
    "empty": (lambda _: b"", "baselines/loans.parquet is cut off or damaged;"),
}


@pytest.mark.parametrize("what", UNUSABLE)
def test_answers_that_cannot_be_read_leave_the_values_to_compare_with(accepted, what):
    change, sentence = UNUSABLE[what]
    if change is None:
        (accepted.path / "baselines/loans.parquet").unlink()
    else:
        damage(accepted, "loans.parquet", change)
    before = files(accepted, "baselines")
    write_answers(accepted, EAST, [13])
    (suite,) = accepted.record()["suites"]
    found = {item["slice"]: item for item in suite["behaviors"]}
    assert [item["verdict"] for item in found.values()] == ["regressed", "regressed", "suspect", "holds"]
    assert {item["baseline"]["paired"] for item in found.values()} == {False}
    assert all(item["baseline"]["reason"].startswith(sentence) for item in found.values())
    assert found["region=east"]["baseline"]["value"] == 0.9
    assert (found["region=east"]["baseline"]["broken"], suite["flips"]) == (None, [])
    (note,) = suite["notes"]
    assert note.startswith(f"comparing with values alone, which sees far less: {sentence}")
    assert files(accepted, "baselines") == before


def test_answers_of_another_run_than_the_values_are_told_apart_from_theirs(accepted):
    """One of both files was restored or merged alone."""
    values = (accepted.path / "baselines/loans.json").read_bytes()
    write_answers(accepted, EAST)
    accepted.run("--behave-baseline=accept")
    (accepted.path / "baselines/loans.json").write_bytes(values)
    found = accepted.behaviors()
    reason = "loans.parquet and loans.json are of two accepted runs; accept the baseline again"
    assert {(item["baseline"]["paired"], item["baseline"]["reason"]) for item in found.values()} == {(False, reason)}
    assert [item["verdict"] for item in found.values()] == ["regressed", "regressed", "holds", "holds"]


def test_stored_answers_count_for_more_than_a_value_edited_by_hand(accepted):
    stored = json.loads((accepted.path / "baselines/loans.json").read_bytes())
    stored["behaviors"]["region=east"]["accuracy"] |= {"value": 0.5, "hits": 20}
    accepted.write("baselines/loans.json", json.dumps(stored))
    write_answers(accepted, EAST, [13])
    accepted.write("loans.behave.yaml", STRICT)
    (suite,) = accepted.record()["suites"]
    east = next(found for found in suite["behaviors"] if found["slice"] == "region=east")
    assert (east["baseline"]["value"], east["baseline"]["paired"], east["verdict"]) == (0.9, True, "regressed")
    assert (
        "the baseline's predictions do not give its value of region=east accuracy: compared with what they give; "
        "accept the baseline again" in suite["notes"]
    )


# -- the same artifacts give the same verdicts


def reports(project, *options, run=None):
    for name in ("o.json", "o.md"):
        (project.path / name).unlink(missing_ok=True)
    (run or project.run)("--behave-report=json:o.json", "--behave-report=md:o.md", *options)
    return (project.path / "o.json").read_bytes(), (project.path / "o.md").read_bytes()


def test_reports_are_the_same_bytes_at_any_number_of_workers(accepted):
    write_answers(accepted, EAST, [13])
    accepted.write("loans.behave.yaml", STRICT)
    alone = reports(accepted)
    assert reports(accepted) == alone
    several = reports(accepted, "-n", "2", run=lambda *options: in_a_process(accepted, *options))
    assert several == alone


@pytest.mark.parametrize("selection", ["east", "overall", "north or south"])
def test_a_verdict_is_the_same_whatever_else_is_selected(accepted, selection):
    write_answers(accepted, EAST, [13])
    whole = accepted.behaviors()
    part = accepted.behaviors("-k", selection)
    assert len(part) < len(whole)
    assert part == {key: whole[key] for key in part}


def test_the_order_of_rows_and_of_declarations_does_not_matter(accepted):
    write_answers(accepted, EAST, [13, 14])
    accepted.write("loans.behave.yaml", STRICT)
    accepted.run("--behave-baseline=new")
    whole = accepted.behaviors()
    write_rows(accepted, rows=[(n * 77) % ROWS for n in range(ROWS)])
    write_answers(accepted, EAST, [13, 14], rows=range(ROWS - 1, -1, -1))
    head, _, expect = STRICT.partition("expect:\n")
    head = head.replace("by: region}", "by: region}\n  all: age > 0").replace(
        "[accuracy, log_loss]", "[log_loss, accuracy]"
    )
    accepted.write("loans.behave.yaml", f"{head}expect:\n" + "".join(expect.splitlines(keepends=True)[::-1]))
    shuffled = accepted.behaviors()
    assert {key: item["verdict"] for key, item in shuffled.items()} == {k: item["verdict"] for k, item in whole.items()}
    for key, item in whole.items():
        for name in ("value", "change", "low", "high", "p", "broken", "fixed"):
            assert shuffled[key]["baseline"][name] == pytest.approx(item["baseline"][name], rel=1e-9, abs=1e-12)
        assert set(shuffled[key]["baseline"]["broken_ids"]) == set(item["baseline"]["broken_ids"])


WATCH = """\
import os, sys

def watch(event, arguments):
    if event in ("open", "os.rename") and "baselines" in str(arguments[0]) and (event != "open" or "r" not in str(arguments[1])):
        with open("writes.txt", "a") as file:
            file.write(f"{os.environ.get('PYTEST_XDIST_WORKER', 'controller')}\\n")

sys.addaudithook(watch)
"""


def test_with_several_processes_the_controller_alone_writes_and_writes_the_same(accepted, monkeypatch):
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)  # of these tests themselves
    write_answers(accepted, EAST)
    accepted.run("--behave-baseline=accept")
    alone = files(accepted, "baselines")
    write_answers(accepted)
    accepted.run("--behave-baseline=accept")
    write_answers(accepted, EAST)
    accepted.write("conftest.py", WATCH)
    in_a_process(accepted, "--behave-baseline=accept", "-n", "2").assert_outcomes(passed=4)
    assert files(accepted, "baselines") == alone
    assert set((accepted.path / "writes.txt").read_text().split()) == {"controller"}


# -- options


@pytest.mark.parametrize(
    "option",
    [
        "--behave-baseline=new",
        "--behave-baseline=prune",
        "--behave-against=main",
        "--behave-reason=x",
        "--behave-strict",
    ],
)
def test_options_that_would_do_nothing_are_refused(loans, option):
    result = loans.pytester.runpytest_inprocess("-p", "no:hypothesispytest", option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"{option} does nothing alone: behavioral suites run only with --behave" in re.sub(
        r"--behave-(against|reason) does", rf"{option} does", result.stderr.str()
    )


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            ["--behave-against=main", "--behave-baseline=accept"],
            "--behave-against only compares: run --behave-baseline=accept by itself",
        ),
        (["--behave-against=main", "--behave-baseline=new"], "--behave-against only compares"),
        (["--behave-reason=why"], "--behave-reason is the reason of --behave-baseline=accept, which is not given"),
        (
            ["--behave-reason=why", "--behave-baseline=prune"],
            "--behave-reason is the reason of --behave-baseline=accept",
        ),
        (["--behave-baseline=acept"], "invalid choice: 'acept'"),
    ],
)
def test_options_that_contradict_each_other_are_refused(accepted, options, sentence):
    before = files(accepted)
    result = accepted.run(*options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert sentence in result.stderr.str()
    assert files(accepted) == before


def test_two_suites_of_one_name_never_share_a_baseline(project):
    declared = "dataset: {path: rows.csv, id: id, target: target}\nmodel: {column: guess}\nmetrics: [accuracy]\n"
    text = f"{declared}expect: {{overall: {{accuracy: {{max_regression: 0.1}}}}}}\n"
    project.write("a.behave.yaml", text)
    project.write("b.behave.yaml", f"suite: a\n{text}")
    project.write("more/b.behave.yaml", f"suite: a\n{text}".replace("rows.csv", "../rows.csv"))
    result = project.run("--behave-baseline=accept")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(
        ["b.behave.yaml: its name is 'a', as that of a.behave.yaml, so both would store*baselines/a.json: give one*"]
    )
    assert not (project.path / "baselines").exists()
