"""Saliency models from before the networks: baselines that need no training.

Each takes a stimulus and gives its saliency map, at the stimulus' own size.
"""

from keras_saliency.classical.bms import bms
from keras_saliency.classical.gbvs import gbvs
from keras_saliency.classical.itti import itti

__all__ = ["bms", "gbvs", "itti"]
