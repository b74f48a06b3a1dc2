"""Record a pull request with a regression: red, read the diff, accept, green. Writes explanation/pull-request.md.

Run ``python docs/record_session.py`` after a change of what reports look like; a test compares the committed page with
what this makes. The repository of the session is made anew in a temporary folder, of real data: tweets, and what two
releases of a sentiment classifier say of them.
"""  # noqa: INP001 - a script, run by hand

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd

HERE = Path(__file__).parent
PAGE = HERE / "explanation" / "pull-request.md"
EXAMPLES = HERE.parent / "example_suites"
WIDTH = 100
SUITE = """\
suite: tweets
dataset: {path: tweets.csv, id: id, target: gold}
task: multiclass
model: {predictions: answers.csv, prediction: label}
slices:
  word no: 'matches(text, r"(?i)\\bno\\b")'
  negation: 'matches(text, r"(?i)\\b(?:not|never)\\b|n''t\\b")'
  exclamation: 'contains(text, "!")'
  emoticon: 'matches(text, r"[:;]-?[)(DP]")'
metrics: [accuracy]
expect:
  overall: {accuracy: {min: 0.9, max_regression: 0}}
  "*": {accuracy: {max_regression: 0}}
"""
INTRODUCTION = """\
# A pull request, from red to green

<!-- made by docs/record_session.py -->

Somebody upgrades a sentiment classifier, VADER, from release 2.5 to 3.3.2. The new release is better on the whole of its
test data. On tweets it is worse, and on tweets with the word "no" much worse. This is what the pull request looks like.
The commands were really run; only the times are left out.

The suite, and the baseline that was accepted with release 2.5:

<!-- shown -->
```yaml
{suite}```

## The build is red

The branch brings the answers of the new release. CI compares with the commit that the branch started from:

<!-- shown -->
```console
{red}```

## What the reviewer reads

`--behave-report=md:behaviors.md` made this comment:

<!-- shown -->
````markdown
{markdown}````

## Accepting it

The team decides that the other gains are worth it. A person accepts, and says why:

<!-- shown -->
```console
{accept}```

The next build is green, and the comment tells the reviewer what was accepted:

<!-- shown -->
```console
{green}```

<!-- shown -->
````markdown
{after}````
"""


def label(score: float) -> str:
    """Return the class that a compound score stands for, as VADER's authors say."""
    return "positive" if score >= 0.05 else "negative" if score <= -0.05 else "neutral"  # noqa: PLR2004 - theirs


def session() -> str:
    """Return the page."""
    with tempfile.TemporaryDirectory() as folder:
        return _recorded(Path(folder) / "tweets")


def _recorded(folder: Path) -> str:
    folder.mkdir()
    texts = pd.read_csv(EXAMPLES / "sentiment" / "texts.csv", keep_default_na=False)
    tweets = texts[texts["source"] == "tweets"]
    newer = pd.read_parquet(EXAMPLES / "worse-on-purpose" / "vader_3.3.2.parquet")
    newer = newer[newer["source"] == "tweets"]
    tweets[["id", "text", "gold"]].to_csv(folder / "tweets.csv", index=False)
    (folder / "tweets.behave.yaml").write_text(SUITE, encoding="utf-8")
    (folder / "pytest.ini").write_text(
        "[pytest]\nbehave = true\naddopts = -q --no-header -p no:cacheprovider\n", encoding="utf-8"
    )
    write_answers(folder, tweets["id"], tweets["vader_2_5"])
    run(folder, "git init -q -b main .")
    run(folder, "pytest --behave-baseline=new")
    run(folder, "git add .")
    run(folder, "git commit -qm Baseline")
    run(folder, "git checkout -qb vader-3.3.2")
    write_answers(folder, newer["id"], newer["compound"])
    run(folder, "git commit -qam Upgrade")
    check = "pytest --behave-against=main --behave-report=md:behaviors.md"
    red = run(folder, check)
    markdown = (folder / "behaviors.md").read_text(encoding="utf-8")
    reason = "release 3.3.2 hears more of the other texts"
    accept = run(folder, f"pytest --behave-baseline=accept --behave-reason='{reason}'")
    accept += run(folder, "git commit -qam 'Accept the new release'")
    green = run(folder, check)
    after = (folder / "behaviors.md").read_text(encoding="utf-8")
    return INTRODUCTION.format(suite=SUITE, red=red, markdown=markdown, accept=accept, green=green, after=after)


def write_answers(folder: Path, ids: pd.Series, scores: pd.Series) -> None:
    """Write what a release says of the tweets."""
    answers = pd.DataFrame({"id": ids, "label": [label(score) for score in scores]})
    answers.to_csv(folder / "answers.csv", index=False)


def run(folder: Path, command: str) -> str:
    """Run one command and return it with what it printed, without times and trailing blanks."""
    ours = ("CI", "BUILD_NUMBER", "GITLAB_CI")  # where pytest and the plugin print more
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ours and not name.startswith(("GITHUB_", "GIT_", "PYTEST_"))
    }
    environment |= {
        "COLUMNS": str(WIDTH),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]]),
        "PYTHONPATH": str(HERE.parent),
        "GIT_CONFIG_GLOBAL": os.devnull,
        **{f"GIT_{who}_{what}": "team@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    }
    done = subprocess.run(  # noqa: S602 - our own commands, with quotes
        command, shell=True, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    printed = re.sub(r" in \d+\.\d+s( \([\d:]+\))?", "", done.stdout)
    lines = [line.rstrip() for line in printed.splitlines()]
    return "\n".join([f"$ {command}", *lines]).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(session(), encoding="utf-8")
