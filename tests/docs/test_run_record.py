"""What --behave-report=json writes is what run-1.schema.json says, for suites that hold, fail and break."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

from pytest_behave.report.record import record_schema, run_from_json, run_to_json

CONTRACT = Path(__file__).parents[1] / "contract"
MODEL = """\
import pandas as pd


def breaks(rows):
    raise RuntimeError("out of memory")


def scores(rows):
    return pd.DataFrame({"score": rows["score"], "latency": 0.1, "band": (rows["score"] > 0.5).map({True: "x", False: "y"})})
"""
ROWS = """\
id,group,age,target,guess,score
1,a,20,1,1,0.9
2,a,30,0,0,0.2
3,a,,1,0,0.4
4,b,50,0,1,0.7
5,b,60,1,refused,0.8
"""
SUITES = {
    "holding": """\
suite: all well
description: Everything holds.
owner: "@team"
dataset: {path: rows.csv, id: id, target: target}
model: "model:scores"
slices: {group: {by: group}, old: age > 40, said: {by: band}}
metrics: [accuracy, roc_auc, latency, {name: age, mean: age}]
expect:
  overall: {accuracy: {min: 0, max: 1}}
  group: {accuracy: {min: 0, max_gap: 1}}
  said: {accuracy: {min: 0, max_gap: 1}}
cases:
  - {id: fine, input: {score: 0.9}, expect: {label: 1}, tags: [easy]}
""",
    "failing": """\
dataset: {path: rows.csv, id: id, target: target}
model: {column: guess, as: prediction}
slices: {group: {by: group, min_size: 3}, old: {where: age > 40, min_size: 10}}
metrics: [accuracy, fpr, mcc]
expect:
  overall: {accuracy: {min: 0.99}, fpr: {max: 0, decide: proven}, mcc: {min: 1}}
  group: {accuracy: {min: 0.9, max_gap: 0, known_failure: {reason: issue 88}}}
  old: {accuracy: {min: 1}}
  cases: {counted: {pass_rate: {min: 1}}}
cases:
  - {id: wrong, input: {guess: 1}, expect: {label: 0, json: true}}
  - {id: counted, template: "{n}", fill: {n: [1, 2]}, input: {guess: 1.5}, expect: {equals: "1"}, tags: [counted]}
""",
    "model that raises": """\
dataset: {path: rows.csv, id: id, target: target}
model: "model:breaks"
slices: {group: {by: group}, said: {by: output}}
metrics: [accuracy]
expect:
  overall: {accuracy: {min: 0.5}}
  group: {accuracy: {min: 0.5, max_gap: 0.1}}
  said: {accuracy: {max_gap: 0.1}}
  cases: {counted: {pass_rate: {min: 1}}}
cases:
  - {id: c, input: {score: 1}, expect: {label: 1}, tags: [counted]}
""",
    "model that is not there": """\
dataset: {path: rows.csv, id: id, target: target}
model: "nowhere:predict"
metrics: [accuracy]
expect:
  overall: {accuracy: {min: 0.5}}
""",
    "slice that cannot be made": """\
dataset: {path: rows.csv, id: id, target: target}
model: {column: guess, as: prediction}
slices: {said: {by: band}, empty: output == "never said", family: {by: output, edges: [1]}}
metadata: {band: {from: output}}
metrics: [accuracy]
expect:
  said: {accuracy: {min: 0.5}}
  empty: {accuracy: {min: 0.5}}
  family: {accuracy: {max_gap: 0.5}}
""",
    "cases alone": """\
model: "model:scores"
cases:
  - {id: c, input: {score: 0.2}, expect: {score: {max: 0.1}}}
  - {id: d, input: {score: 0.2}, expect: {python: "model:nothing"}}
""",
}


@pytest.fixture(scope="module")
def validator():
    schema = json.loads(record_schema())
    Draft7Validator.check_schema(schema)
    return Draft7Validator(schema)


def problems(validator, record):
    return [f"{'/'.join(map(str, error.absolute_path))}: {error.message}" for error in validator.iter_errors(record)]


@pytest.mark.parametrize("name", SUITES)
def test_the_record_fits_the_schema(name, project, validator):
    project.write("rows.csv", ROWS)
    project.write("model.py", MODEL)
    project.write("s.behave.yaml", SUITES[name])
    record = project.record()
    assert record["suites"][0]["behaviors"] or record["suites"][0]["cases"]
    assert problems(validator, record) == []
    json.dumps(record, allow_nan=False)


def test_the_records_of_several_suites_fit_together(project, validator):
    project.write("rows.csv", ROWS)
    project.write("model.py", MODEL)
    for number, suite in enumerate(SUITES.values()):
        project.write(f"s{number}.behave.yaml", suite)
    record = project.record()
    assert problems(validator, record) == []
    assert [suite["path"] for suite in record["suites"]] == [f"s{number}.behave.yaml" for number in range(len(SUITES))]
    found = {verdict for suite in record["suites"] for item in suite["behaviors"] for verdict in [item["verdict"]]}
    assert found == {"holds", "violated", "undecided", "known-failure", "error"}


@pytest.fixture
def contract_record(project):
    for name in ("loans.behave.yaml", "loans.csv"):
        project.write(name, (CONTRACT / name).read_text(encoding="utf-8"))
    return project.record()


def test_the_contract_suite_s_record_fits_the_schema(contract_record, validator):
    assert problems(validator, contract_record) == []


def test_an_empty_run_s_record_fits_the_schema(project, validator):
    project.write("test_nothing.py", "def test_nothing(): pass")
    assert problems(validator, project.record()) == []


def test_a_record_turns_back_into_the_run_it_was_made_from(contract_record):
    again = run_to_json(run_from_json(contract_record))
    assert again == contract_record


WRONG = {
    "unknown field": lambda record: record["suites"][0].update(more=1),
    "missing field": lambda record: record["suites"][0]["behaviors"][0].pop("reason"),
    "other version": lambda record: record.update(format="pytest-behave/run-2"),
    "unknown verdict": lambda record: record["suites"][0]["behaviors"][0].update(verdict="fine"),
    "behavior without a verdict": lambda record: record["suites"][0]["behaviors"][0].update(verdict=None),
    "verdict on what is only observed": lambda record: record["suites"][0]["observed"][0].update(verdict="holds"),
    "number as text": lambda record: record["suites"][0]["behaviors"][0].update(value="0.5"),
    "unknown bound": lambda record: record["suites"][0]["behaviors"][0]["bounds"].update(about=1),
    "one member between": lambda record: record["suites"][0]["behaviors"][0].update(between=["a"]),
    "total of an unknown verdict": lambda record: record["totals"].update(fine=1),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_the_schema_refuses_what_is_not_a_record(mistake, contract_record, validator):
    record = copy.deepcopy(contract_record)
    WRONG[mistake](record)
    assert problems(validator, record)
