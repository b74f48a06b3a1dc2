"""What a suite names in Python is found beside it first, kept apart from what others have of the same name."""

from __future__ import annotations

import sys
import textwrap
from types import ModuleType

import pytest

from pytest_behave.errors import BehaveError
from pytest_behave.prepare.references import References


@pytest.fixture(autouse=True)
def nothing_stays_imported(monkeypatch):
    """Forget what a test imported, as another process would not know it."""
    before, path = dict(sys.modules), list(sys.path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield
    sys.modules.clear()
    sys.modules.update(before)
    assert sys.path[: len(path)] == path  # a suite's folder may only come last: it shadows nothing
    sys.path[:] = path


def write(folder, **modules):
    folder.mkdir(exist_ok=True)
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(textwrap.dedent(text), encoding="utf-8")
    return References(folder)


def refusal(references, reference):
    with pytest.raises(BehaveError) as caught:
        references.load(reference)
    return str(caught.value)


# --- what is found ------------------------------------------------------------------------------------------------


def test_a_function_of_a_module_beside_the_suite_is_found(tmp_path):
    references = write(
        tmp_path, model="def predict(df): return [1]\n\nclass Net:\n    @staticmethod\n    def run(df): return 2\n"
    )
    assert references.load("model:predict")(None) == [1]
    assert references.load("model:Net.run")(None) == 2


def test_a_module_that_is_installed_is_found(tmp_path):
    assert References(tmp_path).load("math:sqrt")(4) == 2


def test_two_suites_may_each_have_a_model_of_their_own(tmp_path):
    one = write(tmp_path / "one", model="def predict(df): return 'one'\n")
    two = write(tmp_path / "two", model="def predict(df): return 'two'\n")
    assert one.load("model:predict")(None) == "one"
    assert two.load("model:predict")(None) == "two"
    assert one.load("model:predict")(None) == "one"


def test_two_suites_may_each_have_helpers_of_their_own_model(tmp_path):
    model = "import helper\n\ndef predict(df): return helper.NAME\n"
    one = write(tmp_path / "one", model=model, helper="NAME = 'one'\n")
    two = write(tmp_path / "two", model=model, helper="NAME = 'two'\n")
    assert one.load("model:predict")(None) == "one"
    assert two.load("model:predict")(None) == "two"


def test_a_module_beside_the_suite_wins_over_one_that_is_installed(tmp_path):
    references = write(tmp_path, colorsys="def rgb_to_hsv(*rgb): return 'mine'\n")
    assert references.load("colorsys:rgb_to_hsv")(0, 0, 0) == "mine"
    assert References(tmp_path / "other").load("colorsys:rgb_to_hsv")(0, 0, 0) == (0.0, 0.0, 0)


def test_a_package_beside_the_suite_is_found(tmp_path):
    write(tmp_path / "features_of_loans", __init__="", text="def words(df): return 3\n")
    assert References(tmp_path).load("features_of_loans.text:words")(None) == 3


def test_a_module_beside_the_suite_may_import_its_neighbours(tmp_path):
    references = write(tmp_path, model="from neighbour_of_model import f\n", neighbour_of_model="def f(): return 7\n")
    assert references.load("model:f")() == 7


def test_a_model_may_import_its_neighbours_when_it_is_called(tmp_path):
    text = "def predict():\n    from late_neighbour_of_model import f\n    return f()\n"
    references = write(tmp_path, model=text, late_neighbour_of_model="def f(): return 7\n")
    assert references.load("model:predict")() == 7


def test_a_module_is_imported_once(tmp_path):
    references = write(
        tmp_path, model="import sys\nsys.imports_of_model = getattr(sys, 'imports_of_model', 0) + 1\ndef f(): pass\n"
    )
    try:
        assert references.load("model:f") is references.load("model:f")
        assert References(tmp_path).load("model:f") is references.load("model:f")
        assert sys.imports_of_model == 1
    finally:
        del sys.imports_of_model


def test_what_a_module_defines_can_be_pickled_by_its_name(tmp_path):
    references = write(tmp_path, model="class Net: pass\n")
    net = references.load("model:Net")
    assert getattr(sys.modules[net.__module__], "Net") is net  # noqa: B009 - as pickle looks it up


def test_the_module_of_the_suite_joins_those_of_plugins(tmp_path):
    plugin = ModuleType("plugin")
    references = References(write(tmp_path, mine="x = 1\n").folder, (plugin,)).with_module("mine")
    assert [module.__name__.rpartition("_")[2] for module in references.modules] == ["plugin", "mine"]
    assert references.modules[1].x == 1
    assert References(tmp_path, (plugin,)).with_module(None).modules == (plugin,)


# --- what is not --------------------------------------------------------------------------------------------------


def test_a_module_that_is_not_there_is_named_with_the_nearest(tmp_path):
    references = write(tmp_path, model="x = 1\n")
    assert refusal(references, "modle:x") == "there is no module 'modle' - did you mean 'model'?"
    assert refusal(References(tmp_path / "empty"), "modle:x") == "there is no module 'modle'"
    assert refusal(references, "no_such_package.part:x").startswith("there is no module 'no_such_package.part'")


def test_a_name_that_a_module_lacks_is_named_with_the_nearest(tmp_path):
    references = write(
        tmp_path, model="def predict(df): pass\n\ndef _hidden(): pass\n\nclass Net:\n    def run(self): pass\n"
    )
    assert refusal(references, "model:predikt") == "model has no 'predikt' - did you mean 'predict'?"
    assert refusal(references, "model:Net.rum") == "model has no 'rum' - did you mean 'run'?"
    assert "_hidden" not in refusal(references, "model:hidden")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import no_such_dependency\n", "module 'model' cannot be imported: No module named 'no_such_dependency'"),
        (
            "from math import no_such_name\n",
            "module 'model' cannot be imported: ImportError: cannot import name 'no_such",
        ),
        ("def predict(:\n", "module 'model' cannot be imported: SyntaxError: "),
        ("1 / 0\n", "module 'model' cannot be imported: ZeroDivisionError: division by zero"),
        ("raise KeyError('weights.pt')\n", "module 'model' cannot be imported: KeyError: 'weights.pt'"),
        ("import model\nx = model.later\n", "module 'model' cannot be imported: "),
        ("\0", "module 'model' cannot be imported: "),
    ],
)
def test_a_module_that_cannot_be_imported_says_why(tmp_path, text, message):
    assert refusal(write(tmp_path, model=text), "model:predict").startswith(message)


def test_a_module_that_failed_is_tried_again_once_it_is_mended(tmp_path):
    references = write(tmp_path, model="1 / 0\n")
    refusal(references, "model:x")
    write(tmp_path, model="x = 5  # and a comment, so that its size differs\n")
    assert references.load("model:x") == 5


def test_a_sentence_of_the_users_own_module_is_kept(tmp_path):
    text = "from pytest_behave.errors import BehaveError\nraise BehaveError('download the weights first')\n"
    assert refusal(write(tmp_path, model=text), "model:x") == "download the weights first"


def test_an_interrupt_is_no_import_error(tmp_path):
    references = write(tmp_path, model="raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        references.load("model:x")
    assert not [name for name in sys.modules if name.startswith("_behave_") and name.endswith("_model")]
