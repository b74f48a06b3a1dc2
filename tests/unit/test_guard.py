"""Whatever is raised within the guard is one error of this package, with the place in the user's own code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_behave.errors import DataError, MetricError
from pytest_behave.guard import THIS_PACKAGE, any_place, guarded, is_own_file

HERE = Path(__file__).name


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (KeyError("age"), "m raised KeyError: 'age'"),
        (ValueError(), "m raised ValueError"),
        (ValueError("a\n  b"), "m raised ValueError: a b"),
        (ValueError("x" * 900), f"m raised ValueError: {'x' * 200}"),
        (SystemExit(0), "m raised SystemExit: 0"),
        (BaseException("x"), "m raised BaseException: x"),
        (StopIteration(), "m raised StopIteration"),
    ],
)
def test_what_is_raised_is_told_in_words_with_its_place(error, said):
    with pytest.raises(MetricError) as found, guarded(MetricError, "m raised"):
        raise error
    assert str(found.value).rpartition(" (")[0] == said
    assert str(found.value).rpartition(" (")[2].startswith(f"{HERE}:")
    assert found.value.__cause__ is error


@pytest.mark.parametrize("error", [DataError("as it is"), KeyboardInterrupt(), GeneratorExit()])
def test_errors_of_this_package_and_interrupts_go_on(error):
    with pytest.raises(type(error)) as found, guarded(MetricError, "m raised"):
        raise error
    assert found.value is error


def test_a_place_within_libraries_is_named_only_where_nobody_foresaw_the_error():
    def broken(place_of):
        with guarded(MetricError, "m raised", place_of):
            json.loads("{")

    for place_of in (None, any_place):
        with pytest.raises(MetricError, match=rf"\({HERE}:\d+\)$"):  # this file called the library
            broken(place_of)
    foreign = eval("lambda: json.loads('{')", {"json": json})  # noqa: S307 - code of no file
    with pytest.raises(MetricError, match=r"\(test_guard\.py:"), guarded(MetricError, "m raised"):
        foreign()


@pytest.mark.parametrize(
    ("path", "is_own"),
    [
        ("/home/me/model.py", True),
        ("/usr/lib/python3/site-packages/numpy/core.py", False),
        (json.__file__, False),
        (THIS_PACKAGE / "guard.py", False),
    ],
)
def test_own_files_are_neither_installed_nor_pythons_nor_ours(path, is_own):
    assert is_own_file(Path(path)) is is_own
