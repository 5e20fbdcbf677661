"""Train SalGAN: content loss first, then an adversary joins.

    python experiments/train_salgan.py

trains the whole network on made-up scenes in a few minutes and prints its
scores beside the center bias. On real eye-tracking data:

    python experiments/train_salgan.py --data osie --data-dir DIR

with the paper's recipe: 192x256, VGG16, AdaGrad, batches of 32.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow is imported

from keras_saliency import training
from keras_saliency.errors import InputError

# The paper's (SalGAN, sections 4.2 and 5).
LEARNING_RATE = 3e-4
CONTENT_WEIGHT = 0.05
CONTENT_DOWNSAMPLE = 4
WEIGHT_DECAY = 1e-4
PAPER = {"size": (192, 256), "batch_size": 32, "content_epochs": 15, "epochs": 105}
# A few minutes on two cores: the same network on smaller pictures.
QUICK = {"size": (48, 64), "batch_size": 8, "content_epochs": 10, "epochs": 4}
SAVE_EVERY = {"content": 5, "adversarial": 3}  # epochs, as the authors' code


def main(argv=None):
    args = parse_args(argv)
    run_dir = training.start(args, "salgan")

    import keras

    from keras_saliency import SaliencyGAN, checkpoints, losses, metrics, models, pipeline

    def adagrad():
        # Lasagne's AdaGrad, which the paper used, starts from nothing.
        return keras.optimizers.Adagrad(
            LEARNING_RATE, initial_accumulator_value=0.0, epsilon=1e-6
        )

    # Data
    train, test, sigma = training.load_data(args)
    monitored = pipeline.batches(test[: training.MONITORED], args.size, args.batch_size, sigma)

    # Networks
    generator, encoder_weights = build_generator(args)
    discriminator = models.SalGANDiscriminator(args.size, weight_decay=WEIGHT_DECAY)
    gan = SaliencyGAN(generator, discriminator, name="salgan")
    training.write_config(run_dir, args, encoder_weights=encoder_weights)

    # Two phases, the second from where the first ended
    content_loss = {"bce": losses.DensityCrossentropy, "kld": losses.KLD}[args.content_loss]()
    common = {
        "content_loss": content_loss,
        "content_downsample": CONTENT_DOWNSAMPLE,
        "metrics": [metrics.NSS(), metrics.CC(), metrics.KLD()],
    }
    phases = {
        "content": (args.content_epochs, {"schedule": "content"}),
        "adversarial": (
            args.content_epochs + args.epochs,
            {"schedule": "alternate", "content_weight": CONTENT_WEIGHT},
        ),
    }
