"""TensorFlow, for the modules that do not go without it; on another backend, one line says so.

Models, layers, losses, scores and metrics are written in `keras.ops` and run on
every backend of Keras. Training, the data pipeline, prediction and serving take
TensorFlow from here:

    from keras_saliency.tensorflow_only import tf
"""

import keras

from keras_saliency.errors import InputError

if keras.backend.backend() != "tensorflow":
    raise InputError(
        "training, the data pipeline, prediction and serving need TensorFlow, but Keras runs on "
        f"{keras.backend.backend()}: set KERAS_BACKEND=tensorflow (models, layers, losses, scores "
        "and metrics run on any backend)"
    )

import tensorflow as tf

__all__ = ["tf"]
