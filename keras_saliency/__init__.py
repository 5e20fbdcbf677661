"""Predicts where people look in a picture (eye fixations), in Keras.

Not model explanations, not salient-object masks.

    import keras_saliency as ks

    generator = ks.models.SalGANGenerator()
    gan = ks.SaliencyGAN(generator, ks.models.SalGANDiscriminator())

Submodules are imported when they are first used, so that a command line
answers before TensorFlow has loaded.
"""

import importlib

__version__ = "0.1.0"

_SUBMODULES = (
    "archives",
    "attention",
    "attention_pictures",
    "attention_regions",
    "auc",
    "augmentation",
    "baselines",
    "blurs",
    "board",
    "bootstrap",
    "bulk",
    "bulk_pipeline",
    "bulk_shards",
    "callbacks",
    "checking",
    "checkpoints",
    "choosing",
    "classical",
    "comparison",
    "console",
    "cropping",
    "datasets",
    "densities",
    "devices",
    "downloads",
    "early_stopping",
    "emd",
    "engines",
    "epoch_maps",
    "errors",
    "evaluation",
    "event_files",
    "export",
    "fields",
    "files",
    "fingerprints",
    "fitting",
    "folding",
    "formats",
    "gan",
    "generators",
    "hparams",
    "inputs",
    "kernels",
    "layers",
    "legacy",
    "listed",
    "loading",
    "losses",
    "map_files",
    "maps",
    "mat_files",
    "mending",
    "metrics",
    "models",
    "optimizers",
    "outputs",
    "pictures",
    "pipeline",
    "prediction",
    "progress",
    "protocols",
    "provenance",
    "recipes",
    "regularizers",
    "replicas",
    "reported",
    "reports",
    "resizing",
    "resuming",
    "runs",
    "runtimes",
    "salgan_reference",
    "salgan_weights",
    "scores",
    "serving",
    "shards",
    "sharing",
    "sheets",
    "shipped",
    "stopping",
    "stores",
    "strategies",
    "submissions",
    "tables",
    "targets",
    "tensorflow_only",
    "trained",
    "training",
    "truths",
    "untrusted",
    "videos",
    "worklists",
)

__all__ = ["InputError", "SaliencyGAN", *_SUBMODULES]


def __getattr__(name):
    if name in _SUBMODULES:
        return importlib.import_module(f"keras_saliency.{name}")
    if name == "SaliencyGAN":
        return importlib.import_module("keras_saliency.gan").SaliencyGAN
    if name == "InputError":
        return importlib.import_module("keras_saliency.errors").InputError
    raise AttributeError(f"module 'keras_saliency' has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *__all__])
