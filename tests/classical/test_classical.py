"""What every classical model has to do: any picture in, a sound map out, better than chance."""

import pathlib

import numpy as np
import pytest

from keras_saliency import classical, maps, pictures
from keras_saliency.datasets import osie
from keras_saliency.errors import InputError

REAL = pathlib.Path(__file__).parents[3] / "shared" / "data" / "osie"
MODELS = [getattr(classical, name) for name in classical.__all__]

pytestmark = [
    pytest.mark.filterwarnings("error"),
    pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__),
]


def checked(model, stimulus):
    before = stimulus.copy()
    saliency_map = model(stimulus)
    np.testing.assert_array_equal(stimulus, before)
    assert saliency_map.dtype == "float32"
    assert saliency_map.shape == (*stimulus.shape[:2], 1)
    assert np.isfinite(saliency_map).all()
    assert saliency_map.min() == 0
    assert saliency_map.max() in (0, 1)
    return saliency_map


def noise(height, width, channels=3):
    random = np.random.default_rng(0)
    return random.integers(0, 256, (height, width, channels)).astype("uint8")


@pytest.mark.parametrize(
    "size", [(1, 1), (1, 9), (9, 1), (3, 4), (11, 10), (127, 129), (151, 260), (3, 1500)]
)
def test_a_picture_of_any_size(model, size):
    checked(model, noise(*size))


def test_a_gray_picture(model):
    assert checked(model, np.repeat(noise(150, 200, 1), 3, axis=2)).max() == 1


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (137, 21, 200)])
@pytest.mark.parametrize("size", [(150, 211), (20, 30)])
def test_a_uniform_picture_has_nothing_salient(model, colour, size):
    stimulus = np.empty((*size, 3), "uint8")
    stimulus[:] = colour
    assert checked(model, stimulus).max() == 0


def test_a_small_picture_is_like_the_large_one(model):
    stimulus = np.full((60, 80, 3), 120, "uint8")
    stimulus[20:30, 30:40] = 200, 60, 60
    y, x, _ = np.unravel_index(checked(model, stimulus).argmax(), (60, 80, 1))
    assert 18 <= y <= 32
    assert 28 <= x <= 42


# A slope of colours with three patches: every fiftieth pixel of the maps as they
# were when they scored on OSIE what the last test's comment says.
PINNED = {
    "itti": [0.011, 0.052, 0.079, 0.037, 0.026, 0.155, 0.206, 0.076, 0.033, 0.032, 0.145, 0.042],
    "gbvs": [0.073, 0.214, 0.108, 0.040, 0.130, 0.458, 0.338, 0.092, 0.048, 0.093, 0.180, 0.061],
    "bms": [0, 0.012, 0.001, 0, 0, 0.009, 0.011, 0, 0, 0.009, 0.324, 0],
}


def test_the_map_is_as_it_was(model):
    y, x = np.mgrid[:150, :200]
    stimulus = np.stack([x + 20, y + 60, 255 - x], axis=-1).astype("uint8")
    stimulus[40:60, 50:80] = 250, 200, 40
    stimulus[90:130, 120:150] = 30, 90, 200
    stimulus[100:110, 20:40] = 240
    points = model(stimulus)[25::50, 25::50].ravel()
    np.testing.assert_allclose(points, PINNED[model.__name__], atol=0.002)


def test_a_mirrored_picture_has_the_mirrored_map(model):
    # Blocks of a few values, so that rounding cannot move a pixel across a threshold.
    stimulus = np.kron(noise(8, 16) // 64 * 64, np.ones((16, 16, 1), "uint8"))
    mirrored = model(np.ascontiguousarray(stimulus[:, ::-1]))[:, ::-1]
    assert np.corrcoef(mirrored.ravel(), model(stimulus).ravel())[0, 1] > 0.99


def test_no_picture_is_refused(model):
    with pytest.raises(InputError, match="uint8"):
        model(np.zeros((150, 200, 3)))


def test_people_look_where_the_map_is_high(model):
    if not REAL.is_dir():
        pytest.skip(f"OSIE is not at {REAL}")
    ranks = []
    for example in osie.load(str(REAL), "test", limit=4):
        saliency_map = checked(model, pictures.of(example))[..., 0]
        looked_at = saliency_map[maps.pixels(example.fixations, example.size)]
        ranks.append(np.searchsorted(np.sort(saliency_map.ravel()), looked_at).mean())
    # Chance is 0.5; on 40 pictures they reach 0.78 (Itti), 0.81 and 0.84.
    assert np.mean(ranks) / saliency_map.size > 0.7
