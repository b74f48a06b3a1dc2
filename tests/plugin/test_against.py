"""``--behave-against=REF``: compared with what another commit accepted, and what this change accepts is shown."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.plugin.test_baseline import EAST, SUITE, entries, files, loans, text, write_answers, write_rows

__all__ = ["loans"]  # a fixture
NORTH = range(13, 61, 3)
AGAINST = "--behave-against=main"


def git(project, *arguments):
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]
    done = subprocess.run(
        ["git", *identity, *arguments],  # noqa: S607 - the user's own
        cwd=project.path,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def commit(project):
    git(project, "add", "-A")
    git(project, "commit", "-q", "-m", "change")


@pytest.fixture
def branch(loans, monkeypatch):
    """The suite accepted on main, and a branch from there."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    loans.write(".gitignore", "*.xml\no.json\nrecord.json\no.md\n__pycache__/\n.pytest_cache/\nstdout\nstderr\n")
    loans.run("--behave-baseline=new")
    git(loans, "init", "-q")
    commit(loans)
    git(loans, "switch", "-q", "-c", "work")
    return loans


def run(project, *options):
    """Run against main; return the result, the suite's record and the Markdown report."""
    result = project.run(AGAINST, "--behave-report=json:o.json", "--behave-report=md:o.md", *options)
    (suite,) = json.loads((project.path / "o.json").read_text("utf-8"))["suites"]
    return result, suite, (project.path / "o.md").read_text("utf-8")


def east(suite):
    return next(item for item in suite["behaviors"] if item["slice"] == "region=east")


def test_it_compares_with_the_commit_s_files_and_leaves_everything_as_it_is(branch):
    write_answers(branch, EAST)
    before = files(branch)
    result, suite, _ = run(branch)
    assert result.ret == 1
    assert (suite["baseline"]["kind"], suite["baseline"]["ref"], suite["baseline"]["accepted"]) == (
        "commit",
        "main",
        [],
    )
    assert (east(suite)["verdict"], east(suite)["baseline"]["paired"]) == ("regressed", True)
    after = {name: content for name, content in files(branch).items() if name not in ("o.json", "o.md")}
    assert after == before


def test_a_loss_accepted_in_the_branch_is_shown_as_such_and_is_green(branch):
    write_answers(branch, EAST)
    branch.run("--behave-baseline=accept", "--behave-reason=incomes were wrong")
    commit(branch)
    assert branch.run().ret == 0, "against the branch's own baseline nothing is lost"
    result, suite, markdown = run(branch)
    assert result.ret == 0
    found = east(suite)
    assert found["verdict"] == "holds"
    assert found["reason"] == "accepted in this change, 0.9 → 0.5: incomes were wrong"
    assert found["baseline"]["accepted"] == found["reason"]
    assert found["baseline"]["change"] == pytest.approx(-0.4)
    assert [
        (item["slice"], item["before"], item["after"], item["reason"]) for item in suite["baseline"]["accepted"]
    ] == [
        ("region=east", 0.9, 0.5, "incomes were wrong"),
        ("overall", 0.9, 0.766667, "incomes were wrong"),
    ]
    assert "ccepted in this change" in markdown
    assert "incomes were wrong" in markdown
    assert "accepted in this change: region=east accuracy 0.900 → 0.500 (incomes were wrong)" in " ".join(
        result.stdout.str().split()
    )


def test_a_loss_that_grew_after_it_was_accepted_is_red(branch):
    write_answers(branch, EAST)
    branch.run("--behave-baseline=accept")
    write_answers(branch, EAST, range(60, 90, 3))
    result, suite, _ = run(branch)
    assert result.ret == 1
    assert east(suite)["verdict"] == "regressed"
    assert {item["slice"] for item in suite["baseline"]["accepted"]} == {"overall", "region=east"}


def test_what_is_accepted_alone_covers_itself_alone(branch):
    write_answers(branch, EAST, NORTH)
    branch.run("--behave-baseline=accept", "-k", "east")
    _, suite, _ = run(branch)
    assert [item["verdict"] for item in suite["behaviors"]] == ["regressed", "holds", "regressed", "holds"]


def test_accepting_a_better_value_does_not_excuse_a_loss(branch):
    write_answers(branch)
    branch.write("p.csv", (branch.path / "p.csv").read_text().replace("a000,1,0.9", "a000,0,0.1"))  # a row fixed
    branch.run("--behave-baseline=accept")
    write_answers(branch, EAST)
    _, suite, _ = run(branch)
    assert east(suite)["verdict"] == "regressed"
    assert ("region=east", 0.9, 0.925) in [
        (item["slice"], item["before"], item["after"]) for item in suite["baseline"]["accepted"]
    ]


def test_an_accepted_loss_within_the_tolerance_of_it_stays_green(branch):
    write_answers(branch, EAST)
    branch.write("loans.behave.yaml", SUITE.replace("0.01", "0.05").replace("0.02", "0.05"))
    branch.run("--behave-baseline=accept")
    write_answers(branch, EAST, [60])
    result, suite, _ = run(branch)
    assert result.ret == 0
    assert east(suite)["value"] == 0.475
    assert east(suite)["verdict"] == "holds"


def test_what_main_accepted_long_ago_is_not_accepted_in_this_change(branch):
    """Main lost 40 points since its best value; a branch that changes nothing has not accepted that."""
    git(branch, "switch", "-q", "main")
    branch.write("loans.behave.yaml", SUITE.replace("0.02", "{by: 0.05, from: best}"))
    branch.run("--behave-baseline=accept")
    write_answers(branch, EAST)
    branch.run("--behave-baseline=accept")
    commit(branch)
    result, suite, _ = run(branch)
    assert result.ret == 1
    assert (east(suite)["verdict"], east(suite)["baseline"]["change"]) == ("regressed", 0)
    assert suite["baseline"]["accepted"] == []


@pytest.mark.parametrize(("bound", "code"), [("0.5", 0), ("0.02", 1)])
def test_a_branch_s_own_bounds_count(branch, bound, code):
    """A loosened bound is in the diff of the suite; the baseline of main is still what is compared with."""
    write_answers(branch, EAST)
    branch.write("loans.behave.yaml", SUITE.replace("0.01", bound).replace("0.02", bound))
    result, suite, _ = run(branch)
    assert result.ret == code
    assert east(suite)["baseline"]["change"] == pytest.approx(-0.4)
    assert east(suite)["bounds"] == {"max_regression": float(bound)}


def test_a_baseline_edited_by_hand_is_shown_too(branch):
    path = branch.path / "baselines/loans.json"
    stored = json.loads(path.read_text())
    stored["behaviors"]["region=east"]["accuracy"] |= {"value": 0.5, "hits": 20}
    path.write_text(json.dumps(stored))
    _, suite, markdown = run(branch)
    (changed,) = suite["baseline"]["accepted"]
    assert (changed["slice"], changed["before"], changed["after"]) == ("region=east", 0.9, 0.5)
    assert "region=east" in markdown


def test_an_entry_removed_in_the_branch_is_shown(branch):
    branch.write("loans.behave.yaml", SUITE.replace("by: region", "by: region, where: region != 'south'"))
    branch.run("--behave-baseline=prune")
    _, suite, _ = run(branch)
    (changed,) = suite["baseline"]["accepted"]
    assert (changed["slice"], changed["before"], changed["after"]) == ("region=south", 0.9, None)
    assert changed["reason"] == "no longer in the baseline"


@pytest.mark.parametrize(
    ("ref", "sentence"),
    [
        ("mian", "git knows no commit 'mian' here: check the name, or get it with `git fetch`"),
        ("origin/main", "get it with `git fetch origin main:refs/remotes/origin/main`"),
        ("-x", "'-x' cannot name a git commit"),
    ],
)
def test_a_commit_that_is_not_there_says_how_to_get_it(branch, ref, sentence):
    result = branch.run(f"--behave-against={ref}")
    assert result.ret == 1
    result.assert_outcomes(failed=4)
    assert sentence in result.stdout.str()
    assert "Traceback" not in text(result)


def test_outside_of_git_it_is_one_sentence(loans, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(loans.path.parent))
    loans.run("--behave-baseline=new")
    result = loans.run(AGAINST)
    result.assert_outcomes(failed=4)
    assert "git cannot read 'main' in" in result.stdout.str()
    assert "Traceback" not in text(result)


def test_a_first_baseline_that_the_branch_brings_is_shown(loans):
    git(loans, "init", "-q")
    commit(loans)
    git(loans, "switch", "-q", "-c", "work")
    assert "there is no baseline yet" in loans.run(AGAINST).stdout.str()
    loans.run("--behave-baseline=new")
    result, suite, _ = run(loans)
    assert result.ret == 0
    assert {(item["slice"], item["before"]) for item in suite["baseline"]["accepted"]} == {
        (item["slice"], None) for item in suite["behaviors"]
    }


def test_a_slice_that_the_branch_adds_and_accepts_is_no_failure(branch):
    added = SUITE.replace("slices:\n", "slices:\n  old: age >= 40\n")
    branch.write("loans.behave.yaml", added + "  old: {accuracy: {max_regression: 0}}\n")
    before, suite, _ = run(branch)
    assert before.ret == 1
    assert [item["verdict"] for item in suite["behaviors"] if item["slice"] == "old"] == ["no-baseline"]
    branch.run("--behave-baseline=new")
    result, suite, _ = run(branch)
    assert result.ret == 0
    assert [(item["slice"], item["before"]) for item in suite["baseline"]["accepted"]] == [("old", None)]


def test_answers_that_the_commit_lacks_leave_its_values(branch):
    git(branch, "switch", "-q", "main")
    git(branch, "rm", "-q", "baselines/loans.parquet")
    commit(branch)
    git(branch, "switch", "-q", "work")
    write_answers(branch, EAST)
    _, suite, _ = run(branch)
    assert (east(suite)["verdict"], east(suite)["baseline"]["paired"]) == ("regressed", False)
    assert east(suite)["baseline"]["reason"].startswith("there is no baselines/loans.parquet; ")


def test_two_branches_that_each_accept_a_slice_merge_into_what_both_accepted(branch):
    write_answers(branch, EAST)
    branch.run("--behave-baseline=accept", "-k", "east", "--behave-reason=one")
    commit(branch)
    git(branch, "switch", "-q", "-c", "other", "main")
    write_answers(branch, NORTH)
    branch.run("--behave-baseline=accept", "-k", "north", "--behave-reason=other")
    commit(branch)
    git(branch, "merge", "-q", "-X", "ours", "-m", "merge", "work")  # p.csv conflicts, the baseline does not
    assert "<<<" not in (branch.path / "baselines/loans.json").read_text()
    found = {name: (entry["value"], entry.get("reason")) for (name, _), entry in entries(branch).items()}
    assert found == {
        "overall": (0.9, None),
        "region=east": (0.5, "one"),
        "region=north": (0.5, "other"),
        "region=south": (0.9, None),
    } or found["region=north"] == (0.525, "other")
    write_answers(branch, EAST, NORTH)
    _, suite, _ = run(branch)
    verdicts = {item["slice"]: item["verdict"] for item in suite["behaviors"]}
    assert verdicts == {
        "overall": "regressed",
        "region=east": "holds",
        "region=north": "holds",
        "region=south": "holds",
    }


@pytest.mark.parametrize("start", [".", "team/a b", "other"])
def test_a_suite_in_a_folder_of_the_repository_is_found_from_anywhere(loans, monkeypatch, start):
    home = loans.path / "team" / "a b"
    home.mkdir(parents=True)
    (loans.path / "other").mkdir()
    for name in ("loans.behave.yaml", "loans.csv", "p.csv"):
        (loans.path / name).rename(home / name)
    suite = str(home / "loans.behave.yaml")
    loans.run("--behave-baseline=new", suite)
    git(loans, "init", "-q")
    commit(loans)
    (home / "baselines/loans.json").unlink()
    write_rows(loans)
    write_answers(loans, EAST)
    (loans.path / "p.csv").rename(home / "p.csv")
    monkeypatch.chdir(loans.path / start)
    loans.run(AGAINST, f"--rootdir={loans.path}", suite).assert_outcomes(failed=2, passed=2)
