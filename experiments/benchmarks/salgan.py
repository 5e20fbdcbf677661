"""How fast SalGAN trains, against the same networks and the same step in PyTorch, in one run.

    python3 -m venv /tmp/torch && /tmp/torch/bin/pip install torch==2.13.0 numpy
    python experiments/benchmarks/salgan.py --torch /tmp/torch/bin/python

Batches of 8 at 192x256, VGG16's encoder with its first three blocks frozen,
Adam, as experiments/train_salgan.py has it:

- full step: `SaliencyGAN.fit`, a batch for the discriminator and one for the
  generator, with the pipeline, the losses' trackers, three scores and the
  callbacks. PyTorch does the same two steps on a batch that is held ready, and
  reads its losses;
- gradient step: the generator's on the content loss, nothing beside it.

Both are asked in turn, each in a process of its own. PyTorch takes the better
of its two memory layouts, the fused Adam, and autocast for bfloat16. First of
all the same weights must give the same losses in both.
"""

import os
import sys
import tempfile
import time

import measuring
import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

PRECISIONS = {"float32": "float32", "bfloat16": "mixed_bfloat16"}  # and Keras' policy
SIZE, BATCH = (192, 256), 8
EXAMPLES = 48
RATE, CONTENT_WEIGHT, CONTENT_DOWNSAMPLE = 1e-4, 1.0, 4
PARAMETERS = 31_787_009, 5_045_696  # of the generator and the discriminator
FULL, GRADIENT = "SalGAN, full step", "SalGAN, gradient step"
PAIRS = {"float32": 1, "bfloat16": 3}  # of batches, or batches, a measurement
CHECKED = 2  # pictures
NETWORKS = "generator", "discriminator"
TOLERANCE = 1e-3  # of the losses, relative


def batch(pictures=BATCH):
    random = np.random.default_rng(0)
    stimuli = random.integers(0, 256, (pictures, *SIZE, 3)).astype("float32")
    return stimuli, random.random((pictures, *SIZE, 1), "float32")


# Ours


def our_gan(schedule, metrics=()):
    from keras_saliency import SaliencyGAN, losses, models, optimizers

    generator = models.SalGANGenerator((*SIZE, 3), weights=None)
    for layer in generator.layers:  # as the pretrained ones are
        if layer.name.startswith(("block1", "block2", "block3")):
            layer.trainable = False
    gan = SaliencyGAN(generator, models.SalGANDiscriminator(SIZE))
    assert (generator.count_params(), gan.discriminator.count_params()) == PARAMETERS
    gan.compile(
        optimizers.FusedAdam(RATE),
        optimizers.FusedAdam(RATE),
        content_loss=losses.DensityCrossentropy(),
        content_weight=CONTENT_WEIGHT,
        content_downsample=CONTENT_DOWNSAMPLE,
        schedule=schedule,
        metrics=list(metrics),
        jit_compile=False,
    )
    return gan


def measure_ours(what, precision, folder):
    from keras_saliency import training

    training.load_tensorflow()
    import keras
    import tensorflow as tf

    from keras_saliency import callbacks, metrics, pipeline
    from keras_saliency.datasets import synthetic

    keras.config.set_dtype_policy(PRECISIONS[precision])
    count = PAIRS[precision]
    if what == GRADIENT:
        gan = our_gan("content")
        data = iter(tf.data.Dataset.from_tensors(batch()).cache().repeat())
        gan.make_train_function()
        step = lambda: float(gan.train_function(data)["generator_loss"])  # noqa: E731
        measuring.answer_steps(step, count, BATCH)
        return
    source = pipeline.load(synthetic.load(limit=EXAMPLES), SIZE, synthetic.SIGMA)
    data = pipeline.epochs(source, BATCH, mirror=True, zoom=0.2, color=0.2)
    gan = our_gan("alternate", [metrics.NSS(), metrics.CC(), metrics.KLD()])
    board = keras.callbacks.TensorBoard(folder, write_graph=False)
    measuring.answer_epochs(gan, data, 2 * count, BATCH, [callbacks.NaNGuard(), board])


def our_losses(folder):
    """Writes the weights for PyTorch, and says the losses that they give."""
    from keras_saliency import training

    training.load_tensorflow()
    import tensorflow as tf

    gan = our_gan("alternate")
    random = np.random.default_rng(1)
    for name in NETWORKS:
        network = getattr(gan, name)
        weights = network.get_weights()
        for weight in weights:
            if weight.ndim == 1:  # biases are zeros, which would hide a mistake
                weight[:] = random.normal(0, 0.1, weight.shape)
        network.set_weights(weights)
        np.savez(os.path.join(folder, f"{name}.npz"), *weights)
    stimuli, real = map(tf.constant, batch(CHECKED))
    targets = {"density": real}
    fake = gan.generator(stimuli)
    judged, _, d_fake = gan._discriminator_losses(stimuli, targets, fake)
    _, content, adversarial = gan._generator_losses(targets, fake, d_fake)
    measuring.say([float(loss) for loss in (content, adversarial, judged)])


# PyTorch's


def torch_gan(layout, autocast, pictures=BATCH):
    import torch
    import torch_salgan

    recipe = RATE, CONTENT_WEIGHT, CONTENT_DOWNSAMPLE
    gan = torch_salgan.GAN(batch(pictures), getattr(torch, layout), autocast, *recipe)
    networks = gan.generator, gan.discriminator
    counts = tuple(sum(p.numel() for p in network.parameters()) for network in networks)
    assert counts == PARAMETERS, counts
    return gan


def measure_torch(what, precision, _):
    import torch

    times, steps = {}, {}
    for layout in ("contiguous_format", "channels_last"):
        gan = torch_gan(layout, precision == "bfloat16")
        steps[layout] = gan.content_step if what == GRADIENT else gan.both_steps
        for _ in range(2):  # the second counts
            begin = time.perf_counter()
            steps[layout]()
            times[layout] = time.perf_counter() - begin
    best = min(times, key=times.get)
    step, gan = steps[best], None
    steps.clear()  # and with it the other's memory
    name = f"PyTorch {torch.__version__.partition('+')[0]}, {best.replace('_', ' ')}"
    pictures = BATCH if what == GRADIENT else 2 * BATCH
    measuring.answer_steps(step, PAIRS[precision], pictures, name)


def torch_losses(folder):
    weights = []
    for name in NETWORKS:
        with np.load(os.path.join(folder, f"{name}.npz")) as arrays:
            weights.append([arrays[each] for each in arrays.files])
    gan = torch_gan("contiguous_format", False, CHECKED)
    gan.load(weights)
    measuring.say(gan.losses())


def check_twins(python, folder):
    ours = measuring.once(sys.executable, __file__, "losses", folder)
    theirs = measuring.once(python, __file__, "torch-losses", folder)
    np.testing.assert_allclose(theirs, ours, TOLERANCE)
    print("losses of the same weights, ours:", *(f"{loss:.6f}" for loss in ours))
    print("PyTorch's:", *(f"{loss:.6f}" for loss in theirs), flush=True)


def main():
    if sys.argv[1:2] == ["--measure"]:
        what, *rest = sys.argv[2:]
        measures = {"losses": our_losses, "torch-losses": torch_losses}
        measures.update(ours=measure_ours, torch=measure_torch)
        measures[what](*rest)
        return
    args = measuring.parse_args(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        check_twins(args.torch, folder)
        rows = [
            measuring.compared(args, __file__, what, p, folder)
            for what in (FULL, GRADIENT)
            for p in PRECISIONS
        ]
    measuring.hand_over(rows)
    print(f"\n{measuring.machine('tensorflow', 'keras')}\n\n{measuring.comparison(rows)}")


if __name__ == "__main__":
    main()
