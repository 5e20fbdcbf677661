"""What backends.py compares."""

import keras

from keras_saliency import losses, models, scores

# Each: how it is made, and the loss whose gradients are taken.
SMALL = {  # each: how it is made, and the loss whose gradients are taken
    "SalGAN generator": (
        lambda: models.SalGANGenerator((32, 48, 3), weights=None, width=1 / 8),
        losses.DensityCrossentropy,
    ),
    "SalGAN generator, MobileNet": (
        lambda: models.SalGANGenerator((32, 48, 3), "mobilenet", weights=None, width=0.25),
        # So deep and normalized, it has no seed with steady gradients.
        lambda: None,
    ),
    "SalGAN generator, light decoder": (
        lambda: models.SalGANGenerator((32, 48, 3), weights=None, width=1 / 8, decoder="light"),
        losses.KLD,
    ),
    "SalGAN discriminator": (
        lambda: models.SalGANDiscriminator((32, 48), width=0.25),
        keras.losses.BinaryCrossentropy,
    ),
    "SalGAN discriminator, code": (
        lambda: models.SalGANDiscriminator((32, 48), "code", width=0.25),
        keras.losses.BinaryCrossentropy,
    ),
    "pix2pix generator": (
        lambda: models.Pix2PixGenerator(input_shape=(48, 64, 3), dropout=0.0, width=1 / 16),
        keras.losses.MeanSquaredError,
    ),
    "pix2pix generator, layout B, batches": (
        lambda: models.Pix2PixGenerator(
            input_shape=(48, 64, 3), layout="B", normalization="batch", dropout=0.0, width=1 / 16
        ),
        keras.losses.MeanSquaredError,
    ),
    "pix2pix generator, isola256": (
        lambda: models.Pix2PixGenerator("isola256", dropout=0.0, width=1 / 32),
        keras.losses.MeanSquaredError,
    ),
    "PatchGAN discriminator": (
        lambda: models.PatchGANDiscriminator((48, 64), filters=8),
        lambda: keras.losses.BinaryCrossentropy(from_logits=True),
    ),
    "JuntingNet": (
        lambda: models.JuntingNet(input_shape=(32, 48, 3)),
        keras.losses.MeanSquaredError,
    ),
    "JuntingNet, cvpr2016, softmax": (
        lambda: models.JuntingNet("cvpr2016", "softmax", (32, 48, 3), batch_norm=True),
        losses.KLD,
    ),
    "JuntingNet, bristol2020, halves": (
        lambda: models.JuntingNet("bristol2020", "softmax", (32, 48, 3), "halves"),
        losses.Bhattacharyya,
    ),
    "JuntingNet, blurred": (
        lambda: models.post_processed(
            models.JuntingNet(input_shape=(32, 48, 3)), "resize_then_blur", 2.0, (32, 48)
        ),
        keras.losses.MeanSquaredError,
    ),
}
FULL = {
    "SalGAN generator, whole": lambda: models.SalGANGenerator(weights=None),
    "SalGAN discriminator, whole": models.SalGANDiscriminator,
    "pix2pix generator, whole": lambda: models.Pix2PixGenerator(dropout=0.0),
    "PatchGAN discriminator, whole": models.PatchGANDiscriminator,
    "JuntingNet, whole": models.JuntingNet,
}
LOSSES = {
    "density crossentropy": losses.DensityCrossentropy,
    "KLD": losses.KLD,
    "KLD, softmax, pixel mean": lambda: losses.KLD(target_distribution="softmax", pixel_mean=True),
    "Bhattacharyya": losses.Bhattacharyya,
    "Bhattacharyya, softmax": lambda: losses.Bhattacharyya(target_distribution="softmax"),
    "negative CC": losses.NegativeCC,
    "negative NSS": losses.NegativeNSS,
    "weighted sum": lambda: losses.weighted_sum({"kld": 1.0, "cc": 0.5, "mse": 2.0}),
}
SCORES = {"NSS": scores.nss, "CC": scores.cc, "SIM": scores.sim, "KLD": scores.kld}
