"""Layers that Keras does not have."""

from keras_saliency.layers.addons_maxout import AddonsMaxout
from keras_saliency.layers.always_dropout import AlwaysDropout
from keras_saliency.layers.gaussian_blur import GaussianBlur
from keras_saliency.layers.instance_normalization import InstanceNormalization
from keras_saliency.layers.matrix_conv2d import MatrixConv2D
from keras_saliency.layers.matrix_conv2d_transpose import MatrixConv2DTranspose
from keras_saliency.layers.maxout import Maxout
from keras_saliency.layers.upsampled_conv2d import UpsampledConv2D

__all__ = [
    "AddonsMaxout",
    "AlwaysDropout",
    "GaussianBlur",
    "InstanceNormalization",
    "MatrixConv2D",
    "MatrixConv2DTranspose",
    "Maxout",
    "UpsampledConv2D",
]
