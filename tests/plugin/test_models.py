"""Every source of outputs, through a real run."""

from __future__ import annotations

import pandas as pd
import pytest

from tests.conftest import SUITE

COLUMN = "{column: guess, as: prediction}"


def with_model(model, metrics="accuracy"):
    return SUITE.replace(COLUMN, model).replace("[accuracy]", f"[{metrics}]")


@pytest.mark.parametrize(
    ("returned", "accuracy", "auc"),
    [
        ("df['guess']", 0.75, None),
        ("list(df['guess'])", 0.75, None),
        ("df['guess'].to_numpy()", 0.75, None),
        ("df['guess'] == 1", 0.75, None),
        ("df['guess'].map({1: '1', 0: '0'})", 0.75, None),
        ("df['guess'].astype(float)", 0.75, None),
        ("df['score']", 0.75, 0.875),
        ("pd.DataFrame({'score': df['score']})", 0.75, 0.875),
        ("pd.DataFrame({'prediction': df['guess'], 'score': df['score']})", 0.75, 0.875),
        ("pd.DataFrame({'proba:1': df['score'], 'proba:0': 1 - df['score']})", 0.75, 0.875),
    ],
)
def test_a_callable_may_return_labels_scores_or_a_frame(project, returned, accuracy, auc):
    project.write("model.py", f"import pandas as pd\ndef predict(df):\n    return {returned}\n")
    project.write("s.behave.yaml", with_model("model:predict", "accuracy, roc_auc"))
    (suite,) = project.record()["suites"]
    assert suite["behaviors"][0]["value"] == accuracy
    found = [item["value"] for item in suite["observed"] if (item["slice"], item["metric"]) == ("overall", "roc_auc")]
    assert found == ([] if auc is None else [auc])


def test_batches_are_as_large_as_asked_and_failures_name_them(project):
    project.write("model.py", "def predict(df):\n    assert 7 not in set(df['id']), 'seven!'\n    return df['guess']\n")
    project.write("s.behave.yaml", with_model("{python: 'model:predict', batch_size: 3}"))
    result = project.run()
    result.assert_outcomes(failed=1)
    assert (
        "model 'model:predict', batch 3 of 3, starting with instance '7', raised AssertionError: seven!"
        in result.stdout.str()
    )


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_a_predictions_file_is_joined_by_id_in_any_order(project, ending):
    frame = pd.read_csv(project.path / "rows.csv")[["id", "guess", "score"]].sample(frac=1, random_state=1)
    path = project.path / f"p.{ending}"
    {"csv": frame.to_csv, "parquet": frame.to_parquet}.get(
        ending, lambda p, **_: frame.to_json(p, orient="records", lines=True)
    )(path, index=False)
    project.write(
        "s.behave.yaml",
        with_model(f"{{predictions: p.{ending}, prediction: guess, score: score}}", "accuracy, roc_auc"),
    )
    (suite,) = project.record()["suites"]
    assert suite["behaviors"][0]["value"] == 0.75
    assert suite["model"]["name"] == f"p.{ending}"


def test_a_score_column_is_cut_at_the_threshold(project):
    project.write("s.behave.yaml", with_model("{column: score, as: score, threshold: 0.35}"))
    assert project.behaviors()["overall", "accuracy"]["value"] == 0.875


def test_a_skops_estimator_runs(project):
    skio = pytest.importorskip("skops.io", reason="needs the extra `sklearn`")
    from sklearn.linear_model import LogisticRegression

    frame = pd.read_csv(project.path / "rows.csv")
    skio.dump(LogisticRegression().fit(frame[["score"]], frame["target"]), project.path / "m.skops")
    project.write("s.behave.yaml", with_model("{estimator: m.skops}", "accuracy, roc_auc"))
    (suite,) = project.record()["suites"]
    assert suite["behaviors"][0]["value"] >= 0.75
    assert {item["metric"] for item in suite["observed"]} == {"accuracy", "roc_auc"}


def test_a_pickled_estimator_runs_only_when_allowed(project):
    import joblib
    from sklearn.linear_model import LogisticRegression

    frame = pd.read_csv(project.path / "rows.csv")
    joblib.dump(LogisticRegression().fit(frame[["score"]].to_numpy(), frame["target"]), project.path / "m.joblib")
    text = with_model("{estimator: m.joblib, features: [score]}")
    project.write("s.behave.yaml", text)
    project.run().assert_outcomes(failed=1)
    project.write("s.behave.yaml", text.replace("features:", "allow_pickle: true, features:"))
    project.run().assert_outcomes(passed=1)


def test_of_several_models_the_last_is_the_candidate_and_another_can_be_picked(project):
    project.write(
        "s.behave.yaml", SUITE.replace(f"model: {COLUMN}", "models: {old: {column: target}, new: {column: guess}}")
    )
    assert project.record()["suites"][0]["model"]["name"] == "new"
    assert project.behaviors("--behave-model=old")["overall", "accuracy"]["value"] == 1.0


def test_two_suites_may_both_have_a_model_py(project):
    for folder, column in (("one", "guess"), ("two", "target")):
        project.write(f"{folder}/model.py", f"def predict(df): return df['{column}']\n")
        project.write(f"{folder}/rows.csv", (project.path / "rows.csv").read_text())
        project.write(f"{folder}/{folder}.behave.yaml", with_model("model:predict"))
    suites = project.record()["suites"]
    assert [suite["behaviors"][0]["value"] for suite in suites] == [0.75, 1.0]


def test_a_missing_extra_is_one_sentence(project, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "jiwer", None)
    project.write(
        "s.behave.yaml",
        SUITE.replace("target: target}", "target: text}")
        .replace("guess", "text")
        .replace("accuracy", "wer")
        .replace("min", "max"),
    )
    result = project.run()
    assert (
        "the metric wer needs jiwer, which is not installed: run `pip install 'pytest-behave[text]'`"
        in result.stdout.str()
    )


def test_a_prepared_suite_can_run_one_model_after_another(project):
    from pytest_behave.evaluate import prepare_file, run_suite

    text = SUITE.replace(f"model: {COLUMN}", "models: {old: {column: target}, new: {column: guess}}")
    prepared = prepare_file(project.write("s.behave.yaml", text.replace("{by: group}", "output == 1")))
    sizes = [[item.size for item in run_suite(prepared, model=name).observed] for name in ("new", "old", "new")]
    values = [run_suite(prepared, model=name).behaviors[0].value for name in ("new", "old")]
    assert sizes == [[4], [4], [4]]
    assert values == [0.75, 1.0]
    accuracies = [run_suite(prepared, model=name).observed[0].value for name in ("new", "old")]
    assert accuracies == [0.75, 1.0]


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        ("import sys\ndef predict(df):\n    sys.exit('bye')\n", "raised SystemExit: bye (model.py:3)"),
        ("import pytest\ndef predict(df):\n    pytest.skip('no gpu')\n", "raised Skipped: no gpu (model.py:3)"),
        ("import deep\ndef predict(df):\n    return deep.look(df)\n", "raised KeyError: 'nosuch' (deep.py:2)"),
        ("raise SystemExit(2)\n", "module 'model' cannot be imported: SystemExit: 2"),
    ],
)
def test_a_model_that_ends_the_process_fails_its_suite_only(project, model, sentence):
    project.write("model.py", model)
    project.write("deep.py", "def look(df):\n    return df['nosuch']\n")
    declared = "dataset: {path: rows.csv, id: id, target: target}\nmetrics: [accuracy]\n"
    bound = "expect: {overall: {accuracy: {min: 0.1}}}\n"
    project.write("s.behave.yaml", f"{declared}model: model:predict\n{bound}")
    project.write("t.behave.yaml", f"{declared}model: {{column: guess}}\n{bound}")
    result = project.run()
    result.assert_outcomes(passed=1, failed=1)
    assert sentence in result.stdout.str()
    assert "not cached" not in result.stdout.str()
