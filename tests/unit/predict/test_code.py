"""What a model's code reaches: an edit of any of it is another digest, and nothing of it is run."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pytest_behave.predict.code import Reach, version_of

FILES = {
    "model.py": """\
        import json, os
        from pathlib import Path

        import numpy as np
        from helper import rule, twice
        from package.inner import deep

        LIMIT = 3
        TABLE = json.loads((Path(__file__).parent / "data" / "table.json").read_text())
        raise RuntimeError("this is read and never run")

        @twice
        def predict(rows):
            import late
            words = open("words.txt").read()
            with open("log.txt", "a") as log, Path("marks.txt").open("w") as marks:
                log.write(os.environ.get("BEHAVE_LEVEL", "") + os.environ["BEHAVE_API_KEY"])
            return rows["x"] > LIMIT
        """,
    "helper.py": "import importlib\n\ndef twice(f): return f\n\ndef rule(): return importlib.import_module('named')\n",
    "named.py": "X = 1\n",
    "late.py": "X = 1\n",
    "package/__init__.py": "",
    "package/inner.py": "from .below import deepest\nfrom . import side\nfrom .sub.leaf import x\ndef deep(): return deepest\n",
    "package/below.py": "import helper\ndeepest = 1\n",
    "package/side.py": "X = 1\n",
    "package/sub/leaf.py": "x = 1\n",
    "package/unused.py": "X = 1\n",
    "data/table.json": "[1]",
    "words.txt": "a",
    "log.txt": "",
    "marks.txt": "",
    "other.py": "X = 1\n",
}
REACHED = [
    "model.py",
    "helper.py",
    "named.py",
    "late.py",
    "package/__init__.py",
    "package/inner.py",
    "package/below.py",
]
REACHED += ["package/side.py", "package/sub/leaf.py", "data/table.json", "words.txt"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    import textwrap

    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(textwrap.dedent(text))
    return tmp_path


def digest_of(folder, name="model"):
    reach = Reach(folder)
    assert reach.add_reference(name)
    return reach.digest()


@pytest.mark.parametrize("name", FILES)
def test_an_edit_counts_just_where_the_code_reaches_it(folder, name):
    before = digest_of(folder)
    assert digest_of(folder) == before
    path = folder / name
    path.write_text(path.read_text() + "\n# another line\n")
    assert (digest_of(folder) != before) == (name in REACHED)


def test_the_digest_does_not_depend_on_where_the_code_stands(folder, tmp_path_factory, monkeypatch):
    import shutil

    before = digest_of(folder)
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    shutil.copytree(folder, elsewhere, dirs_exist_ok=True)
    monkeypatch.chdir(elsewhere)
    assert digest_of(elsewhere) == before


def test_variables_of_the_environment_count_and_secrets_do_not(folder, monkeypatch):
    before = digest_of(folder)
    monkeypatch.setenv("BEHAVE_API_KEY", "secret")
    assert digest_of(folder) == before
    monkeypatch.setenv("BEHAVE_LEVEL", "2")
    assert digest_of(folder) != before


def test_versions_of_installed_distributions_count(folder):
    import numpy as np

    reach = Reach(folder)
    reach.add_reference("model")
    assert f"distribution numpy {np.__version__}" in map(str, reach.facts)
    assert not any(str(fact).startswith(("distribution json", "distribution os")) for fact in reach.facts)


def test_a_distribution_is_found_by_the_name_of_its_module():
    import yaml

    assert version_of("yaml").endswith(yaml.__version__)
    assert version_of("nothing_of_the_kind") == ""


def test_a_module_that_imports_what_it_computes_reaches_all_its_neighbours(folder):
    (folder / "late.py").write_text("import importlib\nX = importlib.import_module('oth' + 'er')\n")
    before = digest_of(folder)
    (folder / "other.py").write_text("X = 2\n")
    assert digest_of(folder) != before


def test_a_folder_that_the_code_names_counts_with_all_its_files(folder):
    (folder / "late.py").write_text("MODEL = load('./weights')\n")
    (folder / "weights").mkdir()
    (folder / "weights" / "w.bin").write_bytes(b"1")
    before = digest_of(folder)
    (folder / "weights" / "w.bin").write_bytes(b"2")
    assert digest_of(folder) != before


def test_imports_in_a_circle_and_files_that_are_no_python_end(folder):
    (folder / "late.py").write_text("import model\n")
    (folder / "named.py").write_text("this is no Python")
    assert digest_of(folder)


def test_a_module_that_is_not_there_reaches_nothing(folder):
    assert Reach(folder).add_reference("json") is False


def test_what_is_installed_in_place_is_the_user_s_own(folder, tmp_path_factory, monkeypatch):
    elsewhere = tmp_path_factory.mktemp("source")
    (elsewhere / "in_place.py").write_text("X = 1\n")
    monkeypatch.syspath_prepend(elsewhere)
    (folder / "late.py").write_text("import in_place\n")
    before = digest_of(folder)
    (elsewhere / "in_place.py").write_text("X = 2\n")
    assert digest_of(folder) != before


def test_nothing_is_imported(folder):
    program = (
        "import sys; from pathlib import Path; from pytest_behave.predict.code import Reach\n"
        "known = set(sys.modules); reach = Reach(Path.cwd()); assert reach.add_reference('model')\n"
        "reach.digest(); print(sorted(n for n in set(sys.modules) - known if not n.startswith(('email', 'encodings'))))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=folder)
    names = {"model", "helper", "named", "late", "package", "numpy"}
    assert not names & set(done.stdout.replace("'", " ").replace("[", " ").replace(",", " ").split())
