"""MLflow's own scoring server, which `.ci/run` installs into an environment of its own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SERVER = Path(__file__).with_name("mlflow_server.py")
SUITE = """\
dataset: {{path: rows.csv, id: id, target: target, where: not isnull(age)}}
model: {{url: "http://127.0.0.1:{port}/invocations", protocol: mlflow, batch_size: 3{more}}}
metrics: [accuracy, roc_auc]
expect:
  overall: {{accuracy: {{min: 0}}}}
cases:
  - {{id: old, input: {{age: 80}}, expect: {{equals: 1}}}}
  - {{id: young, input: {{age: 8}}, expect: {{equals: 0}}}}
"""


def served(kind):
    """Start a server and yield its port."""
    python = os.environ.get("BEHAVE_MLFLOW_PYTHON")
    if not python:
        pytest.skip("BEHAVE_MLFLOW_PYTHON names no Python with mlflow")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    process = subprocess.Popen(
        [python, SERVER, kind], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        port = process.stdout.readline().strip()
        assert port, process.stderr.read()
        yield int(port)
    finally:
        process.terminate()
        process.communicate(timeout=30)


@pytest.fixture(scope="module")
def array_server():
    yield from served("array")


@pytest.fixture(scope="module")
def frame_server():
    yield from served("frame")


def test_a_model_that_returns_an_array_is_asked_in_batches(project, array_server):
    project.write("s.behave.yaml", SUITE.format(port=array_server, more=""))
    (suite,) = project.record()["suites"]
    assert suite["behaviors"][0]["value"] == pytest.approx(3 / 7)
    assert [(case["id"], case["verdict"]) for case in suite["cases"]] == [("old", "holds"), ("young", "holds")]


def test_a_model_that_returns_a_frame_gives_scores(project, frame_server):
    project.write("s.behave.yaml", SUITE.format(port=frame_server, more=", features: [age]"))
    (suite,) = project.record()["suites"]
    assert {item["metric"] for item in suite["observed"]} == {"roc_auc"}
    assert suite["behaviors"][0]["value"] == pytest.approx(3 / 7)


def test_what_the_server_objects_to_is_told(project, array_server):
    project.write("s.behave.yaml", SUITE.format(port=array_server, more=", features: [text]"))
    result = project.run("--tb=short")
    assert "answered 400 Bad Request: {" in result.stdout.str()
    assert "Failed to predict data" in result.stdout.str()
