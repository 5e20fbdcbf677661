import keras
import numpy as np

from keras_saliency.layers import AlwaysDropout


def test_drops_in_training_and_in_prediction():
    inputs = keras.Input((1000,))
    model = keras.Model(inputs, AlwaysDropout(0.25)(inputs))
    x = np.ones((4, 1000), "float32")
    for outputs in (model(x), model(x, training=False), model(x, training=True), model.predict(x)):
        kept = np.asarray(outputs) > 0
        assert 0.7 < kept.mean() < 0.8
        np.testing.assert_allclose(np.asarray(outputs)[kept], 1 / 0.75, rtol=1e-6)


def test_saved_and_loaded_it_still_does(tmp_path):
    inputs = keras.Input((1000,))
    keras.Model(inputs, AlwaysDropout(0.5, seed=1)(inputs)).save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    layer = loaded.layers[1]
    assert type(layer) is AlwaysDropout and (layer.rate, layer.seed) == (0.5, 1)
    assert (loaded.predict(np.ones((1, 1000)), verbose=0) == 0).any()
