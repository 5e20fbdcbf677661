"""Writes reference.npz: what OpenCV makes of some pictures and maps.

In an environment of its own, since the package does without OpenCV:

    python3 -m venv /tmp/opencv
    /tmp/opencv/bin/pip install opencv-python-headless==5.0.0.93
    /tmp/opencv/bin/python tests/opencv/make_reference.py
"""

import pathlib

import numpy as np

NETWORK = (12, 16)
# A half, a quarter, by 2.5 as SALICON's pictures, one axis alone, uneven; then such
# as grow in one axis or in both; and the same size.
PICTURES = [
    (24, 32), (48, 64), (30, 40), (12, 32), (25, 35),
    (15, 10), (10, 64), (10, 10), (6, 8), (12, 16),
]  # fmt: skip
MAPS = [(30, 40), (48, 64), (19, 45), (12, 40), (7, 9), (12, 16), (1, 2)]


def main():
    import cv2

    random = np.random.default_rng(0)
    found = {"version": cv2.__version__}
    for size in PICTURES:
        picture = random.integers(0, 256, (*size, 3), "uint8")
        found["picture {}x{}".format(*size)] = picture
        resized = cv2.resize(picture, NETWORK[::-1], interpolation=cv2.INTER_AREA)
        found["stimulus {}x{}".format(*size)] = resized
    y, x = np.mgrid[: NETWORK[0], : NETWORK[1]] / 3
    smooth = (np.sin(x) * np.cos(y) + 1) / 2
    maps = {"noise": random.random(NETWORK), "smooth": smooth, "sharp": smooth > 0.5}
    for kind, saliency_map in maps.items():
        found[kind] = saliency_map.astype("float32")
        levels = (found[kind] * 255).astype("uint8")
        for size in MAPS:
            resized = cv2.resize(levels, size[::-1], interpolation=cv2.INTER_CUBIC)
            found["{} {}x{}".format(kind, *size)] = cv2.GaussianBlur(resized, (5, 5), 0)
    np.savez_compressed(pathlib.Path(__file__).with_name("reference.npz"), **found)


if __name__ == "__main__":
    main()
