"""Golden cases as items."""

from __future__ import annotations

import pytest

MODEL = """\
def predict(df):
    return [text.upper() if "shout" in text else text for text in df["text"]]
"""


def suite(cases, expect=""):
    return f"model: model:predict\n{expect}cases:\n{cases}"


@pytest.fixture
def model(project):
    project.write("model.py", MODEL)
    return project


def test_a_suite_of_cases_needs_no_dataset(model):
    model.write("s.behave.yaml", suite("  - {id: a, input: {text: shout it}, expect: {equals: SHOUT IT}}\n"))
    model.run().assert_outcomes(passed=1)


def test_a_failing_case_shows_input_output_and_the_check(model):
    model.write("s.behave.yaml", suite("  - {id: a, input: {text: buy now}, expect: {not_matches: '(?i)\\bbuy\\b'}}\n"))
    result = model.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "s: case a: violated: the output matches '(?i)\\\\bbuy\\\\b' with 'buy'",
            "input   text: buy now",
            "output  buy now",
            "failed  the output matches*",
        ]
    )


def test_cases_are_predicted_in_one_go(project):
    project.write(
        "model.py",
        "def predict(df):\n    with open('calls', 'a') as f: f.write(f'{len(df)} ')\n    return df['text']\n",
    )
    cases = "".join(f"  - {{id: c{n}, input: {{text: x}}, expect: {{equals: x}}}}\n" for n in range(20))
    project.write("s.behave.yaml", suite(cases))
    project.run().assert_outcomes(passed=20)
    assert (project.path / "calls").read_text() == "20 "


def test_a_template_makes_one_case_per_combination(model):
    case = "  - {id: neg, template: 'I {neg} like this {thing}.', fill: {neg: [do not, never], thing: [film, book, food]}, expect: {contains: like}}\n"
    model.write("s.behave.yaml", suite(case))
    result = model.run("--collect-only", "-q")
    assert [line.split("::")[-1] for line in result.stdout.lines if "::" in line] == [f"neg-{n}" for n in range(1, 7)]
    model.run().assert_outcomes(passed=6)
    (record,) = model.record()["suites"]
    assert record["cases"][-1]["input"] == {"text": "I never like this food."}


@pytest.mark.parametrize(
    ("least", "outcomes"), [("0.6", {"passed": 3, "xfailed": 1}), ("0.7", {"passed": 2, "xfailed": 1, "failed": 1})]
)
def test_a_pass_rate_judges_the_cases_of_a_tag_together(model, least, outcomes):
    cases = "".join(
        f"  - {{id: c{n}, input: {{text: {text}}}, expect: {{contains: good}}, tags: [mood]}}\n"
        for n, text in enumerate(["good a", "good b", "bad c"])
    )
    model.write("s.behave.yaml", suite(cases, f"expect: {{cases: {{mood: {{pass_rate: {{min: {least}}}}}}}}}\n"))
    model.run().assert_outcomes(**outcomes)
    (record,) = model.record()["suites"]
    (rate,) = record["behaviors"]
    assert (rate["slice"], rate["metric"], rate["size"], rate["value"]) == (
        "cases=mood",
        "pass_rate",
        3,
        pytest.approx(2 / 3),
    )


def test_included_files_hold_more_cases(model):
    model.write("s.behave.yaml", suite("  - include: more/*.yaml\n"))
    model.write("more/one.yaml", "- {id: a, input: {text: x}, expect: {equals: x}}\n")
    model.write("more/two.yaml", "- {id: b, input: {text: x}, expect: {equals: y}}\n")
    result = model.run()
    result.assert_outcomes(passed=1, failed=1)
    (record,) = model.record()["suites"]
    assert [(case["file"], case["line"]) for case in record["cases"]] == [("more/one.yaml", 1), ("more/two.yaml", 1)]


def test_a_mistake_in_an_included_file_names_that_file(model):
    model.write("s.behave.yaml", suite("  - include: more/*.yaml\n"))
    model.write("more/one.yaml", "- {id: a, input: {text: x}, expect: {equls: x}}\n")
    result = model.run()
    assert "more/one.yaml:1:38: unknown key 'equls' - did you mean 'equals'?" in result.stdout.str()


def test_a_check_in_python_sees_input_and_output(model):
    model.write(
        "checks.py",
        "def short(row):\n    assert len(row['prediction']) <= len(row['text']), 'too long'\n\ndef no(row):\n    return False\n",
    )
    model.write(
        "s.behave.yaml",
        suite(
            "  - {id: a, input: {text: x}, expect: {python: checks:short}}\n"
            "  - {id: b, input: {text: x}, expect: {python: checks:no}}\n"
            "  - {id: c, input: {text: x}, expect: {python: checks:nothing}}\n"
        ),
    )
    (record,) = model.record()["suites"]
    assert [case["verdict"] for case in record["cases"]] == ["holds", "violated", "error"]
    assert record["cases"][2]["reason"] == "checks has no 'nothing' (known: no, short)"


def test_a_model_that_fails_fails_every_case_with_its_sentence(project):
    project.write("model.py", "def predict(df):\n    raise OSError('no GPU')\n")
    project.write("s.behave.yaml", suite("  - {id: a, input: {text: x}, expect: {equals: x}}\n"))
    result = project.run()
    result.assert_outcomes(failed=1)
    assert "batch 1 of 1, starting with instance 'a', raised OSError: no GPU" in result.stdout.str()


def test_ten_thousand_cases_are_allowed(model):
    fill = "[" + ", ".join(str(n) for n in range(100)) + "]"
    model.write(
        "s.behave.yaml",
        suite(f"  - {{id: n, template: '{{a}} {{b}}', fill: {{a: {fill}, b: {fill}}}, expect: {{min_length: 3}}}}\n"),
    )
    result = model.run("--collect-only", "-q")
    assert "10000 tests collected" in result.stdout.str()
