"""Where people looked: one file a dataset, one function each.

`load(data_dir, split)` returns a list of `Example`; it reads indices, not
pixels (but `pickled`, whose pictures are in its one file). Each module also has
`SIGMA`, about one degree of visual angle in pixels of its pictures (None if it
depends on the experiment, or if densities were published), and the names of its
`SPLITS`; `SCORED` is the split that scores are taken of if its "test" was
published without the truth.
"""

from keras_saliency.datasets import (
    cat2000,
    folder,
    isun,
    mit300,
    mit1003,
    osie,
    pickled,
    pysaliency,
    salicon,
    synthetic,
)
from keras_saliency.datasets.example import Example

__all__ = [
    "Example",
    "cat2000",
    "folder",
    "isun",
    "mit300",
    "mit1003",
    "osie",
    "pickled",
    "pysaliency",
    "salicon",
    "synthetic",
]
