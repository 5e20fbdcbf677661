"""Files like the one that SalGAN's authors published, of random weights."""

import numpy as np

ENCODER = (64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)
DECODER = (512, 512, 512, 512, 512, 512, 256, 256, 256, 128, 128, 64, 64)


def arrays(width=1.0, seed=0):
    """What Lasagne would list of the authors' network: kernel, bias, kernel, bias ...

    Scaled so that the map is neither flat nor black and white.
    """
    random = np.random.default_rng(seed)
    found, channels = [], 3
    filters = [max(1, round(count * width)) for count in ENCODER + DECODER]
    for count in filters:
        kernel = random.standard_normal((count, channels, 3, 3), "float32")
        # The picture's numbers are a hundred times those that follow.
        gain = 0.014 if channels == 3 else 1.414
        found += [kernel * np.float32(gain / (9 * channels) ** 0.5)]
        found += [random.standard_normal(count, "float32") / 10]
        channels = count
    found += [random.standard_normal((1, channels, 1, 1), "float32"), np.zeros(1, "float32")]
    return found


def write(path, width=1.0, **changes):
    """Writes them with numpy.savez; `arr_3=None` leaves one out, `arr_54=...` adds one."""
    named = {f"arr_{i}": array for i, array in enumerate(arrays(width))} | changes
    np.savez(path, **{name: array for name, array in named.items() if array is not None})
    return str(path)
