"""Every mistake gets one sentence with place and remedy. The table is also docs/reference/errors.md."""

from __future__ import annotations

import os
import textwrap
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import SUITE

PAGE = Path(__file__).parent.parent.parent / "docs" / "reference" / "errors.md"
COLLECTION, FAILED, USAGE = pytest.ExitCode.INTERRUPTED, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.USAGE_ERROR


class Mistake(NamedTuple):
    """What a user wrote and what they read then."""

    what: str
    changed: dict[str, str]
    message: str
    code: pytest.ExitCode = COLLECTION
    arguments: tuple[str, ...] = ()
    files: dict[str, str] = {}  # noqa: RUF012 - a constant of the table


MODEL = "model: {column: guess, as: prediction}"
DATASET = "dataset: {path: rows.csv, id: id, target: target}"
GROUP = "  group: {by: group}"
EXPECT = "  overall: {accuracy: {min: 0.5}}"

MISTAKES = [
    Mistake(
        "misspelt key",
        {DATASET: DATASET.replace("dataset", "datset")},
        "s.behave.yaml:1:1: unknown key 'datset' - did you mean 'dataset'?",
    ),
    Mistake(
        "misspelt bound",
        {EXPECT: "  overall: {accuracy: {mim: 0.5}}"},
        "s.behave.yaml:7:24: unknown key 'mim' - did you mean 'min'?",
    ),
    Mistake(
        "number expected",
        {EXPECT: "  overall: {accuracy: {min: high}}"},
        "s.behave.yaml:7:29: expect.overall.accuracy.min must be a number, not 'high'",
    ),
    Mistake(
        "duplicate key",
        {GROUP: "  group: {by: group}\n  group: age > 3"},
        "s.behave.yaml:5:3: duplicate key 'group', first used in line 4",
    ),
    Mistake(
        "not YAML",
        {GROUP: "  group: {by: group"},
        "s.behave.yaml:5:8: this is not YAML: a comma is missing before this, or a } that closes the { of line 4",
    ),
    Mistake(
        "unknown slice",
        {EXPECT: "  overal: {accuracy: {min: 0.5}}"},
        "s.behave.yaml:7:3: unknown slice 'overal' - did you mean 'overall'?",
    ),
    Mistake(
        "unknown member of a family",
        {EXPECT: "  group=aa: {accuracy: {min: 0.5}}"},
        "s.behave.yaml:7:14: there is no slice 'group=aa' - did you mean 'group=a'?",
    ),
    Mistake(
        "unknown metric",
        {"metrics: [accuracy]": "metrics: [acuracy]", "{accuracy:": "{acuracy:"},
        "s.behave.yaml:5:11: unknown metric 'acuracy' - did you mean 'accuracy'?",
    ),
    Mistake(
        "metric of another task",
        {"metrics: [accuracy]": "metrics: [mae]", "{accuracy:": "{mae:"},
        "s.behave.yaml:5:11: metric 'mae' is for regression tasks, but the task is binary",
    ),
    Mistake(
        "gap without a family",
        {EXPECT: "  overall: {accuracy: {max_gap: 0.5}}"},
        "s.behave.yaml:7:24: `max_gap` needs a family (a slice with `by:`)",
    ),
    Mistake(
        "syntax of a predicate",
        {GROUP: "  group: age <"},
        "s.behave.yaml:4:10: 'age <' is not an expression: a value or an operator is missing",
    ),
    Mistake(
        "unknown column",
        {GROUP: "  group: agee < 30"},
        "s.behave.yaml:4:3: slice 'group': there is no column 'agee' - did you mean 'age'?",
    ),
    Mistake(
        "model column missing",
        {MODEL: "model: {column: gess}"},
        "s.behave.yaml:2:8: model: there is no column 'gess' - did you mean 'guess'?",
    ),
    Mistake(
        "wrong name in metadata that nothing uses",
        {GROUP: "  group: {by: group}\nmetadata: {long: words(txt) > 3}"},
        "s.behave.yaml:5:18: long: there is no column 'txt' - did you mean 'text'?",
    ),
    Mistake(
        "unknown value",
        {GROUP: "  group: group == 'A'"},
        "s.behave.yaml:4:3: slice 'group': column 'group' never is 'A' - did you mean 'a'?",
    ),
    Mistake(
        "text compared with a number",
        {GROUP: "  group: age == '20'"},
        "s.behave.yaml:4:3: slice 'group': column 'age' is a number and the text '20' is text: == cannot compare them",
    ),
    Mistake(
        "unknown function",
        {GROUP: "  group: contain(text, 'good')"},
        "s.behave.yaml:4:10: \"contain(text, 'good')\" calls an unknown function 'contain' - did you mean 'contains'?",
    ),
    Mistake(
        "code in a predicate",
        {GROUP: "  group: __import__('os').system('true')"},
        "s.behave.yaml:4:10: \"__import__('os').system('true')\" cannot be used as an expression: ",
    ),
    Mistake(
        "slice without instances", {GROUP: "  group: age > 99"}, "s.behave.yaml:4:3: slice 'group': selects no instance"
    ),
    Mistake(
        "dataset file missing",
        {"rows.csv": "row.csv"},
        "s.behave.yaml:1:17: there is no file row.csv - did you mean 'rows.csv'?",
    ),
    Mistake(
        "id not unique",
        {"id: id": "id: group"},
        "s.behave.yaml:1:17: dataset.id: group is not unique, 8 rows share an id (for example a, b)",
    ),
    Mistake("id missing", {"id: id": "id: age"}, "s.behave.yaml:1:17: dataset.id: 1 rows have no age (rows 6, ...)"),
    Mistake(
        "target missing",
        {"target: target": "target: age"},
        "s.behave.yaml:1:17: dataset.target: 'age' is missing for 1 instance (for example 6): leave them out with `where: not isnull(age)`",
    ),
    Mistake(
        "model module missing",
        {MODEL: "model: modle:predict"},
        "there is no module 'modle' - did you mean 'model'?",
        FAILED,
        files={"model.py": "def predict(df): return df['guess']\n"},
    ),
    Mistake(
        "model raises",
        {MODEL: "model: model:predict"},
        "model 'model:predict', batch 1 of 1, starting with instance '1', raised KeyError: 'nothing'",
        FAILED,
        files={"model.py": "def predict(df): return df['nothing']\n"},
    ),
    Mistake(
        "model returns too few outputs",
        {MODEL: "model: model:predict"},
        "model 'model:predict', batch 1 of 1, returned 3 outputs for 8 instances (the first is '1')",
        FAILED,
        files={"model.py": "def predict(df): return [1, 0, 1]\n"},
    ),
    Mistake(
        "model returns NaN",
        {MODEL: "model: model:predict"},
        "model 'model:predict', batch 1 of 1, returned no prediction (NaN or None) for 1 instance, the first is '6'",
        FAILED,
        files={"model.py": "def predict(df): return df['age']\n"},
    ),
    Mistake(
        "model returns infinity",
        {MODEL: "model: model:predict"},
        "model 'model:predict', batch 1 of 1, returned an infinite prediction for 1 instance, the first is '3'",
        FAILED,
        files={"model.py": "def predict(df): return df['guess'].astype(float).where(df['id'] != 3, float('inf'))\n"},
    ),
    Mistake(
        "model that exits",
        {MODEL: "model: model:predict"},
        "model 'model:predict', batch 1 of 1, starting with instance '1', raised SystemExit: 1 (model.py:2)",
        FAILED,
        files={"model.py": "import sys\ndef predict(df): sys.exit(1)\n"},
    ),
    Mistake(
        "function for data that skips",
        {"path: rows.csv": "path: 'mine:rows'"},
        "s.behave.yaml:1:17: mine:rows failed: Skipped: no network (mine.py:2)",
        files={"mine.py": "import pytest\ndef rows(): pytest.skip('no network')\n"},
    ),
    Mistake(
        "metadata of itself",
        {"slices:": "metadata: {age: age / 2}\nslices:"},
        "s.behave.yaml:3:17: metadata 'age' is defined by itself: give it a name that no part of it has",
    ),
    Mistake(
        "data left in git LFS",
        {"rows.csv": "data.csv"},
        "s.behave.yaml:1:17: data.csv is a git LFS pointer: run `git lfs pull`, or set `lfs: true` in the checkout step",
        files={"data.csv": "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"},
    ),
    Mistake(
        "report that cannot be written",
        {},
        "ERROR: --behave-report=json:rows.csv/o.json cannot be written: ",
        USAGE,
        ("--behave-report=json:rows.csv/o.json",),
    ),
    Mistake(
        "ids missing from a predictions file",
        {MODEL: "model: {predictions: p.csv, prediction: y}"},
        "p.csv lacks 6 of 8 ids (for example 3, 4, 5)",
        FAILED,
        files={"p.csv": "id,y\n1,1\n2,0\n"},
    ),
    Mistake(
        "pickle not allowed",
        {MODEL: "model: {estimator: m.joblib}"},
        "m.joblib is a pickle, which can run any code when it is loaded: add `allow_pickle: true` if you trust it, or save the estimator as .skops",
        FAILED,
        files={"m.joblib": "x"},
    ),
    Mistake(
        "server without a protocol",
        {MODEL: "model: {url: 'http://localhost:5001/'}"},
        "s.behave.yaml:2:1: `url` needs a `protocol`: mlflow, v2, openai-chat, json",
    ),
    Mistake(
        "option of another protocol",
        {MODEL: "model: {url: 'http://localhost:5001/', protocol: mlflow, seed: 1}"},
        "s.behave.yaml:2:58: 'seed' does nothing for the protocol mlflow: remove it",
    ),
    Mistake(
        "key in the suite",
        {MODEL: "model: {url: 'http://h/', protocol: mlflow, headers: {Authorization: Bearer abc}}"},
        "s.behave.yaml:2:70: the header Authorization would keep a secret in this file: put it into an environment variable and write Bearer ${NAME}",
    ),
    Mistake(
        "variable not set",
        {MODEL: "model: {url: 'http://h/', protocol: mlflow, headers: {Authorization: 'Bearer ${NO_KEY}'}}"},
        "model 'h/' needs the environment variable NO_KEY for its header Authorization: set it where the tests run",
        FAILED,
    ),
    Mistake(
        "prompt with a column that is not there",
        {MODEL: "model: {url: 'http://h/v1', protocol: openai-chat, model: m, prompt: 'Is {{txt}} good?'}"},
        "s.behave.yaml:2:8: model: there is no column 'txt' - did you mean 'text'?",
    ),
    Mistake(
        "prompt without a column",
        {MODEL: "model: {url: 'http://h/v1', protocol: openai-chat, model: m, prompt: 'Is it good?'}"},
        "s.behave.yaml:2:62: `prompt` asks the same of every row: put {{column}} where a value goes",
    ),
    Mistake(
        "no server there",
        {MODEL: "model: {url: 'http://127.0.0.1:9/invocations', protocol: mlflow, retries: 0}"},
        "batch 1 of 1, starting with instance '1', at http://127.0.0.1:9/invocations cannot be connected to (",
        FAILED,
    ),
    Mistake(
        "command not there",
        {MODEL: "model: {command: ./score --jsonl}"},
        "model './score --jsonl': the command './score' cannot be started: No such file or directory",
        FAILED,
    ),
    Mistake(
        "dataset that is a folder",
        {DATASET: "dataset: {path: parts, id: id, target: target}"},
        "parts is a folder: name its files by a glob, such as parts/*.parquet",
        files={"parts/a.csv": "id,target\n1,1\n"},
    ),
    Mistake(
        "command that ends",
        {MODEL: "model: {command: python score.py}"},
        "model 'python score.py', batch 1 of 1, at instance '1', ended (exit code 1) before it answered; its last words: no model",
        FAILED,
        files={"score.py": "import sys\nsys.exit('no model')\n"},
    ),
    Mistake(
        "command that writes something else",
        {MODEL: "model: {command: python score.py}"},
        "model 'python score.py', batch 1 of 1, at instance '1', wrote a line that is not JSON: 'ready'",
        FAILED,
        files={"score.py": "print('ready')\ninput()\n"},
    ),
    Mistake(
        "command that does not answer",
        {MODEL: "model: {command: python score.py, timeout: 0.5}"},
        "wrote no line within 0.5 s (`timeout`): it must answer each line at once and flush its output, "
        "or it reads its input in blocks",
        FAILED,
        files={"score.py": "import sys\nprint(len(sys.stdin.read()))\n"},
    ),
    Mistake(
        "command that answers in another order",
        {MODEL: "model: {command: python score.py}"},
        "model 'python score.py', batch 1 of 1, at instance '1', answered for '2': answers come in the order of the lines",
        FAILED,
        files={"score.py": 'input()\nprint(\'{"id": "2", "prediction": 1}\')\ninput()\n'},
    ),
    Mistake(
        "case checks nothing",
        {EXPECT: EXPECT + "\ncases:\n  - {id: a, input: {guess: 1}, expect: {}}"},
        "s.behave.yaml:9:32: the case 'a' checks nothing",
    ),
    Mistake(
        "template too large",
        {
            EXPECT: EXPECT
            + "\ncases:\n  - {id: a, template: '{n}{m}{k}', expect: {equals: 1}, fill: {n: ["
            + ",".join(["1"] * 50)
            + "], m: ["
            + ",".join(["1"] * 50)
            + "], k: [1, 2, 3, 4, 5]}}"
        },
        "the template makes 12,500 cases (from 1 to 10,000 are allowed)",
    ),
    Mistake(
        "report of an unknown type",
        {},
        "--behave-report: unknown type 'jsn' (known: gitlab, json, md)",
        USAGE,
        ("--behave-report=jsn:x",),
    ),
    Mistake(
        "unknown model name",
        {MODEL: "models: {old: {column: guess}, new: {column: target}}"},
        "s.behave.yaml: there is no model 'nwe' - did you mean 'new'?",
        COLLECTION,
        ("--behave-model=nwe",),
    ),
    Mistake(
        "tolerance is no number",
        {EXPECT: "  overall: {accuracy: {max_regression: high}}"},
        "s.behave.yaml:7:40: expect.overall.accuracy.max_regression must be a number of at least 0, or a percentage such as 2%, not 'high'",
    ),
    Mistake(
        "misspelt ratchet",
        {EXPECT: "  overall: {accuracy: {max_regression: {by: 0.01, from: bset}}}"},
        "s.behave.yaml:7:57: expect.overall.accuracy.max_regression.from must be 'accepted' or 'best', not 'bset' - did you mean 'best'?",
    ),
    Mistake(
        "misspelt severity",
        {EXPECT: "  overall: {accuracy: {min: 0.5, severity: warn}}"},
        "s.behave.yaml:7:44: expect.overall.accuracy.severity must be 'error' or 'warning', not 'warn' - did you mean 'warning'?",
    ),
    Mistake(
        "gap to an unknown slice",
        {EXPECT: "  group: {accuracy: {max_gap: 0.1, gap_to: overal}}"},
        "s.behave.yaml:7:44: unknown slice 'overal' - did you mean 'overall'?",
    ),
    Mistake(
        "gap of a slice to itself",
        {EXPECT: "  overall: {accuracy: {max_gap: 0.1, gap_to: overall}}"},
        "s.behave.yaml:7:46: the gap from 'overall' to itself is always 0: name another slice",
    ),
    Mistake(
        "gap of a single slice",
        {EXPECT: "  overall: {accuracy: {max_gap_regression: 0.1}}"},
        "s.behave.yaml:7:24: `max_gap_regression` needs a family (a slice with `by:`), or `gap_to: overall`",
    ),
    Mistake(
        "cluster column missing",
        {"id: id": "id: id, cluster: grop"},
        "s.behave.yaml:1:17: dataset.cluster: there is no column 'grop' - did you mean 'group'?",
    ),
    Mistake(
        "alpha above 1",
        {MODEL: MODEL + "\ncomparison: {alpha: 5}"},
        "s.behave.yaml:3:21: comparison.alpha must be below 1, not 5",
    ),
    Mistake(
        "unknown baseline model",
        {MODEL: "models: {old: {column: guess}, new: {column: target}}\nbaseline: odl"},
        "s.behave.yaml:3:11: there is no model 'odl' - did you mean 'old'?",
    ),
    Mistake(
        "baseline column missing",
        {MODEL: MODEL + "\nbaseline: {column: gess}"},
        "s.behave.yaml:3:11: model: there is no column 'gess' - did you mean 'guess'?",
    ),
    Mistake(
        "no day of the calendar",
        {EXPECT: "  overall: {accuracy: {min: 1, known_failure: {reason: issue 88, until: 2027-02-30}}}"},
        "s.behave.yaml:7:73: there is no day 2027-02-30",
    ),
    Mistake(
        "no baseline yet",
        {EXPECT: "  overall: {accuracy: {max_regression: 0}}"},
        "there is no baseline yet: accept it with `pytest --behave --behave-baseline=new s.behave.yaml`",
        FAILED,
    ),
    Mistake(
        "baseline with git conflict markers",
        {},
        "baselines/s.json:2: git conflict markers: take either side, then rerun `pytest --behave --behave-baseline=accept`",
        FAILED,
        files={"baselines/s.json": "{\n<<<<<<< HEAD\n=======\n>>>>>>> theirs\n}\n"},
    ),
    Mistake(
        "baseline left in git LFS",
        {},
        "baselines/s.json is a git LFS pointer: run `git lfs pull`, or set `lfs: true` in the checkout step",
        FAILED,
        files={"baselines/s.json": "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n"},
    ),
    Mistake(
        "baseline of a newer release",
        {},
        "baselines/s.json: a newer release wrote this, in the format 'pytest-behave/baseline-9': upgrade pytest-behave",
        FAILED,
        files={"baselines/s.json": '{"format": "pytest-behave/baseline-9"}'},
    ),
    Mistake(
        "baseline that is no JSON",
        {},
        "baselines/s.json:1:1: this is not JSON",
        FAILED,
        files={"baselines/s.json": "accuracy: 0.9\n"},
    ),
    Mistake(
        "baseline that cannot be written",
        {},
        "--behave-baseline=new: baselines/s.json cannot be written (",
        USAGE,
        ("--behave-baseline=new",),
        files={"baselines": "a file\n"},
    ),
    Mistake(
        "name of a commit that is an option",
        {},
        "'-x' cannot name a git commit: give a branch, a tag or a hash",
        FAILED,
        ("--behave-against=-x",),
    ),
    Mistake(
        "accepting what only compares",
        {},
        "--behave-against only compares: run --behave-baseline=accept by itself",
        USAGE,
        ("--behave-against=main", "--behave-baseline=accept"),
    ),
    Mistake(
        "leaving out without a memory",
        {},
        "--behave-changed has nothing to go by: what was green is kept in the cache, which is off",
        USAGE,
        ("--behave-changed", "--behave-cache=off"),
    ),
    Mistake(
        "accepting a part",
        {},
        "--behave-changed only checks: run --behave-baseline=accept without it",
        USAGE,
        ("--behave-changed", "--behave-baseline=accept"),
    ),
    Mistake(
        "reason for nothing",
        {},
        "--behave-reason is the reason of --behave-baseline=accept, which is not given",
        USAGE,
        ("--behave-reason=why",),
    ),
    Mistake(
        "fingerprint of a file of outputs",
        {MODEL: "model: {column: guess, fingerprint: one}"},
        "s.behave.yaml:2:24: 'fingerprint' does nothing for a model given by `column`: remove it",
    ),
]


def suite_with(changed):
    text = SUITE
    for old, new in changed.items():
        assert old in text
        text = text.replace(old, new)
    return text


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.what)
def test_a_mistake_gets_one_sentence(project, mistake):
    if "protocol: " in str(mistake.changed) and mistake.code == FAILED:
        pytest.importorskip("httpx", reason="needs the extra `http`")
    project.write("s.behave.yaml", suite_with(mistake.changed))
    for name, text in mistake.files.items():
        project.write(name, text)
    result = project.run(*mistake.arguments)
    output = result.stdout.str() + result.stderr.str()
    assert mistake.message in output
    assert result.ret == mistake.code
    assert "Traceback" not in output
    assert str(project.path / "s.behave.yaml") not in output.replace(f"rootdir: {project.path}", "")


def test_naming_a_suite_without_the_option_says_what_to_add(project):
    project.write("s.behave.yaml", SUITE)
    result = project.pytester.runpytest_inprocess("s.behave.yaml")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["s.behave.yaml: behavioral suites run only with --behave*"])


def test_all_mistakes_of_a_file_are_reported_together(project):
    project.write(
        "s.behave.yaml",
        """\
        datset: {}
        dataset: {path: rows.csv, idd: id, target: target}
        model: {column: guess}
        slices: {young: age <, old: {by: age, min_sze: 3}}
        metrics: [acuracy]
        expect: {overal: {acuracy: {min: 1}}}
        """,
    )
    result = project.run()
    lines = [line.removeprefix("E   ") for line in result.stdout.lines if "s.behave.yaml:" in line]
    places = [line.split("s.behave.yaml:")[1].split(": ")[0] for line in lines]
    assert [place for place in places if ":" in place] == ["1:1", "2:27", "4:17", "4:39", "5:11", "6:10"]


def rendered():
    lines = [
        "# Messages",
        "",
        "What people get wrong, and the message that they read. Exit codes are pytest's: 1 some items failed, 2 a suite",
        "could not be collected, 4 wrong options. The test that makes each of these mistakes writes this page.",
        "",
        "| mistake | message | exit code |",
        "|---|---|---|",
    ]
    for mistake in MISTAKES:
        message = mistake.message.replace("|", "\\|")
        lines.append(f"| {mistake.what} | `` {message} `` | {int(mistake.code)} |")
    return "\n".join(lines) + "\n"


def test_the_page_of_messages_is_this_table():
    if os.environ.get("BEHAVE_WRITE_DOCS"):
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(rendered(), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == rendered()
    assert len(MISTAKES) >= 20
    assert textwrap.dedent(SUITE) == SUITE
