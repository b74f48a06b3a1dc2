"""Datasets that do not fit into memory are read in parts, here or on workers, and give what they give in memory."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap

import numpy as np
import pandas as pd
import pytest

from pytest_behave.compare import samples
from pytest_behave.data import parts
from pytest_behave.parts import run

ROWS = 6_000
PARTLY = "--behave-memory=1KB"
OFF = "--behave-cache=off"  # what another run said is not taken from there
ANSWERS = """
    import pandas as pd

    def new(frame):
        return frame["p"].to_numpy()

    def old(frame):
        return frame["q"].to_numpy()

    def kinds(frame):
        return pd.DataFrame({"prediction": frame["kind"], "length": frame["region"].str.len()})

    def spoilt(frame):
        return frame["kind"].mask(frame["age"] % 7 == 0, "other").mask(frame["age"] % 11 == 0, "none of these")

    def error(frame):
        return (frame["age"] - 40).abs() / 10
"""
BINARY = """
    dataset: {path: "d*.FORMAT", id: id, target: y, where: age < 79}
    models: {old: m:old, new: m:new}
    baseline: old
    metadata:
      age band: {column: age, edges: [40]}
      initial: lower(region)
    slices:
      young: age < 25
      named: {ids: [r17, r4000]}
      region: {by: region, where: age > 20}
      age: {by: age, edges: [30, 50, 90]}
      cross: {by: [initial, age band]}
      wrong: output != target
      given: {by: output}
      both: [young, region=east]
    metrics:
      - accuracy
      - precision
      - fpr
      - f1
      - mcc
      - brier
      - log_loss
      - count
      - share
      - {name: age, mean: age}
      - {name: error, python: "m:error", better: lower}
    expect:
      overall: {accuracy: {min: 0.9, max_regression: 0}, f1: {max_regression: 0}, precision: {max_regression: 0.01}}
      region: {fpr: {max: 0.05, max_gap: 0.01}, accuracy: {max_regression: 0}, log_loss: {max_regression: 0}}
      given: {accuracy: {min: 0.5}}
      "*": {brier: {max: 0.2}}
"""
CLASSES = """
    dataset: {path: "d*.FORMAT", id: id, target: kind}
    models: {good: m:kinds, spoilt: m:spoilt}
    baseline: good
    slices: {region: {by: region}}
    metrics: [accuracy, macro_f1, balanced_accuracy, recall of b]
    expect:
      overall: {accuracy: {max_regression: 0}, macro_f1: {max_regression: 0.01}}
      region: {accuracy: {min: 0.9}}
"""


SHUFFLED = """
    from concurrent.futures import ThreadPoolExecutor
    from functools import reduce
    from operator import add
    from pytest_behave.engines.local import Local
    from pytest_behave.engines.testing import Shuffled

    class Threads(Local):
        def total(self, measure, parts, done):
            with ThreadPoolExecutor(4) as pool:
                return reduce(add, pool.map(measure, parts))

    def pytest_behave_engine(name):
        if name == "threads":
            return Threads()
        return Shuffled(int(name.removeprefix("shuffled"))) if name.startswith("shuffled") else None
"""
WHOLE = "--behave-memory=1GB"
STORED = {
    "binary": BINARY.replace("    baseline: old\n", "").replace(
        '- {name: error, python: "m:error", better: lower}', ""
    ),
    "classes": CLASSES.replace("    baseline: good\n", "").replace(
        "{by: region}}", "{by: region}, given: {by: output}}"
    ),
    "numbers": """
    dataset: {path: "d*.FORMAT", id: id, target: p}
    models: {far: m:error, near: m:old}
    slices: {region: {by: region}}
    metrics: [mae, bias, r2]
    expect: {overall: {mae: {max_regression: 0}}, region: {bias: {max_regression: 0.1}}}
    """,
}
ACCEPTED = {"binary": "old", "classes": "good", "numbers": "far"}


def rows():
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "id": [f"r{row}" for row in range(ROWS)],
            "region": random.choice(["East", "north", "south", "West"], ROWS, p=[0.5, 0.3, 0.19, 0.01]),
            "age": random.integers(18, 80, ROWS),
            "kind": random.choice(list("abc"), ROWS),
            "y": random.integers(0, 2, ROWS),
        }
    )
    for name, weight in (("p", 0.6), ("q", 0.5)):
        noise = random.normal(0.5 - weight / 2, 0.25, ROWS)
        frame[name] = np.clip(weight * frame["y"] + noise, 0.01, 0.99).round(3)
    frame["region"] = frame["region"].str.replace("East", "east")
    return frame


@pytest.fixture
def people(project, monkeypatch):
    """A folder with a dataset in two files, which is read in small blocks."""
    monkeypatch.setattr(parts, "ROWS", 700)
    frame = rows()
    for number, part in enumerate((frame[:4_500], frame[4_500:])):
        part.to_csv(project.path / f"d{number}.csv", index=False)
        part.to_parquet(project.path / f"d{number}.parquet", row_group_size=400)
        part.to_json(project.path / f"d{number}.jsonl", orient="records", lines=True)
    project.write("m.py", ANSWERS)
    return project


@pytest.fixture(params=["rows", "sums"])
def handed_over(request, monkeypatch):
    """Whether parts hand over their rows, as they do of not too many, or sums of them."""
    if request.param == "sums":
        monkeypatch.setattr(run, "MOST_ROWS", 0)
    return request.param


@pytest.fixture
def summed(monkeypatch):
    """Parts hand over sums, as if their rows were too many."""
    monkeypatch.setattr(run, "MOST_ROWS", 0)


def suite_of(project, text, ending="parquet"):
    project.write("s.behave.yaml", textwrap.dedent(text).replace("FORMAT", ending))


LISTS = ("flips", "broken_ids", "fixed_ids")  # of which fewer are kept in sums


def differences(one, other, where=""):
    """Yield where two records differ by more than rounding."""
    if isinstance(one, dict) and isinstance(other, dict):
        for name in {**one, **other}:
            if name not in LISTS:
                yield from differences(one.get(name), other.get(name), f"{where}.{name}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, items in enumerate(zip(one, other, strict=True)):
            yield from differences(*items, f"{where}[{number}]")
    elif isinstance(one, float) and isinstance(other, (int, float)):
        if one != pytest.approx(other, rel=1e-9, abs=1e-12):
            yield f"{where}: {one} {other}"
    elif one != other:
        yield f"{where}: {one} {other}"


def stored_files(project):
    return [(project.path / "baselines" / f"s.{ending}").read_bytes() for ending in ("json", "parquet")]


def same(whole, split, handed_over="rows"):
    """Tell whether two records are the same: to the last digit, or in what sums can tell."""
    if handed_over == "rows":
        return json.dumps(whole) == json.dumps(split)
    return list(differences(comparable(whole), comparable(split))) == []


def comparable(record):
    """Return a record without the changes of gaps, which are not compared without rows."""
    for behavior in record["suites"][0]["behaviors"]:
        behavior["baseline"] = None if behavior["metric"].endswith(" gap") else behavior["baseline"]
    return record


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
@pytest.mark.parametrize("text", [BINARY, CLASSES], ids=["binary", "classes"])
def test_a_dataset_in_parts_gives_the_record_of_a_whole_one(people, handed_over, text, ending):
    suite_of(people, text.replace('- {name: error, python: "m:error", better: lower}', ""), ending)
    whole, split = people.record("--behave-memory=1GB"), people.record(PARTLY)
    assert len(whole["suites"][0]["behaviors"]) > 4
    assert same(whole, split, handed_over)


@pytest.mark.usefixtures("summed")
def test_flips_are_the_worst_of_all_parts(people):
    suite_of(people, CLASSES)
    whole, split = (
        {item["id"] for item in people.record(option)["suites"][0]["flips"]}
        for option in ("--behave-memory=1GB", PARTLY)
    )
    assert 10 <= len(split) <= 20 * 6
    assert split < whole


@pytest.mark.thorough
def test_every_engine_gives_the_same_record(people, handed_over):
    suite_of(people, BINARY.replace('- {name: error, python: "m:error", better: lower}', ""))
    people.write("conftest.py", SHUFFLED)
    local = people.record(PARTLY)
    for engine in ("shuffled1", "shuffled2", "threads"):
        assert same(local, people.record(f"--behave-engine={engine}", OFF), handed_over), engine


def test_workers_give_the_same_record(people):
    pytest.importorskip("distributed", reason="needs the extra `dask`")
    suite_of(people, BINARY.replace('- {name: error, python: "m:error", better: lower}', ""))
    assert list(differences(people.record(PARTLY), people.record("--behave-engine=dask", OFF))) == []


def test_workers_store_and_join_predictions(people):
    pytest.importorskip("distributed", reason="needs the extra `dask`")
    suite_of(people, STORED["classes"])
    accept = ("--behave-baseline=accept", "--behave-model=good")
    people.run(*accept, PARTLY)
    local = stored_files(people)
    shutil.rmtree(people.path / "baselines")
    people.run(*accept, "--behave-engine=dask", OFF)
    assert stored_files(people) == local
    assert list(differences(people.record(PARTLY), people.record("--behave-engine=dask", OFF))) == []


def test_what_parts_give_twice_is_stored_once(people):
    suite_of(people, STORED["classes"])
    people.write("conftest.py", SHUFFLED)
    accept = ("--behave-baseline=accept", "--behave-model=good")
    people.run(*accept, PARTLY)
    local = stored_files(people)
    shutil.rmtree(people.path / "baselines")
    people.run(*accept, "--behave-engine=shuffled3")
    assert stored_files(people) == local


def test_metrics_that_need_all_rows_say_so_and_others_are_measured(people):
    suite_of(people, BINARY.replace("region: {fpr:", "young: {error: {max: 3}}\n      region: {fpr:"))
    found = people.behaviors(PARTLY)
    assert found["young", "error"]["verdict"] == "error"
    assert "needs all rows at once" in found["young", "error"]["reason"]
    assert found["young", "brier"]["verdict"] == "holds"


RANKS = """
    dataset: {path: "d*.parquet", id: id, target: y}
    models: {old: m:old, new: m:new}
    baseline: old
    slices: {region: {by: region}}
    metrics: [roc_auc, average_precision]
    expect:
      overall: {roc_auc: {min: 0.9, max_regression: 0}, average_precision: {max_regression: 0}}
"""


def changes_of_areas(record):
    (suite,) = record["suites"]
    found = [item for item in (*suite["behaviors"], *suite["observed"]) if item["metric"] == "roc_auc"]
    return {item["slice"]: {**item["baseline"], "verdict": item["verdict"]} for item in found}


@pytest.mark.usefixtures("summed")
@pytest.mark.parametrize("stored", [False, True])
def test_areas_are_compared_row_by_row(people, monkeypatch, stored):
    monkeypatch.setattr(samples, "MOST", ROWS)
    suite_of(people, RANKS.replace("baseline: old", "") if stored else RANKS)
    if stored:
        people.run("--behave-baseline=new", "--behave-model=old")
        frame = pd.read_parquet(people.path / "d0.parquet")
        frame.loc[frame.index % 5 == 3, "y"] ^= 1  # rows that are not compared
        frame.to_parquet(people.path / "d0.parquet", row_group_size=400)
    whole, split = changes_of_areas(people.record(WHOLE)), changes_of_areas(people.record(PARTLY))
    assert len(whole) == 5
    assert all(change["paired"] for change in split.values())
    assert list(differences(whole, split)) == []


@pytest.mark.usefixtures("summed")
def test_the_error_of_a_change_of_an_area_is_that_of_a_sample(people, monkeypatch):
    suite_of(people, RANKS)
    whole = changes_of_areas(people.record(WHOLE))
    monkeypatch.setattr(samples, "MOST", 1_000)
    split = changes_of_areas(people.record(PARTLY))
    one, other = whole["overall"], split["overall"]
    assert other["change"] == pytest.approx(one["change"], rel=1e-9)
    assert other["high"] - other["low"] == pytest.approx(one["high"] - one["low"], rel=0.1)
    assert other["high"] - other["low"] != one["high"] - one["low"]
    assert list(differences(whole["region=north"], split["region=north"])) == []  # fewer rows than the sample takes


@pytest.mark.usefixtures("summed")
def test_scores_in_bins_widen_the_interval_of_a_change(people, monkeypatch):
    monkeypatch.setattr(samples, "MOST", ROWS)
    for path in sorted(people.path.glob("d?.parquet")):
        frame = pd.read_parquet(path)
        frame["p"] += np.random.default_rng(1).random(len(frame)) / 1e4
        frame.to_parquet(path, row_group_size=400)
    suite_of(people, RANKS)
    whole, split = (changes_of_areas(people.record(option))["overall"] for option in (WHOLE, PARTLY))
    assert split["change"] == pytest.approx(whole["change"], abs=1e-3)
    assert split["change"] != whole["change"]
    assert split["low"] < whole["low"] < whole["high"] < split["high"]
    assert split["high"] - split["low"] > 1.02 * (whole["high"] - whole["low"])


@pytest.mark.usefixtures("summed")
def test_what_sums_cannot_tell_is_compared_by_its_values(people):
    suite_of(people, RANKS)
    found = people.behaviors(PARTLY)["overall", "average_precision"]
    assert (found["baseline"]["paired"], found["verdict"]) == (False, "holds")
    assert "by its values alone" in found["baseline"]["reason"]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("kind", "ending"), [("binary", "parquet"), ("binary", "csv"), ("classes", "csv"), ("numbers", "parquet")]
)
def test_what_is_stored_in_parts_is_what_is_stored_of_a_whole(people, handed_over, kind, ending):
    suite_of(people, STORED[kind], ending)
    accept = ("--behave-baseline=accept", f"--behave-model={ACCEPTED[kind]}")
    people.run(*accept, WHOLE)
    whole = stored_files(people)
    shutil.rmtree(people.path / "baselines")
    people.run(*accept, PARTLY)
    assert stored_files(people) == whole
    assert same(people.record(WHOLE), people.record(PARTLY), handed_over)


@pytest.mark.thorough
def test_rows_since_a_stored_baseline_are_told_in_parts(people, handed_over):
    suite_of(people, STORED["binary"])
    people.run("--behave-baseline=new", "--behave-model=old", PARTLY)
    before = stored_files(people)
    frame = pd.read_parquet(people.path / "d0.parquet")
    frame.loc[frame.index % 50 == 3, "age"] = 33  # other content
    frame.loc[frame.index % 50 == 7, "y"] ^= 1  # another target
    frame.loc[2_000:2_300, "id"] += "new"  # a block that the baseline does not know
    frame.to_parquet(people.path / "d0.parquet", row_group_size=400)
    whole, split = people.record(WHOLE), people.record(PARTLY)
    use = split["suites"][0]["baseline"]
    assert min(use["added"], use["removed"], use["changed"]) > 100
    assert same(whole, split, handed_over)
    assert stored_files(people) == before


def test_flips_since_a_stored_baseline_are_shown_with_what_it_said(people):
    suite_of(people, STORED["classes"])
    people.run("--behave-baseline=new", "--behave-model=good", PARTLY)
    (suite,) = people.record(PARTLY)["suites"]
    flip = suite["flips"][0]
    assert (flip["baseline_output"], flip["output"]) == (flip["target"], "none of these")
    assert "age" in flip["input"]


def test_of_a_baseline_that_answered_several_times_the_first_answers_are_joined(people):
    people.write(
        "m.py",
        ANSWERS + "\n    def good(frame, seed):\n        return frame['kind'] if seed == 0 else frame['region']\n",
    )
    several = STORED["classes"].replace("good: m:kinds", "good: {python: 'm:good', repeats: 2}")
    suite_of(people, several)
    people.run("--behave-baseline=new", "--behave-model=good", WHOLE)
    suite_of(people, STORED["classes"])
    whole, split = people.record(WHOLE), people.record(PARTLY)
    assert "the baseline has 2 answers per instance" in " ".join(split["suites"][0]["notes"])
    assert split["suites"][0]["baseline"]["common"] == ROWS
    assert list(differences(whole, split)) == []


def test_a_part_without_a_row_of_the_baseline_can_be_read(people, handed_over):
    suite_of(people, STORED["classes"])
    people.run("--behave-baseline=new", "--behave-model=good", PARTLY)
    suite_of(people, STORED["classes"].replace("{by: output}", "{by: baseline.output}"))
    frame = pd.read_parquet(people.path / "d1.parquet")
    frame.assign(id="n" + frame["id"]).to_parquet(people.path / "d1.parquet")
    assert same(people.record(WHOLE), people.record(PARTLY), handed_over)


@pytest.mark.parametrize("spoil", [lambda path: path.unlink(), lambda path: path.write_bytes(path.read_bytes()[:-9])])
def test_without_the_stored_outputs_values_are_compared_alone(people, spoil):
    suite_of(people, STORED["binary"])
    people.run("--behave-baseline=new", "--behave-model=old", PARTLY)
    spoil(people.path / "baselines" / "s.parquet")
    whole, split = people.record(WHOLE), people.record(PARTLY)
    assert split["suites"][0]["behaviors"][0]["baseline"]["paired"] is False
    assert list(differences(whole, split)) == []


@pytest.mark.thorough
def test_the_baseline_of_a_commit_is_joined_in_parts(people, handed_over):
    suite_of(people, STORED["binary"])
    people.run("--behave-baseline=new", "--behave-model=old", PARTLY)
    git = ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "old"]):
        subprocess.run([*git, *command], cwd=people.path, check=True)
    people.run("--behave-baseline=accept", PARTLY)
    against = "--behave-against=HEAD"
    whole, split = people.record(WHOLE, against), people.record(PARTLY, against)
    assert split["suites"][0]["baseline"]["kind"] == "commit"
    assert split["suites"][0]["behaviors"][0]["baseline"]["change"] > 0
    assert same(whole, split, handed_over)


def test_rows_without_ids_have_their_numbers(people):
    suite_of(
        people,
        "dataset: {path: 'd*.csv', target: kind, where: age > 30}\nmodel: m:spoilt\nmetrics: [accuracy]\n"
        "slices: {one: {ids: ['3000']}}\nexpect: {'*': {accuracy: {min: 1.1}}, overall: {accuracy: {min: 1}}}\n",
    )
    whole, split = people.record("--behave-memory=1GB"), people.record(PARTLY)
    assert list(differences(whole, split)) == []


@pytest.mark.parametrize(
    ("declared", "sentence"),
    [
        (
            "slices: {old: {by: age, quantiles: 4}}",
            "s.behave.yaml:4:10: old: `quantiles` needs all rows at once, and this dataset is read in parts",
        ),
        ("slices: {old: 'age > quantile(age, 0.9)'}", "old: `quantile` needs all rows at once"),
        ("slices: {old: age > 99}", "slice 'old': selects no instance"),
        ("slices: {old: {by: ages}}", "there is no column 'ages' - did you mean 'age'?"),
        ("baseline: {python: 'm:old', repeats: 2}", "model 'm:old': `repeats` needs all rows at once"),
    ],
)
def test_what_no_part_can_tell_is_refused_with_its_place(people, declared, sentence):
    suite_of(
        people, f"dataset: {{path: 'd*.parquet', id: id, target: y}}\nmodel: m:new\nmetrics: [accuracy]\n{declared}\n"
    )
    result = people.run(PARTLY)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert sentence in result.stdout.str().replace("\n", "")


@pytest.mark.parametrize(
    ("dataset", "sentence"),
    [
        ("path: 'd*.parquet', id: id, target: y, cluster: region", "dataset.cluster needs all rows at once"),
        ("path: 'd*.parquet', id: id, target: y, where: age > 99", "dataset.where selects no rows"),
        ("path: 'd?.*', id: id, target: y", "rows in different parts share an id"),
        ("path: 'd0.parquet', id: region, target: y", "region is not unique"),
        ("path: 'd0.parquet', id: id, target: z", "there is no column 'z'"),
    ],
)
def test_a_dataset_that_cannot_be_used_is_refused(people, dataset, sentence):
    suite_of(people, f"dataset: {{{dataset}}}\nmodel: m:new\nmetrics: [accuracy]\n")
    result = people.run(PARTLY)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert sentence in result.stdout.str()


def test_missing_targets_are_counted_over_all_parts(people):
    frame = rows()
    frame["y"] = frame["y"].astype("Int64").where(frame.index % 2_000 != 5)
    frame.to_parquet(people.path / "gaps.parquet")
    suite_of(people, "dataset: {path: gaps.parquet, id: id, target: y}\nmodel: m:new\nmetrics: [accuracy]\n")
    said = people.run(PARTLY).stdout.str()
    assert "'y' is missing for 3 instances (for example r5, r2005, r4005)" in said


def test_a_model_that_fails_in_one_part_fails_the_build(people):
    people.write(
        "m.py", "def new(frame):\n    assert 'r5000' not in set(frame['id']), 'no such thing'\n    return frame['p']\n"
    )
    suite_of(
        people,
        "dataset: {path: 'd*.parquet', id: id, target: y}\nmodel: m:new\nmetrics: [accuracy]\n"
        "expect: {overall: {accuracy: {min: 0.5}}}\n",
    )
    found = people.behaviors(PARTLY)["overall", "accuracy"]
    assert found["verdict"] == "error"
    assert "raised AssertionError: no such thing" in found["reason"]


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("--behave-engine=dsk", "--behave-engine: there is no engine 'dsk' - did you mean 'dask'?"),
        ("--behave-memory=much", "--behave-memory: 'much' is not a size: write 500MB or 2GB, for example"),
        ("--behave-memory=50", "--behave-memory: '50' could be bytes or anything: give a unit, such as 500MB"),
        ("--behave-memory=0MB", "--behave-memory: '0MB' is no memory at all: write 500MB or 2GB, for example"),
    ],
)
def test_options_that_mean_nothing_are_refused(people, option, sentence):
    result = people.run(option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert sentence in result.stderr.str()


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_predictions_files_are_joined_without_reading_them_whole(people, ending):
    frame = rows().sample(frac=1, random_state=1)
    said = pd.DataFrame({"id": frame["id"], "new": frame["p"], "old": frame["q"]})
    if ending == "csv":
        said.to_csv(people.path / "said.csv", index=False)
    elif ending == "parquet":
        said.to_parquet(people.path / "said.parquet")
    else:
        said.to_json(people.path / "said.jsonl", orient="records", lines=True)
    models = (
        f"models: {{old: {{predictions: said.{ending}, score: old}}, new: {{predictions: said.{ending}, score: new}}}}"
    )
    suite_of(
        people,
        f"dataset: {{path: 'd*.parquet', id: id, target: y}}\n{models}\nbaseline: old\nmetrics: [accuracy, brier]\n"
        "expect: {overall: {accuracy: {min: 0.5, max_regression: 0}}}\n",
    )
    assert list(differences(people.record("--behave-memory=1GB"), people.record(PARTLY))) == []


def test_golden_cases_run_beside_a_dataset_in_parts(people):
    suite_of(
        people,
        BINARY.replace('- {name: error, python: "m:error", better: lower}', "")
        + """
    cases:
      - {id: sure, input: {p: 0.99, q: 0.1}, expect: {equals: 1}}
""",
    )
    (suite,) = people.record(PARTLY)["suites"]
    assert [(case["id"], case["verdict"]) for case in suite["cases"]] == [("sure", "holds")]


LIMITED = """
    import resource, sys
    limit = int(sys.argv.pop(1))
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    import pytest
    sys.exit(pytest.main(sys.argv[1:]))
"""


@pytest.mark.thorough
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits on memory are kept on Linux only")
def test_a_process_that_may_take_little_reads_in_parts_by_itself(people):
    frame = rows()
    wide = pd.concat([frame] * 160, ignore_index=True).assign(id=lambda one: one.index.astype(str))
    for number in range(10):
        wide[f"x{number}"] = np.random.default_rng(number).random(len(wide))
    wide.to_parquet(people.path / "wide.parquet", row_group_size=20_000)
    suite_of(
        people,
        "dataset: {path: wide.parquet, id: id, target: y}\nmodel: m:new\nmetrics: [accuracy, brier]\n"
        "expect: {overall: {accuracy: {min: 0.5}}}\n",
    )
    whole = people.record("--behave-memory=1GB")
    people.write("limited.py", LIMITED)
    command = [
        sys.executable,
        "limited.py",
        str(600 * 2**20),
        "--behave",
        "-p",
        "no:cacheprovider",
        "--behave-report=json:little.json",
    ]
    done = subprocess.run(
        command,
        cwd=people.path,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stdout
    assert list(differences(whole, json.loads((people.path / "little.json").read_text()))) == []


EVERYTHING = """
    dataset: {path: "d*.parquet", id: id, target: y}
    models: {old: m:old, new: m:rich}
    BASELINE
    slices:
      region: {by: region}
      age: {by: age, edges: [30, 50]}
      wrong: output != target
      quick: latency < 0.3
    metrics:
      - accuracy
      - precision
      - recall
      - f1
      - mcc
      - roc_auc
      - average_precision
      - brier
      - ece
      - log_loss
      - latency
      - count
      - {name: age, mean: age}
      - {name: sure, rate: score > 0.8 or age > 70}
    expect:
      overall: {roc_auc: {max_regression: 0}, average_precision: {max_regression: 0}, ece: {max: 0.01}}
      "*": {accuracy: {max_regression: 0}, brier: {max_regression: 0}, latency: {max: 0.1}, sure: {min: 0.9}}
      region: {precision: {max_gap: 0.01, max_gap_regression: 0}, f1: {max_regression: 0.001}, log_loss: {max: 0.1}}
    cases:
      - {id: sure, input: {p: 0.99, q: 0.1, age: 30, region: east}, expect: {equals: 1}}
"""
RICH = """
    def rich(frame):
        return pd.DataFrame({"score": frame["p"], "latency": frame["age"] / 100})
"""


@pytest.mark.thorough
@pytest.mark.parametrize("stored", [False, True], ids=["model", "stored"])
def test_every_kind_of_metric_is_judged_alike_whole_and_in_parts_and_on_every_engine(people, stored):
    people.write("m.py", ANSWERS + RICH)
    people.write("conftest.py", SHUFFLED)
    suite_of(people, EVERYTHING.replace("BASELINE", "" if stored else "baseline: old"))
    if stored:
        people.run("--behave-baseline=new", "--behave-model=old", WHOLE, OFF)
    whole = people.record(WHOLE, OFF)
    assert len(whole["suites"][0]["flips"]) > 100
    for engine in ("local", "shuffled4", "threads"):
        assert same(whole, people.record(f"--behave-engine={engine}", PARTLY, OFF)), engine
