"""`SaliencyGAN`: the only train_step of the package."""

import keras
from keras import ops

from keras_saliency import losses, optimizers, replicas
from keras_saliency.targets import as_loss, pooled, unpack, wanted
from keras_saliency.tensorflow_only import tf

SCHEDULES = ("content", "alternate", "joint")
# fmt: off
TRACKERS = (
    "generator_loss", "content_loss", "adversarial_loss", "discriminator_loss", "d_real", "d_fake",
)
COMPILED = (
    "generator_optimizer", "discriminator_optimizer", "content_loss", "content_weight",
    "content_downsample", "adversarial_loss", "discriminator_reduction", "schedule",
)
# fmt: on


@keras.saving.register_keras_serializable(package="keras_saliency")
class SaliencyGAN(keras.Model):
    """Trains a generator of saliency maps, alone or against a discriminator.

    `predict` is the generator's. Data are `(stimulus, density)` batches or
    `(stimulus, {"density": ..., "fixation_map": ...})`, as `pipeline.batches`
    makes them; with the dict, every metric and content loss gets the map that
    its `target` names.

    Args:
        generator: `keras.Model`, stimulus to saliency map, 0-1.
        discriminator: `keras.Model`, `[stimulus, saliency map]` to a
            probability or logits, one or a grid of them a picture.

    Example:
        >>> from keras_saliency import models
        >>> generator = models.SalGANGenerator((32, 32, 3), weights=None, width=0.0625)
        >>> discriminator = models.SalGANDiscriminator((32, 32), width=0.125)
        >>> gan = SaliencyGAN(generator, discriminator)
        >>> gan.compile(keras.optimizers.Adagrad(3e-4), keras.optimizers.Adagrad(3e-4))
        >>> pictures, densities = np.zeros((4, 32, 32, 3)), np.ones((4, 32, 32, 1))
        >>> history = gan.fit(pictures, densities, batch_size=2, verbose=0).history
        >>> sorted(history)[:3]
        ['adversarial_loss', 'content_loss', 'd_fake']

    Reference: Pan et al., "SalGAN", 2017; Isola et al., "Image-to-Image
    Translation with Conditional Adversarial Networks", CVPR 2017.
    """

    def __init__(self, generator, discriminator, **kwargs):
        super().__init__(**kwargs)
        self.generator = generator
        self.discriminator = discriminator
        # Whose turn it is in schedule="alternate"; a weight, so that it is
        # saved and a resumed run goes on with the right network.
        self.turn = self.add_weight(
            name="turn", shape=(), dtype="int32", initializer="zeros", trainable=False
        )
        self.trackers = {name: keras.metrics.Mean(name) for name in TRACKERS}
        self.term_trackers = []
        self.score_metrics = []
        self.schedule = None
        self.turns_taken = 0  # `turn` of several devices, known without asking them
        self.built = True  # both networks are

    def compile(
        self,
        generator_optimizer,
        discriminator_optimizer=None,
        content_loss=None,
        content_weight=0.05,
        content_downsample=4,
        adversarial_loss=None,
        discriminator_reduction="mean",
        schedule="alternate",
        metrics=(),
        jit_compile="auto",
        **kwargs,
    ):
        """Sets how to train; the defaults are the SalGAN paper's.

        Args:
            generator_optimizer, discriminator_optimizer: optimizers or their
                names. With float16 layers each gets a loss scale of its own.
            content_loss: `keras.losses.Loss` or its class name, by default
                `DensityCrossentropy`. Of a `losses.WeightedSum` each term's mean
                is shown too, unweighted, as its name and "_loss".
            content_weight: float, the content loss counts this much beside the
                adversarial loss.
            content_downsample: int, target and map are average-pooled this
                many times before the content loss; a fixation is then looked
                for at its cell, see `losses.NegativeNSS`.
            adversarial_loss: `keras.losses.Loss`, by default binary
                cross-entropy of probabilities; a discriminator of logits needs
                `keras.losses.BinaryCrossentropy(from_logits=True)`.
            discriminator_reduction: "mean" of the real and the fake pictures'
                loss (the authors' code, pix2pix) or their "sum".
            schedule: "content": the generator alone, on the content loss.
                "alternate": one batch for the discriminator, the next for the
                generator (SalGAN). "joint": both from every batch, the
                discriminator first (pix2pix).
            metrics: list of `keras.metrics`, such as `metrics.NSS()`.
            jit_compile, **kwargs: as in `keras.Model.compile`.

        Raises:
            ValueError: if an argument is not one of these.
        """
        _check("schedule", schedule, SCHEDULES)
        _check("discriminator_reduction", discriminator_reduction, ("mean", "sum"))
        if schedule != "content" and discriminator_optimizer is None:
            raise ValueError(f'schedule="{schedule}" needs a `discriminator_optimizer`.')
        super().compile(optimizer=None, loss=None, jit_compile=jit_compile, **kwargs)
        self.content_loss = as_loss(content_loss or losses.DensityCrossentropy())
        terms = getattr(self.content_loss, "terms", ())
        self.term_trackers = [keras.metrics.Mean(f"{loss.name}_loss") for _, loss in terms]
        self.adversarial_loss = as_loss(adversarial_loss or keras.losses.BinaryCrossentropy())
        self.content_weight = content_weight
        self.content_downsample = content_downsample
        self.discriminator_reduction = discriminator_reduction
        self.schedule = schedule
        self.score_metrics = list(metrics)
        self.generator_optimizer = optimizers.ready(generator_optimizer, self.generator)
        self.discriminator_optimizer = optimizers.ready(discriminator_optimizer, self.discriminator)
        self._compile_arguments = {"jit_compile": jit_compile, **kwargs}

    @property
    def metrics(self):
        return [*self.trackers.values(), *self.term_trackers, *self.score_metrics]

    def call(self, inputs, training=False):
        return self.generator(inputs, training=training)

    def make_train_function(self, force=False):
        if not self._turns_apart():
            super().make_train_function(force)
            return
        if self.steps_per_execution != 1:
            raise ValueError(
                'On several devices schedule="alternate" needs `steps_per_execution=1`. '
                f"Received: {self.steps_per_execution}"
            )
        self.turns_taken = int(self.turn.numpy())
        if self.train_function is None or force:
            # An optimizer cannot gather the replicas' gradients inside a branch
            # of the graph: each turn gets a graph of its own, traced when it is due.
            graphs = []
            for _ in range(2):
                super().make_train_function(force=True)
                graphs.append(self.train_function)

            def train_function(iterator):
                self.turns_taken += 1
                return graphs[self.turns_taken % 2](iterator)

            self.train_function = train_function

    def _turns_apart(self):
        return self.schedule == "alternate" and self.distribute_strategy.num_replicas_in_sync > 1

    def train_step(self, data):
        stimulus, targets = unpack(data)
        if self.schedule == "content":
            self._train_content(stimulus, targets)
        elif self.schedule == "joint":
            self._train_joint(stimulus, targets)
        elif self._turns_apart():
            if self.turns_taken % 2:
                self._train_discriminator(stimulus, targets)
            else:
                self._train_generator(stimulus, targets)
            self.turn.assign_add(1)
        else:
            tf.cond(
                self.turn % 2 == 0,
                lambda: self._train_discriminator(stimulus, targets),
                lambda: self._train_generator(stimulus, targets),
            )
            self.turn.assign_add(1)
        names = ("generator_loss", "content_loss") if self.schedule == "content" else self.trackers
        return self._results(names)

    def test_step(self, data):
        stimulus, targets = unpack(data)
        saliency_map = self.generator(stimulus, training=False)
        content = self._content(targets, saliency_map)
        # The last batch may be smaller; it counts by its pictures.
        self._show(targets, saliency_map, weight=ops.shape(stimulus)[0], content_loss=content)
        return self._results(["content_loss"])

    def _train_content(self, stimulus, targets):
        with tf.GradientTape() as tape:
            saliency_map = self.generator(stimulus, training=True)
            content = self._content(targets, saliency_map)
            loss = content + _penalty(self.generator)
            scaled = self.generator_optimizer.scale_loss(loss)
        _step(self.generator_optimizer, self.generator, tape, scaled)
        self._show(targets, saliency_map, generator_loss=loss, content_loss=content)

    def _train_discriminator(self, stimulus, targets):
        # No tape: the generator only supplies the fakes.
        fake = self.generator(stimulus, training=True)
        with tf.GradientTape() as tape:
            loss, d_real, d_fake = self._discriminator_losses(stimulus, targets, fake)
            scaled = self.discriminator_optimizer.scale_loss(loss)
        _step(self.discriminator_optimizer, self.discriminator, tape, scaled)
        self._show(targets, fake, d_real, d_fake, discriminator_loss=loss)

    def _train_generator(self, stimulus, targets):
        with tf.GradientTape() as tape:
            fake = self.generator(stimulus, training=True)
            d_fake = ops.cast(self.discriminator([stimulus, fake], training=True), "float32")
            found = self._generator_losses(targets, fake, d_fake)
            scaled = self.generator_optimizer.scale_loss(found["generator_loss"])
        _step(self.generator_optimizer, self.generator, tape, scaled)
        self._show(targets, fake, d_fake=d_fake, **found)

    def _train_joint(self, stimulus, targets):
        """The discriminator's step, then the generator's against it, on one and the same map."""
        with tf.GradientTape() as generator_tape:
            fake = self.generator(stimulus, training=True)
            with generator_tape.stop_recording(), tf.GradientTape() as tape:
                d_loss, d_real, d_fake = self._discriminator_losses(stimulus, targets, fake)
                d_scaled = self.discriminator_optimizer.scale_loss(d_loss)
            with generator_tape.stop_recording():
                _step(self.discriminator_optimizer, self.discriminator, tape, d_scaled)
            judged = ops.cast(self.discriminator([stimulus, fake], training=True), "float32")
            found = self._generator_losses(targets, fake, judged)
            scaled = self.generator_optimizer.scale_loss(found["generator_loss"])
        _step(self.generator_optimizer, self.generator, generator_tape, scaled)
        self._show(targets, fake, d_real, d_fake, discriminator_loss=d_loss, **found)

    def _discriminator_losses(self, stimulus, targets, fake):
        """The discriminator's loss, and what it says of the real and the fake map."""
        real = ops.cast(targets["density"], fake.dtype)
        d_real = ops.cast(self.discriminator([stimulus, real], training=True), "float32")
        d_fake = ops.cast(self.discriminator([stimulus, fake], training=True), "float32")
        loss = self.adversarial_loss(ops.ones_like(d_real), d_real)
        loss = loss + self.adversarial_loss(ops.zeros_like(d_fake), d_fake)
        if self.discriminator_reduction == "mean":
            loss = loss / 2
        return loss + _penalty(self.discriminator), d_real, d_fake

    def _generator_losses(self, targets, fake, d_fake):
        content = self._content(targets, fake)
        adversarial = self.adversarial_loss(ops.ones_like(d_fake), d_fake)
        loss = self.content_weight * content + adversarial + _penalty(self.generator)
        return {"generator_loss": loss, "content_loss": content, "adversarial_loss": adversarial}

    def _content(self, targets, saliency_map):
        target = wanted(targets, self.content_loss)
        target, saliency_map = pooled((target, saliency_map), self.content_downsample)
        if self.term_trackers:
            values = self.content_loss.values(target, saliency_map)
            for tracker, value in zip(self.term_trackers, values, strict=True):
                tracker.update_state(value)
        return self.content_loss(target, saliency_map)

    def _show(self, targets, saliency_map, d_real=None, d_fake=None, weight=None, **found):
        """Takes a step's losses, the discriminator's answers and the scores into the means."""
        for name, value in found.items():
            # Keras' losses come divided by the number of replicas, so that their
            # gradients add up; what is shown is not.
            self.trackers[name].update_state(value * replicas.count(), weight)
        logits = getattr(self.adversarial_loss, "from_logits", False)
        for name, output in (("d_real", d_real), ("d_fake", d_fake)):
            if output is not None:
                self.trackers[name].update_state(ops.sigmoid(output) if logits else output)
        for metric in self.score_metrics:
            metric.update_state(wanted(targets, metric), saliency_map)

    def _results(self, names):
        shown = [*(self.trackers[name] for name in names), *self.term_trackers]
        return replicas.results([*shown, *self.score_metrics])

    def get_config(self):
        return {
            **super().get_config(),
            "generator": keras.saving.serialize_keras_object(self.generator),
            "discriminator": keras.saving.serialize_keras_object(self.discriminator),
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = dict(config)
        for name in ("generator", "discriminator"):
            config[name] = keras.saving.deserialize_keras_object(
                config[name], custom_objects=custom_objects
            )
        return cls(**config)

    def get_compile_config(self):
        if not self.compiled:
            return {}
        config = {name: getattr(self, name) for name in COMPILED}
        config["metrics"] = self.score_metrics
        return keras.saving.serialize_keras_object({**config, **self._compile_arguments})

    def compile_from_config(self, config):
        self.compile(**keras.saving.deserialize_keras_object(config))


def _check(name, value, allowed):
    if value not in allowed:
        raise ValueError(f"`{name}` must be one of {allowed}. Received: {value!r}")


def _step(optimizer, network, tape, scaled_loss):
    variables = network.trainable_variables
    optimizer.apply(tape.gradient(scaled_loss, variables), variables)


def _penalty(network):
    """The network's weight decay, divided among the replicas as Keras' losses are."""
    return ops.sum(network.losses) / replicas.count() if network.losses else 0.0
