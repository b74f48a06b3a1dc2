"""Without --behave the plugin costs nothing: proven at the exit of a whole pytest process."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("pandas", "numpy", "sklearn", "scipy", "pydantic", "pyarrow", "yaml", "hypothesis", "tabulate", "tqdm")
PROGRAM = """
import atexit, sys
def report():
    loaded = sorted(name for name in {heavy} if name in sys.modules)
    ours = sorted(name for name in sys.modules if name.startswith("pytest_behave"))
    sys.stderr.write("LOADED " + ",".join(loaded) + " OURS " + ",".join(ours) + "\\n")
atexit.register(report)
import pytest
sys.exit(pytest.main({arguments}))
"""


def loaded_at_exit(tmp_path, *arguments):
    # -p no:hypothesispytest: hypothesis' own plugin imports hypothesis, which is not ours to answer for
    words = ["-p", "no:cacheprovider", "-p", "no:hypothesispytest", *arguments]
    program = PROGRAM.format(heavy=HEAVY, arguments=words)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
    )
    line = next(line for line in done.stderr.splitlines() if line.startswith("LOADED"))
    loaded, _, ours = line.removeprefix("LOADED ").partition(" OURS ")
    return done, set(filter(None, loaded.strip().split(","))), set(ours.split(","))


def test_an_idle_run_loads_none_of_our_dependencies(tmp_path):
    (tmp_path / "test_nothing.py").write_text("def test_nothing(): pass\n")
    (tmp_path / "x.behave.yaml").write_text("this: is never read\n")
    done, loaded, ours = loaded_at_exit(tmp_path)
    assert "1 passed" in done.stdout
    assert loaded == set()
    assert ours == {"pytest_behave", "pytest_behave.plugin", "pytest_behave.hookspec", "pytest_behave.names"}


def test_the_measurement_notices_when_something_is_loaded(tmp_path):
    (tmp_path / "test_something.py").write_text("import yaml\ndef test_something(): pass\n")
    _, loaded, _ = loaded_at_exit(tmp_path)
    assert loaded == {"yaml"}


def test_importing_the_package_loads_nothing_heavy():
    program = f"import sys, pytest_behave; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_public_names_are_a_tested_list():
    import pytest_behave

    assert pytest_behave.__all__ == [
        "BehaveError",
        "BehaveWarning",
        "Mean",
        "Metric",
        "Proportion",
        "SuiteError",
        "evaluate_suite",
        "metadata",
        "metric",
        "model",
    ]
    assert all(getattr(pytest_behave, name) is not None for name in pytest_behave.__all__)
