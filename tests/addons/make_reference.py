"""Writes what tensorflow-addons computes, and models saved with it, to a folder.

In an environment of its own, since tensorflow-addons ends at TensorFlow 2.15;
CONTRIBUTING.md has the commands. `tests/addons/reference` holds what it wrote once.
"""

import pathlib
import sys

import addons_cases as cases
import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa

layers = tf.keras.layers


def maxout(random):
    for index, (shape, num_units, axis) in enumerate(cases.MAXOUT):
        x = random.normal(size=shape).astype("float32")
        yield f"maxout{index}_x", x
        yield f"maxout{index}_y", tfa.layers.Maxout(num_units, axis)(x)


def blur(random):
    for index, (shape, sigma) in enumerate(cases.BLUR):
        x = random.random(shape, "float32")
        yield f"blur{index}_x", x
        filter_shape = 2 * cases.radius(sigma) + 1
        for padding in cases.PADDINGS:
            # In float64: its sum of 31x31 products in float32 is off by 1.2e-6 itself.
            y = tfa.image.gaussian_filter2d(x.astype("float64"), filter_shape, sigma, padding)
            yield f"blur{index}_{padding}", y.numpy().astype("float32")


def normalization(random):
    for index, (shape, mean, settings) in enumerate(cases.NORMALIZATION):
        x = random.normal(mean, 2, shape).astype("float32")
        layer = tfa.layers.InstanceNormalization(**settings)
        layer.build(shape)
        set_weights(layer, random)
        yield f"normalization{index}_x", x
        yield f"normalization{index}_y", layer(x)
        for number, weight in enumerate(layer.get_weights()):
            yield f"normalization{index}_weight{number}", weight


def gradients(found):
    """Of a weighted sum of what the normalizations above give, for one picture and for all."""
    for index, (shape, _, settings) in enumerate(cases.NORMALIZATION):
        for batch in (1, shape[0]):
            x = tf.constant(found[f"normalization{index}_x"][:batch])
            layer = tfa.layers.InstanceNormalization(**settings)
            layer.build(shape)
            layer.set_weights(
                [found[f"normalization{index}_weight{n}"] for n in range(len(layer.weights))]
            )
            with tf.GradientTape() as tape:
                tape.watch(x)
                loss = tf.reduce_sum(layer(x) * cases.factors(x.shape))
            for number, gradient in enumerate(tape.gradient(loss, [x, *layer.trainable_weights])):
                yield f"normalization{index}_batch{batch}_gradient{number}", gradient


def set_weights(model, random):
    """Random numbers everywhere: as built, offsets are 0 and factors 1."""
    model.set_weights([random.normal(0.1, 0.4, weight.shape) for weight in model.weights])


def maxout_network():
    inputs = layers.Input((8, 6, 3))
    x = layers.Conv2D(6, 3)(inputs)
    x = tfa.layers.Maxout(2)(x)
    x = layers.Flatten()(x)
    x = layers.Dense(8)(x)
    x = tfa.layers.Maxout(4)(x)
    return tf.keras.Model(inputs, layers.Dense(2)(x))


def instance_network():
    inputs = layers.Input((None, None, 3))
    x = layers.Conv2D(4, 3, activation="relu")(inputs)
    x = tfa.layers.InstanceNormalization()(x)
    x = layers.Conv2D(2, 3)(x)
    outputs = tfa.layers.InstanceNormalization(epsilon=1e-5, center=False)(x)
    return tf.keras.Model(inputs, outputs)


def transposed_network():
    """As the generators of the time end: upsampling after a normalization."""
    inputs = layers.Input((8, 6, 3))
    x = layers.Conv2D(4, 3, strides=2, padding="same")(inputs)
    x = tfa.layers.InstanceNormalization()(x)
    return tf.keras.Model(inputs, layers.Conv2DTranspose(1, 4, strides=2, padding="same")(x))


def unet_network():
    """Like pix2pix' generator; two layers have one shape, and half is a model of its own."""
    inputs = layers.Input((8, 6, 3))
    down = layers.Conv2D(4, 4, strides=2, padding="same")(inputs)
    x = layers.LeakyReLU(0.2)(down)
    x = layers.Conv2D(4, 3, padding="same", use_bias=False)(x)
    x = tfa.layers.InstanceNormalization(center=False, scale=False, epsilon=1e-5)(x)
    x = layers.LeakyReLU(0.2)(x)
    x = layers.Conv2D(4, 3, padding="same", use_bias=False)(x)
    x = layers.Concatenate()([x, down])
    up = tf.keras.Sequential()
    up.add(layers.Conv2DTranspose(5, 4, strides=2, padding="same", use_bias=False))
    up.add(tfa.layers.InstanceNormalization())
    up.add(layers.Dropout(0.5))
    up.add(layers.ReLU())
    x = layers.ZeroPadding2D()(up(x))
    return tf.keras.Model(inputs, layers.Conv2D(1, 3, activation="tanh")(x))


# `_weights.h5` is the older format of weights alone; the newer, `.weights.h5`,
# is inside `.keras`.
NETWORKS = [
    (maxout_network, [".h5", ".keras", "_weights.h5"]),
    (instance_network, [".h5", ".keras"]),
    (transposed_network, [".h5"]),
    (unet_network, [".h5", ".keras", "_weights.h5", ".weights.h5"]),
]


def networks(random, folder):
    for build, endings in NETWORKS:
        tf.keras.backend.clear_session()  # layers are numbered from the start
        model = build()
        set_weights(model, random)
        name = build.__name__
        for ending in endings:
            write = model.save_weights if "weights" in ending else model.save
            write(folder / f"{name}{ending}")
        x = random.normal(size=(2, 8, 6, 3)).astype("float32")
        yield f"{name}_x", x
        yield f"{name}_y", model.predict(x, verbose=0)


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    found = {
        **dict(maxout(random)),
        **dict(blur(random)),
        **dict(normalization(random)),
        **dict(networks(random, folder)),
    }
    found.update(gradients(found))
    np.savez_compressed(folder / "reference.npz", **found)


if __name__ == "__main__":
    main()
