"""Decorators, and each hook tried by a small plugin."""

from __future__ import annotations

from tests.conftest import SUITE

MARKED = """\
import pytest_behave as behave

@behave.model
def guesser(df):
    return df["guess"]

@behave.metadata
def initial(df):
    return df["text"].str[0]

@behave.metadata(stage="output")
def agrees(df):
    return df["prediction"] == df["target"]

@behave.metric(better="lower")
def cost(df):
    return 10.0 * (df["prediction"] != df["target"])

@behave.metric(name="worst case")
def worst(df):
    return float(df["score"].min())
"""
NAMING = """\
dataset: {path: rows.csv, id: id, target: target}
model: guesser
slices: {g: initial == 'g', right: agrees}
metrics: [accuracy, cost, worst case]
expect:
  overall: {cost: {max: 3}, worst case: {min: 0.05}}
  g: {accuracy: {min: 0.5}}
  right: {accuracy: {min: 1}}
"""


def test_marked_functions_in_conftest_can_be_named(project):
    project.write("conftest.py", MARKED)
    project.write("s.behave.yaml", NAMING)
    behaviors = project.behaviors()
    assert behaviors["overall", "cost"]["value"] == 2.5
    assert behaviors["overall", "cost"]["better"] == "lower"
    assert behaviors["overall", "cost"]["interval"] == "t"
    assert behaviors["overall", "worst case"]["interval"] == "bootstrap of rows"
    assert behaviors["g", "accuracy"]["size"] == 2
    assert behaviors["right", "accuracy"]["size"] == 6


def test_marked_functions_in_the_suite_s_python_module_can_be_named(project):
    project.write("mine.py", MARKED)
    project.write("s.behave.yaml", "python: mine\n" + NAMING)
    project.run().assert_outcomes(passed=4)


def test_a_conftest_below_another_folder_is_not_seen(project):
    project.write("other/conftest.py", MARKED)
    project.write("other/test_x.py", "def test_x(): pass\n")
    project.write("s.behave.yaml", NAMING)
    result = project.run()
    assert "unknown metric 'cost'" not in result.stdout.str()  # `cost` is also built in
    assert "unknown metric 'worst case'" in result.stdout.str()


def test_an_unmarked_model_name_is_explained(project):
    project.write("conftest.py", MARKED)
    project.write("s.behave.yaml", NAMING.replace("guesser", "gueser"))
    expected = (
        "s.behave.yaml:2:8: model 'gueser' is neither module:callable nor marked with @behave.model (known: guesser)"
    )
    output = project.run().stdout.str()
    assert expected in output or expected.replace(" (known: guesser)", " - did you mean 'guesser'?") in output


PLUGIN = """\
import json
from pathlib import Path
import pandas as pd
import pytest
from pytest_behave import Mean, Metric, Proportion

@pytest.hookimpl
def pytest_behave_metrics(config):
    def planes(outcome):
        return outcome.predicted == outcome.positive, outcome.target == outcome.target
    return [
        Metric(name="eagerness", better="lower", tasks=("binary",), statistic=lambda spec: Proportion(planes),
               definition="share predicted positive", undefined="never", source="this test"),
    ]

@pytest.hookimpl
def pytest_behave_read_dataset(source, spec):
    if source.endswith(".rows"):
        return pd.DataFrame(json.loads(Path(source).read_text()))

@pytest.hookimpl
def pytest_behave_model_source(spec):
    if spec.location == "constant":
        return lambda df: [spec.options["answer"]] * len(df)

@pytest.hookimpl
def pytest_behave_report_formats():
    return {"names": lambda run: "\\n".join(item.slice for suite in run.suites for item in suite.behaviors)}
"""


def test_every_hook_can_be_filled_by_a_plugin(project):
    project.write("conftest.py", "pytest_plugins = ['my_plugin']\n")
    project.pytester.syspathinsert()
    project.write("my_plugin.py", PLUGIN)
    project.write("data.rows", '[{"id": 1, "y": 1}, {"id": 2, "y": 0}, {"id": 3, "y": 1}]')
    project.write(
        "s.behave.yaml",
        """\
        dataset: {path: data.rows, id: id, target: y}
        model: {plugin: constant, options: {answer: 1}}
        metrics: [eagerness]
        expect: {overall: {eagerness: {max: 1}}}
        """,
    )
    behaviors = project.behaviors("--behave-report=names:names.txt")
    assert behaviors["overall", "eagerness"]["value"] == 1.0
    assert behaviors["overall", "eagerness"]["high"] == 1.0
    assert (project.path / "names.txt").read_text() == "overall"


def test_a_model_source_that_no_plugin_provides_is_explained(project):
    project.write("s.behave.yaml", SUITE.replace("{column: guess, as: prediction}", "{plugin: konstant}"))
    result = project.run()
    result.assert_outcomes(failed=1)
    assert "no installed plugin provides the model source 'konstant'" in result.stdout.str()
