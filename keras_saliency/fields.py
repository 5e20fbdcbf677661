"""An example's three fields at the network's size: stimulus, density, fixation map."""

import concurrent.futures
import os
import sys

import keras
import numpy as np
import threadpoolctl

from keras_saliency import map_files, maps, pictures, resizing
from keras_saliency.errors import InputError

ALIGNMENT = 64  # bytes


def check_densities(examples: list, sigma: float | None) -> None:
    """Raises `InputError` unless each example has a density, or `sigma` can make it one."""
    lacking = [example.name for example in examples if not example.published]
    if sigma is None and lacking:
        raise InputError(
            f"{len(lacking)} of {len(examples)} pictures have no density, the first is "
            f"{lacking[0]}: take another split, or give sigma if there are fixations"
        )


def shapes(size: tuple[int, int], map_size: tuple[int, int]) -> tuple:
    """Of an example's three arrays: stimulus, density and fixation map."""
    return (*size, 3), (*map_size, 1), (*map_size, 1)


def stacked(examples: list, size, map_size, sigma: float | None) -> list[np.ndarray]:
    """Every example's three arrays, stacked; read by several threads, with a progress bar."""
    types = zip(shapes(size, map_size), ("uint8", "float16", "uint8"), strict=True)
    stacks = [_aligned((len(examples), *shape), dtype) for shape, dtype in types]
    shown = len(examples) > 200 and sys.stdout.isatty()
    bar = keras.utils.Progbar(len(examples), unit_name="picture", verbose=int(shown))

    def fill(i):
        for stack, field in zip(stacks, of(examples[i], size, map_size, sigma), strict=True):
            stack[i] = field

    # Our threads suffice: BLAS' own would fight with them, and so would more of ours.
    one = threadpoolctl.threadpool_limits(1, user_api="blas")
    with one, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as threads:
        for i, _ in enumerate(threads.map(fill, range(len(examples)))):
            bar.update(i + 1)
    return stacks


def _aligned(shape, dtype):
    """An empty array that begins where TensorFlow's own do, so that it can be one."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    room = np.empty(size + ALIGNMENT, "uint8")
    begin = -room.ctypes.data % ALIGNMENT
    return room[begin : begin + size].view(dtype).reshape(shape)


def of(example, size, map_size, sigma):
    """uint8 stimulus, float16 density with largest value 1, uint8 fixation map."""
    picture = pictures.of(example)
    if picture.shape[:2] != example.size:
        raise InputError(
            f"{example.image_path or example.name} is {picture.shape[0]}x{picture.shape[1]} "
            f"pixels, the dataset says {example.size[0]}x{example.size[1]}"
        )
    stimulus = resizing.as_stimulus(picture, size)
    density = density_of(example, sigma, map_size)
    counts = maps.fixation_map(example.fixations, example.size, map_size)
    density = density / max(density.max(), 1e-30)
    return stimulus, density.astype("float16"), counts.clip(0, 255).astype("uint8")


def density_of(example, sigma: float | None, size: tuple[int, int]) -> np.ndarray:
    """An example's published density, or its blurred fixations; float32 `(height, width, 1)`."""
    if not example.published:
        return maps.density(example.fixations, example.size, sigma, size)
    published = np.asarray(map_files.of(example), "float32")
    return resizing.resize(published.reshape(*published.shape[:2], 1), size)
