"""Measures of images are those of the textbook, computed here pixel by pixel, for every kind of file."""

from __future__ import annotations

import math
from collections import Counter
from itertools import product

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pytest_behave.data.predicates import Evaluator, FrameColumns
from pytest_behave.declare.predicate import parse_expression, parse_predicate
from pytest_behave.errors import PredicateError

MEASURES = ["width", "height", "aspect_ratio", "brightness", "contrast", "entropy", "sharpness"]


def evaluator(folder, *names):
    frame = pd.DataFrame({"file": pd.Series(list(names), dtype=object)})
    return Evaluator(len(frame), FrameColumns(frame), str(folder))


def measured(folder, measure, name):
    return evaluator(folder, name).column(parse_expression(f"{measure}(file)")).values[0]


def expected(rows):
    """Return every measure of grey levels from 0 to 255, given row by row."""
    height, width = len(rows), len(rows[0])
    levels = [level / 255 for row in rows for level in row]
    mean = sum(levels) / len(levels)
    counts = Counter(level for row in rows for level in row)
    laplacians = [
        (rows[y - 1][x] + rows[y + 1][x] + rows[y][x - 1] + rows[y][x + 1] - 4 * rows[y][x]) / 255
        for y, x in product(range(1, height - 1), range(1, width - 1))
    ]
    centre = sum(laplacians) / len(laplacians) if laplacians else 0
    return {
        "width": width,
        "height": height,
        "aspect_ratio": width / height,
        "brightness": mean,
        "contrast": math.sqrt(sum((level - mean) ** 2 for level in levels) / len(levels)),
        "entropy": sum(count / len(levels) * math.log2(len(levels) / count) for count in counts.values()),
        "sharpness": sum((value - centre) ** 2 for value in laplacians) / len(laplacians) if laplacians else 0,
    }


def noise(seed, width=13, height=7):
    return np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)


GREY = {
    "noise": noise(1),
    "other noise": noise(2, 5, 11),
    "every level": np.arange(256, dtype=np.uint8).reshape(16, 16),
    "black": np.zeros((4, 6), dtype=np.uint8),
    "white": np.full((4, 6), 255, dtype=np.uint8),
    "half": np.array([[0, 255], [255, 0]] * 3, dtype=np.uint8),
    "checkerboard": (np.indices((8, 8)).sum(axis=0) % 2 * 255).astype(np.uint8),
    "gradient": np.tile(np.arange(0, 250, 10, dtype=np.uint8), (5, 1)),
    "one pixel": np.array([[77]], dtype=np.uint8),
    "one row": noise(3, 9, 1),
    "two columns": noise(4, 2, 9),
    "three by three": noise(5, 3, 3),
}


@pytest.mark.parametrize("name", GREY)
@pytest.mark.parametrize("measure", MEASURES)
def test_a_grey_image_measures_what_its_pixels_say(tmp_path, name, measure):
    Image.fromarray(GREY[name]).save(tmp_path / "a.png")
    assert measured(tmp_path, measure, "a.png") == pytest.approx(expected(GREY[name].tolist())[measure], abs=1e-12)


@pytest.mark.parametrize("name", ["black", "white", "one pixel"])
def test_an_image_of_one_level_has_no_entropy(tmp_path, name):
    Image.fromarray(GREY[name]).save(tmp_path / "a.png")
    assert str(measured(tmp_path, "entropy", "a.png")) == "0.0"


def test_colours_are_weighted_as_the_eye_does(tmp_path):
    colours = np.random.default_rng(6).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    Image.fromarray(colours).save(tmp_path / "a.png")
    luma = (colours @ np.array([0.299, 0.587, 0.114])).mean() / 255  # ITU-R 601
    assert measured(tmp_path, "brightness", "a.png") == pytest.approx(luma, abs=1 / 255)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "1"])
@pytest.mark.parametrize(("level", "brightness"), [(0, 0.0), (255, 1.0)])
def test_black_is_0_and_white_is_1_in_every_mode(tmp_path, mode, level, brightness):
    Image.new("L", (5, 4), level).convert(mode).save(tmp_path / "a.png")
    assert measured(tmp_path, "brightness", "a.png") == brightness


@pytest.mark.parametrize("ending", ["png", "bmp", "gif", "tif", "ppm", "webp", "jpg"])
def test_every_format_of_pillow_is_read(tmp_path, ending):
    Image.fromarray(GREY["gradient"]).convert("RGB").save(tmp_path / f"a.{ending}")
    close = 1e-12 if ending in ("png", "bmp", "tif", "ppm") else 0.01  # the others may lose something
    assert measured(tmp_path, "brightness", f"a.{ending}") == pytest.approx(120 / 255, abs=close)
    assert measured(tmp_path, "width", f"a.{ending}") == 25


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_sixteen_bits_are_not_cut_off_at_eight(tmp_path, ending):
    levels = np.array([[0, 16384, 65535], [32768, 32768, 32768]], dtype=np.uint16)
    Image.fromarray(levels).save(tmp_path / f"a.{ending}")
    assert measured(tmp_path, "brightness", f"a.{ending}") == pytest.approx(levels.mean() / 65535, abs=1e-12)
    assert measured(tmp_path, "contrast", f"a.{ending}") == pytest.approx(levels.std() / 65535, abs=1e-12)


def test_what_pillow_warns_of_does_not_disturb(tmp_path):
    image = Image.new("P", (5, 4))
    image.putpalette([255] * 768)
    image.save(tmp_path / "a.png", transparency=b"\x00\x10")
    assert measured(tmp_path, "brightness", "a.png") == 1.0


def test_images_are_found_from_the_folder_of_the_suite_or_by_a_whole_path(tmp_path):
    (tmp_path / "images").mkdir()
    Image.new("L", (5, 4)).save(tmp_path / "images" / "a.png")
    Image.new("L", (6, 4)).save(tmp_path / "b.png")
    widths = evaluator(tmp_path, "images/a.png", str(tmp_path / "b.png")).column(parse_expression("width(file)"))
    assert widths.values.tolist() == [5, 6]


def test_an_image_that_is_missing_in_the_data_is_in_no_slice(tmp_path):
    Image.new("L", (5, 4)).save(tmp_path / "a.png")
    rows = evaluator(tmp_path, "a.png", None)
    assert rows.column(parse_expression("width(file)")).missing.tolist() == [False, True]
    assert rows.mask(parse_predicate("width(file) == 5")).tolist() == [True, False]
    assert rows.mask(parse_predicate("not width(file) == 5")).tolist() == [False, False]


# --- what cannot be measured --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no.png", "there is no image {folder}/no.png"),
        ("", "{folder} cannot be read as an image: "),
        ("text.png", "{folder}/text.png cannot be read as an image: "),
        ("empty.png", "{folder}/empty.png cannot be read as an image: "),
        ("cut.png", "{folder}/cut.png cannot be read as an image: "),
        ("wrong.png", "{folder}/wrong.png cannot be read as an image: "),
        ("\0", "{folder}/\0 cannot be read as an image: "),
        ("x" * 5_000, "{folder}/" + "x" * 5_000 + " cannot be read as an image: "),
    ],
)
def test_a_bad_image_is_named_with_the_reason(tmp_path, name, message):
    Image.fromarray(noise(7, 64, 64)).save(tmp_path / "whole.png")
    whole = (tmp_path / "whole.png").read_bytes()
    contents = {
        "text.png": b"this is text",
        "empty.png": b"",
        "cut.png": whole[:2_000],
        "wrong.png": whole[:60] + b"junk" * 20 + whole[140:],
    }
    for file, content in contents.items():
        (tmp_path / file).write_bytes(content)
    with pytest.raises(PredicateError) as caught:
        measured(tmp_path, "brightness", name)
    assert str(caught.value).startswith(message.replace("{folder}", str(tmp_path)))


def test_an_image_too_large_to_be_meant_is_refused(tmp_path, monkeypatch):
    Image.new("L", (64, 64)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(PredicateError, match="exceeds limit of 200 pixels"):
        measured(tmp_path, "width", "a.png")


@pytest.mark.parametrize("ending", ["png", "jpg", "gif", "bmp", "tif", "webp", "ppm", "ico"])
def test_no_damage_ends_in_anything_but_a_sentence(tmp_path, ending):
    Image.fromarray(noise(8, 32, 32)).convert("RGB").save(tmp_path / f"whole.{ending}")
    whole = (tmp_path / f"whole.{ending}").read_bytes()
    random = np.random.default_rng(9)
    for attempt in range(60):
        damaged = bytearray(whole)
        for place in random.integers(0, min(len(whole), 200 if attempt % 2 else len(whole)), 1 + attempt % 5):
            damaged[place] = random.integers(0, 256)
        (tmp_path / f"a.{ending}").write_bytes(bytes(damaged[: len(whole) if attempt % 3 else len(whole) // 2]))
        try:
            brightness = measured(tmp_path, "brightness", f"a.{ending}")
        except PredicateError:
            continue
        assert 0 <= brightness <= 1


def test_a_column_that_holds_no_paths_is_refused():
    frame = pd.DataFrame({"file": [1, 2]})
    with pytest.raises(PredicateError, match=r"width\(\) takes the path of an image, but column 'file' is not text"):
        Evaluator(2, FrameColumns(frame)).column(parse_expression("width(file)"))


@pytest.mark.parametrize("measure", MEASURES)
def test_a_column_without_any_path_has_no_measures(tmp_path, measure):
    column = evaluator(tmp_path, None, None).column(parse_expression(f"{measure}(file)"))
    assert column.kind == "number"
    assert column.missing.all()
