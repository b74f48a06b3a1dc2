"""Verdicts against a baseline through real runs: tolerances, severities, changed datasets, other models, every metric."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from tests.plugin.test_baseline import EAST, ROWS, SUITE, accepted, entries, loans, write_answers, write_rows

__all__ = ["accepted", "loans"]  # fixtures

BOUND = "{accuracy: {max_regression: 0.02}}"


def with_bound(bound):
    """Return the suite with other bounds for the regions."""
    return SUITE.replace(BOUND, f"{{accuracy: {{{bound}}}}}")


def verdicts(project, *options):
    return {name: item["verdict"] for (name, _), item in project.behaviors(*options).items()}


# -- tolerances


@pytest.mark.parametrize(
    ("tolerance", "verdict"),
    [
        ("0", "regressed"),
        ("0.2", "suspect"),
        ("0.25", "holds"),
        ("5%", "regressed"),
        ("27%", "suspect"),  # of 0.9, so 0.243
        ("28%", "holds"),  # 0.252
        ("100%", "undecided"),  # all instances could break without a regression
        ("{by: 0.25, from: accepted}", "holds"),
    ],
)
def test_a_loss_is_held_against_the_tolerance_in_points_or_as_a_share(accepted, tolerance, verdict):
    write_answers(accepted, EAST[:10])
    accepted.write("loans.behave.yaml", with_bound(f"max_regression: {tolerance}"))
    found = accepted.behaviors()["region=east", "accuracy"]
    assert found["verdict"] == verdict
    assert found["baseline"]["change"] == pytest.approx(-0.25)
    assert found["baseline"]["tolerance"] == pytest.approx(
        0.9 * float(tolerance[:-1]) / 100 if "%" in tolerance else float(tolerance.strip("{}by: ").split(",")[0])
    )


@pytest.mark.parametrize(("bound", "last"), [("0.05", "holds"), ("{by: 0.05, from: best}", "regressed")])
def test_many_small_accepted_losses_add_up_only_from_the_best_value(accepted, bound, last):
    accepted.write("loans.behave.yaml", with_bound(f"max_regression: {bound}"))
    accepted.run("--behave-baseline=accept")
    for step in range(1, 9):
        write_answers(accepted, EAST[: 2 * step])  # each step loses the 5 points that are tolerated
        found = accepted.behaviors()["region=east", "accuracy"]
        assert found["baseline"]["change"] == pytest.approx(-0.05)
        accepted.run("--behave-baseline=accept")
    assert found["verdict"] == last
    entry = entries(accepted)["region=east", "accuracy"]
    assert entry["value"] == 0.5
    assert entry.get("best") == (None if last == "holds" else 0.9)


def test_the_best_value_is_kept_when_a_better_one_is_accepted_and_lost_again(accepted):
    accepted.write("loans.behave.yaml", with_bound("max_regression: {by: 0.05, from: best}"))
    for wrong, best in ((EAST[:2], 0.9), ((), 0.9), (EAST[:1], 0.9)):
        write_answers(accepted, wrong)
        accepted.run("--behave-baseline=accept", "-k", "east")
        assert entries(accepted)["region=east", "accuracy"]["best"] == best


@pytest.mark.parametrize(
    ("decide", "wrong", "verdict"),
    [
        ("refuted", 1, "suspect"),
        ("refuted", 16, "regressed"),
        ("observed", 1, "regressed"),
        ("observed", 0, "holds"),
        ("proven", 1, "regressed"),
    ],
)
def test_a_bound_says_how_a_loss_is_decided(accepted, decide, wrong, verdict):
    write_answers(accepted, EAST[:wrong])
    accepted.write("loans.behave.yaml", with_bound(f"max_regression: 0.02, decide: {decide}"))
    assert verdicts(accepted, "-k", "east")["region=east"] == verdict


def test_a_loss_must_be_ruled_out_where_the_bound_is_to_be_proven(accepted):
    """Two instances of 40 exchanged: no loss at all, but its interval goes beyond two points."""
    write_answers(accepted, EAST[:1])
    lines = (accepted.path / "p.csv").read_text().replace("a000,1,0.9", "a000,0,0.1")  # row 0 is right now
    accepted.write("p.csv", lines)
    for decide, verdict in (("proven", "regressed"), ("refuted", "holds")):
        accepted.write("loans.behave.yaml", with_bound(f"max_regression: 0.02, decide: {decide}"))
        found = accepted.behaviors()["region=east", "accuracy"]
        assert (found["verdict"], found["baseline"]["change"]) == (verdict, 0)
    assert found["baseline"]["low"] < -0.02


# -- what fails a run


@pytest.mark.parametrize("strict", [(), ("--behave-strict",)], ids=["plain", "strict"])
def test_a_bound_that_only_warns_never_fails(accepted, strict):
    write_answers(accepted, EAST, [13])
    accepted.write("loans.behave.yaml", with_bound("max_regression: 0.02, severity: warning"))
    result = accepted.run("-k", "region", *strict)
    assert result.ret == 0
    result.assert_outcomes(passed=3, deselected=1)
    assert result.stdout.str().count("BehaveWarning: ") == 2
    assert "BehaveWarning: loans: region=east (40 rows): accuracy: regressed" in result.stdout.str()
    found = accepted.behaviors(*strict)
    assert found["region=east", "accuracy"]["severity"] == "warning"


@pytest.mark.parametrize(("strict", "code"), [((), 0), (("--behave-strict",), 1)], ids=["plain", "strict"])
def test_what_is_suspect_or_undecided_fails_only_when_strict(accepted, strict, code):
    write_answers(accepted, [13, 14])
    accepted.write("loans.behave.yaml", SUITE.replace("by: region", "by: region, min_size: 50"))
    assert list(verdicts(accepted).values()) == ["suspect", "undecided", "undecided", "undecided"]
    result = accepted.run(*strict)
    assert result.ret == code
    result.assert_outcomes(**({"failed": 4} if code else {"passed": 4}))
    assert result.stdout.str().count("BehaveWarning: ") == (0 if code else 2)  # members of the family share one


@pytest.mark.parametrize(
    ("until", "wrong", "verdict", "outcome"),
    [
        ("2999-01-01", EAST, "known-failure", "xfailed"),
        ("2020-01-01", EAST, "regressed", "failed"),
        ("2999-01-01", (), "violated", "failed"),  # holds again: the exception is no longer needed
    ],
)
def test_a_known_failure_covers_a_regression_until_its_day(accepted, until, wrong, verdict, outcome):
    write_answers(accepted, wrong)
    known = f"{{reason: issue 88, until: {until}}}"
    accepted.write("loans.behave.yaml", SUITE + f"  region=east: {{accuracy: {{known_failure: {known}}}}}\n")
    accepted.run("-k", "east").assert_outcomes(**{outcome: 1}, deselected=3)
    found = accepted.behaviors("-k", "east")["region=east", "accuracy"]
    assert found["verdict"] == verdict
    assert "issue 88" in found["reason"]


def test_a_slice_too_small_to_decide_says_how_many_rows_would(accepted):
    accepted.write(
        "loans.behave.yaml",
        SUITE.replace("region: {by: region}", "region: {by: region}\n  few: age < 22")
        + "  few: {accuracy: {max_regression: 0}}\n",
    )
    accepted.run("--behave-baseline=new")
    write_answers(accepted, range(12, 15))
    few = SUITE.replace("region: {by: region}", "region: {by: region}\n  few: 24 <= age < 25")
    accepted.write("loans.behave.yaml", few + "  few: {accuracy: {max_regression: 0}}\n")
    accepted.run("--behave-baseline=prune")
    found = accepted.behaviors()["few", "accuracy"]
    assert found["verdict"] == "undecided"
    assert found["reason"].startswith("3 instances cannot decide max_regression 0; ")
    assert found["reason"].endswith(" that differ as much would decide")


# -- flips


def test_the_record_has_every_flip_and_a_failure_shows_the_ten_worst(accepted):
    write_answers(accepted, EAST)
    (suite,) = accepted.record()["suites"]
    found = {item["slice"]: item["baseline"] for item in suite["behaviors"]}
    broken = [f"a{n:03}" for n in EAST]
    assert found["region=east"]["broken_ids"] == broken
    assert (found["region=east"]["broken"], found["region=east"]["fixed_ids"]) == (16, [])
    assert [item["id"] for item in suite["flips"]] == broken
    first = suite["flips"][0]
    assert (first["target"], first["output"], first["baseline_output"]) == ("0", "1", "0")
    assert (first["score"], first["baseline_score"]) == (0.9, 0.1)
    assert first["input"]["region"] == "east"
    lines = accepted.run("-k", "east").stdout.lines
    start = next(index for index, line in enumerate(lines) if "- instances -" in line)
    shown = [line[:4] for line in lines[start + 1 :] if line.startswith("a0")]
    assert shown == broken[:10]
    assert lines[start + 1] == "a012: target 0, output 1 (was 0) (score 0.900)  region east; age 24"


def test_flips_are_shown_worst_first(accepted):
    write_answers(accepted, EAST)
    answers = (
        (accepted.path / "p.csv").read_text().replace("a030,1,0.9", "a030,1,0.99").replace("a033,0,0.1", "a033,0,0.01")
    )
    accepted.write("p.csv", answers)
    ids = accepted.behaviors()["region=east", "accuracy"]["baseline"]["broken_ids"]
    assert set(ids[:2]) == {"a030", "a033"}
    assert ids[2:] == sorted(ids[2:])


def test_junit_has_the_change_among_its_figures(accepted):
    write_answers(accepted, EAST)
    accepted.run("--junitxml=j.xml", "-k", "east")
    (case,) = ET.parse(accepted.path / "j.xml").iter("testcase")  # noqa: S314 - we wrote it
    properties = {item.get("name"): item.get("value") for item in case.iter("property")}
    assert (
        properties.items()
        >= {
            "behave.verdict": "regressed",
            "behave.value": "0.5",
            "behave.max_regression": "0.02",
            "behave.baseline": "0.9",
            "behave.change": "-0.4",
            "behave.broken": "16",
            "behave.fixed": "0",
        }.items()
    )


# -- another dataset than the baseline's

CHANGED = {
    "rows added": ({"rows": range(ROWS + 6)}, {"common": 120, "added": 6}, "6 added; compared on the 120 in common"),
    "rows removed": ({"rows": range(110)}, {"common": 110, "removed": 10}, "10 removed; compared on the 110 in common"),
    "both": (
        {"rows": range(30, 140)},
        {"common": 90, "added": 20, "removed": 30},
        "20 added, 30 removed; compared on the 90 in common; only 64% of the rows are comparable",
    ),
}


@pytest.mark.parametrize("what", CHANGED)
def test_another_dataset_is_compared_on_what_is_in_both_and_said(accepted, what):
    dataset, counts, note = CHANGED[what]
    rows = dataset.get("rows", range(ROWS))
    write_rows(accepted, **dataset)
    write_answers(accepted, [row for row in EAST if row >= 30], rows=rows)
    (suite,) = accepted.record()["suites"]
    use = suite["baseline"]
    assert {name: use[name] for name in ("common", "added", "removed", "changed")} == {
        "added": 0,
        "removed": 0,
        "changed": 0,
        **counts,
    }
    assert any(note in found for found in suite["notes"])
    east = next(item for item in suite["behaviors"] if item["slice"] == "region=east")
    assert (east["verdict"], east["baseline"]["broken"], east["baseline"]["paired"]) == ("regressed", 10, True)
    assert east["baseline"]["n"] == len([row for row in rows if row % 3 == 0 and row < ROWS])


def edited(project, replace):
    path = project.path / "loans.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(replace(line) for line in lines) + "\n")


@pytest.mark.parametrize("what", ["input", "target"])
def test_rows_whose_content_or_target_changed_are_left_out_and_counted(accepted, what):
    """Five rows of the east that break are other rows now."""
    write_answers(accepted, EAST)
    ids = {f"a{n:03}" for n in EAST[:5]}

    def change(line):
        name, region, age, repaid = line.split(",")
        if name not in ids:
            return line
        return (
            f"{name},{region},{int(age) + 100},{repaid}"
            if what == "input"
            else f"{name},{region},{age},{1 - int(repaid)}"
        )

    edited(accepted, change)
    (suite,) = accepted.record()["suites"]
    assert (suite["baseline"]["common"], suite["baseline"]["changed"]) == (115, 5)
    assert suite["notes"] == ["rows since the baseline: 5 changed; compared on the 115 in common"]
    east = next(item for item in suite["behaviors"] if item["slice"] == "region=east")
    assert (east["baseline"]["n"], east["baseline"]["broken"]) == (35, 11)
    assert not ids & {item["id"] for item in suite["flips"]}


def test_without_a_column_of_the_baseline_s_dataset_changed_rows_cannot_be_told(accepted):
    write_rows(accepted, header="id,region,repaid", row="a{n:03},{region},{repaid}")
    (suite,) = accepted.record()["suites"]
    gone = "column 'age' of the baseline's dataset is gone, so rows with other content cannot be told"
    assert suite["notes"] == [f"{gone}; accept the baseline again"]
    assert suite["baseline"]["common"] == ROWS


def test_answers_in_a_column_that_was_content_when_the_baseline_was_accepted_are_compared(project):
    """Else just the rows whose answers changed would be left out, and a loss would hold."""
    rows = [(number, number % 2) for number in range(200)]

    def write(wrong):
        lines = [f"{number},{target},{target},{1 - target if number < wrong else target}" for number, target in rows]
        project.write("d.csv", "id,y,v1,v2\n" + "\n".join(lines) + "\n")

    suite = "dataset: {{path: d.csv, id: id, target: y}}\nmodel: {{column: {}}}\nmetrics: [accuracy]\n"
    suite += "expect: {{overall: {{accuracy: {{max_regression: 0}}}}}}\n"
    write(0)
    project.write("s.behave.yaml", suite.format("v1"))
    project.run("--behave-baseline=new")
    write(60)
    project.write("s.behave.yaml", suite.format("v2"))
    found = project.behaviors()["overall", "accuracy"]
    assert (found["verdict"], found["baseline"]["broken"]) == ("regressed", 60)


@pytest.mark.parametrize(("kept", "verdict"), [(70, "regressed"), (50, "undecided")])
def test_below_half_of_the_rows_nothing_is_decided(accepted, kept, verdict):
    write_rows(accepted, rows=range(kept))
    write_answers(accepted, EAST, rows=range(kept))
    found = accepted.behaviors()["region=east", "accuracy"]
    assert found["verdict"] == verdict
    if verdict == "undecided":
        assert found["reason"] == "only 42% of the instances can be compared with the baseline"


def test_without_stored_answers_another_dataset_is_said_all_the_same(accepted):
    (accepted.path / "baselines/loans.parquet").unlink()
    note = "the dataset is not the one that the baseline was accepted on"
    write_rows(accepted, rows=[(n * 77) % ROWS for n in range(ROWS)])
    assert note not in accepted.record()["suites"][0]["notes"], "the order of rows is no matter"
    write_rows(accepted, rows=range(60))
    assert note in accepted.record()["suites"][0]["notes"]


def test_another_column_does_not_change_a_row(accepted):
    write_answers(accepted, EAST)
    before = accepted.record()["suites"][0]
    write_rows(accepted, header="id,region,age,repaid,note", row="a{n:03},{region},{age},{repaid},x")
    after = accepted.record()["suites"][0]
    assert (after["baseline"], after["notes"]) == (before["baseline"], [])
    assert [item["baseline"] for item in after["behaviors"]] == [item["baseline"] for item in before["behaviors"]]


def test_without_a_row_in_common_nothing_is_decided(accepted):
    write_rows(accepted, rows=range(ROWS, 2 * ROWS))
    write_answers(accepted, rows=range(ROWS, 2 * ROWS))
    (suite,) = accepted.record()["suites"]
    assert {item["verdict"] for item in suite["behaviors"]} == {"undecided"}
    assert {item["baseline"]["reason"] for item in suite["behaviors"]} == {"no row is in both, unchanged"}
    assert (suite["baseline"]["common"], suite["baseline"]["added"], suite["baseline"]["removed"]) == (0, ROWS, ROWS)


# -- other models

TWO = SUITE.replace(
    "model: {predictions: p.csv, prediction: answer, score: score}",
    "models: {old: {predictions: old.csv, prediction: answer}, new: {predictions: p.csv, prediction: answer}}",
)


def test_of_several_models_each_is_compared_with_the_same_stored_baseline(loans):
    write_answers(loans, name="old.csv")
    write_answers(loans, EAST)
    loans.write("loans.behave.yaml", TWO)
    loans.run("--behave-baseline=new", "--behave-model=old").assert_outcomes(passed=4)
    assert verdicts(loans)["region=east"] == "regressed"
    assert set(verdicts(loans, "--behave-model=old").values()) == {"holds"}


BASELINES = {
    "column": "{column: first, as: prediction}",
    "predictions": "{predictions: old.csv, prediction: answer}",
    "python": "{python: 'm:old'}",
    "callable": "m:old",
    "name": "old",
}


@pytest.mark.parametrize("kind", BASELINES)
def test_two_models_are_compared_without_a_stored_baseline(loans, kind):
    write_rows(loans, header="id,region,age,repaid,first", row="a{n:03},{region},{age},{repaid},{answer}")
    write_answers(loans, name="old.csv")
    write_answers(loans, EAST)
    loans.write("m.py", "def old(frame):\n    return frame['first']\n")
    loans.write("loans.behave.yaml", (TWO if kind == "name" else SUITE) + f"baseline: {BASELINES[kind]}\n")
    (suite,) = loans.record()["suites"]
    use, east = suite["baseline"], suite["behaviors"][1]
    assert (use["kind"], use["common"], suite["notes"]) == ("model", ROWS, [])
    assert (east["verdict"], east["baseline"]["broken"], east["baseline"]["value"]) == ("regressed", 16, 0.9)
    result = loans.run("--behave-baseline=accept")
    assert "so there is nothing to store" in result.stdout.str()
    assert not (loans.path / "baselines").exists()
    assert result.ret == 1, "a change against a model cannot be accepted"


def test_slices_may_ask_what_the_baseline_said(accepted):
    write_answers(accepted, EAST)
    accepted.write(
        "loans.behave.yaml",
        SUITE.replace(
            "slices:\n", "slices:\n  changed: output != baseline.output\n  sure: baseline.score > 0.5\n"
        ).replace("expect:\n", "expect:\n  changed: {accuracy: {min: 0.5}}\n  sure: {accuracy: {min: 0.1}}\n"),
    )
    found = accepted.behaviors()
    assert (found["changed", "accuracy"]["size"], found["changed", "accuracy"]["value"]) == (16, 0)
    assert found["sure", "accuracy"]["size"] == 60
    assert found["changed", "accuracy"]["verdict"] == "violated"


# -- every metric of every task

TASKS = {
    "binary": (
        """accuracy balanced_accuracy precision recall specificity fpr fnr f1 selection_rate positive_rate mcc roc_auc
        average_precision log_loss brier ece""",
        lambda n, wrong: (n % 2, (n % 2) ^ wrong, 0.5 + ((n % 2) ^ wrong) * 0.3 - (n % 7) / 50),
    ),
    "multiclass": (
        """accuracy balanced_accuracy mcc micro_precision macro_precision weighted_precision micro_recall macro_recall
        weighted_recall micro_f1 macro_f1 weighted_f1""",
        lambda n, wrong: ("xyz"[n % 3], "xyz"[(n + wrong) % 3], ""),
    ),
    "regression": (
        "mae mse rmse bias mape r2 median_ae",
        lambda n, wrong: (n + 1.5, n + 1.5 + (n % 5) / 10 + 3 * wrong, ""),
    ),
    "text": (
        "exact_match contains wer cer rouge_l chrf length",
        lambda n, wrong: (f"answer number {n}", f"answer number {n} or none" if wrong else f"answer number {n}", ""),
    ),
}
MORE = {
    "binary": ["{name: dear, python: 'm:dear', better: lower}", "{name: many, rate: output == 1, better: higher}"],
    "multiclass": ["{name: dear, python: 'm:dear', better: lower}"],
    "regression": [
        "{name: dear, python: 'm:dear', better: lower}",
        "{name: q9, metric: absolute_error_quantile, q: 0.9}",
    ],
    "text": [],
}
DEAR = "def dear(frame):\n    return float((frame['prediction'] != frame['target']).mean())\n"


@pytest.mark.parametrize("task", TASKS)
def test_every_metric_of_a_task_is_compared_on_the_stored_answers(project, task):
    names, row = TASKS[task]
    names = [*names.split(), *MORE[task]]
    known = [name.split(",")[0].removeprefix("{name: ") for name in names]

    def write(wrong):
        rows = [(n, *row(n, wrong(n))) for n in range(90)]
        for file, columns in (("rows.csv", (0, 1)), ("p.csv", (0, 2, 3))):
            head = ",".join(["id", "target", "answer", "score"][column] for column in columns)
            lines = [",".join(str(cells[column]) for column in columns) for cells in rows]
            project.write(file, "\n".join([head, *lines, ""]))

    scored = ", score: score" if task == "binary" else ""
    project.write("m.py", DEAR)
    project.write(
        "s.behave.yaml",
        f"task: {task}\ndataset: {{path: rows.csv, id: id, target: target}}\n"
        f"model: {{predictions: p.csv, prediction: answer{scored}}}\nmetrics: [{', '.join(names)}]\nexpect:\n  overall:\n"
        + "".join(f"    {name}: {{max_regression: 0}}\n" for name in known),
    )
    write(lambda n: n % 9 == 0)
    assert project.run("--behave-baseline=new").ret == 0
    before = project.behaviors()
    assert {item["verdict"] for item in before.values()} == {"holds"}
    assert {item["baseline"]["change"] for item in before.values()} == {0}
    write(lambda n: n % 9 == 0 or n % 4 == 0)
    after = project.behaviors()
    assert [metric for _, metric in after] == known
    for key, item in after.items():
        found = item["baseline"]
        assert found["paired"], key
        assert found["value"] == pytest.approx(before[key]["value"])
        assert found["change"] == pytest.approx(item["value"] - before[key]["value"])
        assert item["verdict"] in ("regressed", "suspect", "holds"), (key, item["reason"])
        lost = found["change"] < 0 if item["better"] == "higher" else found["change"] > 0
        assert lost == (item["verdict"] != "holds"), key
        if item["verdict"] != "holds":
            assert 0 <= found["p"] <= found["p_adjusted"] <= 1
            assert found["low"] <= found["change"] <= found["high"]
    assert sum(item["verdict"] == "regressed" for item in after.values()) > len(after) / 2


# -- rows that are not independent


def test_clusters_are_what_counts_where_they_are_declared(project):
    """16 broken rows of four speakers are four pieces of evidence; of 16 speakers, sixteen."""
    clustered = SUITE.replace("target: repaid}", "target: repaid, cluster: speaker}")
    found = {}
    for speakers in (4, 16):
        write_rows(
            project,
            header="id,region,age,repaid,speaker",
            row="a{n:03},{region},{age},{repaid},{speaker}"
            if speakers == 16
            else "a{n:03},{region},{age},{repaid},{few}",
        )
        write_answers(project)
        for text in (SUITE, clustered):
            project.write("loans.behave.yaml", text)
            write_answers(project)
            project.run("--behave-baseline=accept")
            write_answers(project, EAST)
            found[speakers, text is clustered] = project.behaviors()["region=east", "accuracy"]
    assert [found[4, False]["verdict"], found[16, False]["verdict"], found[16, True]["verdict"]] == ["regressed"] * 3
    assert found[4, True]["verdict"] in ("suspect", "undecided")
    widths = {key: item["baseline"]["high"] - item["baseline"]["low"] for key, item in found.items()}
    assert widths[4, True] > 1.5 * widths[4, False]


# -- gaps


def gap_suite(bounds, place="region"):
    return SUITE.partition("expect:")[0] + f"expect:\n  {place}: {{accuracy: {{{bounds}}}}}\n"


@pytest.mark.parametrize(
    ("place", "to", "between", "value"),
    [
        ("region", "", ["region=south", "region=east"], 0.4),
        ("region", ", gap_to: overall", ["overall", "region=east"], 0.9 - 16 / 120 - 0.5),
        ("region", ", gap_to: region=south", ["region=south", "region=east"], 0.4),
        ("region=east", ", gap_to: overall", ["overall", "region=east"], 0.9 - 16 / 120 - 0.5),
    ],
)
def test_a_gap_is_between_members_or_to_a_slice(accepted, place, to, between, value):
    write_answers(accepted, EAST)
    accepted.write("loans.behave.yaml", gap_suite(f"max_gap: 0.3{to}", place))
    found = accepted.behaviors()[place, "accuracy gap"]
    assert found["value"] == pytest.approx(value)
    assert found["verdict"] == ("violated" if value > 0.3 else "holds")
    assert found["between"] == between
    assert found["low"] < found["value"] < found["high"]


@pytest.mark.parametrize(
    ("wrong", "verdict"), [(EAST, "regressed"), (EAST[:2], "suspect"), ((), "holds"), (range(12, 60), "holds")]
)
@pytest.mark.parametrize("to", ["", ", gap_to: region=south"], ids=["family", "slice"])
def test_a_gap_may_not_widen_beyond_its_tolerance(accepted, wrong, verdict, to):
    accepted.write("loans.behave.yaml", gap_suite(f"max_gap_regression: 0.02{to}"))
    accepted.run("--behave-baseline=accept").assert_outcomes(passed=1)
    assert entries(accepted)["region", "accuracy gap"]["value"] == 0
    write_answers(accepted, wrong)
    found = accepted.behaviors()["region", "accuracy gap"]
    assert found["verdict"] == verdict, found["reason"]
    assert found["baseline"]["change"] == pytest.approx(found["value"])
    if verdict in ("regressed", "suspect"):
        assert "beyond max_gap_regression 0.02" in found["reason"]


def test_a_wider_gap_can_be_accepted(accepted):
    accepted.write("loans.behave.yaml", gap_suite("max_gap_regression: 0.02"))
    accepted.run("--behave-baseline=accept")
    write_answers(accepted, EAST)
    accepted.run("--behave-baseline=accept", "-k", "gap").assert_outcomes(passed=1)
    assert entries(accepted)["region", "accuracy gap"]["value"] == 0.4
    assert accepted.behaviors()["region", "accuracy gap"]["verdict"] == "holds"
