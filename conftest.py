"""Names that the docstrings' examples use without importing them."""

import importlib.util
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pytest

# They cannot be imported without it.
beam = ["keras_saliency/bulk_pipeline.py", "tests/far_store.py"]
collect_ignore = [] if importlib.util.find_spec("apache_beam") else beam


@pytest.fixture(autouse=True)
def same_start(doctest_namespace):
    """Every test and every example begins in float32 with one seed."""
    doctest_namespace.update(np=np, keras=keras)
    keras.config.set_dtype_policy("float32")
    keras.utils.set_random_seed(0)
    yield
    keras.config.set_dtype_policy("float32")
