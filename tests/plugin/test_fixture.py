"""Suites declared in Python: the behave fixture."""

from __future__ import annotations

HEAD = """\
import pandas as pd
import pytest

@pytest.fixture(scope="session")
def loans(behave):
    frame = pd.read_csv("rows.csv")
    return behave.suite(
        data=frame, id="id", target="target", model=lambda df: df["guess"],
        slices={"old": "age >= 40", "group": {"by": "group"}},
        metadata={"long": "length(text) > 4", "initial": lambda df: df["text"].str[0]},
        metrics=["accuracy", {"name": "scored", "mean": "`score`"}, cost],
    )

def cost(df):
    return (df["prediction"] != df["target"]).to_numpy() * 10.0

"""


def test_slices_are_items_and_metrics_attributes(project):
    project.write(
        "test_it.py",
        HEAD
        + """
def test_values(loans):
    assert loans.overall.accuracy == 0.75
    assert loans["old"].size == 3
    assert loans["old"].ids == ["3", "4", "5"]
    assert loans["group=b"].fnr <= 0.0
    assert loans["group=b"].fnr.n == 2
    assert loans["old"]["scored"] > 0.5
    assert loans.overall.cost == 2.5
    assert sorted(loans.family("group")) == ["group=a", "group=b"]
    assert loans.slices == ["overall", "old", "group=a", "group=b"]
    assert loans.overall.accuracy.low < 0.75 < loans.overall.accuracy.high
""",
    )
    project.run().assert_outcomes(passed=1)


def test_a_failed_assertion_shows_size_interval_and_the_worst_instances(project):
    project.write("test_it.py", HEAD + "def test_old(loans):\n    assert loans['old'].accuracy >= 0.8\n")
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E*assert 0.333* >= 0.8",
            "E*accuracy of 'old' is 0.333 (3 rows, n 3, 95% [[]0.061, 0.792[]])",
            "E*3: target 1, output 0*fine*",
            "E*4: target 0, output 1*what?*",
        ]
    )


def test_an_undefined_value_meets_no_bound_and_says_why(project):
    project.write(
        "test_it.py",
        HEAD
        + """
def test_low(loans):
    assert loans["group=a"].precision >= 0

def test_undefined(behave):
    suite = behave.suite(data=pd.read_csv("rows.csv").query("target == 1"), target="target", positive=1,
                         task="binary", model=lambda df: df["guess"])
    assert suite.overall.fpr <= 1
""",
    )
    result = project.run()
    result.assert_outcomes(passed=1, failed=1)
    assert "fpr of 'overall' is undefined: the slice has no negatives" in result.stdout.str()


def test_misspelt_names_are_answered_with_the_nearest(project):
    project.write(
        "test_it.py",
        HEAD
        + """
def test_metric(loans):
    with pytest.raises(AttributeError, match="unknown metric 'acuracy' - did you mean 'accuracy'"):
        loans["old"].acuracy

def test_slice(loans):
    with pytest.raises(KeyError, match="there is no slice 'odl' - did you mean 'old'"):
        loans["odl"]

def test_declaration(behave):
    with pytest.raises(Exception, match="there is no column 'agee' - did you mean 'age'"):
        behave.suite(data=pd.read_csv("rows.csv"), target="target", model=lambda df: df["guess"], slices={"x": "agee > 3"})
""",
    )
    project.run().assert_outcomes(passed=3)


def test_without_the_option_tests_are_skipped_with_the_reason(project):
    project.write("test_it.py", HEAD + "def test_old(loans):\n    assert loans['old'].accuracy >= 0.8\n")
    result = project.pytester.runpytest_inprocess("-p", "no:hypothesispytest", "-rs")
    result.assert_outcomes(skipped=1)
    assert "behavioral suites run only with --behave" in result.stdout.str()


def test_an_estimator_s_method_gets_the_columns_that_it_was_fitted_on(project):
    project.write(
        "test_it.py",
        """
        import pandas as pd
        from sklearn.tree import DecisionTreeClassifier

        def test_tree(behave):
            frame = pd.read_csv("rows.csv").dropna()
            tree = DecisionTreeClassifier().fit(frame[["age", "score"]], frame["target"])
            suite = behave.suite(data=frame, id="id", target="target", model=tree.predict)
            assert suite.overall.accuracy == 1
        """,
    )
    project.run().assert_outcomes(passed=1)


def test_evaluate_runs_a_suite_outside_pytest(project):
    from pytest_behave import evaluate_suite
    from tests.conftest import SUITE

    run = evaluate_suite(project.write("s.behave.yaml", SUITE))
    assert [(item.slice, item.value, item.verdict) for item in run.behaviors] == [("overall", 0.75, "holds")]
