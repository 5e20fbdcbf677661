import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_saliency import kernels
from keras_saliency.regularizers import FusedL2


@pytest.mark.parametrize("shape", [(7,), (3, 3, 4, 5)])
def test_value_and_gradient_are_those_of_keras(shape):
    weight = tf.Variable(np.random.default_rng(0).normal(size=shape).astype("float32"))
    found = []
    for penalty in (keras.regularizers.L2(0.3), FusedL2(0.3)):
        with tf.GradientTape() as tape:
            value = penalty(weight)
        found.append((float(value), tape.gradient(value, weight).numpy()))
    np.testing.assert_allclose(found[1][0], found[0][0], rtol=1e-6)
    np.testing.assert_allclose(found[1][1], found[0][1], rtol=1e-6)


def test_in_a_model_saved_and_loaded(tmp_path, monkeypatch):
    called = []
    kernel = kernels.sum_of_squares
    monkeypatch.setattr(kernels, "sum_of_squares", lambda x: called.append(x) or kernel(x))
    dense = keras.layers.Dense(2, kernel_regularizer=FusedL2(0.5))
    model = keras.Sequential([keras.Input((3,)), dense])
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    expected = 0.5 * np.square(dense.kernel.numpy()).sum()
    assert float(sum(loaded.losses)) == pytest.approx(expected, rel=1e-5)
    assert called
