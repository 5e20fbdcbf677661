"""Where people looked: one file a dataset, one function each.

`load(data_dir, split)` returns a list of `Example`; it reads indices, not
pixels. Each module also has `SIGMA`, about one degree of visual angle in pixels
of its pictures (None if it depends on the experiment), and the names of its
`SPLITS`.
"""

from keras_saliency.datasets import folder, osie, synthetic
from keras_saliency.datasets.example import Example

__all__ = ["Example", "folder", "osie", "synthetic"]
