"""The step of keras.io's example `wgan_gp`, transcribed.

    python benchmarks/peers/keras_io.py WORK same|plain

On the same networks as this package's, or on such of Keras's own layers alone.

One thing is not the example's: each critic update has images of its own, where the example takes
one mini-batch for all of them. Without that the losses would not be the same.
"""

import sys

import keras
import tensorflow as tf
from keras import layers
from work import Work, take_turns

from wgan_gp import Config, build_critic, build_generator


def plain_critic(config: Config) -> keras.Model:
    """The same network from Keras's LeakyReLU and norms (whose second derivatives are wrong)."""

    def plain(layer: keras.Layer) -> keras.Layer:
        if layer.name.startswith("image_layer_normalization"):
            return layers.GroupNormalization(groups=1, epsilon=1e-5, dtype=layer.dtype_policy)
        if layer.name.startswith("pixel_layer_normalization"):
            return layers.LayerNormalization(epsilon=1e-5, dtype=layer.dtype_policy)
        if layer.name.startswith("activation"):
            return layers.LeakyReLU(0.2, dtype=layer.dtype_policy)
        return type(layer).from_config(layer.get_config())

    return keras.models.clone_model(build_critic(config), clone_function=plain)


class KerasExample:
    def __init__(self, work: Work, critic: keras.Model) -> None:
        config = self.config = work.config
        self.critic, self.generator = critic, build_generator(config)
        for network, weights in ((self.critic, work.critic), (self.generator, work.generator)):
            for variable, value in zip(network.trainable_variables, weights, strict=True):
                variable.assign(value)
        rates = (config.critic_learning_rate, config.generator_learning_rate)
        self.critic_optimizer, self.generator_optimizer = (
            keras.optimizers.Adam(rate, config.beta_1, config.beta_2, config.adam_epsilon)
            for rate in rates
        )
        self.critic_optimizer.build(self.critic.trainable_variables)
        self.generator_optimizer.build(self.generator.trainable_variables)

    def gradient_penalty(self, real_images, fake_images, alpha):
        interpolated = fake_images + alpha * (real_images - fake_images)
        with tf.GradientTape() as gp_tape:
            gp_tape.watch(interpolated)
            pred = self.critic(interpolated, training=True)
        grads = gp_tape.gradient(pred, [interpolated])[0]
        norm = tf.sqrt(tf.reduce_sum(tf.square(grads), axis=[1, 2, 3]) + keras.backend.epsilon())
        return tf.reduce_mean((norm - 1.0) ** 2)

    @tf.function
    def train_step(self, real_images, latents, epsilon):
        d_losses = []
        for i in range(self.config.n_critic):
            with tf.GradientTape() as tape:
                fake_images = self.generator(latents[i], training=True)
                fake_logits = self.critic(fake_images, training=True)
                real_logits = self.critic(real_images[i], training=True)
                d_cost = tf.reduce_mean(fake_logits) - tf.reduce_mean(real_logits)
                alpha = tf.reshape(epsilon[i], (-1, 1, 1, 1))
                gp = self.gradient_penalty(real_images[i], fake_images, alpha)
                d_loss = d_cost + gp * self.config.gradient_penalty_weight
            d_gradient = tape.gradient(d_loss, self.critic.trainable_variables)
            self.critic_optimizer.apply_gradients(
                zip(d_gradient, self.critic.trainable_variables, strict=True)
            )
            d_losses.append(d_loss)
        with tf.GradientTape() as tape:
            generated_images = self.generator(latents[-1], training=True)
            g_loss = -tf.reduce_mean(self.critic(generated_images, training=True))
        gen_gradient = tape.gradient(g_loss, self.generator.trainable_variables)
        self.generator_optimizer.apply_gradients(
            zip(gen_gradient, self.generator.trainable_variables, strict=True)
        )
        return tf.reduce_mean(d_losses), g_loss

    @tf.function
    def draws(self):
        n, batch = self.config.n_critic, self.config.batch_size
        latents = tf.random.normal((n + 1, batch, self.config.latent_dim))
        return latents, tf.random.uniform((n, batch))


def main(path: str, networks: str) -> None:
    work = Work(path)
    build = build_critic if networks == "same" else plain_critic
    example = KerasExample(work, build(work.config))
    real_images = tf.constant(work.real_images)
    first = example.train_step(real_images, tf.constant(work.latents), tf.constant(work.epsilon))
    take_turns(
        *(float(loss) for loss in first),
        lambda: float(example.train_step(real_images, *example.draws())[1]),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
