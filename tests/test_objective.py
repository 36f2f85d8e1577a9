"""The objective against numbers known in advance and against NumPy."""

from functools import partial

import numpy as np
import pytest
import tensorflow as tf

from wgan_gp import gradient_penalty, objective

BATCH, HEIGHT, WIDTH, CHANNELS = 5, 4, 3, 2
PIXELS = HEIGHT * WIDTH * CHANNELS


@pytest.fixture
def batch() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    shape = (BATCH, HEIGHT, WIDTH, CHANNELS)
    return {
        "real_images": rng.uniform(-1, 1, shape).astype("float32"),
        "generated_images": rng.uniform(-1, 1, shape).astype("float32"),
        "epsilon": rng.uniform(0, 1, (BATCH, 1, 1, 1)).astype("float32"),
    }


def test_losses_have_the_papers_signs():
    real, generated = tf.constant([[1.0], [3.0]]), tf.constant([[10.0], [20.0]])
    assert objective.unregularized_critic_loss(real, generated).numpy() == 15.0 - 2.0
    assert objective.generator_loss(generated).numpy() == -15.0


@pytest.mark.parametrize("slope", [0.25, 1.0, 3.0])
def test_the_penalty_of_a_linear_critic_is_exact(batch, slope):
    # D(x) = sum(w x) has gradient w everywhere, here of norm `slope`.
    weight = np.random.default_rng(2).normal(size=(HEIGHT, WIDTH, CHANNELS))
    weight = (slope * weight / np.linalg.norm(weight)).astype("float32")
    penalty = gradient_penalty(lambda x: tf.einsum("bhwc,hwc->b", x, weight), **batch)
    assert penalty.numpy() == pytest.approx((slope - 1) ** 2, abs=1e-6)


def test_views_have_a_slope_each(batch):
    """A linear critic of the images and one of twice the images: both slopes are known."""
    weight = np.full((HEIGHT, WIDTH, CHANNELS), 1 / np.sqrt(PIXELS), "float32")  # of norm 1

    def critic(views):
        first, second = (tf.einsum("bhwc,hwc->b", view, weight) for view in views)
        return tf.stack([first, 3 * second], axis=1)

    views = {name: [batch[name], 2 * batch[name]] for name in ("real_images", "generated_images")}
    norms = objective.gradient_norms(critic, **views, epsilon=batch["epsilon"])
    np.testing.assert_allclose(norms, np.tile([1, 3], (BATCH, 1)), rtol=1e-5)
    penalty = gradient_penalty(critic, **views, epsilon=batch["epsilon"])
    assert penalty.numpy() == pytest.approx((0 + 2**2) / 2, rel=1e-5)


def quadratic_critic(images: tf.Tensor) -> tf.Tensor:
    """D(x) = |x|^2 / 2 has gradient x: its norm tells where the gradient was taken."""
    return tf.reduce_sum(tf.square(images), axis=[1, 2, 3]) / 2


def check_quadratic(penalty) -> None:
    """Constant images: a quadratic critic's norms are |e a + (1 - e) b| sqrt(pixels)."""
    shape = (BATCH, HEIGHT, WIDTH, CHANNELS)
    epsilon = np.array([0.0, 0.1, 0.5, 0.9, 1.0], "float32").reshape(BATCH, 1, 1, 1)
    a, b = 0.7, -0.2
    norms = np.abs(epsilon * a + (1 - epsilon) * b) * np.sqrt(PIXELS)
    found = penalty(
        quadratic_critic,
        tf.fill(shape, a),
        tf.fill(shape, b),
        tf.constant(epsilon),
    )
    np.testing.assert_allclose(found, np.mean((norms - 1) ** 2), rtol=1e-5)


def check_network(penalty, batch) -> None:
    """D(x) = v . tanh(W x + c), whose gradient W^T (v (1 - tanh^2)) NumPy writes down."""
    rng = np.random.default_rng(3)
    w, c, v = rng.normal(size=(PIXELS, 7)), rng.normal(size=7), rng.normal(size=7)

    def critic(images):
        hidden = tf.tanh(tf.reshape(images, (-1, PIXELS)) @ w.astype("float32") + c)
        return tf.linalg.matvec(hidden, v.astype("float32"))

    real, generated, epsilon = (array.astype("float64") for array in batch.values())
    mixed = (epsilon * real + (1 - epsilon) * generated).reshape(BATCH, PIXELS)
    gradients = (v * (1 - np.tanh(mixed @ w + c) ** 2)) @ w.T
    expected = np.mean((np.sqrt(np.sum(gradients**2, axis=1)) - 1) ** 2)
    np.testing.assert_allclose(penalty(critic, **batch), expected, rtol=1e-5)


def test_the_penalty_is_taken_where_epsilon_says():
    check_quadratic(gradient_penalty)


def test_the_penalty_of_a_network_agrees_with_numpy(batch):
    check_network(gradient_penalty, batch)


@pytest.mark.parametrize("shape", [(BATCH, 1), (BATCH, HEIGHT, WIDTH, 1), (1, 1, 1, 1), ()])
def test_an_epsilon_that_is_not_one_number_an_image_is_refused(batch, shape):
    with pytest.raises(tf.errors.InvalidArgumentError, match=rf"expected shape \[{BATCH},1,1,1\]"):
        gradient_penalty(quadratic_critic, **{**batch, "epsilon": np.full(shape, 0.5, "f4")})
    with pytest.raises(ValueError, match="EnsureShape"):
        tf.function(partial(gradient_penalty, quadratic_critic))(
            **{**batch, "epsilon": tf.fill(shape, 0.5)}
        )


def test_norms_come_one_an_image(batch):
    norms = objective.gradient_norms(quadratic_critic, **batch)
    mixed = (
        batch["epsilon"] * batch["real_images"]
        + (1 - batch["epsilon"]) * (batch["generated_images"])
    )
    expected = np.linalg.norm(mixed.reshape(BATCH, -1), axis=1)
    np.testing.assert_allclose(norms, expected, rtol=1e-5)


@pytest.mark.parametrize("scores", [tf.zeros, lambda shape: tf.fill(shape, 3.0)])
def test_a_critic_that_ignores_its_input_has_penalty_one(batch, scores):
    penalty = gradient_penalty(lambda x: scores((BATCH, 1)), **batch)
    assert penalty.numpy() == pytest.approx(1.0, abs=1e-4)  # (0 - 1)^2, and the stabiliser


def test_a_flat_critic_has_a_finite_penalty_and_gradient(batch):
    slope = tf.Variable(0.0)
    with tf.GradientTape() as tape:
        penalty = gradient_penalty(lambda x: slope * tf.reduce_sum(x, axis=[1, 2, 3]), **batch)
    assert np.isfinite(penalty.numpy())
    assert np.isfinite(tape.gradient(penalty, slope).numpy())


def mutant(mix=None, axis=(1, 2, 3)):
    """A wrong penalty: other mixtures, or norms over other axes."""

    def penalty(critic, real_images, generated_images, epsilon):
        mixed = (mix or (lambda x, y, e: e * x + (1 - e) * y))(
            real_images, generated_images, epsilon
        )
        mixed = tf.convert_to_tensor(mixed)
        with tf.GradientTape() as tape:
            tape.watch(mixed)
            scores = critic(mixed)
        squares = tf.square(tape.gradient(scores, mixed))
        return tf.reduce_mean((tf.sqrt(tf.reduce_sum(squares, axis=axis) + 1e-10) - 1) ** 2)

    return penalty


MUTANTS = {
    "epsilon on the generated images": mutant(lambda x, y, e: (1 - e) * x + e * y),
    "one epsilon per batch": mutant(lambda x, y, e: e[:1] * x + (1 - e[:1]) * y),
    "epsilon per pixel": mutant(lambda x, y, e: x + (y - x) * np.linspace(0, 1, WIDTH)[:, None]),
    "real images only": mutant(lambda x, y, e: x),
    "norm over channels": mutant(axis=(3,)),
    "norm over height and width": mutant(axis=(1, 2)),
    "norm over the batch as well": mutant(axis=(0, 1, 2, 3)),
}


def test_the_mutants_differ_only_in_what_they_mutate(batch):
    check_quadratic(mutant())
    check_network(mutant(), batch)


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_fails(batch, name):
    with pytest.raises(AssertionError):
        check_quadratic(MUTANTS[name])
        check_network(MUTANTS[name], batch)


def test_without_the_stabiliser_the_gradient_is_not_finite(batch, monkeypatch):
    monkeypatch.setattr(objective, "_NORM_STABILIZER", 0.0)
    with pytest.raises(AssertionError):
        test_a_flat_critic_has_a_finite_penalty_and_gradient(batch)
