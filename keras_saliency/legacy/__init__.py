"""Models of the Keras 2 and tensorflow-addons days.

- A whole model as `.h5`: `load_model`.
- A whole model as `.keras`, or weights as `.h5` or `.weights.h5`: build the
  network anew, then `load_weights`.
- A SavedModel folder: `keras.layers.TFSMLayer`.
"""

from keras_saliency.legacy.models import load_model
from keras_saliency.legacy.weights import load_weights

__all__ = ["load_model", "load_weights"]
