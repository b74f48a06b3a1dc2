"""The prediction cache, through real runs: what is predicted again, what is said, what a fault costs."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from pytest_behave.cli import main
from pytest_behave.predict.segments import segments_in

SUITE = """\
dataset: {path: rows.csv, id: id, target: target}
model: {python: "model:predict", batch_size: 3}
metrics: [accuracy]
expect:
  overall: {accuracy: {min: 0.5}}
"""
MODEL = """\
from helper import threshold

def predict(df):
    with open("calls.txt", "a") as calls:
        calls.write(f"{len(df)}\\n")
    return (df["score"] > threshold()).astype(int)
"""
FILES = {
    "s.behave.yaml": SUITE,
    "model.py": MODEL,
    "helper.py": "from deeper import TABLE\n\ndef threshold():\n    return TABLE['at'] * 1\n",
    "deeper.py": "import json\nfrom pathlib import Path\n\nTABLE = json.loads((Path(__file__).parent / 'table.json').read_text())\n",
    "table.json": '{"at": 0.35}',
}
MORE = "9,more,b,35,2026-04-12,0,0,0.3\n10,rows,b,35,2026-04-12,0,0,0.25\n"


@pytest.fixture
def suite(project):
    for name, text in FILES.items():
        project.write(name, text)
    return project


def calls(project, *arguments, run=None):
    """Run, and return the sizes of the batches that the model was given, with the whole output."""
    (project.path / "calls.txt").write_text("")
    if run is None:
        result = project.run("-p", "no:cacheprovider", *arguments)
        said = result.stdout.str() + result.stderr.str()
    else:
        done = run(project, *arguments)
        said = done.stdout + done.stderr
    return list(map(int, (project.path / "calls.txt").read_text().split())), said


def command(*arguments):
    return [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:hypothesispytest",
        "--behave",
        *arguments,
    ]


def in_a_process(project, *arguments):
    return subprocess.run(command(*arguments), cwd=project.path, capture_output=True, text=True, check=False)


def segments(project):
    return [
        path for folder in (project.path / ".behave_cache").iterdir() if folder.is_dir() for path in segments_in(folder)
    ]


def append(project, name, text):
    with (project.path / name).open("a") as file:
        file.write(text)


def test_a_second_run_calls_no_model_and_reports_the_same(suite):
    reports = [f"--behave-report={kind}:{{0}}.{kind}" for kind in ("json", "md")]
    first, _ = calls(suite, *(report.format("one") for report in reports))
    second, said = calls(suite, *(report.format("two") for report in reports))
    without, _ = calls(suite, "--behave-cache=off", *(report.format("off") for report in reports))
    assert (first, second, without) == ([3, 3, 2], [], [3, 3, 2])
    assert "cache" not in said
    for kind in ("json", "md"):
        one, two, off = ((suite.path / f"{name}.{kind}").read_bytes() for name in ("one", "two", "off"))
        assert one == two == off
    folder = suite.path / ".behave_cache"
    assert (folder / ".gitignore").read_text().endswith("*\n")
    assert (folder / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f06886806bc55")


def test_rows_that_are_added_are_all_that_is_predicted(suite):
    calls(suite)
    append(suite, "rows.csv", MORE)
    sizes, said = calls(suite)
    assert sizes == [2]
    assert "behave: s: resumed: 8 of 10 rows from the cache" in said


def test_cases_that_are_added_are_all_that_is_predicted(suite):
    case = "  - {{id: c{0}, input: {{score: 0.{0}}}, expect: {{label: {1}}}}}\n"
    append(suite, "s.behave.yaml", "cases:\n" + case.format(1, 0) + case.format(2, 0))
    assert calls(suite)[0] == [3, 3, 2, 2]
    append(
        suite, "s.behave.yaml", case.format(7, 1) + "  - {id: d, input: {score: 1, note: new}, expect: {label: 1}}\n"
    )
    assert calls(suite)[0] == [2]


EDITS = {
    "the function": ("model.py", "(df[", "0 + (df["),
    "a helper two imports down": ("deeper.py", "import json", "import json  # edited"),
    "a file that the code reads": ("table.json", "0.35", "0.55"),
    "a constant": ("helper.py", "* 1", "* 2"),
    "a decorator": ("model.py", "def predict", "@(lambda f: lambda df: 1 - f(df))\ndef predict"),
    "the name of the function": ("s.behave.yaml", "model:predict", "model:predict.__call__"),
    "the fingerprint": ("s.behave.yaml", "batch_size", "fingerprint: two, batch_size"),
}


def test_an_edit_of_the_model_predicts_everything_again(suite):
    calls(suite)
    for name, old, new in EDITS.values():
        path = suite.path / name
        before = path.read_text()
        assert old in before
        path.write_text(before.replace(old, new, 1))
        assert calls(suite)[0] == [3, 3, 2], (name, new)
        path.write_text(before)
    assert calls(suite)[0] == []  # what was there before is there still


NO_EDITS = {
    "the threshold": ("s.behave.yaml", "batch_size", "threshold: 0.7, batch_size"),
    "the size of batches": ("s.behave.yaml", "batch_size: 3", "batch_size: 5"),
    "a bound": ("s.behave.yaml", "min: 0.5", "min: 0.4"),
    "a file that the code does not reach": ("other.py", "1", "2"),
}


def test_what_does_not_change_outputs_predicts_nothing_again(suite):
    suite.write("other.py", "X = 1")
    calls(suite)
    for name, old, new in NO_EDITS.values():
        (suite.path / name).write_text((suite.path / name).read_text().replace(old, new, 1))
        assert calls(suite)[0] == [], (name, new)


def test_with_a_fingerprint_given_edits_of_the_code_do_not_count(suite):
    suite.write("s.behave.yaml", SUITE.replace("batch_size", "fingerprint: one, batch_size"))
    calls(suite)
    append(suite, "model.py", "# edited\n")
    assert calls(suite)[0] == []


def test_a_model_whose_outputs_are_known_is_not_even_imported(suite):
    append(suite, "model.py", "open('imported.txt', 'w').close()\n")
    calls(suite)
    (suite.path / "imported.txt").unlink()
    assert calls(suite)[0] == []
    assert not (suite.path / "imported.txt").exists()


def test_the_cache_stands_where_option_or_configuration_say(suite):
    suite.write("pytest.ini", "[pytest]\nbehave_cache = of/the/file\n")
    calls(suite)
    calls(suite, "--behave-cache=of/the/option")
    assert (suite.path / "of/the/file/CACHEDIR.TAG").exists()
    assert (suite.path / "of/the/option/CACHEDIR.TAG").exists()
    assert not (suite.path / ".behave_cache").exists()
    suite.write("pytest.ini", "[pytest]\nbehave_cache = off\n")
    assert calls(suite)[0] == calls(suite)[0] == [3, 3, 2]


@pytest.mark.parametrize("model", ["{predictions: rows.csv, prediction: guess}", "{column: guess}"])
def test_files_of_outputs_and_columns_are_not_kept(suite, model):
    suite.write("s.behave.yaml", SUITE.replace('{python: "model:predict", batch_size: 3}', model))
    assert "1 passed" in calls(suite)[1]
    assert segments(suite) == []


DUMP = """
import pandas as pd, skops.io
from sklearn.linear_model import LogisticRegression
frame = pd.read_csv("rows.csv")
for name, C in (("m", 1), ("other", 1e-9)):
    skops.io.dump(LogisticRegression(C=C).fit(frame[["score"]], frame["target"]), f"{name}.skops")
"""


@pytest.mark.skipif(importlib.util.find_spec("skops") is None, reason="needs the extra `sklearn`")
def test_an_estimator_is_known_by_its_file_and_the_columns_that_it_gets(suite):
    text = SUITE.replace('{python: "model:predict", batch_size: 3}', "{estimator: m.skops}")
    suite.write("s.behave.yaml", text.replace("min: 0.5", "min: 0"))
    subprocess.run([sys.executable, "-c", DUMP], cwd=suite.path, check=True)
    assert "1 passed" in in_a_process(suite).stdout
    # the target is not what it is given: with other targets, nothing is predicted again
    suite.write("rows.csv", (suite.path / "rows.csv").read_text().replace(",1,1,", ",0,1,"))
    assert "1 passed" in in_a_process(suite).stdout
    assert len(segments(suite)) == 1
    (suite.path / "other.skops").replace(suite.path / "m.skops")
    assert "1 passed" in in_a_process(suite).stdout
    assert len(segments(suite)) == 2


PLUGIN = """\
import threading
import pytest

def pytest_behave_model_source(spec):
    def predict(rows):
        with open("calls.txt", "a") as calls:
            calls.write(f"{{len(rows)}}\\n")
        return (rows["score"] > spec.options["at"]).astype(int)
    {more}
    return predict
"""


def test_a_source_of_a_plugin_is_known_by_what_its_callable_holds(suite):
    plugin = "{plugin: mine, options: {at: 0.35}}"
    suite.write("s.behave.yaml", SUITE.replace('{python: "model:predict", batch_size: 3}', plugin))
    suite.write("conftest.py", PLUGIN.format(more=""))
    assert [calls(suite)[0] for _ in range(2)] == [[8], []]
    suite.write("s.behave.yaml", (suite.path / "s.behave.yaml").read_text().replace("0.35", "0.45"))
    assert calls(suite)[0] == [8]
    suite.write("conftest.py", PLUGIN.format(more="predict.lock = threading.Lock()"))
    assert calls(suite)[0] == [8]
    sizes, said = calls(suite)
    assert sizes == [8]
    assert (
        said.count("s: model 'mine' is not cached: it holds an object of _thread.lock, whose state cannot be told") == 1
    )
    assert "give the model a `fingerprint:` that changes whenever its outputs do" in said
    suite.write(
        "s.behave.yaml", (suite.path / "s.behave.yaml").read_text().replace("options", "fingerprint: a, options")
    )
    assert [calls(suite)[0] for _ in range(2)] == [[8], []]


FIXTURE = """\
import pandas as pd
import pytest

@pytest.fixture(scope="session")
def suite(behave):
    limit = {limit}

    def predict(rows):
        with open("calls.txt", "a") as calls:
            calls.write(f"{{len(rows)}}\\n")
        return (rows["score"] > limit).astype(int)

    return behave.suite(data=pd.read_csv("rows.csv"), id="id", target="target", model=predict)

def test_accuracy(suite):
    assert suite.overall.accuracy > 0.4
"""


def test_suites_of_fixtures_are_cached_too(project):
    project.write("test_it.py", FIXTURE.format(limit=0.35))
    assert [calls(project)[0] for _ in range(2)] == [[8], []]
    project.write("test_it.py", FIXTURE.format(limit=0.45))
    assert calls(project)[0] == [8]


OUTPUTS = {
    "text": ("['a', 'b'] * (len(df) // 2)", "text"),
    "json": ("[{'label': 'a', 'n': [1, None]}, {'label': 'b'}] * (len(df) // 2)", "text"),
    "bool": ("df['score'] > 0.35", "target"),
    "everything": (
        """pd.DataFrame({'prediction': df['guess'], 'score': df['score'] / 3, 'proba:1': df['score'],
        'proba:0': 1 - df['score'], 'embedding': [[1, 2.5]] * len(df), 'mood': df['text'].str[:1],
        'mixed': [1, 'a'] * (len(df) // 2)})""",
        "target",
    ),
}


@pytest.mark.parametrize("outputs", OUTPUTS)
def test_all_kinds_of_outputs_come_back_as_they_were(suite, outputs):
    returned, target = OUTPUTS[outputs]
    suite.write("model.py", f"import pandas as pd\nfrom os import getpid\n\ndef predict(df):\n    return {returned}\n")
    text = SUITE.replace("target: target", f"target: {target}").replace("batch_size: 3", "batch_size: 4")
    text = text.replace("accuracy", "exact_match").replace("min: 0.5", "min: 0") if target == "text" else text
    suite.write(
        "s.behave.yaml", text + ("slices: {mood: {by: mood}, mixed: {by: mixed}}\n" if outputs == "everything" else "")
    )
    records = [suite.record("--behave-cache=" + cache) for cache in ("off", "here", "here")]
    assert records[0]["suites"][0]["observed"] or records[0]["suites"][0]["behaviors"]
    assert "error" not in json.dumps(records[0]["totals"])
    assert records[0] == records[1] == records[2]
    assert any((suite.path / "here").iterdir())


def test_outputs_that_cannot_be_written_down_are_not_kept_and_that_is_said(suite):
    suite.write("model.py", "def predict(df):\n    return df.assign(prediction=df['guess'], odd=[len] * len(df))\n")
    for _ in range(2):
        said = calls(suite)[1]
        assert said.count("s: model 'predict' is not cached: its outputs hold builtin_function_or_method") <= 1
        assert "is not cached: its outputs hold builtin_function_or_method; return plain values" in said
        assert "1 passed" in said


def test_a_model_that_writes_a_file_which_its_code_names_is_told(suite):
    writes = "    seen = Path(NAME)\n    seen.write_text(f'{seen.exists() and seen.read_text()}.')\n    return"
    suite.write("model.py", "from pathlib import Path\nNAME = 'seen.txt'\n" + MODEL.replace("    return", writes))
    for _ in range(2):
        sizes, said = calls(suite)
        assert sizes == [3, 3, 2]
        assert (
            said.count("a file that its code names changed while it ran, so the next run predicts everything again")
            == 1
        )
    suite.write("s.behave.yaml", SUITE.replace("batch_size", "fingerprint: one, batch_size"))
    assert [calls(suite)[0] for _ in range(2)] == [[3, 3, 2], []]


# -- faults


def test_a_corrupt_segment_is_predicted_again_and_said(suite):
    calls(suite)
    (path,) = segments(suite)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    sizes, said = calls(suite)
    assert sizes == [3, 3, 2]
    assert said.count("behave: s: a corrupt segment of 8 rows was removed, and they are predicted again") == 1
    assert calls(suite)[0] == []


def test_after_a_failure_what_was_finished_is_kept(suite):
    suite.write(
        "model.py",
        MODEL.replace(
            "    return", "    assert 7 not in set(df['id']) or __import__('os').path.exists('ok')\n    return"
        ),
    )
    sizes, said = calls(suite)
    assert sizes == [3, 3, 2]
    assert "1 failed" in said
    (suite.path / "ok").touch()
    # the file `ok` is named in the code, but no part of it: the name is computed from nothing that is there at first
    sizes, said = calls(suite)
    assert "1 passed" in said


SLOW = MODEL.replace(
    "    return",
    "    __import__('time').sleep(0.3 if len(__import__('pathlib').Path('calls.txt').read_text()) > 5 else 0)\n    return",
)


@pytest.mark.thorough
@pytest.mark.parametrize("how", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_an_interrupted_run_is_not_green_and_the_next_one_resumes(suite, how):
    suite.write("model.py", SLOW)
    suite.write(
        "s.behave.yaml", SUITE.replace("batch_size: 3", "batch_size: 1").replace("min: 0.5", "max_regression: 0")
    )
    (suite.path / "calls.txt").write_text("")
    process = subprocess.Popen(command("--behave-baseline=new"), cwd=suite.path, stdout=subprocess.PIPE, text=True)
    while len((suite.path / "calls.txt").read_text().split()) < 5:
        time.sleep(0.01)
        assert process.poll() is None
    process.send_signal(getattr(signal, how))
    process.communicate()
    assert process.returncode != 0
    assert not (suite.path / "baselines").exists()
    done = len((suite.path / "calls.txt").read_text().split())
    sizes, said = calls(suite, "--behave-baseline=new")
    assert 8 - done <= len(sizes) <= 8 - done + 1
    assert f"behave: s: resumed: {8 - len(sizes)} of 8 rows from the cache" in said
    assert "1 passed" in said


LIMITED = """
import resource, sys, pytest
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
sys.exit(pytest.main(sys.argv[2:]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits of the system")
def test_on_a_full_disk_the_run_goes_on_uncached_and_says_so_once(suite):
    rows = "".join(f"{n},text,a,20,2026-01-05,1,1,0.9\n" for n in range(20, 80))
    append(suite, "rows.csv", rows)
    arguments = ["-p", "no:cacheprovider", "-p", "no:hypothesispytest", "--behave", "-q"]
    run = [sys.executable, "-B", "-c", LIMITED, "3000", *arguments]
    done = subprocess.run(run, cwd=suite.path, capture_output=True, text=True, check=False)
    assert "1 passed" in done.stdout
    assert done.stdout.count("the cache cannot be written (File too large): this run goes on without keeping more") == 1
    sizes, said = calls(suite)
    assert 0 < sum(sizes) < 68
    assert f"resumed: {68 - sum(sizes)} of 68 rows from the cache" in said
    assert calls(suite)[0] == []


def test_a_folder_that_cannot_be_made_costs_the_cache_alone(suite):
    suite.write("file", "")
    sizes, said = calls(suite, "--behave-cache=file")
    assert sizes == [3, 3, 2]
    assert "1 passed" in said
    assert said.count("the cache cannot be written (") == 1


# -- several processes


def test_several_processes_at_once_predict_each_row_once(suite):
    suite.write("model.py", MODEL.replace("    return", "    __import__('time').sleep(0.2)\n    return"))
    (suite.path / "calls.txt").write_text("")
    running = [
        subprocess.Popen(command("-q", f"--behave-report=json:{n}.json"), cwd=suite.path, stdout=subprocess.DEVNULL)
        for n in range(3)
    ]
    assert [process.wait() for process in running] == [0, 0, 0]
    assert len({(suite.path / f"{n}.json").read_bytes() for n in range(3)}) == 1
    assert sum(map(int, (suite.path / "calls.txt").read_text().split())) == 8


SLEEPY = MODEL.replace("    return", "    __import__('time').sleep(1)\n    return")
TWO = SUITE + "  group: {accuracy: {min: 0}}\nslices: {group: {by: group}}\n"


@pytest.mark.thorough
@pytest.mark.parametrize("cache", ["here", "off"])
def test_a_worker_that_waits_says_so_at_once_and_at_the_end(suite, cache):
    pty = pytest.importorskip("pty")
    suite.write("model.py", SLEEPY)
    suite.write("s.behave.yaml", TWO)
    (suite.path / "calls.txt").write_text("")
    ours, theirs = pty.openpty()
    with (suite.path / "out.txt").open("w") as out:
        process = subprocess.Popen(
            command("-n", "2", f"--behave-cache={cache}"), cwd=suite.path, stdout=out, stderr=theirs
        )
    os.close(theirs)
    seen = b""
    while b"waits for gw" not in seen:
        piece = os.read(ours, 4096)
        assert piece
        seen += piece
    assert process.poll() is None
    assert process.wait() == 0
    os.close(ours)
    assert (suite.path / "calls.txt").read_text().split() == ["3", "3", "2"]
    (waited,) = [line for line in (suite.path / "out.txt").read_text().splitlines() if " waited " in line]
    assert "s for gw" in waited


# -- pytest-behave cache


@pytest.fixture
def cache_command(suite, monkeypatch, capsys):
    """Run ``pytest-behave cache`` in the project's folder."""
    monkeypatch.chdir(suite.path)

    def run(*arguments):
        capsys.readouterr()
        try:
            code = main(["cache", *arguments])
        except SystemExit as error:
            code = error.code
        seen = capsys.readouterr()
        return code, seen.out + seen.err

    return run


def test_the_cache_is_listed_shrunk_and_cleared_from_the_command_line(suite, cache_command):
    calls(suite)
    append(suite, "model.py", "# edited\n")
    calls(suite)
    code, text = cache_command("info")
    assert code == 0
    assert text.startswith(".behave_cache: 2 models, 16 rows, ")
    assert text.count("s: model:predict") == 2
    assert cache_command("gc", "--older-than", "1d")[1] == "removed 0 models, 0 B\n"
    newest = text.splitlines()[1].split()[0]
    one = sum(path.stat().st_size for path in (suite.path / ".behave_cache" / newest).iterdir())
    assert cache_command("gc", "--max-size", f"{one}B")[1].startswith("removed 1 model, ")
    assert calls(suite)[0] == []
    assert cache_command("gc", "--older-than", "0s")[1].startswith("removed 1 model, ")
    assert calls(suite)[0] == [3, 3, 2]
    assert cache_command("clear")[1].startswith("removed 1 model, ")
    assert cache_command("info")[1] == ".behave_cache holds no outputs\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("gc",), "cache gc: error: give --older-than, --max-size or both"),
        (
            ("info",),
            "there is no folder .behave_cache: run this where pytest's root directory is, or name it with --cache",
        ),
        (("clear", "--cache", "no"), "cache clear: error: there is no folder no: run this where"),
        (("gc", "--older-than", "1d", "--cache", "no"), "there is no folder no: run this where"),
        (("gc", "--older-than", "30"), "'30' is no length of time: write 30d, 12h or 2w"),
        (("gc", "--max-size", "much"), "'much' is not a size: write 500MB or 2GB, for example"),
        (("gc", "--max-size", "5"), "'5' could be bytes or anything: give a unit, such as 500MB"),
        (("clear", "--cache", "."), ". is not a prediction cache (it has no CACHEDIR.TAG): name one with --cache"),
    ],
)
def test_mistakes_at_the_command_line_are_one_sentence(suite, cache_command, arguments, message):
    code, text = cache_command(*arguments)
    assert code == 2
    assert message in text
    assert (suite.path / "rows.csv").exists()


def test_a_folder_of_other_files_is_no_cache(suite):
    suite.write("mine/.gitignore", "mine\n")
    model = suite.write("mine/0123456789abcdef0123456789abcdef/my.txt", "mine")
    result = suite.run("--behave-cache=mine")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "mine holds other files and is no prediction cache: name a folder of its own" in result.stderr.str()
    assert (suite.path / "mine" / ".gitignore").read_text() == "mine\n"
    suite.write("mine/CACHEDIR.TAG", "Signature: of another program\n")
    assert main(["cache", "clear", "--cache", str(suite.path / "mine")]) == 0
    assert model.read_text() == "mine"


def test_clear_forgets_what_was_green(suite):
    suite.run()
    assert main(["cache", "clear", "--cache", str(suite.path / ".behave_cache")]) == 0
    assert "s.behave.yaml runs: it has not been green yet" in suite.run("--behave-changed").stdout.str()
