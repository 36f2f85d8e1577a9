"""WGANGP: the two networks, and how one generator iteration trains them.

model = build_model(config)  # WGANGP(build_generator(config), build_critic(config)), compiled
model.fit(make_dataset(images, config), epochs=..., steps_per_epoch=...)
model.fit_to(config.iterations, lambda start: make_dataset(images, config, start))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

# As modules, not names: the package imports this one as soon as Keras is imported, and one of these
# may be half loaded then; a module's attribute is looked up later. From `support` names are
# imported, so no module of it may be the first to import Keras.
from wgan_gp import averaging, networks, objective, random_streams, sampling
from wgan_gp.config import Config, check_config, checked
from wgan_gp.support import replicas
from wgan_gp.support.errors import InputError
from wgan_gp.support.fitting import CountingModel
from wgan_gp.support.keras_habits import (
    HDF5,
    check_backend,
    check_compile_options,
    check_not_empty,
    images_alone,
)
from wgan_gp.support.layers import (
    added_losses,
    batch_norms,
    check_no_batch_norm,
    check_no_layers_losses,
    check_same_variables,
    check_share_nothing,
)
from wgan_gp.support.optimizers import (
    BothOptimizers,
    apply_gradients,
    build,
    check_trains,
    scaling,
)
from wgan_gp.support.portable import portable
from wgan_gp.support.schedule import HeldThenLinear
from wgan_gp.support.shapes import (
    check_batch,
    check_floats,
    check_shapes,
    input_shape,
    output_shape,
)
from wgan_gp.support.shift import shift
from wgan_gp.support.weights_file import check_average
from wgan_gp.support.whole_numbers import check_whole


@keras.saving.register_keras_serializable(package="wgan_gp")
class WGANGP(CountingModel):
    """A Wasserstein GAN with gradient penalty (Gulrajani et al., arXiv:1704.00028, Algorithm 1).

    One training step is one generator iteration: `n_critic` critic updates, each with fresh real
    images, latents and epsilon, then one generator update.

    Args:
        generator: latents `(n, latent_dim)` -> images `(n, height, width, channels)` in -1..1.
        critic: those images, or what `critic_features` makes of them -> one score each, `(n, 1)`;
            or a list of views of them -> a score of each view, `(n, views)`.
        n_critic: critic updates per generator iteration.
        gradient_penalty_weight: lambda.
        seed: decides the latents and epsilons of training.
        ema_half_life: of `ema_generator`, a moving average of the generator's weights: after so
            many generated images (generator updates times the batch size) a weight counts half; 0
            keeps no average. It fluctuates less than the generator itself, and so draws better.
            At first the half-life is a twentieth of the images so far, so that the start is soon
            forgotten.
        penalty_every: every how many critic updates one takes the penalty, with that many times
            its weight: the lazy regularization of StyleGAN2 (Karras et al., arXiv:1912.04958,
            section 3.1). The others are cheaper by half. The metrics of the penalty are those of
            the updates that take it, and 0 in an epoch without one; the losses of single iterations
            jump, and are right on average.
        critic_features: images -> maps of features `(n, h, w, c)`, which the critic scores in
            place of the images: a trained network, which stays as it is. The penalty is then taken
            on lines between features. Where it makes a list of maps, views of the images, each has
            a critic, a penalty and a gap of its own: the losses are their means, and a score must
            not depend on another's view.
        feature_shift: by how many pixels at most, fewer than there are, the images of an update are
            moved before they come to `critic_features`, all in the same way. The strides of such a
            network leave a grid in the images otherwise (seen at 64x64).

    A network's regularizers, and the losses that its layers add, count in its loss; the latter are
    those of the last images that it has seen in the step. Keras's callbacks work; `fit` refuses
    those that would silently do something else than they say.

    Raises:
        InputError: a number is out of its range, the shapes of the networks do not agree, they
            share a layer, a weight is too coarse to average, or the critic has a batch norm. (What
            else mixes the images of a batch, as the penalty does not allow, is not found.)
    """

    def __init__(
        self,
        generator: keras.Model,
        critic: keras.Model,
        n_critic: int = 5,
        gradient_penalty_weight: float = 10.0,
        seed: int = 0,
        ema_half_life: int = 0,
        penalty_every: int = 1,
        critic_features: keras.Model | None = None,
        feature_shift: int = 4,
        **kwargs: Any,
    ) -> None:
        check_backend()
        super().__init__(**{"autocast": False, **kwargs})  # each network casts its own inputs
        _check_networks(generator, critic, critic_features)
        _synchronize_as_needed(batch_norms(generator))
        self.generator = generator
        self.critic = critic
        self.critic_features = critic_features
        self.n_critic = n_critic
        self.gradient_penalty_weight = gradient_penalty_weight
        self.penalty_every = penalty_every
        self.feature_shift = feature_shift
        self._normalize_numbers()
        self._ema_half_life = checked("ema_half_life", int, ema_half_life)
        self.ema_generator = averaging.average_of(generator) if ema_half_life else None
        self.latent_dim = input_shape(generator)[-1]
        # The whole random state, saved with the weights, so that training can go on from it: the
        # seed, and the number of generator iterations done.
        self._seed = self._state("seed", "int64")
        self.seed = seed
        self.iteration = self._state("iteration", "int64")
        # The latest iteration's critic loss, with and without the penalty, where the metrics below
        # are means over the epoch: for callbacks of one's own, and part of every checkpoint.
        self.latest_critic_losses = self._state("latest_critic_losses", "float32", (2,))
        self._add_metrics()
        self.built = True  # both networks are; Keras does not see it where train_step is overridden

    def _state(self, name: str, dtype: str, shape: tuple[int, ...] = ()) -> keras.Variable:
        """A variable that is not trained, and saved with the weights."""
        return self.add_weight(
            name=name, shape=shape, dtype=dtype, initializer="zeros", trainable=False
        )

    def _add_metrics(self) -> None:
        mean = partial(keras.metrics.Mean, dtype="float32")  # in half precision counts would stop
        self.critic_loss = mean("critic_loss")
        self.critic_loss_unregularized = mean("critic_loss_unregularized")
        self.gradient_penalty = mean("gradient_penalty")
        self.gradient_norm = mean("gradient_norm")
        self.generator_loss = mean("generator_loss")

    def compile(
        self,
        critic_optimizer: keras.optimizers.Optimizer,
        generator_optimizer: keras.optimizers.Optimizer,
        **kwargs: Any,
    ) -> None:
        """`keras.Model.compile`, with two optimizers and no loss.

        Args:
            critic_optimizer: updates the critic, `n_critic` times an iteration.
            generator_optimizer: another one, for the generator.
            kwargs: of `keras.Model.compile`: `run_eagerly`, `jit_compile`, `steps_per_execution`
                and `auto_scale_loss`.

        Raises:
            InputError: an optimizer is missing, or is that of both networks; one is a
                `MultiOptimizer`, or averages weights (`use_ema`), which would overwrite them when
                `fit` ends; one belongs to other weights, as when
                layers were frozen since; there are losses or metrics, which would be ignored;
                `steps_per_execution` is no whole number; or the generator has other variables than
                its average.
        """
        check_compile_options(kwargs)
        check_whole("steps_per_execution", kwargs.get("steps_per_execution", 1))
        if self.ema_generator is not None:
            check_same_variables(self.generator, self.ema_generator)
        both = self._optimizers_to_use(
            keras.optimizers.get(critic_optimizer),  # of a name, another each time
            keras.optimizers.get(generator_optimizer),
            are_scaled=kwargs.get("auto_scale_loss", True),
        )
        super().compile(optimizer=None, **kwargs)
        self._compile_options = kwargs
        self.critic_optimizer, self.generator_optimizer = both
        self.optimizer = BothOptimizers(self)
        # Those of one call of the compiled function, which callbacks wait for; not to be saved.
        self._losses_of_execution = tf.Variable(
            tf.zeros((self.steps_per_execution, 2)), trainable=False
        )
        # Built here, so that a checkpoint always finds the variables it is to restore.
        build(self.critic_optimizer, self.critic.trainable_variables)
        build(self.generator_optimizer, self.generator.trainable_variables)

    def _optimizers_to_use(
        self,
        critic_optimizer: keras.optimizers.Optimizer | None,
        generator_optimizer: keras.optimizers.Optimizer | None,
        are_scaled: bool,
    ) -> tuple[keras.optimizers.Optimizer, keras.optimizers.Optimizer]:
        """The critic's and the generator's, checked; with loss scaling where float16 needs it."""
        both = (critic_optimizer, generator_optimizer)
        if None in both or critic_optimizer is generator_optimizer:
            raise InputError("each network needs an optimizer of its own: give compile two of them")
        if are_scaled:
            critic_optimizer = scaling(critic_optimizer, self.critic)
            # The generator's gradients come through all of them.
            way = [x for x in (self.generator, self.critic_features, self.critic) if x is not None]
            generator_optimizer = scaling(generator_optimizer, *way)
        check_trains(critic_optimizer, self.critic)
        check_trains(generator_optimizer, self.generator)
        return critic_optimizer, generator_optimizer

    def train_step(self, data: tf.Tensor) -> dict[str, tf.Tensor]:
        """One generator iteration on `(batch, n_critic, height, width, channels)` images."""
        real_images = self._real_images(data, self.n_critic)
        # At a dataset's end Keras runs one more step, which fails when it asks for images: before
        # it has them, nothing of it may happen.
        with tf.control_dependencies([real_images]):
            iteration_seed = random_streams.stream_seed(
                self.seed, random_streams.TRAINING, self.iteration
            )
            seeds = tf.random.split(iteration_seed, self.n_critic + 1, alg="philox")

            critic_losses = self._for_each_critic_update(
                lambda i: self._update_critic(real_images[:, i], seeds[i], i)
            )
            self._update_generator(replicas.own_rows(real_images), seeds[-1])
            self._note_critic_losses(replicas.mean(tf.reduce_mean(critic_losses, axis=0)))
            self.iteration.assign_add(1)
            return replicas.as_logs(self.get_metrics_result())

    def _update_critic(
        self, real_images: tf.Tensor, seed: tf.Tensor, number: tf.Tensor | int
    ) -> tf.Tensor:
        """Critic update `number` of the iteration; gives the loss with and without the penalty."""
        latent_seed, epsilon_seed = tf.unstack(tf.random.split(seed, alg="philox"))
        rows = replicas.own_rows(real_images)
        latents = self._draw_latents(rows, latent_seed)
        epsilon = self._draw_epsilon(rows, epsilon_seed)
        generated_images = self._images(latents, training=True)  # outside the tape: fixed here
        real, generated = self._critic_inputs(real_images, generated_images, shift_seed=seed)

        gradients, losses = self._with_penalty_if_due(
            number, partial(self._critic_gradients, real, generated, epsilon)
        )
        apply_gradients(self.critic_optimizer, gradients, self.critic, losses)
        return losses

    def _with_penalty_if_due(self, number: tf.Tensor | int, critic_gradients: Callable) -> tuple:
        """`critic_gradients` of the penalty's weight, or of None if update `number` takes none."""
        weight = self.penalty_every * self.gradient_penalty_weight
        if self.penalty_every == 1:
            return critic_gradients(weight)
        update = self.iteration * self.n_critic + tf.cast(number, self.iteration.dtype)
        is_due = update % self.penalty_every == 0
        return tf.cond(is_due, lambda: critic_gradients(weight), lambda: critic_gradients(None))

    def _critic_gradients(
        self,
        real: objective.Images,
        generated: objective.Images,
        epsilon: tf.Tensor,
        penalty_weight: float | None,
    ) -> tuple[list[tf.Tensor], tf.Tensor]:
        """Gradients of the critic loss, and the loss itself with and without the penalty."""
        with tf.GradientTape() as tape:
            loss, unregularized = self._critic_losses(
                real, generated, epsilon, penalty_weight, training=True
            )
            scaled_loss = self.critic_optimizer.scale_loss(loss / replicas.count())
        gradients = tape.gradient(scaled_loss, self.critic.trainable_variables)
        return gradients, tf.stack((loss, unregularized))

    def _critic_losses(
        self,
        real: objective.Images,
        generated: objective.Images,
        epsilon: tf.Tensor,
        penalty_weight: float | None,
        training: bool,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The critic loss with and without the penalty, noted in the metrics.

        Without a weight for it the penalty is not even computed.
        """
        critic = partial(self._scores, training=training)
        # Replicas share the weight of a step, so that their number may change within an epoch. In
        # `evaluate` the last batch may be smaller, and counts for less.
        sample_weight = 1 / replicas.count() if training else tf.shape(epsilon)[0]
        unregularized = objective.unregularized_critic_loss(critic(real), critic(generated))
        loss = unregularized
        if penalty_weight is not None:
            norms = objective.gradient_norms(critic, real, generated, epsilon)
            penalty = objective.unit_norm_penalty(norms)
            loss += penalty_weight * penalty
            self.gradient_penalty.update_state(penalty, sample_weight)
            self.gradient_norm.update_state(norms)  # one an image, so a batch counts by its size
        loss += added_losses(self.critic)
        self.critic_loss.update_state(loss, sample_weight)
        self.critic_loss_unregularized.update_state(unregularized, sample_weight)
        return loss, unregularized

    def _update_generator(self, rows: replicas.Rows, seed: tf.Tensor) -> None:
        latents = self._draw_latents(rows, seed)
        with tf.GradientTape() as tape:
            images = self._images(latents, training=True)
            (generated,) = self._critic_inputs(images, shift_seed=seed)
            loss = objective.generator_loss(self._scores(generated, training=True))
            loss += added_losses(self.generator)
            scaled_loss = self.generator_optimizer.scale_loss(loss / replicas.count())
        gradients = tape.gradient(scaled_loss, self.generator.trainable_variables)
        apply_gradients(self.generator_optimizer, gradients, self.generator, loss)
        self.generator_loss.update_state(loss, 1 / replicas.count())
        if self.ema_generator is not None:
            self._update_average(latents)

    def _update_average(self, latents: tf.Tensor) -> None:
        batch_size = tf.shape(latents)[0] * replicas.count()
        decay = averaging.ema_decay(batch_size, self.iteration, self.ema_half_life)
        averaging.update_average(self.ema_generator, self.generator, latents, decay)

    def _for_each_critic_update(self, update: Callable[[Any], tf.Tensor]) -> tf.Tensor:
        """Call `update` with the number of each critic update in order, and stack the results."""
        if replicas.are_used():  # where a loop in the graph cannot hold what replicas exchange
            return tf.stack([update(i) for i in range(self.n_critic)])
        # A loop in the graph, not in Python: the critic's update is traced and compiled once.
        return tf.map_fn(
            update,
            tf.range(self.n_critic),
            parallel_iterations=1,
            fn_output_signature=tf.float32,
        )

    # Between the networks all is float32: in a mixed precision the penalty's sum of squares over
    # an image would overflow in float16, and mean little in bfloat16.
    def _images(self, latents: tf.Tensor, training: bool) -> tf.Tensor:
        images = tf.cast(self.generator(latents, training=training), tf.float32)
        if training and replicas.count() > 1 and batch_norms(self.generator):
            check_no_layers_losses(self.generator)
        return images

    def _critic_inputs(
        self, *images: tf.Tensor, shift_seed: tf.Tensor | None = None
    ) -> Sequence[objective.Images]:
        """Each batch in `images`, all of one size, as the critic sees it: the images, or features.

        With a `shift_seed` the images are shifted before their features are taken.
        """
        if self.critic_features is None:
            return images
        together = tf.concat(images, axis=0)
        if shift_seed is not None:
            together = self._shifted(together, shift_seed)
        maps = self.critic_features(together, training=False)
        parts = [tf.split(tf.cast(x, tf.float32), len(images)) for x in tf.nest.flatten(maps)]
        return [tf.nest.pack_sequence_as(maps, views) for views in zip(*parts, strict=True)]

    def _shifted(self, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """The images, all moved alike, by numbers independent of others that `seed` decides."""
        drawn = random_streams.draw_uniform(2, tf.random.fold_in(seed, 1, alg="philox"))
        by = tf.cast((2 * self.feature_shift + 1) * drawn, tf.int32) - self.feature_shift
        return shift(images, by, self.feature_shift)

    def _scores(self, images: objective.Images, training: bool) -> tf.Tensor:
        return tf.cast(self.critic(images, training=training), tf.float32)

    def _draw_latents(self, rows: replicas.Rows, seed: tf.Tensor) -> tf.Tensor:
        """This replica's share of the latents that all draw for a batch, `(n, latent_dim)`."""
        drawn = random_streams.draw_latents(
            rows.total, self.latent_dim, seed, under_xla=bool(self.jit_compile)
        )
        return rows.of(drawn)

    def _draw_epsilon(self, rows: replicas.Rows, seed: tf.Tensor) -> tf.Tensor:
        """This replica's share of a batch's epsilons, in [0, 1), `(n, 1, 1, 1)`: one an image."""
        drawn = random_streams.draw_uniform(rows.total, seed)
        return tf.reshape(rows.of(drawn), (-1, 1, 1, 1))

    def _note_critic_losses(self, losses: tf.Tensor) -> None:
        self.latest_critic_losses.assign(losses)
        kept = self._losses_of_execution
        is_next = tf.range(kept.shape[0], dtype=tf.int64) == self.iteration % kept.shape[0]
        kept.assign(tf.where(is_next[:, None], losses, kept))

    def test_step(self, data: tf.Tensor) -> dict[str, tf.Tensor]:
        """The metrics on `(batch, height, width, channels)` images in -1..1, best held out.

        They are of `generator`, the critic's opponent, in inference mode, not of its average. It
        changes nothing in the model, and draws the same latents and epsilons for every batch, so
        that the numbers of two epochs compare.
        """
        real_images = self._real_images(data)
        rows = replicas.own_rows(real_images)
        # Of the last batch one of several replicas may have no image, of which there is no mean.
        tf.cond(rows.size > 0, lambda: self._evaluate(real_images, rows), lambda: None)
        return replicas.as_logs(self.get_metrics_result())

    def _evaluate(self, real_images: tf.Tensor, rows: replicas.Rows) -> None:
        seed = random_streams.stream_seed(self.seed, random_streams.VALIDATION)
        seeds = tf.random.split(seed, alg="philox")
        latents = self._draw_latents(rows, seeds[0])
        epsilon = self._draw_epsilon(rows, seeds[1])
        real, generated = self._critic_inputs(real_images, self._images(latents, training=False))
        penalty_weight = self.gradient_penalty_weight
        self._critic_losses(real, generated, epsilon, penalty_weight, training=False)
        scores = self._scores(generated, training=False)
        loss = objective.generator_loss(scores) + added_losses(self.generator)
        self.generator_loss.update_state(loss, rows.size)

    def critic_losses_of_execution(self) -> np.ndarray:
        """The latest iterations' `latest_critic_losses`, `(steps_per_execution, 2)`, in order."""
        kept = self._losses_of_execution.numpy()
        return np.roll(kept, -self.iterations_done, axis=0)

    @property
    def iterations_averaged(self) -> int:
        """How many generator iterations the metrics are the means of."""
        # Thirds of three replicas add up to whole numbers only nearly (in some 6,000 iterations).
        return round(float(self.generator_loss.count.numpy()))

    def _real_images(self, data: Any, n_critic: int | None = None) -> tf.Tensor:
        """The images of `evaluate`, or of `fit`, whose elements hold `n_critic` mini-batches."""
        images = tf.convert_to_tensor(images_alone(data))
        check_floats(images)
        expected = check_batch(images.shape, self.generator, n_critic)
        # A size that was unknown when the step was traced is checked in each batch.
        images = tf.cast(tf.ensure_shape(images, expected), tf.float32)
        return images if self.jit_compile else replicas.in_own_memory(images)

    def check_images(self, images: Any, is_training: bool) -> None:
        """Raise an InputError if there are no images, or not floats of the needed shape.

        Checked before the step is: once it was traced for two shapes, all that it can still see is
        an unknown one, and its error could not say what was given.
        """
        check_not_empty(images, "train on" if is_training else "evaluate on")
        if isinstance(images, tf.data.Dataset):
            images = images_alone(images.element_spec)
        elif isinstance(images, keras.utils.PyDataset) and not is_training:
            images = images_alone(images[0])  # in `fit`, or an epoch would be trained before
        check_floats(images)
        if (shape := getattr(images, "shape", None)) is not None:
            self._normalize_numbers()
            n_critic = self.n_critic if is_training else None
            check_batch(tf.TensorShape(shape), self.generator, n_critic)

    def numbers_of_the_step(self) -> tuple[float, ...]:
        """The numbers that a trace of the step fixes, checked: a user may have set them."""
        self._normalize_numbers()
        return self.n_critic, self.gradient_penalty_weight, self.penalty_every, self.feature_shift

    def _normalize_numbers(self) -> None:
        """Bring them to the types of the step; raise an InputError for one out of its range."""
        weight = self.gradient_penalty_weight
        self.n_critic = checked("n_critic", int, self.n_critic)
        self.gradient_penalty_weight = checked("gradient_penalty_weight", float, weight)
        self.penalty_every = checked("penalty_every", int, self.penalty_every)
        sides = () if self.critic_features is None else output_shape(self.generator)[1:3]
        most = min((side - 1 for side in sides if side is not None), default=None)
        check_whole("feature_shift", self.feature_shift, least=0, most=most)
        self.feature_shift = int(self.feature_shift)
        if self.compiled and self.steps_per_execution > self._losses_of_execution.shape[0]:
            raise InputError("steps_per_execution has grown since compile: give it to compile")

    @property
    def seed(self) -> keras.Variable:
        """Decides the latents and epsilons of training; a number may be assigned, 0 or more."""
        return self._seed

    @seed.setter
    def seed(self, number: int) -> None:
        self._seed.assign(np.int64(checked("seed", int, number)))

    @property
    def ema_half_life(self) -> int:
        """Images after which former weights count half in `ema_generator`; 0: there is none."""
        return self._ema_half_life

    @property
    def drawing_generator(self) -> keras.Model:
        """The generator to draw with: the averaged one where one is kept."""
        return self.generator if self.ema_generator is None else self.ema_generator

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """Means over the epoch, and what a subclass adds; Keras resets them at its start."""
        not_ours = getattr(self, "_loss_tracker", None)  # of the one loss that Keras expects
        return [metric for metric in super().metrics if metric is not not_ours]

    def call(self, latents: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Latents `(n, latent_dim)` -> images `(n, height, width, channels)` in -1..1."""
        return self.drawing_generator(latents, training=training)

    def generate(self, count: int, seed: int = 0) -> np.ndarray:
        """`count` new images, uint8 `(count, height, width, channels)`; see `generate_images`."""
        return sampling.generate_images(self.drawing_generator, count, seed)

    def export(self, filepath: str, *args: Any, **options: Any) -> None:
        """`keras.Model.export` of the generator to draw with: latents -> images in -1..1.

        It computes in float32, since ONNX and LiteRT run few layers of half precision. (A
        subclassed generator computes as it does here.)
        """
        portable(self.drawing_generator).export(filepath, *args, **options)

    def load_weights(self, filepath: str, *args: Any, **options: Any) -> None:
        """`keras.Model.load_weights`.

        Raises:
            InputError: the weights are those of a model that keeps an averaged generator, and this
                one keeps none, or the other way round.
        """
        check_average(filepath, is_kept=self.ema_generator is not None)
        super().load_weights(filepath, *args, **options)

    def save(self, filepath: str | Path, *args: Any, **options: Any) -> None:
        """`keras.Model.save`; raises an InputError for HDF5, which knows one optimizer only."""
        if Path(filepath).suffix in HDF5:
            raise InputError(f"a WGANGP is saved as a .keras file, not as '{filepath}'")
        super().save(filepath, *args, **options)

    def get_config(self) -> dict[str, Any]:
        return {
            "generator": keras.saving.serialize_keras_object(self.generator),
            "critic": keras.saving.serialize_keras_object(self.critic),
            "n_critic": self.n_critic,
            "gradient_penalty_weight": self.gradient_penalty_weight,
            "seed": int(self.seed.numpy()),
            "ema_half_life": self.ema_half_life,
            "penalty_every": self.penalty_every,
            "critic_features": keras.saving.serialize_keras_object(self.critic_features),
            "feature_shift": self.feature_shift,
            "name": self.name,
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> WGANGP:
        networks = {
            name: keras.saving.deserialize_keras_object(config[name], custom_objects)
            for name in ("generator", "critic", "critic_features")
            if config.get(name) is not None
        }
        return cls(**{**config, **networks})

    def get_compile_config(self) -> dict[str, Any] | None:
        if not self.compiled:
            return None
        return {
            **self._compile_options,
            "critic_optimizer": keras.saving.serialize_keras_object(self.critic_optimizer),
            "generator_optimizer": keras.saving.serialize_keras_object(self.generator_optimizer),
        }

    def compile_from_config(self, config: dict[str, Any]) -> None:
        self.compile(**keras.saving.deserialize_keras_object(config))


def build_model(config: Config) -> WGANGP:
    """A compiled, untrained model: the networks and the two Adams of `config`.

    With `config.deterministic`, TensorFlow's deterministic operations are turned on, as they can
    only be for the whole process and until its end. With a `config.precision` of float32 the layers
    take Keras's own dtype policy; `train` and the command line let the setting alone decide.

    Raises:
        InputError: `config` is no `Config`.
    """
    check_config(config)
    if config.deterministic:
        tf.config.experimental.enable_op_determinism()
    model = WGANGP(
        networks.build_generator(config),
        networks.build_critic(config),
        n_critic=config.n_critic,
        gradient_penalty_weight=config.gradient_penalty_weight,
        seed=config.seed,
        ema_half_life=config.ema_half_life,
        penalty_every=config.penalty_every,
        critic_features=networks.build_critic_features(config),
    )
    model.compile(
        _adam("critic", config, config.critic_learning_rate, config.n_critic),
        _adam("generator", config, config.generator_learning_rate, 1),
    )
    return model


def _check_networks(
    generator: keras.Model, critic: keras.Model, critic_features: keras.Model | None
) -> None:
    check_shapes(generator, critic, critic_features)
    check_share_nothing(generator, critic, critic_features)
    check_no_batch_norm(critic)
    strategy = tf.distribute.get_strategy()
    replicas.check_shared([*generator.variables, *critic.variables], strategy)


def _synchronize_as_needed(norms: list[keras.layers.BatchNormalization]) -> None:
    """On several devices let them take the statistics of the whole batch.

    On one they may not wait for others, as those of a model that comes from several would.
    """
    for norm in norms:
        norm.synchronized = replicas.are_used()


def _adam(network: str, config: Config, rate: float, updates: int) -> keras.optimizers.Adam:
    """Adam for a network that takes `updates` of them in an iteration; logs name its rate by it."""
    if config.final_learning_rate < 1:
        rate = HeldThenLinear(rate, config.iterations * updates, config.final_learning_rate)
    betas = {"beta_1": config.beta_1, "beta_2": config.beta_2}
    return keras.optimizers.Adam(rate, **betas, epsilon=config.adam_epsilon, name=network)
