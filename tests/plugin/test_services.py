"""Models on servers and in commands, through real runs of pytest."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import SUITE
from tests.services import servers
from tests.services.servers import Server

COLUMN = "{column: guess, as: prediction}"
SCORE = """\
import json, sys, os
open('starts', 'a').write('.')
for line in sys.stdin:
    row = json.loads(line)
    assert 'target' not in row and 'guess' not in row, row
    print(json.dumps({'prediction': int(row['score'] > 0.5), 'words': len(row['text'].split())}))
"""
CASES = """\
cases:
  - {id: good, input: {score: 0.9, text: a b}, expect: {equals: 1}}
  - {id: bad, input: {score: 0.1, text: a}, expect: {equals: 0}}
"""


@pytest.fixture
def httpx():
    return pytest.importorskip("httpx", reason="needs the extra `http`")


def chat_answer(request):
    answer = servers.chat(request)
    answer["choices"][0]["message"]["content"] = "1" if "good" in request.body["messages"][-1]["content"] else "0"
    return answer


def chat_model(server, more=""):
    return (
        f'{{url: "{server.address}/v1", protocol: openai-chat, model: tiny/one, prompt: "Rate: {{{{text}}}}!", '
        f"retries: 0{more}}}"
    )


def test_a_command_answers_for_rows_and_golden_cases_with_one_process(project):
    project.write("score.py", SCORE)
    models = "models: {old: {column: guess}, new: {command: python score.py, batch_size: 3}}\n"
    text = SUITE.replace(f"model: {COLUMN}\n", models).replace("{by: group}", "words > 1")
    project.write("s.behave.yaml", text + CASES)
    (suite,) = project.record()["suites"]
    assert suite["behaviors"][0]["value"] == 0.75
    assert suite["observed"][0]["size"] == 2, "a column of the answers defines a slice"
    assert [case["verdict"] for case in suite["cases"]] == ["holds", "holds"]
    assert (project.path / "starts").read_text() == "."


def test_a_chat_model_answers_for_rows_and_golden_cases(project, httpx):  # noqa: ARG001 - needed
    with Server(chat_answer) as server:
        text = SUITE.replace(COLUMN, chat_model(server)).replace("{by: group}", "total_tokens > 3")
        project.write("s.behave.yaml", text + CASES.replace("text: a b", "text: good"))
        (suite,) = project.record()["suites"]
    assert suite["model"]["name"] == "tiny/one"
    assert suite["behaviors"][0]["value"] == 0.75
    assert [case["verdict"] for case in suite["cases"]] == ["holds", "holds"]
    assert len(server.requests) == 10


def test_with_xdist_each_row_is_asked_once(project, httpx):  # noqa: ARG001 - needed
    with Server(chat_answer) as server:
        project.write("s.behave.yaml", SUITE.replace(COLUMN, chat_model(server)) + "  '*': {accuracy: {min: 0}}\n")
        project.run("-n", "2").assert_outcomes(passed=3)
    assert len(server.requests) == 8


def test_a_model_on_a_server_can_be_the_baseline(project, httpx):  # noqa: ARG001 - needed
    with Server(chat_answer) as server:
        text = SUITE.replace("{min: 0.5}", "{max_regression: 0}")
        project.write("s.behave.yaml", text + f"baseline: {chat_model(server)}\n")
        behavior = project.behaviors()["overall", "accuracy"]
    assert behavior["baseline"]["value"] == 0.75


def test_secrets_stand_in_nothing_that_a_run_leaves_behind(project, httpx, monkeypatch):  # noqa: ARG001 - needed
    secret = "s3cr3t-value-of-the-key"  # noqa: S105 - not one
    monkeypatch.setenv("MY_KEY", secret)
    more = ', headers: {Authorization: "Bearer ${MY_KEY}"}'
    echo = servers.status(401, f"wrong key {secret}".encode())
    with Server(chat_answer) as server:
        project.write("s.behave.yaml", SUITE.replace(COLUMN, chat_model(server, more)))
        for faults in ([], [echo]):
            server.faults.extend(faults)
            result = project.run(
                "--behave-report=json:r.json",
                "--behave-report=md:r.md",
                "--junitxml=r.xml",
                "--behave-baseline=accept",
                "-vv",
                "-l",
                "--tb=long",
                "-o",
                "log_level=DEBUG",
            )
            texts = [path.read_bytes() for path in project.path.rglob("*") if path.is_file()]
            assert server.requests[-1].headers["authorization"] == f"Bearer {secret}"
            assert not any(secret.encode() in text for text in texts)
            assert secret not in result.stdout.str() + result.stderr.str()
    assert "wrong key ***" in result.stdout.str()


def test_without_the_extra_there_is_one_sentence(project, monkeypatch):
    monkeypatch.setitem(sys.modules, "httpx", None)
    project.write("s.behave.yaml", SUITE.replace(COLUMN, "{url: 'http://127.0.0.1:9/', protocol: mlflow}"))
    output = project.run().stdout.str()
    assert (
        "the model '127.0.0.1:9/' needs httpx, which is not installed: run `pip install 'pytest-behave[http]'`"
        in output
    )


def test_lint_asks_no_server(project):
    project.write("s.behave.yaml", SUITE.replace(COLUMN, "{url: 'http://127.0.0.1:9/', protocol: mlflow}"))
    from pytest_behave.commands.lint import lint_lines

    lines, _ = lint_lines(project.path / "s.behave.yaml")
    assert "  models   127.0.0.1:9/" in lines


@pytest.mark.thorough
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_an_interrupted_run_asks_no_more_and_ends_at_once(project, httpx, number):  # noqa: ARG001 - needed
    with Server(chat_answer, seconds=0.5) as server:
        project.write("s.behave.yaml", SUITE.replace(COLUMN, chat_model(server, ", concurrency: 2")))
        process = start_run(project)
        wait_until(lambda: server.requests)
        began = time.monotonic()
        process.send_signal(number)
        process.communicate(timeout=10)
        assert time.monotonic() - began < 4
        asked = len(server.requests)
        time.sleep(0.7)
        assert len(server.requests) == asked < 8


@pytest.mark.thorough
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_an_interrupted_run_leaves_no_command_behind(project, number):
    project.write(
        "slow.py",
        "import os, sys, time\nopen('pid', 'w').write(str(os.getpid()))\nfor line in sys.stdin: time.sleep(0.2)\n",
    )
    project.write("s.behave.yaml", SUITE.replace(COLUMN, "{command: python slow.py}"))
    process = start_run(project)
    wait_until(lambda: (project.path / "pid").exists() and (project.path / "pid").read_text())
    process.send_signal(number)
    process.communicate(timeout=15)
    pid = int((project.path / "pid").read_text())
    wait_until(lambda: not Path(f"/proc/{pid}").exists())


def start_run(project):
    root = str(Path(__file__).parents[2])
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", "-p", "no:hypothesispytest", "-p", "no:cacheprovider", "--behave", "-q"],
        cwd=project.path,
        env={**os.environ, "PYTHONPATH": root},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def wait_until(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.02)
