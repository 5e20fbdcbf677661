"""Which pictures of a batch go to which device; nothing is read here."""

import math
from typing import NamedTuple

import numpy as np
from keras import ops

from keras_saliency.errors import InputError


class Share(NamedTuple):
    """Which of a job's devices this process feeds: `own`, from the `first` on, of `all`.

    Every batch is cut into `all` parts, and each device gets one: together they
    train as one device would.
    """

    all: int = 1
    first: int = 0
    own: int = 1


ALONE = Share()


def own_order(order, batch_size: int, share: Share):
    """Of an epoch's order the pictures of one's own devices, one device's part after another.

    Args:
        order: tensor of every picture's index.
        batch_size: int, of all devices together; what is no whole batch is left out.

    Example:
        >>> np.array(own_order(np.arange(9), 4, Share(2, first=1))).tolist()
        [2, 3, 6, 7]
    """
    batches = order.shape[0] // batch_size
    parts = ops.reshape(order[: batches * batch_size], (batches, share.all, -1))
    return ops.reshape(parts[:, share.first : share.first + share.own], (-1,))


def own_parts(count: int, batch_size: int, share: Share) -> np.ndarray:
    """Of pictures that are seen once, in order: from and up to which each device's turns go.

    Every device gets the same number of turns, and in each at least one picture:
    TensorFlow's convolutions fail on none.

    Raises:
        InputError: if there are fewer pictures than devices.

    Example:
        >>> own_parts(5, 4, Share(2, first=1)).tolist()
        [[3, 4], [4, 5]]
    """
    if count < share.all:
        raise InputError(f"{count} pictures cannot be shared by {share.all} devices: take more")
    turns = min(math.ceil(count / batch_size), count // share.all)
    parts = np.array_split(np.arange(count), share.all)
    own = [np.array_split(part, turns) for part in parts[share.first : share.first + share.own]]
    return np.array(
        [(turn[0], turn[-1] + 1) for at_once in zip(*own, strict=True) for turn in at_once]
    )


def remembered(read):
    """`read` of an index that keeps what it has read.

    Example:
        >>> read = remembered(lambda i: print("reads", i) or [i])
        >>> read(3), read(3)
        reads 3
        ([3], [3])
    """
    known = {}

    def remembering(i):
        if i not in known:
            known[i] = read(i)
        return known[i]

    return remembering
