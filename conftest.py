"""Names that the docstrings' examples use without importing them."""

import importlib.util
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pytest

# It cannot be imported without Beam.
beam = importlib.util.find_spec("apache_beam")
collect_ignore = [] if beam else ["keras_saliency/bulk_pipeline.py"]


@pytest.fixture(autouse=True)
def same_start(doctest_namespace):
    """Every test and every example begins in float32 with one seed."""
    doctest_namespace.update(np=np, keras=keras)
    keras.config.set_dtype_policy("float32")
    keras.utils.set_random_seed(0)
    yield
    keras.config.set_dtype_policy("float32")
