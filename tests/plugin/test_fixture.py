"""Suites declared in Python: the behave fixture."""

from __future__ import annotations

import pytest

from tests.plugin.test_baseline import EAST, entries, files, write_answers, write_rows

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


COMPARED = """\
import math
import pandas as pd
import pytest

@pytest.fixture(scope="session")
def loans(behave):
    return behave.suite(
        data=pd.read_csv("loans.csv"), id="id", target="repaid", name="loans",
        model={"predictions": "p.csv", "prediction": "answer", "score": "score"}, slices={"region": {"by": "region"}},
    )

"""
EAST_AND_NORTH = """
def test_east(loans):
    assert loans["region=east"].accuracy.regression() <= 0.02

def test_north(loans):
    assert loans["region=north"].accuracy.regression() <= 0.02

def test_all(loans):
    assert loans.overall.log_loss.regression() <= 0.1
"""


@pytest.fixture
def compared(project):
    write_rows(project)
    write_answers(project)
    project.write("test_it.py", COMPARED + EAST_AND_NORTH)
    return project


def test_without_a_baseline_a_regression_names_the_command_that_helps(compared):
    result = compared.run()
    result.assert_outcomes(failed=3)
    assert (
        "there is no baseline for accuracy of 'region=east' of loans: accept it with `pytest --behave "
        "--behave-baseline=new`" in result.stdout.str()
    )
    assert not (compared.path / "baselines").exists()
    compared.run("--behave-baseline=new").assert_outcomes(passed=3)
    compared.run().assert_outcomes(passed=3)


def test_a_regression_is_paired_and_explains_itself(compared):
    compared.run("--behave-baseline=new")
    before = files(compared, "baselines")
    write_answers(compared, EAST)
    result = compared.run("-k", "east or north")
    result.assert_outcomes(passed=1, failed=1, deselected=1)
    result.stdout.fnmatch_lines(
        [
            "E*assert 0.4* <= 0.02",
            "E*the regression of accuracy of 'region=east' is 0.400 (0.900 → 0.500, 95% [[]0.2*, 0.5*[]])",
            "E*16 broken, 0 fixed; broken: a012, a015, a018, a021, a024",
        ]
    )
    assert files(compared, "baselines") == before


def test_what_tests_asked_for_is_what_is_accepted(compared):
    result = compared.run("--behave-baseline=new")
    result.stdout.fnmatch_lines(["loans: 3 values of the baseline change", "  wrote baselines/loans.json"])
    assert sorted(entries(compared)) == [
        ("overall", "log_loss"),
        ("region=east", "accuracy"),
        ("region=north", "accuracy"),
    ]
    write_answers(compared, EAST, [13])
    compared.run("--behave-baseline=accept", "-k", "east", "--behave-reason=why").assert_outcomes(
        passed=1, deselected=2
    )
    found = entries(compared)
    assert found["region=east", "accuracy"] == {
        "value": 0.5,
        "n": 40,
        "size": 40,
        "hits": 20,
        "reason": "why",
        "paired": False,
    }
    assert found["region=north", "accuracy"]["value"] == 0.9
    compared.run("-k", "east").assert_outcomes(passed=1, deselected=2)


def test_with_several_processes_the_same_is_accepted(compared):
    compared.run("--behave-baseline=new")
    alone = files(compared, "baselines")
    for path in (compared.path / "baselines").iterdir():
        path.unlink()
    options = ("-p", "no:hypothesispytest", "--behave", "--behave-baseline=new", "-n", "2")
    result = compared.pytester.runpytest_subprocess(*options)
    result.assert_outcomes(passed=3)
    assert files(compared, "baselines") == alone
    assert str(result.stdout).count("wrote baselines/loans.json") == 1


def test_a_change_that_cannot_be_measured_meets_no_bound(compared):
    """Nobody in the slice repays, so the false negative rate is undefined."""
    compared.write(
        "test_it.py",
        COMPARED.replace('{"region": {"by": "region"}}', '{"never": "repaid == 0"}')
        + """
def test_undefined(loans):
    loss = loans["never"].fnr.regression()
    assert math.isnan(loss)
    assert loss <= 1
""",
    )
    compared.run("--behave-baseline=new")
    result = compared.run()
    result.assert_outcomes(failed=1)
    assert "the regression of fnr of 'never' is unknown: " in result.stdout.str()


@pytest.mark.parametrize(
    "baseline",
    [
        "lambda df: df['first']",
        "{'column': 'first', 'as': 'prediction'}",
        "'m:old'",
        "{'predictions': 'old.csv', 'prediction': 'answer'}",
    ],
    ids=["callable", "column", "module:callable", "predictions"],
)
@pytest.mark.parametrize("mode", ["check", "accept"])
def test_another_model_may_be_the_baseline(compared, baseline, mode):
    write_rows(compared, header="id,region,age,repaid,first", row="a{n:03},{region},{age},{repaid},{answer}")
    write_answers(compared, name="old.csv")
    write_answers(compared, EAST)
    compared.write("m.py", "def old(df):\n    return df['first']\n")
    compared.write(
        "test_it.py",
        COMPARED.replace('name="loans"', f'name="loans", baseline={baseline}')
        + """
def test_east(loans):
    loss = loans["region=east"].accuracy.regression()
    assert loss == pytest.approx(0.4)
    assert loss.low > 0.2
    assert loss.change.broken == 16

def test_south(loans):
    assert loans["region=south"].accuracy.regression() == 0
""",
    )
    compared.run(f"--behave-baseline={mode}").assert_outcomes(passed=2)
    assert not (compared.path / "baselines").exists()
