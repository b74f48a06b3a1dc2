"""The JSON Schema that editors use and the loader agree on what a suite may look like."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator
from pydantic import ValidationError

from pytest_behave.declare import load
from pytest_behave.declare.load import json_schema, load_suite
from pytest_behave.declare.schema import SuitePart
from pytest_behave.declare.yaml_positions import read_yaml
from pytest_behave.errors import SuiteError
from pytest_behave.measure.registry import BUILT_IN, NEED_A_DEFINITION

ROOT = Path(__file__).parent.parent.parent.parent
SHIPPED = Path(load.__file__).parent / "schema.json"
SUITES = [*sorted(ROOT.glob("example_suites/*/*.behave.yaml")), *sorted(ROOT.glob("tests/contract/*.behave.yaml"))]
SCHEMA = json.loads(json_schema())
VALIDATOR = Draft7Validator(SCHEMA)

ANNOTATIONS = {"$schema", "title", "description", "examples"}
ASSERTIONS = {
    *("type", "enum", "const", "required", "pattern", "minLength", "minItems", "minProperties"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
}
ONE_SCHEMA = {"items", "additionalProperties", "if", "then", "else", "not"}
LIST_OF_SCHEMAS = {"allOf", "anyOf"}
SCHEMAS_BY_NAME = {"properties", "patternProperties", "definitions", "dependencies"}
DRAFT_7 = {"$ref", *ANNOTATIONS, *ASSERTIONS, *ONE_SCHEMA, *LIST_OF_SCHEMAS, *SCHEMAS_BY_NAME}

EVERYTHING = """\
suite: everything
description: Every key that a suite may hold.
owner: "@team"
extends: standard.yaml
python: extensions
dataset:
  path: rows.csv
  id: [source, number]
  target: y
  positive: 1
  where: age > 3
  na_values: ["-"]
  encoding: latin-1
  delimiter: ";"
  cluster: speaker
task: binary
models:
  function: model:predict
  batches: {python: "model:predict", batch_size: 10, repeats: 3}
  file: {predictions: labels.csv, prediction: p, score: s, threshold: 0.4}
  column: {column: guess, as: score, threshold: 5}
  saved: {estimator: model.pkl, allow_pickle: true, features: [age]}
  other: {plugin: mlflow, options: {run: 7}, fingerprint: run 7}
  command: {command: "./score --jsonl", features: [age], timeout: 5, batch_size: 10}
  scoring: {url: "http://localhost:5001/invocations", protocol: mlflow, features: [age], rate: 300/min}
  tensors: {url: "http://localhost:8000", protocol: v2, model: m, datatypes: {age: FP32}, response: {score: p}}
  chat:
    url: https://localhost/v1
    protocol: openai-chat
    model: small
    messages: [{role: system, content: Be brief.}, {role: user, content: "Is {{text}} good?"}]
    temperature: 0
    max_tokens: 16
    seed: 1
    headers: {Authorization: "Bearer ${API_KEY}"}
    retries: 2
    concurrency: 8
  asked: {url: "http://localhost/v1", protocol: openai-chat, model: small, prompt: "{{text}}?"}
  free: {url: "http://localhost/", protocol: json, request: {texts: {for_each: "{{text}}"}}, response: labels.*}
baseline: {predictions: labels.csv, prediction: p}
comparison: {alpha: 0.01, mcnemar: exact}
metadata:
  length: words(text)
  band: {column: age, edges: [18, 65]}
  quarter: {column: age, quantiles: 4}
  upper: {expression: lower(text) != text}
  language: {python: "features:language", from: input}
  margin: {from: output}
slices:
  young: age < 30
  young women: [young, sex == "Female"]
  adults: {where: age > 17, min_size: 30}
  picked: {ids: [1, a2]}
  race: {by: race, where: age > 17, min_size: 20}
  race and sex: {by: [race, sex]}
  age: {by: age, edges: [25, 45]}
  age quarter: {by: age, quantiles: 4}
  week: {by: day, every: week}
metrics:
  - accuracy
  - recall of 1
  - {name: wer, metric: wer, normalize: true}
  - {name: top 3, metric: top_k_accuracy, k: 3}
  - {name: worst, metric: absolute_error_quantile, q: 0.9}
  - {name: calibration, metric: ece, bins: 10}
  - {name: cost, python: "metrics:cost", better: lower}
  - {name: mean age, mean: age}
  - {name: silent, rate: output == ""}
expect:
  overall: {accuracy: {min: 0.5, max: 0.99}}
  "*": {accuracy: {min: 0.1, decide: refuted}}
  race: {accuracy: {max_gap: 0.1, max_gap_regression: 0.02, decide: proven}}
  race=Other: {accuracy: {known_failure: {reason: issue 88, until: 2027-03-01}}}
  race=None: {accuracy: {severity: warning}}
  young: {accuracy: {max_regression: 2%, max_gap: 0.1, gap_to: overall, severity: warning}}
  picked: {accuracy: {max_regression: {by: 0.01, from: best}}}
  adults: {accuracy: {max_gap_regression: {by: 5 %}, gap_to: young women, severity: error}}
  cases: {hard: {pass_rate: {min: 0.9, severity: warning}}}
cases:
  - id: checks of text
    input: {text: a}
    expect:
      equals: a
      one_of: [a, 1, true]
      contains: a
      not_contains: [b, c]
      matches: "^a"
      not_matches: b
      starts_with: a
      min_length: 1
      max_length: 9
      python: checks:right
    tags: hard
  - id: checks of values
    input: {text: a}
    expect:
      json: true
      json_schema: {type: number}
      close_to: {value: 1, abs: 0.1, rel: 0.1}
      label: 1
      score: {min: 0.1, max: 1}
    tags: [hard, values]
  - {id: filled, template: "I {neg} like it", fill: {neg: [do not]}, expect: {label: 0}}
  - {id: two columns, template: {text: "{x}", title: "{x}"}, fill: {x: [1, a]}, input: {n: 1}, expect: {label: 0}}
  - include: cases/*.yaml
"""
FILES = {
    "standard.yaml": "metrics: [fpr]\n",
    "labels.csv": "",
    "model.pkl": "",
    "cases/more.yaml": "- {id: more, input: {text: a}, expect: {label: a}}\n",
}


class Mistake(NamedTuple):
    """What a user got wrong; in the suite, «wrong|right» marks where."""

    what: str
    suite: str


TOP = "dataset: {path: rows.csv}\nmodel: model:predict\nmetrics: [accuracy]\n"
EXPECT = TOP + "slices: {race: {by: race}}\nexpect:\n"
URL = "dataset: {path: rows.csv}\nmetrics: [accuracy]\n"
CASE = "model: model:predict\ncases:\n  - id: one\n"

MISTAKES = [
    Mistake("misspelt section", "«datset|dataset»: {path: rows.csv}\nmodel: model:predict\n"),
    Mistake("misspelt key of the dataset", "dataset: {path: rows.csv, «targt|target»: y}\nmodel: model:predict\n"),
    Mistake("dataset without a path", "dataset: {id: number«|, path: rows.csv»}\nmodel: model:predict\n"),
    Mistake("dataset as a text", "dataset: «rows.csv|{path: rows.csv}»\nmodel: model:predict\n"),
    Mistake("id as a number", "dataset: {path: rows.csv, id: «7|number»}\nmodel: model:predict\n"),
    Mistake("list of ids with a number", "dataset: {path: rows.csv, id: [a, «7|b»]}\nmodel: model:predict\n"),
    Mistake("na_values as a text", "dataset: {path: rows.csv, na_values: «'-'|['-']»}\nmodel: model:predict\n"),
    Mistake("unknown task", TOP + "task: «clasification|multiclass»\n"),
    Mistake("forbidden name of a suite", TOP + "suite: a«::|:»b\n"),
    Mistake("model as a number", "dataset: {path: rows.csv}\nmodel: «5|model:predict»\n"),
    Mistake("empty model", "dataset: {path: rows.csv}\nmodel: {«|column: guess»}\n"),
    Mistake("misspelt key of a model", "dataset: {path: rows.csv}\nmodel: {«colum|column»: guess}\n"),
    Mistake("model of no kind", "dataset: {path: rows.csv}\nmodel: {threshold: 5«|, column: guess, as: score»}\n"),
    Mistake("model of two kinds", "dataset: {path: rows.csv}\nmodel: {column: guess«, python: a:b|»}\n"),
    Mistake("predictions without a column", "dataset: {path: rows.csv}\nmodel: {predictions: labels.csv«|, score: s»}\n"),
    Mistake("key of another kind of model", "dataset: {path: rows.csv}\nmodel: {column: guess, «score: s|as: score»}\n"),
    Mistake("batches of a column", "dataset: {path: rows.csv}\nmodel: {column: guess, «batch_size|threshold»: 10}\n"),
    Mistake("batches of predictions", "dataset: {path: rows.csv}\nmodel: {predictions: labels.csv, score: s, «batch_size|threshold»: 1}\n"),
    Mistake("batches of nothing", "dataset: {path: rows.csv}\nmodel: {batch_size: 5«|, python: a:b»}\n"),
    Mistake("prediction of a column", "dataset: {path: rows.csv}\nmodel: {column: guess, «prediction: p|as: score»}\n"),
    Mistake("kind of a function", "dataset: {path: rows.csv}\nmodel: {python: 'a:b'«, as: score|»}\n"),
    Mistake("features of a column", "dataset: {path: rows.csv}\nmodel: {column: guess«, features: [a]|»}\n"),
    Mistake("pickled column", "dataset: {path: rows.csv}\nmodel: {column: guess«, allow_pickle: true|»}\n"),
    Mistake("options of a column", "dataset: {path: rows.csv}\nmodel: {column: guess«, options: {a: 1}|»}\n"),
    Mistake("estimator and plugin", "dataset: {path: rows.csv}\nmodel: {estimator: model.pkl, allow_pickle: true«, plugin: a|»}\n"),
    Mistake("empty batches", "dataset: {path: rows.csv}\nmodel: {python: 'a:b', batch_size: «0|1»}\n"),
    Mistake("allow_pickle as a text", "dataset: {path: rows.csv}\nmodel: {estimator: model.pkl, allow_pickle: «yes|true»}\n"),
    Mistake("model and models", "dataset: {path: rows.csv}\n«model: a:b|»\nmodels: {one: 'a:b'}\n"),
    Mistake("models as a list", "dataset: {path: rows.csv}\nmodels: «['a:b']|{one: 'a:b'}»\n"),
    Mistake("cluster of no name", "dataset: {path: rows.csv, cluster: «''|speaker»}\nmodel: model:predict\n"),
    Mistake("list of clusters", "dataset: {path: rows.csv, cluster: «[a]|a»}\nmodel: model:predict\n"),
    Mistake("baseline as a number", TOP + "baseline: «5|old:predict»\n"),
    Mistake("misspelt key of a baseline", TOP + "baseline: {«colum|column»: guess}\n"),
    Mistake("empty baseline", TOP + "baseline: {«|column: guess»}\n"),
    Mistake("baseline of two kinds", TOP + "baseline: {column: guess«, python: a:b|»}\n"),
    Mistake("comparison as a number", TOP + "comparison: «0.05|{alpha: 0.05}»\n"),
    Mistake("misspelt key of a comparison", TOP + "comparison: {«alfa|alpha»: 0.05}\n"),
    Mistake("certain false alarm", TOP + "comparison: {alpha: «1|0.1»}\n"),
    Mistake("impossible false alarm", TOP + "comparison: {alpha: «0|0.1»}\n"),
    Mistake("level in per cent", TOP + "comparison: {alpha: «5%|0.05»}\n"),
    Mistake("unknown test", TOP + "comparison: {mcnemar: «midp|mid-p»}\n"),
    Mistake("metadata as a number", TOP + "metadata: {length: «5|words(text)»}\n"),
    Mistake("empty metadata", TOP + "metadata: {length: «{}|words(text)»}\n"),
    Mistake("misspelt key of metadata", TOP + "metadata: {language: {«pyton|python»: a:b}}\n"),
    Mistake("metadata of two kinds", TOP + "metadata: {band: {column: age, edges: [1]«, python: a:b|»}}\n"),
    Mistake("bins of nothing", TOP + "metadata: {band: {edges: [1]«|, column: age»}}\n"),
    Mistake("column without bins", TOP + "metadata: {band: {column: age«|, edges: [1]»}}\n"),
    Mistake("two kinds of bins", TOP + "metadata: {band: {column: age, edges: [1]«, quantiles: 2|»}}\n"),
    Mistake("no function in a reference", TOP + "metadata: {language: {python: features«|:language»}}\n"),
    Mistake("empty reference", TOP + "metadata: {language: {python: «''|'features:language'»}}\n"),
    Mistake("forbidden name of metadata", TOP + "metadata: {'a«[b]|b»': words(text)}\n"),
    Mistake("slice as a number", TOP + "slices: {young: «5|age < 5»}\n"),
    Mistake("slice of nothing", TOP + "slices: {young: «[]|[age < 5]»}\n"),
    Mistake("number in a list of slices", TOP + "slices: {young: [age < 5, «5|age > 1»]}\n"),
    Mistake("empty slice", TOP + "slices: {race: {«|by: race»}}\n"),
    Mistake("size of nothing", TOP + "slices: {race: {min_size: 5«|, by: race»}}\n"),
    Mistake("misspelt key of a slice", TOP + "slices: {race: {by: race, «min_sze|min_size»: 5}}\n"),
    Mistake("least size of none", TOP + "slices: {race: {by: race, min_size: «0|1»}}\n"),
    Mistake("unknown period", TOP + "slices: {day: {by: day, every: «fortnight|month»}}\n"),
    Mistake("period of no column", TOP + "slices: {day: {«where: age > 3|by: day», every: week}}\n"),
    Mistake("edges of no column", TOP + "slices: {age: {«where: age > 3|by: age», edges: [25]}}\n"),
    Mistake("edge as a text", TOP + "slices: {age: {by: age, edges: [«a|1»]}}\n"),
    Mistake("single bin", TOP + "slices: {age: {by: age, quantiles: «1|2»}}\n"),
    Mistake("edges and quantiles", TOP + "slices: {age: {by: age, edges: [25]«, quantiles: 2|»}}\n"),
    Mistake("quantiles and periods", TOP + "slices: {age: {by: age, quantiles: 2«, every: week|»}}\n"),
    Mistake("quantiles of no column", TOP + "slices: {age: {«where: age > 3|by: age», quantiles: 2}}\n"),
    Mistake("ids and a predicate", TOP + "slices: {some: {ids: [1]«, where: age > 3|»}}\n"),
    Mistake("ids and a column", TOP + "slices: {some: {ids: [1]«, by: age|»}}\n"),
    Mistake("slice with a name of the format", TOP + "slices: {«overall|all»: age < 5}\n"),
    Mistake("forbidden name of a slice", TOP + "slices: {'a«::|»b': age < 5}\n"),
    Mistake("metric as a number", TOP.replace("[accuracy]", "[accuracy, «5|fpr»]")),
    Mistake("misspelt key of a metric", TOP.replace("accuracy]", "{name: a, «metrc|metric»: wer}]")),
    Mistake("metric without a name", TOP.replace("accuracy]", "{metric: wer«|, name: a»}]")),
    Mistake("metric of no kind", TOP.replace("accuracy]", "{name: a«|, metric: wer»}]")),
    Mistake("metric of two kinds", TOP.replace("accuracy]", "{name: a, metric: wer«, mean: age|»}]")),
    Mistake("empty reference of a metric", TOP.replace("accuracy]", "{name: a, python: «''|'metrics:cost'»}]")),
    Mistake("mean and rate", TOP.replace("accuracy]", "{name: a, mean: age«, rate: age > 3|»}]")),
    Mistake("unknown direction", TOP.replace("accuracy]", "{name: a, mean: age, better: «up|higher»}]")),
    Mistake("quantile above 1", TOP.replace("accuracy]", "{name: a, metric: absolute_error_quantile, q: «9|0.9»}]")),
    Mistake("no guesses", TOP.replace("accuracy]", "{name: a, metric: top_k_accuracy, k: «0|1»}]")),
    Mistake("misspelt bound", EXPECT + "  overall: {accuracy: {«mim|min»: 0.5}}\n"),
    Mistake("bound as a text", EXPECT + "  overall: {accuracy: {min: «abc|0.5»}}\n"),
    Mistake("bounds as a number", EXPECT + "  overall: {accuracy: «0.5|{min: 0.5}»}\n"),
    Mistake("no bounds", EXPECT + "  overall: {accuracy: {«|min: 0.5»}}\n"),
    Mistake("decision about nothing", EXPECT + "  overall: {accuracy: {decide: proven«|, min: 0.5»}}\n"),
    Mistake("unknown decision", EXPECT + "  overall: {accuracy: {min: 0.5, decide: «proved|proven»}}\n"),
    Mistake("metrics as a list", EXPECT + "  overall: «[accuracy]|{accuracy: {min: 0.5}}»\n"),
    Mistake("gap of all rows", EXPECT + "  «overall|race»: {accuracy: {max_gap: 0.5}}\n"),
    Mistake("gap of every slice", EXPECT + "  «'*'|race»: {accuracy: {max_gap: 0.5}}\n"),
    Mistake("change of the gap of all rows", EXPECT + "  «overall|race»: {accuracy: {max_gap_regression: 0.5}}\n"),
    Mistake("gap to nothing", EXPECT + "  overall: {accuracy: {min: 1, gap_to: race=a«|, max_gap: 0.5»}}\n"),
    Mistake("gap to a list", EXPECT + "  '*': {accuracy: {gap_to: «[overall]|overall», max_gap: 0.5}}\n"),
    Mistake("negative gap", EXPECT + "  race: {accuracy: {max_gap: «-1|1»}}\n"),
    Mistake("pass rate of a slice", EXPECT + "  race: {accuracy: «{pass_rate: {min: 1}}|{min: 1}»}\n"),
    Mistake("negative loss", EXPECT + "  race: {accuracy: {max_regression: «-1|1»}}\n"),
    Mistake("loss in words", EXPECT + "  race: {accuracy: {max_regression: «2 percent|2 %»}}\n"),
    Mistake("loss with two signs", EXPECT + "  race: {accuracy: {max_regression: 2%«%|»}}\n"),
    Mistake("negative percentage", EXPECT + "  race: {accuracy: {max_regression: «-|»2%}}\n"),
    Mistake("loss in quotes", EXPECT + "  race: {accuracy: {max_regression: «'0.02'|0.02»}}\n"),
    Mistake("percentage in other digits", EXPECT + "  race: {accuracy: {max_regression: «٢|2»%}}\n"),
    Mistake("endless percentage", EXPECT + "  race: {accuracy: {max_regression: «9999999999|999999999»%}}\n"),
    Mistake("loss as a boolean", EXPECT + "  race: {accuracy: {max_regression: «true|1»}}\n"),
    Mistake("loss as a list", EXPECT + "  race: {accuracy: {max_gap_regression: «[1]|1»}}\n"),
    Mistake("loss from nothing", EXPECT + "  race: {accuracy: {max_regression: {from: best«|, by: 1»}}}\n"),
    Mistake("loss of nothing", EXPECT + "  race: {accuracy: {max_regression: {«|by: 1»}}}\n"),
    Mistake("negative loss in a mapping", EXPECT + "  race: {accuracy: {max_gap_regression: {by: «-1|1»}}}\n"),
    Mistake("loss from anything", EXPECT + "  race: {accuracy: {max_regression: {by: 1, from: «bst|best»}}}\n"),
    Mistake("misspelt key of a loss", EXPECT + "  race: {accuracy: {max_regression: {«bye|by»: 1}}}\n"),
    Mistake("unknown severity", EXPECT + "  race: {accuracy: {min: 1, severity: «warn|warning»}}\n"),
    Mistake("failure without a reason", EXPECT + "  race: {accuracy: {min: 1, known_failure: {«|reason: a»}}}\n"),
    Mistake("vague date", EXPECT + "  race: {accuracy: {min: 1, known_failure: {reason: a, until: «soon|2027-03-01»}}}\n"),
    Mistake("cases as a mapping", "model: a:b\ncases: «{a: 1}|[{id: a, input: {x: 1}, expect: {label: 1}}]»\n"),
    Mistake("misspelt key of a case", CASE + "    «inputs|input»: {text: a}\n    expect: {label: 1}\n"),
    Mistake("case without an id", "model: a:b\ncases:\n  - {«|id: one,» input: {text: a}, expect: {label: 1}}\n"),
    Mistake("case with a number for an id", "model: a:b\ncases: [{id: «5|five», input: {x: 1}, expect: {label: 1}}]\n"),
    Mistake("forbidden name of a case", "model: a:b\ncases: [{id: 'a«[1]|1»', input: {x: 1}, expect: {label: 1}}]\n"),
    Mistake("case without an input", CASE + "    expect: {label: 1}\n    «|input: {text: a}»\n"),
    Mistake("case that expects nothing", CASE + "    input: {text: a}\n    «|expect: {label: 1}»\n"),
    Mistake("case without checks", CASE + "    input: {text: a}\n    expect: {«|label: 1»}\n"),
    Mistake("misspelt check", CASE + "    input: {text: a}\n    expect: {«equls|equals»: 1}\n"),
    Mistake("number to be contained", CASE + "    input: {text: a}\n    expect: {contains: «5|'5'»}\n"),
    Mistake("choice of none", CASE + "    input: {text: a}\n    expect: {one_of: [«|a»]}\n"),
    Mistake("not JSON", CASE + "    input: {text: a}\n    expect: {json: «false|true»}\n"),
    Mistake("close to nothing", CASE + "    input: {text: a}\n    expect: {close_to: {abs: 1«|, value: 2»}}\n"),
    Mistake("score as a number", CASE + "    input: {text: a}\n    expect: {score: «0.5|{min: 0.5}»}\n"),
    Mistake("negative length", CASE + "    input: {text: a}\n    expect: {min_length: «-1|1»}\n"),
    Mistake("tags as a mapping", CASE + "    input: {text: a}\n    expect: {label: 1}\n    tags: «{a: b}|[a, b]»\n"),
    Mistake("filling of no template", CASE + "    «input|template»: {text: '{a}'}\n    fill: {a: [b]}\n    expect: {label: 1}\n"),
    Mistake("filling with nothing", CASE + "    template: '{a}'\n    fill: {a: [«|b»]}\n    expect: {label: 1}\n"),
    Mistake("include with more", "model: a:b\ncases:\n  - {include: cases/*.yaml«, tags: [a]|»}\n"),
    Mistake("bound of a tag without pass_rate", CASE + "    input: {text: a}\n    expect: {label: 1}\n    tags: hard\n"
            "expect: {cases: {hard: «{min: 1}|{pass_rate: {min: 1}}»}}\n"),
    Mistake("no bound of a tag", CASE + "    input: {text: a}\n    expect: {label: 1}\n    tags: hard\n"
            "expect: {cases: {hard: {«|pass_rate: {min: 1}»}}}\n"),
    Mistake("no bound of a pass rate", CASE + "    input: {text: a}\n    expect: {label: 1}\n    tags: hard\n"
            "expect: {cases: {hard: {pass_rate: {«|min: 1»}}}}\n"),
    Mistake("gap of a tag", CASE + "    input: {text: a}\n    expect: {label: 1}\n    tags: hard\n"
            "expect: {cases: {hard: {pass_rate: {«max_gap|min»: 1}}}}\n"),
    Mistake("loss of a tag", CASE + "    input: {text: a}\n    expect: {label: 1}\n    tags: hard\n"
            "expect: {cases: {hard: {pass_rate: {«max_regression|min»: 1}}}}\n"),
    Mistake("misspelt key of a server", URL + "model: {url: 'http://a/', protocol: mlflow, «timeot|timeout»: 5}\n"),
    Mistake("unknown protocol", URL + "model: {url: 'http://a/', protocol: «mlfow|mlflow»}\n"),
    Mistake("server without a protocol", URL + "model: {url: 'http://a/'«|, protocol: mlflow»}\n"),
    Mistake("protocol of no server", URL + "model: {command: ./a«, protocol: mlflow|»}\n"),
    Mistake("server and command", URL + "model: {url: 'http://a/', protocol: mlflow«, command: ./a|»}\n"),
    Mistake("headers of a command", URL + "model: {command: ./a«, headers: {A: b}|»}\n"),
    Mistake("endless timeout", URL + "model: {command: ./a, timeout: «0|1»}\n"),
    Mistake("no request at a time", URL + "model: {url: 'http://a/', protocol: mlflow, concurrency: «0|1»}\n"),
    Mistake("rate in words", URL + "model: {url: 'http://a/', protocol: mlflow, rate: «5 a second|5/s»}\n"),
    Mistake("no rate", URL + "model: {url: 'http://a/', protocol: mlflow, rate: «0|0.5»}\n"),
    Mistake("header as a number", URL + "model: {url: 'http://a/', protocol: mlflow, headers: {A: «5|'5'»}}\n"),
    Mistake("request as a text", URL + "model: {url: 'http://a/', protocol: json, response: a, "
            "request: «'{{b}}'|{a: '{{b}}'}»}\n"),
    Mistake("empty request", URL + "model: {url: 'http://a/', protocol: json, response: a, request: {«|a: '{{b}}'»}}\n"),
    Mistake("unknown datatype", URL + "model: {url: 'http://a/', protocol: v2, model: m, datatypes: {a: «FP31|FP32»}}\n"),
    Mistake("message without a role", URL + "model: {url: 'http://a/', protocol: openai-chat, model: m, "
            "messages: [{content: '{{a}}'«|, role: user»}]}\n"),
    Mistake("prompt and messages", URL + "model: {url: 'http://a/', protocol: openai-chat, model: m, "
            "prompt: '{{a}}'«, messages: [{role: user, content: '{{a}}'}]|»}\n"),
    Mistake("negative temperature", URL + "model: {url: 'http://a/', protocol: openai-chat, model: m, "
            "prompt: '{{a}}', temperature: «-1|1»}\n"),
    Mistake("version of a file", URL + "model: {column: a«, fingerprint: b|»}\n"),
    Mistake("list for a suite", "«- a|dataset: {path: rows.csv}\nmodel: a:b»\n"),
]  # fmt: skip


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("suites")
    for name, text in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def loads(folder, text):
    path = folder / "s.behave.yaml"
    path.write_text(text, encoding="utf-8")
    try:
        load_suite(path, lambda _python: frozenset())
    except SuiteError:
        return False
    return True


def fits(folder, text):
    path = folder / "s.behave.yaml"
    path.write_text(text, encoding="utf-8")
    return VALIDATOR.is_valid(read_yaml(path).data)


def schemas(node, place="#"):
    """Yield every schema within a schema, with its place."""
    if isinstance(node, bool):
        return
    yield place, node
    for key, value in node.items():
        if key in ONE_SCHEMA:
            yield from schemas(value, f"{place}/{key}")
        elif key in LIST_OF_SCHEMAS:
            for index, item in enumerate(value):
                yield from schemas(item, f"{place}/{key}/{index}")
        elif key in SCHEMAS_BY_NAME:
            for name, item in value.items():
                if not isinstance(item, list):  # a dependency on keys
                    yield from schemas(item, f"{place}/{key}/{name}")


def keys_of_parts():
    return {(place, name): part for place, node in schemas(SCHEMA) for name, part in node.get("properties", {}).items()}


# --- the file ----------------------------------------------------------------------------------------------------


def test_the_shipped_file_is_what_the_command_prints():
    remedy = "run: pytest-behave schema > pytest_behave/declare/schema.json"
    assert SHIPPED.read_text(encoding="utf-8") == json_schema(), remedy


def test_it_is_a_valid_draft_7_schema():
    Draft7Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "http://json-schema.org/draft-07/schema#"


def test_no_keyword_is_newer_than_draft_7():
    assert {place: node.keys() - DRAFT_7 for place, node in schemas(SCHEMA) if node.keys() - DRAFT_7} == {}


def test_nothing_stands_beside_a_reference_for_draft_7_would_not_see_it():
    assert [place for place, node in schemas(SCHEMA) if "$ref" in node and len(node) > 1] == []


def test_every_key_is_described():
    for (place, name), part in keys_of_parts().items():
        if part is not False:
            target = SCHEMA["definitions"][part["$ref"].rpartition("/")[2]] if "$ref" in part else part
            assert target.get("description", "").endswith((".", "(text)", '"FR"', '""')), f"{place}: {name}"


def test_editors_show_no_name_of_a_class():
    assert not re.search(r"[A-Z]\w*Part", json_schema())
    assert {node["title"] for _, node in schemas(SCHEMA) if "title" in node} == {
        "pytest-behave suite",
        "built-in metric",
    }


def test_every_built_in_metric_is_offered():
    names = {metric.name.removesuffix("_multiclass") for metric in BUILT_IN} - NEED_A_DEFINITION
    _, offered = SCHEMA["properties"]["metrics"]["items"]["anyOf"]
    assert set(offered["enum"]) == names
    assert not any(Draft7Validator(offered).is_valid(name) for name in names), "mouse-over would list all of them"


# --- what it accepts and refuses ---------------------------------------------------------------------------------


@pytest.mark.parametrize("path", SUITES, ids=lambda path: path.stem)
def test_suites_in_use_fit(path):
    assert [error.message for error in VALIDATOR.iter_errors(read_yaml(path).data)] == []


def test_a_suite_with_every_key_fits(folder):
    assert loads(folder, EVERYTHING)
    assert fits(folder, EVERYTHING)
    used = set(re.findall(r"[\w*]+(?=\"?:)", EVERYTHING))
    assert {name for _, name in keys_of_parts()} <= used


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.what)
def test_a_mistake_of_shape_is_refused_as_the_loader_does(folder, mistake):
    wrong, right = (re.sub(r"«([^|»]*)\|([^»]*)»", side, mistake.suite) for side in (r"\1", r"\2"))
    assert (loads(folder, wrong), fits(folder, wrong)) == (False, False)
    assert (loads(folder, right), fits(folder, right)) == (True, True)


def test_an_empty_value_is_an_unfinished_line_to_an_editor_though_it_loads(folder):
    unfinished = "dataset:\n  path: rows.csv\n  target:\nmodel: model:predict\n"
    assert loads(folder, unfinished)
    assert not fits(folder, unfinished)


def test_a_file_of_cases_can_be_checked_by_itself():
    cases = Draft7Validator({**SCHEMA["properties"]["cases"], "definitions": SCHEMA["definitions"]})
    assert cases.is_valid([{"id": "one", "input": {"text": "a"}, "expect": {"label": "b"}}])
    assert not cases.is_valid([{"id": "one", "input": {"text": "a"}, "expect": {"lable": "b"}}])


# --- the same for any mistake ------------------------------------------------------------------------------------

# neither 1.0, an integer to JSON Schema and not to a suite, nor 1, which is true to pydantic
ODD = st.sampled_from(
    ["odd", "", "2%", 0, 7, -7, 2.5, True, False, [], ["odd"], [3], {}, {"odd": 1}, {"min": 1}, {"by": 3}]
)


def _places(data, place=()):
    yield place
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        yield from _places(value, (*place, key))


@pytest.fixture(scope="session")
def everything(folder):
    path = folder / "everything.yaml"
    path.write_text(EVERYTHING, encoding="utf-8")
    return read_yaml(path).data


def _changed(data, place, change):
    data = copy.deepcopy(data)
    part = data
    for key in place[:-1]:
        part = part[key]
    change(part, place[-1])
    return data


def _rename(part, key):
    assume(isinstance(part, dict))
    part[f"{key}x"] = part.pop(key)


def _remove(part, key):
    del part[key]


@pytest.mark.thorough
@settings(
    max_examples=500,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(draw=st.data())
def test_whatever_is_changed_the_loader_and_the_schema_agree(folder, everything, draw):
    place = draw.draw(st.sampled_from([place for place in _places(everything) if place]))
    replace = st.builds(lambda odd: lambda part, key: part.__setitem__(key, odd), ODD)
    changed = _changed(everything, place, draw.draw(st.one_of(replace, st.sampled_from([_rename, _remove]))))
    accepted = VALIDATOR.is_valid(changed)
    try:
        SuitePart.model_validate(changed)
    except ValidationError:
        assert not accepted, f"a mistake of shape at {place}"
    if not accepted:
        assert not loads(folder, json.dumps(changed)), f"no mistake at {place}"
