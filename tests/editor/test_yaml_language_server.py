"""What a user sees in an editor: the YAML language server of VS Code, Neovim and others, driven over its protocol.

Needs node and ``npm install yaml-language-server``; a server elsewhere is named by BEHAVE_YAML_LANGUAGE_SERVER.
"""

from __future__ import annotations

import itertools
import json
import os
import queue
import re
import shutil
import subprocess
import textwrap
import threading
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from pytest_behave.declare import load

ROOT = Path(__file__).parent.parent.parent
SCHEMA = Path(load.__file__).parent / "schema.json"
EXAMPLES = sorted(ROOT.glob("example_suites/*/*.behave.yaml"))
PATIENCE = 60.0  # seconds for one answer: a busy machine starts node slowly

LOANS = """\
suite: loans
dataset: {path: loans.csv, id: id, target: repaid, positive: 1}
model: {column: new, as: prediction}
slices:
  young: age < 30
  not young: not (age < 30)
  young women: [young, sex == "Female"]
  unsure: contains(note, "not sure")
  no age: isnull(age)
  picked: {ids: [a003, a100, a239]}
  region: {by: region, min_size: 20}
metrics: [accuracy, fpr, fnr]
expect:
  overall: {accuracy: {min: 0.7}, fpr: {max: 0.5}}
  young: {accuracy: {min: 0.95}}
  not young: {accuracy: {min: 0.5}}
  young women: {fnr: {max: 0.6}}
  unsure: {accuracy: {min: 0.5}}
  no age: {accuracy: {min: 0}}
  picked: {accuracy: {min: 0}}
  region: {accuracy: {min: 0.6, max_gap: 0.15}}
"""


# --- an editor ---------------------------------------------------------------------------------------------------


def server_command():
    named = os.environ.get("BEHAVE_YAML_LANGUAGE_SERVER")
    if named:
        assert Path(named).is_file(), f"BEHAVE_YAML_LANGUAGE_SERVER names no file: {named}"
        return named
    return shutil.which("yaml-language-server") or shutil.which("yaml-language-server", path=ROOT / "node_modules/.bin")


class Mark(NamedTuple):
    """A place that the editor underlines, and what it says there."""

    line: int
    text: str
    message: str


class Editor:
    """A client of the language server, as small as it can be."""

    settings = {"schemaStore": {"enable": False}, "validate": True, "hover": True, "completion": True}  # noqa: RUF012

    def __init__(self, command):
        self.server = subprocess.Popen(
            [command, "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self.received = queue.Queue()
        self.ids = itertools.count(1)
        self.configured = False
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        can = {"completion": {"completionItem": {"snippetSupport": True}}}
        capabilities = {"textDocument": can, "workspace": {"configuration": True}}
        self.ask("initialize", {"processId": os.getpid(), "rootUri": None, "capabilities": capabilities})
        self.tell("initialized", {})
        self._wait(lambda _: self.configured)

    def close(self):
        self.ask("shutdown", None)
        self.tell("exit", None)
        self.server.wait(PATIENCE)
        self.reader.join(PATIENCE)
        self.server.stdin.close()
        self.server.stdout.close()

    # -- what a user does

    def marks(self, text, path=None):
        """Open a file and return what is underlined, from the top."""
        uri = self._open(text, path)
        answer = self._wait(lambda m: m.get("method", "").endswith("/publishDiagnostics") and m["params"]["uri"] == uri)
        lines = text.splitlines()
        marks = []
        for found in answer["params"]["diagnostics"]:
            start, end = found["range"]["start"], found["range"]["end"]
            stop = end["character"] if end["line"] == start["line"] else None
            marks.append(Mark(start["line"], lines[start["line"]][start["character"] : stop], found["message"]))
        return sorted(marks)

    def offered(self, text):
        """Return what is offered at the cursor `§`: the text inserted by label."""
        items = self._at_cursor("textDocument/completion", text)
        items = items["items"] if isinstance(items, dict) else items
        return {item["label"]: item["insertText"] for item in reversed(items)}

    def shown(self, text):
        """Return what is shown when the mouse is over the cursor `§`."""
        return self._at_cursor("textDocument/hover", text)["contents"]["value"]

    # -- the protocol

    def tell(self, method, params):
        self._send({"method": method, "params": params})

    def ask(self, method, params):
        number = next(self.ids)
        self._send({"id": number, "method": method, "params": params})
        answer = self._wait(lambda message: message.get("id") == number and "method" not in message)
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def _open(self, text, path=None):
        uri = (path or ROOT / f"unsaved-{next(self.ids)}.behave.yaml").as_uri()
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self.tell("textDocument/didOpen", {"textDocument": document})
        return uri

    def _at_cursor(self, method, text):
        text = with_schema(text)
        before = text[: text.index("§")]
        place = {"line": before.count("\n"), "character": len(before.rpartition("\n")[2])}
        uri = self._open(text.replace("§", ""))
        return self.ask(method, {"textDocument": {"uri": uri}, "position": place})

    def _send(self, message):
        content = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.server.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(content), content))
        self.server.stdin.flush()

    def _read(self):
        while header := self.server.stdout.readline():
            size = int(header.split(b":")[1]) if header.startswith(b"Content-Length:") else 0
            while header.strip():
                header = self.server.stdout.readline()
                size = int(header.split(b":")[1]) if header.startswith(b"Content-Length:") else size
            self.received.put(json.loads(self.server.stdout.read(size)))

    def _wait(self, wanted):
        end = time.monotonic() + PATIENCE
        while True:
            message = self.received.get(timeout=max(0.0, end - time.monotonic()))
            if "id" in message and "method" in message:
                self._answer(message)
            if wanted(message):
                return message

    def _answer(self, request):
        result = None
        if request["method"] == "workspace/configuration":
            self.configured = True
            result = [self.settings if item["section"] == "yaml" else {} for item in request["params"]["items"]]
        self._send({"id": request["id"], "result": result})


@pytest.fixture(scope="module")
def editor():
    command = server_command()
    if command is None:
        pytest.skip("needs node and yaml-language-server: npm install yaml-language-server")
    editor = Editor(command)
    yield editor
    editor.close()


def with_schema(text, part=""):
    return f"# yaml-language-server: $schema={SCHEMA.as_uri()}{part}\n{text}"


# --- mistakes ----------------------------------------------------------------------------------------------------


class Slip(NamedTuple):
    """A mistake: «» stand around what is to be underlined, ``says`` is in the message."""

    what: str
    suite: str
    says: str


TOP = "dataset: {path: rows.csv}\nmodel: model:predict\n"
CASE = "model: model:predict\ncases:\n  - id: one\n    input: {text: a}\n"
SLIPS = [
    Slip("section", "«datset»: {path: rows.csv}\n", "datset is not allowed"),
    Slip("key of the dataset", "dataset: {path: a.csv, «targt»: y}\n", "targt is not allowed"),
    Slip("dataset as a text", "dataset: «rows.csv»\n", "dataset"),
    Slip("no path", "«dataset»:\n  id: id\n", "path"),
    Slip("bound", TOP + "expect:\n  overall:\n    accuracy: {«mim»: 0.5}\n", "mim is not allowed"),
    Slip("bound as a text", TOP + "expect:\n  overall:\n    accuracy: {min: «abc»}\n", "number"),
    Slip("bounds as a number", TOP + "expect:\n  overall:\n    accuracy: «0.5»\n", "bounds"),
    Slip("decision", TOP + "expect:\n  overall:\n    accuracy: {min: 0.5, decide: «proved»}\n", '"proven"'),
    Slip("gap of all rows", TOP + "expect:\n  overall:\n    accuracy: «{max_gap: 0.1}»\n", "missing property gap_to"),
    Slip("gap to nothing", TOP + "expect:\n  race:\n    «accuracy»: {min: 1, gap_to: race=a}\n", "max_gap"),
    Slip("loss in words", TOP + "expect:\n  race:\n    accuracy: {max_regression: «2 percent»}\n", "%"),
    Slip("negative loss", TOP + "expect:\n  race:\n    accuracy: {max_regression: «-1»}\n", "0"),
    Slip("loss as a list", TOP + "expect:\n  race:\n    accuracy: {max_regression: «[1]»}\n", "number, string, object"),
    Slip("loss from nothing", TOP + "expect:\n  race:\n    accuracy: {«max_regression»: {from: best}}\n", "by"),
    Slip("loss from anything", TOP + "expect: {a: {fpr: {max_regression: {by: 1, from: «bst»}}}}\n", '"best"'),
    Slip("severity", TOP + "expect:\n  race:\n    accuracy: {min: 1, severity: «warn»}\n", '"warning"'),
    Slip("loss of a tag", TOP + "expect: {cases: {a: {pass_rate: {«max_regression»: 1}}}}\n", "not allowed"),
    Slip("cluster of no name", "model: a:b\ndataset: {path: a.csv, cluster: «''»}\n", "shorter"),
    Slip("key of the baseline", TOP + "baseline: {«colum»: a}\n", "colum is not allowed"),
    Slip("baseline as a number", TOP + "baseline: «5»\n", "string, object"),
    Slip("key of the comparison", TOP + "comparison: {«alfa»: 0.1}\n", "alfa is not allowed"),
    Slip("level", TOP + "comparison: {alpha: «5»}\n", "1"),
    Slip("test", TOP + "comparison: {mcnemar: «midp»}\n", '"mid-p"'),
    Slip("negative gap", TOP + "expect:\n  race:\n    accuracy: {max_gap: «-1»}\n", "0"),
    Slip("date", TOP + "expect: {a: {fpr: {max: 1, known_failure: {reason: b, until: «soon»}}}}\n", "pattern"),
    Slip("no pass_rate", TOP + "expect:\n  cases:\n    hard: {«min»: 1}\n", "min is not allowed"),
    Slip("check", CASE + "    expect: {«equls»: 1}\n", "equls is not allowed"),
    Slip("list to be contained", CASE + "    expect: {contains: [a, «5»]}\n", "string"),
    Slip("number to be contained", CASE + "    expect: {contains: «5»}\n", "string, array"),
    Slip("no id", "cases:\n  - «i»nput: {text: a}\n    expect: {label: 1}\n", "id"),
    Slip("include with more", "cases:\n  - include: cases/*.yaml\n    «tags»: [a]\n", "tags is not allowed"),
    Slip("key of a slice", TOP + "slices:\n  race: {by: race, «min_sze»: 3}\n", "min_sze is not allowed"),
    Slip("only key of a slice", TOP + "slices:\n  race: {«bye»: race}\n", "bye is not allowed"),
    Slip("slice as a number", TOP + "slices:\n  race: «5»\n", "string, array, object"),
    Slip("number in a slice", TOP + "slices:\n  race: [young, «5»]\n", "string"),
    Slip("period", TOP + "slices:\n  day: {by: day, every: «fortnight»}\n", '"quarter"'),
    Slip("edges of nothing", TOP + "slices:\n  age: «{where: a > 1, edges: [1]}»\n", "by required by property edges"),
    Slip("reserved name", TOP + "slices:\n  «overall»: age < 5\n", "overall is not allowed"),
    Slip("only key of a model", "dataset: {path: a.csv}\nmodel: {«colum»: guess}\n", "colum is not allowed"),
    Slip("two models", "dataset: {path: a.csv}\nmodel: {python: 'a:b', «column»: c}\n", "column is not allowed"),
    Slip("predictions", "dataset: {path: a.csv}\n«model»: {predictions: a.csv}\n", "prediction"),
    Slip("server without a protocol", "dataset: {path: a.csv}\n«model»: {url: 'http://a/', timeout: 5}\n", "protocol"),
    Slip("protocol", "dataset: {path: a.csv}\nmodel: {url: 'http://a/', protocol: «mlfow»}\n", '"mlflow"'),
    Slip(
        "key of a server", "dataset: {path: a.csv}\nmodel: {url: 'http://a/', protocol: v2, «retrys»: 5}\n", "retrys is"
    ),
    Slip("rate", "dataset: {path: a.csv}\nmodel: {url: 'http://a/', protocol: v2, rate: «often»}\n", "pattern"),
    Slip(
        "server and command",
        "dataset: {path: a.csv}\nmodel: {url: 'http://a/', protocol: v2, «command»: a}\n",
        "command",
    ),
    Slip("key of metadata", TOP + "metadata:\n  language: {«pyton»: 'a:b'}\n", "pyton is not allowed"),
    Slip("direction", TOP + "metrics:\n  - {name: a, mean: b, better: «up»}\n", '"higher"'),
    Slip("metric as a number", TOP + "metrics: [accuracy, «5»]\n", "string, object"),
    Slip("task", TOP + "task: «clasification»\n", '"multiclass"'),
    Slip("empty value", "dataset:\n  path: a.csv\n  target: «»\n", "string"),
]


@pytest.mark.parametrize("slip", SLIPS, ids=lambda slip: slip.what)
def test_one_mistake_is_underlined_once_where_it_stands(editor, slip):
    text = with_schema(slip.suite)
    before, marked, _ = re.split("[«»]", text)
    (mark,) = editor.marks(re.sub("[«»]", "", text))
    assert mark[:2] == (before.count("\n"), marked)
    assert slip.says in mark.message
    assert "Part" not in mark.message


def test_every_mistake_of_a_file_is_underlined_in_its_line(editor):
    suite = """\
        «datset»: {path: rows.csv}
        model: model:predict
        slices:
          race: {by: race, «min_sze»: 20}
          day: {by: day, every: «fortnight»}
        metrics: [accuracy, fpr]
        expect:
          overall:
            accuracy: {«mim»: 0.5}
            fpr: {min: «abc», decide: proven}
          race:
            fpr: {min: 0.5, decide: «proved»}
        cases:
          - id: one
            input: {text: a}
            expect: {«equls»: 1}
    """
    lines = with_schema(textwrap.dedent(suite)).splitlines()
    expected = [(number, match[1]) for number, line in enumerate(lines) if (match := re.search("«(.*)»", line))]
    assert [mark[:2] for mark in editor.marks(re.sub("[«»]", "", "\n".join(lines)))] == expected


def test_a_valid_suite_has_nothing_underlined(editor):
    assert editor.marks(with_schema(LOANS)) == []


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_finds_its_schema_by_its_first_line_and_has_nothing_underlined(editor, path):
    text = path.read_text(encoding="utf-8")
    assert editor.marks(text, path) == []
    spoiled = text.replace("\ndataset:", "\ndatsaet:")
    assert [mark.text for mark in editor.marks(spoiled, path.with_name(f"spoiled.{path.name}"))] == ["datsaet"]


def test_a_file_of_cases_is_checked_against_its_part_of_the_schema(editor):
    cases = "- id: one\n  input: {text: a}\n  expect: {equls: a}\n"
    assert [mark.text for mark in editor.marks(with_schema(cases, "#/properties/cases"))] == ["equls"]
    assert editor.marks(with_schema(cases.replace("equls", "equals"), "#/properties/cases")) == []


# --- completion --------------------------------------------------------------------------------------------------


class Typing(NamedTuple):
    """A file with the cursor at `§`, some of what is offered, and what is not."""

    what: str
    suite: str
    offered: set[str]
    missing: set[str] = frozenset()


BOUNDS = {
    *("min", "max", "max_regression", "max_gap", "gap_to", "max_gap_regression"),
    *("decide", "severity", "known_failure"),
}
TYPING = [
    Typing("empty file", "§", {"suite", "dataset", "model", "slices", "metrics", "expect", "cases"}),
    Typing("dataset", "dataset:\n  §", {"path", "id", "target", "positive", "where"}),
    Typing("dataset with a path", "dataset:\n  path: a.csv\n  §", {"id", "target", "positive", "where"}, {"path"}),
    Typing("dataset in braces", "dataset: {path: a.csv, t§}\n", {"target", "where"}, {"path"}),
    Typing("model", "model:\n  §", {"python", "predictions", "column", "estimator", "url", "command"}),
    Typing(
        "model on a server",
        "model:\n  url: http://a/\n  §",
        {"protocol", "model", "prompt", "headers", "timeout"},
        {"url"},
    ),
    Typing("protocol", "model: {url: 'http://a/', protocol: §}\n", {"mlflow", "openai-chat", "v2", "json"}, {"null"}),
    Typing("task", "task: §", {"binary", "multiclass", "regression", "text"}, {"null"}),
    Typing("slice", "slices:\n  race:\n    §", {"by", "edges", "quantiles", "every", "where", "min_size"}),
    Typing("slice in braces", "slices:\n  race: {b§}\n", {"by", "edges", "quantiles"}),
    Typing("period", "slices:\n  day: {by: day, every: §}\n", {"day", "week", "month", "quarter", "year"}, {"null"}),
    Typing("derived column", "metadata:\n  band:\n    §", {"column", "edges", "quantiles", "python"}),
    Typing("first metric", "metrics:\n  - §", {"accuracy", "fpr", "wer", "mae", "name"}),
    Typing("half a metric", "metrics:\n  - acc§", {"accuracy"}),
    Typing("metric in brackets", "metrics: [§]", {"accuracy", "fpr", "wer", "mae"}),
    Typing("metric with parameters", "metrics:\n  - name: errors\n    metric: §", {"wer", "ece"}),
    Typing("own metric", "metrics:\n  - name: cost\n    §", {"python", "better", "mean", "rate"}, {"accuracy"}),
    Typing("expectations", "expect:\n  §", {"overall", "*", "cases"}),
    Typing("bounds", "expect:\n  race:\n    accuracy:\n      §", BOUNDS, {"pass_rate"}),
    Typing("bounds in braces", "expect:\n  race:\n    accuracy: {m§}\n", BOUNDS, {"pass_rate"}),
    Typing("decision", "expect:\n  a: {fpr: {max: 1, decide: §}}\n", {"observed", "proven", "refuted"}),
    Typing("severity", "expect:\n  a: {fpr: {max: 1, severity: §}}\n", {"error", "warning"}),
    Typing("tolerance", "expect:\n  race:\n    accuracy:\n      max_regression:\n        §", {"by", "from"}, {"min"}),
    Typing("tolerance from", "expect:\n  a: {fpr: {max_regression: {by: 1, from: §}}}\n", {"accepted", "best"}),
    Typing("bounds of all rows", "expect:\n  overall:\n    accuracy:\n      §", BOUNDS, {"pass_rate"}),
    Typing("baseline", "baseline:\n  §", {"python", "predictions", "column", "estimator"}),
    Typing("comparison", "comparison:\n  §", {"alpha", "mcnemar"}),
    Typing("test", "comparison: {mcnemar: §}\n", {"mid-p", "exact"}),
    Typing("tag", "expect:\n  cases:\n    hard:\n      §", {"pass_rate"}, {"min"}),
    Typing("case", "cases:\n  - §", {"id", "input", "expect", "tags", "template", "include"}),
    Typing("case with an id", "cases:\n  - id: one\n    §", {"input", "expect", "tags"}, {"id"}),
    Typing("checks", "cases:\n  - id: one\n    expect:\n      §", {"equals", "contains", "matches", "label", "score"}),
]


@pytest.mark.parametrize("typing", TYPING, ids=lambda typing: typing.what)
def test_what_may_come_next_is_offered(editor, typing):
    offered = editor.offered(typing.suite)
    assert typing.offered <= offered.keys()
    assert not typing.missing & offered.keys()
    assert not [label for label in offered if "Part" in label]


INSERTED = {
    "dataset:\n  §": {"id": "id: ", "target": "target: "},
    "dat§": {"dataset": "dataset:\n  path: ", "task": "task: "},
    "slices:\n  race:\n    §": {"by": "by: ", "min_size": "min_size: ${1:30}", "quantiles": "quantiles: ${1:4}"},
    "cases:\n  - id: one\n    expect:\n      §": {"equals": "equals: ", "contains": "contains: ", "json": "json: true"},
    "expect:\n  race:\n    fpr:\n      §": {
        "known_failure": "known_failure:\n  reason: ",
        "max_regression": "max_regression: ${1:0}",
        "gap_to": "gap_to: ",
    },
    "comparison:\n  §": {"alpha": "alpha: ${1:0.05}", "mcnemar": "mcnemar: "},
}


@pytest.mark.parametrize("suite", INSERTED, ids=lambda suite: "_".join(re.findall(r"\w+", suite)))
def test_a_key_is_inserted_as_one_goes_on_typing(editor, suite):
    offered = editor.offered(suite)
    assert {label: offered[label] for label in INSERTED[suite]} == INSERTED[suite]


# --- hover -------------------------------------------------------------------------------------------------------

SHOWN = {
    "expect:\n  race:\n    accuracy: {max§_gap: 0.1}\n": "Widest difference of the metric between two members of a family",
    "expect:\n  race:\n    accuracy: {min: 1, dec§ide: proven}\n": "its confidence interval must meet the bound",
    "expect:\n  race:\n    accuracy: {max_regr§ession: 2%}\n": "How much worse than the baseline the metric may get",
    "expect:\n  race:\n    accuracy: {max_gap_regr§ession: 2%}\n": "How much wider than in the baseline the gap may get",
    "expect:\n  race:\n    accuracy: {max_gap: 1, gap§_to: overall}\n": "The slice that `max_gap` is measured from",
    "expect:\n  race:\n    accuracy: {max_regression: {b§y: 2%}}\n": "share of the baseline's value such as 2%",
    "expect:\n  race:\n    accuracy: {min: 1, seve§rity: warning}\n": "never fails the run",
    "base§line: old:predict\n": "A model to compare with instead of the stored baseline",
    "compar§ison: {alpha: 0.1}\n": "How the suite is compared with its baseline",
    "comparison: {al§pha: 0.1}\n": "Chance of any false alarm",
    "dataset: {path: a.csv, clus§ter: speaker}\n": "Column that groups rows which are not independent",
    "expect:\n  over§all: {accuracy: {min: 1}}\n": "Bounds on all instances",
    "data§set: {path: a.csv}\n": "The instances: a file",
    "dataset: {path: a.csv, wh§ere: a > 1}\n": "Only rows that meet this predicate",
    "mod§el: model:predict\n": "Where the outputs come from",
    "model: {ur§l: 'http://a/', protocol: v2}\n": "Address of a server that has the model",
    "model: {url: 'http://a/', proto§col: v2}\n": "How the server is asked: mlflow",
    "model: {comm§and: ./a}\n": "Program, with arguments, that reads a JSON line per row",
    "slices:\n  race: {b§y: race}\n": "one slice per value",
    "slices:\n  race: {by: race, min§_size: 3}\n": "With fewer instances than this",
    "slices:\n  ra§ce: {by: race}\n": "A slice: a predicate",
    "metrics: [accu§racy]\n": "A metric: the name of a built-in one",
    "cases:\n  - id: one\n    exp§ect: {label: 1}\n": "Checks on the output",
    "cases:\n  - id: one\n    expect: {one§_of: [a]}\n": "The output is one of these",
}


def word_at_cursor(suite):
    return re.search(r"\w+§\w+", suite)[0].replace("§", "")


@pytest.mark.parametrize("suite", SHOWN, ids=word_at_cursor)
def test_a_key_under_the_mouse_is_explained(editor, suite):
    text = editor.shown(suite).replace("\\", "")  # Markdown's escapes
    title, said, *_ = text.split("\n\n")
    assert title == "#### pytest-behave suite"
    assert SHOWN[suite] in said
    assert len(text.splitlines()) < 20
