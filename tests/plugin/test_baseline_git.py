"""Baselines and git: branches merge, conflicts name the way out, and any commit can be read without a checkout."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from pytest_behave.compare.store import Commit, WorkingTree, accept, baseline_paths, baseline_text, read_baseline
from pytest_behave.errors import BaselineError
from pytest_behave.records import BaselineEntry, StoredBaseline

SLICES = ("men", "overall", "race=African-American", "women")
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"


class Repository:
    """A git repository with a suite, whose baseline is changed as `--behave-baseline=accept` would."""

    def __init__(self, top, suite="loans", folder="."):
        self.top = top
        self.suite = suite
        self.file, self.parquet = baseline_paths(top / folder / f"{suite}.behave.yaml", suite)
        self.file.parent.mkdir(parents=True)
        self.git("init", "-q", "-b", "main")
        self.git("config", "user.name", "A")
        self.git("config", "user.email", "a@example.org")

    def git(self, *arguments, fails=False):
        done = subprocess.run(
            ["git", *arguments],  # noqa: S607 - the user's own
            cwd=self.top,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
        assert bool(done.returncode) == fails, done.stdout + done.stderr
        return done.stdout.strip()

    def commit(self):
        self.git("add", ".")
        self.git("commit", "-q", "-m", "change")
        return self.git("rev-parse", "HEAD")

    def accept(self, **values):
        """Accept values by slice and commit; return the commit."""
        measured = {
            (name, "accuracy"): BaselineEntry(value, 240, 240, round(value * 240)) for name, value in values.items()
        }
        stored, _ = accept(self.read(WorkingTree()), measured, self.suite, {})
        self.file.write_bytes(baseline_text(stored).encode())
        return self.commit()

    def read(self, place):
        return read_baseline(place, self.file, self.suite)

    def values(self, place):
        stored = self.read(place)
        return {name: entry.value for (name, _), entry in stored.entries.items()}


@pytest.fixture(autouse=True)
def _no_configuration(monkeypatch):
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


@pytest.fixture
def repository(tmp_path):
    top = tmp_path / "top"
    made = Repository(top)
    entries = {(name, "accuracy"): BaselineEntry(0.8, 240, 240, 192) for name in SLICES}
    made.file.write_bytes(baseline_text(StoredBaseline("loans", "sha256:d", "sha256:m", entries)).encode())
    made.commit()
    return made


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"women": 0.7}, {"men": 0.9}),
        ({"men": 0.7}, {"overall": 0.9}),  # neighbours
        ({"overall": 0.7, "women": 0.6}, {"men": 0.9, "race=African-American": 0.5}),
        ({"women": 0.7}, {"children": 0.9}),  # a new slice
        ({"young": 0.7}, {"women": 0.9}),  # the last slice becomes the last but one
        ({"a": 0.7}, {"z": 0.9}),  # two new ones
        ({"women": 0.7}, {"women": 0.7}),
    ],
)
def test_two_branches_that_accept_different_slices_merge(repository, ours, theirs):
    repository.git("switch", "-q", "-c", "theirs")
    repository.accept(**theirs)
    repository.git("switch", "-q", "-c", "ours", "main")
    repository.accept(**ours)
    repository.git("merge", "-q", "-m", "merge", "theirs")
    assert repository.values(WorkingTree()) == {**dict.fromkeys(SLICES, 0.8), **theirs, **ours}
    merged = repository.read(WorkingTree())
    assert repository.file.read_text("utf-8") == baseline_text(merged), "as accepting both at once would write it"


def test_two_branches_that_accept_the_same_slice_conflict_and_the_way_out_is_named(repository):
    repository.git("switch", "-q", "-c", "theirs")
    repository.accept(women=0.9)
    repository.git("switch", "-q", "-c", "ours", "main")
    repository.accept(women=0.7)
    repository.git("merge", "-q", "theirs", fails=True)
    with pytest.raises(BaselineError) as caught:
        repository.read(WorkingTree())
    line = repository.file.read_text("utf-8").splitlines().index("<<<<<<< HEAD") + 1
    assert str(caught.value) == (
        f"{repository.file}:{line}: git conflict markers: "
        "take either side, then rerun `pytest --behave --behave-baseline=accept`"
    )
    repository.git("checkout", "--theirs", "--", str(repository.file))
    repository.accept(women=0.75)
    assert repository.values(WorkingTree())["women"] == 0.75


def test_a_commit_is_read_whatever_the_working_tree_holds(repository):
    repository.accept(women=0.7)
    repository.git("tag", "-a", "v1", "-m", "release")
    repository.accept(women=0.6)
    repository.file.write_text("not even JSON")
    before = repository.git("status", "--porcelain")
    head = repository.git("rev-parse", "HEAD")
    refs = {"main": 0.6, "v1": 0.7, "HEAD~2": 0.8, head: 0.6, head[:10]: 0.6, "main@{0}": 0.6}
    assert {ref: repository.values(Commit(ref))["women"] for ref in refs} == refs
    assert repository.git("status", "--porcelain") == before


def test_a_file_that_the_commit_lacks_is_no_baseline(repository):
    repository.parquet.write_bytes(b"PAR1")
    assert Commit("HEAD").read(repository.parquet) is None
    assert Commit("HEAD").read(repository.top / "gone" / "baselines" / "loans.json") is None
    repository.commit()
    assert Commit("HEAD").read(repository.parquet) == b"PAR1"
    assert Commit("HEAD~1").read(repository.parquet) is None


def test_a_folder_that_is_gone_from_the_working_tree_is_read(repository):
    for path in repository.file.parent.iterdir():
        path.unlink()
    repository.file.parent.rmdir()
    assert repository.values(Commit("HEAD"))["women"] == 0.8
    repository.file.parent.write_text("now a file")
    assert repository.values(Commit("HEAD"))["women"] == 0.8


@pytest.mark.parametrize("suite", ["loans", "Größe & 点", "team/loans", "*", ":(top)x", "-x", "a b$(c)'d\"", "[a]"])
@pytest.mark.parametrize("folder", [".", "a b/-c/Straße", "$HOME;x"])
def test_names_and_folders_may_hold_anything(tmp_path, suite, folder):
    repository = Repository(tmp_path / "the top", suite, folder)
    repository.accept(women=0.7)
    assert repository.values(Commit("main")) == {"women": 0.7}


@pytest.mark.parametrize("where", [".", "top", "top/baselines", "elsewhere"])
def test_the_current_folder_does_not_matter(repository, monkeypatch, where):
    folder = repository.top.parent / where
    folder.mkdir(exist_ok=True)
    monkeypatch.chdir(folder)
    repository.file = Path(os.path.relpath(repository.file))
    assert repository.values(Commit("HEAD"))["women"] == 0.8


def test_the_repository_is_that_of_the_file_even_in_a_hook_of_another(repository, tmp_path, monkeypatch):
    other = Repository(tmp_path / "other")
    other.accept(women=0.1)
    monkeypatch.setenv("GIT_DIR", str(other.top / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other.top / ".git" / "index"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other.top))
    monkeypatch.setenv("GIT_PREFIX", "baselines/")
    monkeypatch.setenv("GIT_TRACE", "1")
    assert repository.values(Commit("HEAD"))["women"] == 0.8
    assert Commit("HEAD").read(repository.parquet) is None


def test_a_linked_worktree_is_read_like_the_repository(repository, tmp_path):
    repository.git("worktree", "add", "-q", str(tmp_path / "linked"))
    path = tmp_path / "linked" / repository.file.relative_to(repository.top)
    assert read_baseline(Commit("main"), path, "loans") == repository.read(Commit("main"))


def test_the_content_is_that_of_the_commit_and_no_rendering_of_it(repository):
    (repository.top / ".gitattributes").write_text("*.json diff=shout\n*.json text eol=crlf\n")
    repository.git("config", "diff.shout.textconv", "echo shouted")
    repository.git("config", "color.ui", "always")
    repository.git("config", "core.pager", "false")
    content = Commit("HEAD").read(repository.file)
    assert content.decode() == baseline_text(repository.read(Commit("HEAD")))


@pytest.mark.parametrize("ref", ["", "--output=x", "-n1", "-", "a\nb", "a\0b", "\ud800"])
def test_what_cannot_be_a_commit_is_refused(repository, ref):
    with pytest.raises(BaselineError, match="cannot name a git commit: give a branch, a tag or a hash"):
        Commit(ref).read(repository.file)
    assert sorted(path.name for path in repository.top.iterdir()) == [".git", "baselines"]


UNKNOWN = "git knows no commit {!r} here: check the name, or get it with `{}` (in CI, check out with `fetch-depth: 0`"


@pytest.mark.parametrize("ref", ["mian", "0123456789012345678901234567890123456789", "HEAD~9", "a..b", "a b", "HEAD:x"])
def test_an_unknown_commit_says_how_to_get_it(repository, ref):
    with pytest.raises(BaselineError, match=re.escape(UNKNOWN.format(ref, "git fetch"))):
        repository.read(Commit(ref))


def test_in_a_shallow_clone_the_named_command_brings_the_branch(repository, tmp_path):
    repository.git("switch", "-q", "-c", "work")
    repository.accept(women=0.7)
    url = repository.top.as_uri()
    repository.git("clone", "-q", "--depth=1", "--branch=work", url, str(tmp_path / "clone"))
    path = tmp_path / "clone" / "baselines" / "loans.json"
    remedies = {}
    for ref in ("origin/main", "HEAD~1"):
        with pytest.raises(BaselineError) as caught:
            read_baseline(Commit(ref), path, "loans")
        remedies[ref] = re.findall(r"`(git .*?)`", str(caught.value))
    assert remedies["origin/main"][0] == "git fetch origin main:refs/remotes/origin/main"
    assert remedies["HEAD~1"][-1] == "git fetch --unshallow"
    for ref, command in (("origin/main", remedies["origin/main"][0]), ("HEAD~1", remedies["HEAD~1"][-1])):
        subprocess.run(command.split(), cwd=path.parent, check=True, capture_output=True)
        assert read_baseline(Commit(ref), path, "loans").entries["women", "accuracy"].value == 0.8


def test_outside_a_repository_there_is_no_commit(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(BaselineError, match=r"git cannot read 'main' in .*: not a git repository"):
        Commit("main").read(tmp_path / "baselines" / "loans.json")


def test_without_git_the_message_says_so(repository, tmp_path, monkeypatch):
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(BaselineError, match="comparing with 'main' needs git, is it installed"):
        repository.read(Commit("main"))


@pytest.mark.parametrize("what", ["HEAD:baselines/loans.json", "HEAD:baselines"])
def test_a_commit_whose_objects_are_damaged_is_an_error_not_an_absence(repository, what):
    name = repository.git("rev-parse", what)
    path = repository.top / ".git" / "objects" / name[:2] / name[2:]
    path.chmod(0o644)
    path.write_bytes(b"")
    with pytest.raises(BaselineError, match=r"git cannot read HEAD:.*loans\.json: "):
        repository.read(Commit("HEAD"))


@pytest.fixture
def pointer(repository):
    repository.parquet.write_text(POINTER)
    (repository.top / ".gitattributes").write_text("*.parquet filter=lfs\n")
    repository.commit()
    repository.parquet.unlink()
    return repository


def test_a_file_in_lfs_is_fetched_by_the_filter_that_a_checkout_would_use(pointer):
    pointer.git("config", "filter.lfs.smudge", "echo content")
    assert Commit("HEAD").read(pointer.parquet) == b"content\n"


@pytest.mark.parametrize("smudge", [None, "cat", "false", "exec sleep 20"])
def test_a_file_in_lfs_that_cannot_be_fetched_stays_a_pointer(pointer, smudge):
    if smudge:
        pointer.git("config", "filter.lfs.smudge", smudge)
        pointer.git("config", "filter.lfs.required", "true")
    assert Commit("HEAD", timeout=1).read(pointer.parquet) == POINTER.encode()


@pytest.mark.skipif(os.name == "nt", reason="git is made slow by a script")
def test_a_git_that_hangs_is_given_up(repository, tmp_path, monkeypatch):
    slow = tmp_path / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{slow.parent}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(BaselineError, match=r"git took more than 0\.2 s to read 'main'"):
        repository.read(Commit("main", timeout=0.2))
