"""What the public saliency benchmarks take: written only if nothing is wrong with it.

    from keras_saliency import submissions

    submissions.mit300(predictions, "BenchmarkIMAGES", "my_model.zip")
    submissions.validate("somebody_elses.zip", "mit300", "BenchmarkIMAGES")

A writer takes the predictions one by one, checks names, sizes and values, and
raises one `InputError` that lists what is wrong before any output appears.
"""

from keras_saliency.submissions.checks import check
from keras_saliency.submissions.stimuli import (
    BENCHMARKS,
    PICTURES,
    files_below,
    read_stimulus,
    stimulus_sizes,
)
from keras_saliency.submissions.validation import validate
from keras_saliency.submissions.writers import cat2000, mit300, salicon, tuebingen

__all__ = [
    "BENCHMARKS",
    "PICTURES",
    "cat2000",
    "check",
    "files_below",
    "mit300",
    "read_stimulus",
    "salicon",
    "stimulus_sizes",
    "tuebingen",
    "validate",
]
