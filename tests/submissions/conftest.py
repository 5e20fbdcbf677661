import numpy as np
import pytest
from PIL import Image

NAMES = {
    "salicon": [f"COCO_test2014_{number:012}.jpg" for number in (99, 123, 4567)],
    "mit300": ["i1.jpg", "i10.jpg", "i2.jpg"],
    "cat2000": ["Action/001.jpg", "Action/013.jpg", "Satelite/001.jpg"],
}
SIZES = {"salicon": (480, 640), "mit300": (33, 50), "cat2000": (1080, 1920)}


@pytest.fixture
def stimuli(tmp_path):
    """Makes a benchmark's folder of three pictures; returns it and the pictures' sizes."""

    def make(benchmark):
        folder = tmp_path / "stimuli" / benchmark
        height, width = SIZES[benchmark]
        for i, name in enumerate(NAMES[benchmark]):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            # MIT300's pictures differ in size.
            size = (width, height + i) if benchmark == "mit300" else (width, height)
            Image.new("RGB", size, (i, 0, 0)).save(folder / name)
        heights = [height + i if benchmark == "mit300" else height for i in range(3)]
        sizes = dict(zip(NAMES[benchmark], ((h, width) for h in heights), strict=True))
        return str(folder), sizes

    return make


@pytest.fixture
def maps():
    """Makes one random map a picture; or log densities."""

    def make(sizes, log=False):
        random = np.random.default_rng(0)
        values = {name: random.random((*size, 1)).astype("float32") for name, size in sizes.items()}
        if log:
            values = {name: np.log((v + 0.1) / (v + 0.1).sum()) for name, v in values.items()}
        return values

    return make
