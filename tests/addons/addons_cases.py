"""What is computed with tensorflow-addons' layers and with ours."""

import numpy as np

# (input shape, num_units, axis)
MAXOUT = [
    ((3, 12), 6, -1),
    ((3, 12), 4, -1),
    ((3, 12), 3, -1),
    ((3, 12), 12, -1),
    ((2, 3, 5, 12), 6, -1),
    ((2, 3, 5, 12), 4, -1),
    ((2, 3, 5, 12), 3, 3),
    ((2, 6, 7, 4), 2, 1),
    ((2, 6, 8, 4), 4, -2),
]

# (input shape, sigma)
BLUR = [
    ((2, 9, 7, 1), 0.6),
    ((1, 11, 13, 2), 1.0),
    ((1, 15, 13, 2), 2.5),
    ((1, 18, 19, 1), 3.7),
]
PADDINGS = ["REFLECT", "CONSTANT", "SYMMETRIC"]


def radius(sigma):
    """How far our kernel reaches; tensorflow-addons' `filter_shape` is then 2 * radius + 1."""
    return int(4 * sigma + 0.5)


# (input shape, mean of the input, settings)
NORMALIZATION = [
    ((2, 7, 5, 3), 0.0, {}),
    ((2, 7, 5, 3), 30.0, {"epsilon": 1e-5}),
    ((3, 11, 4), 1.0, {"center": False}),
    ((2, 8, 6, 4), 1.0, {"scale": False, "epsilon": 0.1}),
    ((2, 3, 9, 8), 1.0, {"axis": 1}),
]


def factors(shape):
    """What the outputs are multiplied with to be summed up to a loss: every one other."""
    return np.cos(np.arange(np.prod(shape))).reshape(shape).astype("float32")
