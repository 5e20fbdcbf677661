"""Crops: the window that holds most, found among all of them; and what is written of it."""

import io
import warnings

import hypothesis
import numpy as np
import pytest
from checks import NOT_MAPS, refused
from hypothesis import strategies
from hypothesis.extra import numpy as arrays
from PIL import Image

from keras_saliency import cropping, densities, pictures
from keras_saliency.errors import InputError

# Whole numbers, few of them: sums are exact, and there are many ties.
MAPS = arrays.arrays(
    "int64",
    arrays.array_shapes(min_dims=2, max_dims=2, max_side=9),
    elements=strategies.integers(0, 3),
)
RATIOS = strategies.sampled_from([1.0, 16 / 9, 9 / 16, 4 / 3, 3.0, 0.2, 40.0])
SHARES = strategies.floats(0.05, 1)


def mass(counts, box):
    x, y, width, height = box
    # A map of zeros stands for a uniform one.
    counts = counts if counts.any() else np.ones_like(counts)
    return int(counts[y : y + height, x : x + width].sum()), int(counts.sum())


def middle(box):
    return np.array([2 * box[0] + box[2], 2 * box[1] + box[3]])


def positions(counts, width, height):
    down, across = counts.shape[0] - height + 1, counts.shape[1] - width + 1
    return [(x, y, width, height) for y in range(down) for x in range(across)]


def away(counts, box):
    return int(((middle(box) - counts.shape[::-1]) ** 2).sum())


@hypothesis.given(MAPS, RATIOS, SHARES)
def test_no_other_position_is_better(counts, ratio, scale):
    box = cropping.crop_box(counts, ratio, scale)
    everywhere = positions(counts, *box[2:])
    assert box in everywhere
    most = max(mass(counts, other) for other in everywhere)
    assert mass(counts, box) == most
    best = [other for other in everywhere if mass(counts, other) == most]
    assert away(counts, box) == min(away(counts, other) for other in best)


@hypothesis.given(MAPS, RATIOS, SHARES)
def test_the_window_has_the_shape_and_is_the_largest(counts, ratio, scale):
    height, width = counts.shape
    _, _, across, up = cropping.crop_box(counts, ratio)
    assert across == width or up == height
    assert abs(across - up * ratio) <= max(0.5, ratio / 2) or min(across, up) == 1
    small = cropping.crop_box(counts, ratio, scale)
    # By the side that is as long as the picture's.
    ratio_of_sides = small[3] / height if width >= height * ratio else small[2] / width
    assert abs(ratio_of_sides - scale) <= 1 / min(height, width)
    assert small[2] <= across and small[3] <= up


@hypothesis.given(MAPS, RATIOS, SHARES, SHARES)
def test_the_smallest_window_that_holds_enough(counts, ratio, scale, wanted):
    def enough(box):
        inside, whole = mass(counts, box)
        return inside / whole >= wanted - 1e-9

    # The sizes that can come out, from the smallest to the largest.
    sizes = {cropping.crop_box(counts, ratio, s)[2:] for s in np.linspace(scale, 1, 30)}
    sizes = sorted(sizes, key=lambda size: (size[0] * size[1], size))
    holding = [any(map(enough, positions(counts, *size))) for size in sizes]
    if not any(holding):
        refused(lambda: cropping.crop_box(counts, ratio, scale, wanted), "whole picture")
        return
    box = cropping.crop_box(counts, ratio, scale, wanted)
    assert box[2:] == sizes[holding.index(True)]
    assert enough(box)


@pytest.mark.parametrize(
    "ratio, scale, share, expected",
    [
        (1, 1, None, (2, 0, 3, 3)),
        (2, 1, None, (0, 0, 6, 3)),
        (3, 1, None, (0, 1, 6, 2)),
        (6, 1, None, (0, 2, 6, 1)),
        (1 / 3, 1, None, (4, 0, 1, 3)),
        (1, 0.3, None, (4, 0, 1, 1)),
        (1, 0.3, 0.4, (4, 0, 1, 1)),
        (1, 0.3, 0.41, (2, 0, 3, 3)),
        (1, 0.3, 0.7, (2, 0, 3, 3)),
    ],
)
def test_by_hand(ratio, scale, share, expected):
    counts = np.array([[0, 0, 0, 0, 4, 0], [1, 0, 0, 0, 0, 0], [2, 0, 3, 0, 0, 0]])
    # 3x3 holds 4 + 3 = 7 of 10; 2x2 holds 4 at best.
    assert cropping.crop_box(counts, ratio, scale, share) == expected


@pytest.mark.parametrize("value", [0.0, 0.7, -0.7, 1e-300, 1e300])
@pytest.mark.parametrize("size", [(1, 1), (30, 40), (31, 41), (600, 800), (333, 1000)])
def test_a_constant_map_is_cropped_in_the_middle(value, size):
    x, y, width, height = cropping.crop_box(np.full(size, value), 1.0, 0.5)
    assert abs(2 * x + width - size[1]) <= 1 and abs(2 * y + height - size[0]) <= 1


def test_a_large_smooth_map_is_cropped_about_its_peak():
    y, x = np.mgrid[:900, :1600]
    peak = np.exp(-((x - 1000.0) ** 2 + (y - 450.0) ** 2) / 2e4).astype("float32")
    assert cropping.crop_box(peak, 1.0) == (550, 0, 900, 900)
    assert cropping.crop_box(peak[..., None], 1.0, 0.1) == (955, 405, 90, 90)


@pytest.mark.parametrize(
    "arguments, word",
    [
        ((0,), "aspect_ratio"),
        ((-1,), "aspect_ratio"),
        ((float("inf"),), "aspect_ratio"),
        ((float("nan"),), "aspect_ratio"),
        ((1, 0), "scale"),
        ((1, 1.1), "scale"),
        ((1, float("nan")), "scale"),
        ((1, 1, -0.1), "min_share"),
        ((1, 1, 1.1), "min_share"),
        ((1, 1, float("nan")), "min_share"),
    ],
)
def test_what_is_no_number_in_range_is_refused(arguments, word):
    refused(lambda: cropping.crop_box(np.ones((4, 4)), *arguments), word)


@pytest.mark.parametrize("values", NOT_MAPS)
def test_what_is_no_map_is_refused(values):
    refused(lambda: cropping.crop_box(values, 1.0), "saliency map")


def test_more_than_the_largest_window_holds_is_refused():
    ends = np.zeros((3, 9))
    ends[1, [0, 8]] = 1
    refused(lambda: cropping.crop_box(ends, 1.0, min_share=0.8), "50.0%", "80.0%")


# What is written.


def noise(mode, size=(6, 8)):
    random = np.random.default_rng(0)
    if mode == "I;16":
        return Image.fromarray(random.integers(0, 65536, size).astype("uint16"))
    picture = Image.fromarray(random.integers(0, 256, (*size, 4)).astype("uint8"), "RGBA")
    return picture.convert("RGB").convert("P") if mode == "P" else picture.convert(mode)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_a_png_keeps_its_pixels(tmp_path, mode):
    source, crop = str(tmp_path / "a.png"), str(tmp_path / "b.png")
    noise(mode).save(source)
    cropping.write(crop, source, (2, 1, 5, 3))
    with Image.open(source) as whole, Image.open(crop) as part:
        assert part.mode == whole.mode
        np.testing.assert_array_equal(np.asarray(part), np.asarray(whole)[1:4, 2:7])


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "CMYK", "I;16", "LA"])
@pytest.mark.parametrize("ending", [".jpg", ".JPEG", ".png", ".webp"])
def test_every_kind_is_written_as_any_other(tmp_path, mode, ending):
    source, crop = str(tmp_path / "a.tif"), str(tmp_path / f"b{ending}")
    shade = Image.new("RGB", (40, 30), (200, 200, 200)).convert("L")
    if mode == "I;16":
        shade = Image.fromarray(np.full((30, 40), 200 * 257, "uint16"))
    elif mode != "L":
        shade = shade.convert("RGB")
        shade = shade.quantize(2) if mode == "P" else shade.convert(mode)
    shade.save(source)
    cropping.write(crop, source, (2, 1, 30, 20))
    shown = pictures.read(crop)
    assert shown.shape == (20, 30, 3)
    assert np.abs(shown.astype(int) - 200).max() <= 2


def test_it_is_turned_and_its_private_data_is_gone(tmp_path):
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "at home"
    source, crop = str(tmp_path / "a.jpg"), str(tmp_path / "b.jpg")
    picture = Image.new("RGB", (80, 40))
    picture.paste((255, 255, 255), (0, 0, 16, 40))  # on the left; turned, at the top
    profile = b"a profile of colors"
    picture.save(source, exif=exif, icc_profile=profile, comment=b"private")
    cropping.write(crop, source, (0, 0, 40, 16))
    with Image.open(crop) as part:
        assert part.size == (40, 16)
        assert np.asarray(part).min() > 240
        assert part.info["icc_profile"] == profile
        assert not part.getexif() and "comment" not in part.info


def test_a_transparent_palette_stays_transparent(tmp_path):
    source, crop = str(tmp_path / "a.gif"), str(tmp_path / "b.png")
    picture = noise("P")
    picture.save(source, transparency=int(np.asarray(picture)[2, 3]))
    cropping.write(crop, source, (2, 1, 5, 3))
    with Image.open(crop) as part:
        assert np.asarray(part.convert("RGBA"))[1, 1, 3] == 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cropping.write(str(tmp_path / "b.jpg"), source, (2, 1, 5, 3))


def test_no_other_ending_and_not_the_picture_itself(tmp_path):
    source = tmp_path / "a.png"
    noise("RGB").save(source)
    before = source.read_bytes()
    refused(lambda: cropping.write(str(tmp_path / "b.gif"), str(source), (0, 0, 2, 2)), ".webp")
    refused(lambda: cropping.write(str(source), str(source), (0, 0, 2, 2)), "another name")
    assert source.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_a_failure_leaves_the_old_crop(tmp_path, monkeypatch):
    source, crop = tmp_path / "a.png", tmp_path / "b.png"
    noise("RGB").save(source)
    crop.write_bytes(b"old")
    monkeypatch.setattr(Image.Image, "save", lambda *_, **__: io.BytesIO().fileno())
    with pytest.raises(OSError):
        cropping.write(str(crop), str(source), (0, 0, 2, 2))
    assert crop.read_bytes() == b"old"


def test_zeros_are_uniform_as_everywhere():
    np.testing.assert_array_equal(densities.to_density(np.zeros((2, 2))), 0.25)
    assert cropping.crop_box(np.zeros((5, 9)), 1.0) == (2, 0, 5, 5)
    with pytest.raises(InputError):
        cropping.crop_box(np.zeros((5, 9)), 1.0, min_share=0.6)
