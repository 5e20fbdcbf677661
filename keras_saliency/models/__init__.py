"""Networks: one paper a file, each a function that returns a `keras.Model`."""

from keras_saliency.models.juntingnet import JuntingNet, post_processed
from keras_saliency.models.pix2pix import PatchGANDiscriminator, Pix2PixGenerator
from keras_saliency.models.salgan import SalGANDiscriminator, SalGANGenerator, encoder_variables

__all__ = [
    "JuntingNet",
    "PatchGANDiscriminator",
    "Pix2PixGenerator",
    "SalGANDiscriminator",
    "SalGANGenerator",
    "encoder_variables",
    "post_processed",
]
