# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Drawing flowers with a Wasserstein GAN
#
# In this notebook a network learns to draw flowers from looking at flowers. You will see why the
# first GANs were hard to train, what the *Wasserstein distance* and the *gradient penalty* change,
# and the heart of a working implementation in Keras 3, line by line. At the end you have a
# generator of your own.
#
# You need to know how a Keras model is trained. You need not know anything about GANs. With
# `QUICK = True` everything runs on two CPU cores, in five minutes on fast ones and a quarter of an
# hour on slow ones, with flowers that are drawn by a program; with `False` it trains on 3,670
# photographs, for which you want a GPU or a day.

# %%
QUICK = True

# %%
# On Google Colab: first upload the file that `pip wheel --no-deps .` makes in a clone of the package.
import subprocess
import sys
from pathlib import Path

if "google.colab" in sys.modules:
    wheels = [str(wheel) for wheel in Path.cwd().glob("wgan_gp-*.whl")]
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *wheels], check=True)

# %%
from wgan_gp.support.quiet_tensorflow import load_tensorflow

load_tensorflow()  # import TensorFlow without the notes that it prints when it starts

import dataclasses
import inspect
import textwrap

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from IPython.display import Code, display
from keras import layers

import wgan_gp
from wgan_gp import WGANGP, Checkpoint, Config, HistoryFile, Monitor, objective
from wgan_gp.export.walk import interpolate
from wgan_gp.runs.cost import iteration_tflop, matrix_product_tflops
from wgan_gp.runs.folder import RunFolder
from wgan_gp.sampling import to_uint8

ITERATIONS = 1_600 if QUICK else 10_000  # generator iterations of the main training
COMPARED_ITERATIONS = 240 if QUICK else 2_000  # and of two shorter ones

RUN = RunFolder.create_numbered(Path("runs"), "notebook").path  # a new folder for the results
BLUE, ORANGE, GREEN = "#0072B2", "#E69F00", "#009E73"  # colours that everybody can tell apart
plt.rcParams.update({"figure.dpi": 80, "figure.constrained_layout.use": True})


def show_source(thing):
    """The source code of a function or a class, as it stands in the package."""
    display(Code(textwrap.dedent(inspect.getsource(thing)), language="python"))


def show_pictures(titles_and_pictures, height=3.4):
    """Pictures side by side, each with its title."""
    _, axes = plt.subplots(
        1,
        len(titles_and_pictures),
        figsize=(height * len(titles_and_pictures), height * 1.1),
        squeeze=False,
    )
    for ax, (title, picture) in zip(axes[0], titles_and_pictures, strict=True):
        ax.imshow(picture)
        ax.set_title(title)
        ax.axis("off")
    plt.show()


# %% [markdown]
# This is where it leads: photographs' flowers that nobody picked, from a generator that comes with
# the package. It was trained for an hour on one CPU core, by the means below and a few more.

# %%
flowers = wgan_gp.load_pretrained("flowers")
show_pictures([("Drawn", wgan_gp.image_grid(wgan_gp.generate_images(flowers, 25)))], height=5)

# %% [markdown]
# ## 1 Two networks and a distance
#
# A **generative adversarial network** (GAN) is two networks that train each other:
#
# - the **generator** $G$ turns random numbers $z$, the *latents*, into an image $\tilde x = G(z)$;
# - the other one looks at images and tells real ones, $x$, from generated ones.
#
# In the first GANs the other network is a classifier, the *discriminator*: it gives the probability
# that an image is real. At its best it measures a distance between the distribution of real images
# and that of generated ones, the Jensen–Shannon divergence, and the generator is trained to make it
# small. The trouble: where the two distributions hardly overlap, that divergence is close to
# $\log 2$, however far apart they are. Images are so few among all arrays of pixels that this is
# the usual case. A good discriminator then tells the generator next to nothing about which way to
# go. (In practice the generator is trained with another loss, $-\log D(\tilde x)$, whose gradient does
# not vanish there; but it is unsteady, see [Arjovsky and Bottou
# 2017](https://arxiv.org/abs/1701.04862).)
#
# The **Wasserstein distance** is the least work it takes to move one distribution onto the other:
# mass times the way it has to go. It shrinks steadily on the way to the goal. Here are both for two
# bell curves in one dimension, the one moving away from the other:

# %%
grid = np.linspace(-12, 12, 4001)


def bell(centre):
    density = np.exp(-((grid - centre) ** 2) / (2 * 0.5**2))
    return density / density.sum()


def jensen_shannon(p, q):
    m = (p + q) / 2
    return sum(0.5 * np.sum(a * np.log((a + 1e-300) / (m + 1e-300))) for a in (p, q))


def wasserstein(p, q):  # in one dimension: the area between the cumulative distributions
    return np.sum(np.abs(np.cumsum(p) - np.cumsum(q))) * (grid[1] - grid[0])


shifts = np.linspace(-8, 8, 81)
figure, axes = plt.subplots(1, 2, figsize=(9, 3))
for ax, distance, name, colour in zip(
    axes,
    (jensen_shannon, wasserstein),
    ("Jensen–Shannon divergence (nats)", "Wasserstein distance"),
    (ORANGE, BLUE),
    strict=True,
):
    ax.plot(shifts, [distance(bell(0), bell(shift)) for shift in shifts], color=colour)
    ax.set(xlabel="Distance between the centres", ylabel=name)
    ax.grid(alpha=0.3)
plt.show()

# %% [markdown]
# *Left: flat wherever the curves hardly overlap; next to no slope, no direction. Right: a slope
# everywhere.*
#
# The Wasserstein distance has a second form ([Arjovsky et al. 2017](https://arxiv.org/abs/1701.07875),
# equation 2):
#
# $$W = \max_{\|D\|_L \le 1} \; \mathbb E\,D(x) - \mathbb E\,D(\tilde x)$$
#
# In words: among all functions $D$ that nowhere rise more steeply than 1 (1-*Lipschitz* functions),
# find the one that scores real images highest above generated ones; the gap is the distance. So the
# second network becomes a **critic** that gives any number as a score, and training is a game of two:
#
# $$\min_G \; \max_{\|D\|_L \le 1} \; \mathbb E\,D(x) - \mathbb E\,D(G(z))$$
#
# But the critic has to be kept from rising steeply, or the gap grows without end. Two ways:
#
# 1. **clipping**: after each step every weight is cut to a small range. This was the first idea, and
#    its authors called it terrible: with a large range it takes long until the weights reach their
#    limits, with a small one gradients vanish in a deep critic. Gulrajani et al. add that what it
#    finds is too simple;
# 2. the **gradient penalty** ([Gulrajani et al. 2017](https://arxiv.org/abs/1704.00028), equation 3):
#    the best critic has slope 1 almost everywhere on the lines between real and generated points
#    that belong together in the cheapest transport (their Proposition 1). Nobody knows which do; so
#    take any two, and ask for slope 1 at a random point $\hat x$ between them, a heuristic that works:
#
# $$\lambda\,\mathbb E\left(\|\nabla_{\hat x} D(\hat x)\|_2 - 1\right)^2, \qquad
# \hat x = \epsilon x + (1 - \epsilon)\,\tilde x, \quad \epsilon \sim U(0, 1)$$
#
# Let us train a small critic in each way, and without any, on two heaps of points, generated ones
# around −2 and real ones around +2. The penalty is the package's own; a point is an image of one pixel to it.


# %%
def points(centre, count=256):
    return tf.random.normal((count, 1, 1, 1), centre, 0.5)


def train_critic(constraint, steps=600):
    keras.utils.set_random_seed(1)
    hidden = [layers.Dense(32, activation="silu") for _ in range(2)]
    critic = keras.Sequential([keras.Input((1, 1, 1)), layers.Flatten(), *hidden, layers.Dense(1)])
    optimizer = keras.optimizers.Adam(2e-3)
    optimizer.build(critic.trainable_variables)

    @tf.function
    def step():
        real, generated = points(+2.0), points(-2.0)
        epsilon = tf.random.uniform((256, 1, 1, 1))
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(critic(generated)) - tf.reduce_mean(critic(real))
            if constraint == "gradient penalty":
                loss += 10.0 * objective.gradient_penalty(critic, real, generated, epsilon)
        gradients = tape.gradient(loss, critic.trainable_variables)
        optimizer.apply(gradients, critic.trainable_variables)
        if constraint == "weight clipping":
            for weight in critic.trainable_variables:
                weight.assign(tf.clip_by_value(weight, -0.01, 0.01))

    for _ in range(steps):
        step()
    return critic


line = tf.reshape(tf.linspace(-4.0, 4.0, 200), (200, 1, 1, 1))
figure, axes = plt.subplots(2, 3, figsize=(10, 5), sharex=True)
slopes = {}
for (score_ax, slope_ax), constraint in zip(
    axes.T, ("no constraint", "weight clipping", "gradient penalty"), strict=True
):
    critic = train_critic(constraint)
    with tf.GradientTape() as tape:
        tape.watch(line)
        scores = critic(line)
    slope = np.abs(tape.gradient(scores, line).numpy().ravel())
    slopes[constraint] = slope[50:150].mean()  # between the heaps
    x = line.numpy().ravel()
    for centre, colour in ((-2, ORANGE), (2, GREEN)):
        for ax in (score_ax, slope_ax):
            ax.axvspan(centre - 1, centre + 1, color=colour, alpha=0.15, linewidth=0)
    score_ax.plot(x, scores.numpy().ravel(), color=BLUE)
    score_ax.set_title(constraint)
    slope_ax.plot(x, slope, color=BLUE)
    slope_ax.axhline(1, color="black", linestyle=":", linewidth=1)
    slope_ax.set_ylim(bottom=0)
    slope_ax.set_xlabel("Point (orange: generated, green: real)")
axes[0, 0].set_ylabel("Score D(x)")
axes[1, 0].set_ylabel("Gradient norm |D'(x)|")
plt.show()
print("Mean gradient norm between the heaps:")
for constraint, slope in slopes.items():
    print(f"  {constraint:17}{slope:9.3f}")

# %% [markdown]
# *Mind the scales. Without a constraint the score explodes. Clipped to ±0.01, as in the first paper,
# it rises the right way, but by so little that three decimals do not show it. (Adam would rescale
# that; what clipping does to deep critics does not show in so small a one.) With the penalty the
# slope between the heaps is close to 1 (dotted).*
#
# Why not quite 1? A slope $s$ over the distance 4 gains the critic $4 s$ and costs it
# $\lambda (s - 1)^2$; the best bargain is $s = 1 + 4 / 2\lambda = 1.2$. The larger λ, the closer to 1.
#
# That slope is what trains the generator: it moves its images in the direction in which the score
# rises.

# %% [markdown]
# ## 2 The flowers

# %%
config = dataclasses.replace(Config.preset("paper"), iterations=ITERATIONS)
if QUICK:  # a quarter as wide, half the mini-batch, fewer critic updates, faster
    config = dataclasses.replace(
        config,
        base_filters=16,
        batch_size=32,
        n_critic=2,
        critic_learning_rate=2e-3,
        generator_learning_rate=2e-3,
        monitor_every=50,
    )
images = wgan_gp.load_images("synthetic" if QUICK else "tf_flowers", config.image_size)
print("images:", images.shape, images.dtype)
for name in (
    "gradient_penalty_weight",
    "n_critic",
    "critic_learning_rate",
    "generator_learning_rate",
):
    print(f"{name}: {getattr(config, name):g}")
print(f"Adam's beta_1, beta_2: {config.beta_1:g}, {config.beta_2:g}")

shown = np.linspace(0, len(images) - 1, 25).astype(int)
show_pictures([("25 of the training images", wgan_gp.image_grid(images[shown]))], height=5)

# %% [markdown]
# `load_images` decodes every picture once, resizes it to a square and keeps the result on disk.
# `make_dataset` makes the stream that training reads:

# %%
steps = [
    "images on disk\nuint8 (count, 64, 64, 3)",
    "choose: a new order each pass,\nevery image at most once",
    "mirror left to right\nwith probability 1/2",
    "0..255 → −1..1\nx / 127.5 − 1",
    "one element = one generator iteration\n(batch, critic updates, 64, 64, 3)",
]
figure, ax = plt.subplots(figsize=(4.6, 5))
for place, step in enumerate(steps):
    box = {"boxstyle": "round,pad=0.5", "facecolor": "white", "edgecolor": BLUE}
    ax.text(0.5, -place, step, ha="center", va="center", bbox=box)
    if place:
        arrow = {"arrowstyle": "->", "color": BLUE}
        ax.annotate("", (0.5, -place + 0.32), (0.5, -place + 0.68), arrowprops=arrow)
ax.set(xlim=(0, 1), ylim=(-len(steps) + 0.4, 0.5))
ax.axis("off")
plt.show()

element = next(iter(wgan_gp.make_dataset(images, config)))
print("an element:", element.shape, element.dtype.name)
print(f"values: {element.numpy().min():.2f} to {element.numpy().max():.2f}")

# %% [markdown]
# The second axis holds the mini-batches of one iteration: the critic is updated several times for
# each update of the generator, **each time with images that it has not just seen**.

# %% [markdown]
# ## 3 The two networks
#
# The generator grows a 4×4 map to an image with transposed convolutions. The critic goes the other
# way, with convolutions that halve the size, to one score.

# %%
generator = wgan_gp.build_generator(config)
critic = wgan_gp.build_critic(config)
generator.summary(line_length=72)
critic.summary(line_length=72)

# %% [markdown]
# Two things in the critic are not what you may be used to.
#
# **Layer norm, not batch norm.** The penalty asks for the slope of each image's score with respect
# to *that image*. Batch norm mixes the images of a batch: a score then depends on all the others,
# and the slope is no longer one image's own. `ImageLayerNormalization` norms each image over height,
# width and channels.
#
# **No sigmoid at the end.** A score that is confined to 0..1 cannot have slope 1 between distant
# images. Section 7 shows what happens with one.

# %% [markdown]
# ## 4 The objective
#
# Four short functions are the whole objective; here they are, from the package.

# %%
show_source(objective.unregularized_critic_loss)
show_source(objective.gradient_norms)
show_source(objective.unit_norm_penalty)
show_source(objective.generator_loss)

# %% [markdown]
# Is it right? Take a critic whose slope is known: $D(x) = w \cdot x$ has the gradient $w$ at every
# point, so the penalty must be $(\|w\|_2 - 1)^2$, whatever the images are.

# %%
linear_critic = keras.Sequential(
    [keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(1, use_bias=False)]
)
w = linear_critic.get_weights()[0]
noise = tf.random.normal((2, 16, 8, 8, 3))
penalty = objective.gradient_penalty(
    linear_critic, noise[0], noise[1], epsilon=tf.random.uniform((16, 1, 1, 1))
)
by_hand = (np.linalg.norm(w) - 1) ** 2
print(f"gradient_penalty: {penalty.numpy():.6f}")
print(f"by hand:          {by_hand:.6f}")
assert np.isclose(penalty, by_hand, rtol=1e-4)

# %% [markdown]
# `epsilon` has the shape `(batch, 1, 1, 1)`: one number **per image**. With one per pixel the points
# would not lie on the line between a real and a generated image.
#
# Now one training step. `WGANGP` is a `keras.Model` with a `train_step` of its own, which `fit` calls;
# `compile` takes two optimizers, and `metrics` and `call` are a few lines.

# %%
show_source(WGANGP.train_step)
show_source(WGANGP._update_critic)
show_source(WGANGP._update_generator)

# %% [markdown]
# - In `_update_critic` there are **two tapes**: the outer one for the weights, and within
#   `gradient_norms` an inner one for the images. The outer one sees the inner one work, so the
#   penalty is differentiated *through* the gradient: a second derivative.
# - `generated_images` are made outside the tape: the generator is fixed while the critic learns.
# - Each update draws latents and epsilons of its own, from a seed that is a function of the
#   iteration (`stream_seed`; "philox" is the generator of random numbers). That is why a run can be
#   stopped and resumed to the bit (section 8).
# - `replicas` are the devices that share a batch: here one.
# - In `_update_generator` the gradient goes through the critic to the generator's weights, and only
#   those are changed.

# %% [markdown]
# ## 5 Training

# %%
model = WGANGP(
    generator,
    critic,
    n_critic=config.n_critic,
    gradient_penalty_weight=config.gradient_penalty_weight,
    seed=config.seed,
)
adam = {"beta_1": config.beta_1, "beta_2": config.beta_2, "epsilon": config.adam_epsilon}
model.compile(
    critic_optimizer=keras.optimizers.Adam(config.critic_learning_rate, **adam),
    generator_optimizer=keras.optimizers.Adam(config.generator_learning_rate, **adam),
)
monitor = Monitor(RUN, every=ITERATIONS // 16, seed=config.seed)  # draws the figure below
history_file = HistoryFile(RUN / "history.csv")
checkpoint = Checkpoint(RUN / "checkpoints", every="epoch", callbacks=[monitor, history_file])
history = model.fit(
    wgan_gp.make_dataset(images, config),
    epochs=ITERATIONS // 20,
    steps_per_epoch=20,
    callbacks=[monitor, history_file, checkpoint],
    shuffle=False,  # the stream is shuffled already
    verbose=0,  # the monitor shows how it goes
)

# %% [markdown]
# **How to read the curves.** Blue is the critic's loss with the penalty, orange without.
#
# - *Why is the loss negative?* It is $\mathbb E\,D(\tilde x) - \mathbb E\,D(x)$ plus the penalty,
#   and the critic scores real images higher. **Minus the orange curve is how far apart this critic
#   can tell them**: the Wasserstein distance, if it were the best of all critics. It is not, by far
#   ([Stanczuk et al. 2021](https://arxiv.org/abs/2103.01678)): compare it within one run only.
# - *Which value is good?* None as such, and it does not rank pictures: it is smallest at the very
#   beginning, when the critic knows nothing, and can rise while the pictures get better, because the
#   critic does, too. Good is a curve that settles. How good the pictures are is measured otherwise:
#   `wgan-gp evaluate`.
# - *The gap between the curves* is the penalty. It should be small beside the loss: the slopes
#   are close to 1. Let us look:

# %%
figure, axes = plt.subplots(1, 2, figsize=(9, 3))
iterations = 20 * np.arange(1, len(history.epoch) + 1)
norm = np.array(history.history["gradient_norm"])
axes[0].plot(iterations, norm, color=BLUE, label="measured")
axes[0].axhline(1, color="black", linestyle=":", linewidth=1)
axes[0].set(ylabel="Mean gradient norm", ylim=(0, 2.5))
estimate = -np.array(history.history["critic_loss_unregularized"])
bargain = 1 + estimate / norm / (2 * config.gradient_penalty_weight)
axes[0].plot(iterations, bargain, color=GREEN, label="1 + d / 2λ")
axes[0].legend()
axes[1].plot(iterations, estimate, color=ORANGE)
axes[1].set(ylabel="What the critic tells apart", ylim=(0, None))
for ax in axes:
    ax.set_xlabel("Generator iteration")
    ax.grid(alpha=0.3)
plt.show()

# %% [markdown]
# *The bargain of section 1, at work: a critic that tells images $s\,d$ apart has them at a distance
# $d$, and its best slope is $1 + d/2\lambda$ (green).*
#
# The same 25 latents, at three moments:

# %%
tiles = RunFolder(RUN).tiles()
moments = [list(tiles)[i] for i in (1, 4, -1)]
show_pictures([(f"Iteration {i}", plt.imread(tiles[i])) for i in moments])

# %% [markdown]
# ## 6 New images
#
# New latents, new flowers:

# %%
show_pictures([("25 new images", wgan_gp.image_grid(model.generate(25, seed=1)))], height=5)

# %% [markdown]
# **A walk.** Neighbouring latents give similar images, so one can walk from flower to flower. The
# way leads along the sphere, not straight through it: the length of 100 standard-normal numbers is
# close to 10, and the generator has seen nothing of the inside.

# %%
latents = np.random.default_rng(3).standard_normal((3, 2, 100)).astype("float32")
ways = [[interpolate(a, b, t) for t in np.linspace(0, 1, 9)] for a, b in latents]
rows = [np.concatenate(list(to_uint8(model(np.array(way))).numpy()), axis=1) for way in ways]
figure, ax = plt.subplots(figsize=(9, 3.1))
ax.imshow(np.concatenate(rows))
ax.set_title("Three walks, from left to right")
ax.axis("off")
plt.show()

# %% [markdown]
# **Is it copying?** For each new image, the nearest of all training images and their mirror images
# (it has seen both), by the root mean square difference of their pixels:


# %%
def nearest(picture, others):
    """The number of the nearest of `others`, and how far it is, of 0..255."""
    differences = others.astype("float32") - picture
    distances = np.sqrt(np.mean(differences**2, axis=(1, 2, 3)))
    return int(distances.argmin()), float(distances.min())


new = model.generate(6, seed=2)
seen = np.concatenate([images, images[:, :, ::-1]])
found = [nearest(picture, seen) for picture in new]
among_real = [nearest(images[i], np.delete(images, i, axis=0))[1] for i in shown[:6]]
pictures = {
    "New images": new,
    "The nearest training images, and their distance": seen[[number for number, _ in found]],
}
figure, axes = plt.subplots(2, 1, figsize=(9, 3.9))
for ax, (title, row) in zip(axes, pictures.items(), strict=True):
    ax.imshow(np.concatenate(list(row), axis=1))
    ax.set(title=title, xticks=[], yticks=[])
places = np.arange(6) * config.image_size + config.image_size / 2
axes[1].set_xticks(places, [f"{distance:.0f}" for _, distance in found])
plt.show()
print(f"Nearest to a training image is another one at {np.mean(among_real):.0f} on average.")

# %% [markdown]
# Nearest images that share a background or a colour but not the flower mean that it does not copy.
# A distance far below that among the training images would be a warning.

# %% [markdown]
# ## 7 Sigmoid or linear?
#
# The MathWorks example that these networks come from ends its critic with a sigmoid. Gulrajani et
# al. leave the score as it is. Everything else being equal, the same first weights and the same
# images included:

# %%
compared = []
for activation in ("linear", "sigmoid"):
    other = wgan_gp.build_model(dataclasses.replace(config, critic_activation=activation))
    other.fit(
        wgan_gp.make_dataset(images, config),
        steps_per_epoch=COMPARED_ITERATIONS,
        shuffle=False,
        verbose=0,
    )
    compared.append((f"{activation} score", wgan_gp.image_grid(other.generate(25))))
show_pictures(compared, height=4)

# %% [markdown]
# *After the same few iterations.* With a score within 0..1 the critic gains at most 1 by telling
# images apart, while ignoring the slope costs it up to λ = 10: so it minds the slope first, and
# little is left to learn from. The preset
# `matlab` keeps the sigmoid for the sake of comparison, the other presets do not.

# %% [markdown]
# ## 8 Saving, resuming, exporting
#
# While the model trained, `Checkpoint` saved all that is needed to go on: both networks, both
# optimizers with their moments, the seed and the iteration. Take a *new* model, restore it, train
# both on for five iterations, and compare every weight:

# %%
resumed = wgan_gp.build_model(config)
done = Checkpoint(RUN / "checkpoints").restore(resumed)
for one in (model, resumed):
    one.fit(
        wgan_gp.make_dataset(images, config, start_iteration=done),
        steps_per_epoch=5,
        shuffle=False,
        verbose=0,
    )
equal = all(
    np.array_equal(a, b) for a, b in zip(model.get_weights(), resumed.get_weights(), strict=True)
)
print(f"restored at iteration {done}; five iterations later, equal to the last bit: {equal}")

# %% [markdown]
# On the command line that is `wgan-gp train --run-dir DIR --resume`.
#
# `model.save` writes the whole model, `model.generator.save` the generator alone. To hand the
# generator to others, export it as a SavedModel: it needs nothing but TensorFlow. To prove it, here
# is another process, which may not import Keras or this package:

# %%
model.save(RUN / "model.keras")
wgan_gp.export_saved_model(model.generator, RUN / "saved_model")

program = f"""
import sys
sys.modules["keras"] = sys.modules["wgan_gp"] = None  # not to be found
import tensorflow as tf
flowers = tf.saved_model.load({str(RUN / "saved_model")!r})
generate = flowers.signatures["generate"]
images = generate(count=tf.constant(4), seed=tf.constant(1, tf.int64))["images"]
print(images.shape, images.dtype.name, int(tf.reduce_sum(tf.cast(images, tf.int64))))
"""
answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
here = model.generate(4, seed=1)
print("there:", answer.stdout.strip())
print("here: ", here.shape, here.dtype, here.astype("int64").sum())

# %% [markdown]
# ## 9 Your own images, and full size
#
# Three lines, with a folder of your own:
#
# ```python
# config = Config.preset("paper")
# images = wgan_gp.load_images("MY_PHOTOS", config.image_size)
# model = wgan_gp.build_model(config)  # and then model.fit as in section 5
# ```
#
# Or without Python: `wgan-gp train --preset paper --data MY_PHOTOS`. A few hundred images are
# little, some thousands are good; they should show one kind of thing.
#
# What a full run takes:

# %%
full = Config.preset("paper")
tflop = iteration_tflop(full, wgan_gp.build_generator(full), wgan_gp.build_critic(full))
speed = matrix_product_tflops()
print(f"{tflop:.2f} TFLOP an iteration, {full.iterations:,} iterations.")
print(f"At the {speed:.2g} TFLOP/s of a large matrix product here: at least")
seconds = tflop / speed
print(f"{seconds:.1f} s an iteration, {full.iterations * seconds / 3600:.1f} hours in all.")

# %% [markdown]
# Set `QUICK = False` at the top for such a run in this notebook, or start it in a terminal, where it
# survives a closed browser: `wgan-gp train --preset paper --data tf_flowers`.

# %% [markdown]
# ## 10 Tips, pitfalls, references
#
# | Tip | Reason |
# | --- | --- |
# | Several critic updates for each of the generator | The generator's gradient is worth as much as the critic is good |
# | Adam with β₁ = 0 | Momentum carries a gradient on that the other network has made obsolete |
# | Look at the same latents over time | You see the network change, not the luck of the draw |
# | Judge by many pictures | The loss tells whether it learns, not how good the pictures are |
#
# | Symptom | Likely cause |
# | --- | --- |
# | The loss grows without end | No penalty, or it is not differentiated: is it within the tape? |
# | Gradient norm near 0, grey pictures | A sigmoid on the score, or λ far too large |
# | All pictures alike | Generator far ahead: more critic updates, a lower generator learning rate |
# | Good at first, then noise | Learning rates too high for a long run |
# | `nan` | Learning rates too high; or a root of 0 in the norm: keep the 1e-10 inside it |
# | A grid of two pixels | Transposed convolutions whose stride does not divide the kernel: upsample, then convolve |
#
# For readers who come from the MathWorks example:
#
# | MATLAB | Here |
# | --- | --- |
# | `imageDatastore`, `augmentedImageDatastore` | `load_images` |
# | `minibatchqueue`, `shuffle`, `next` | `make_dataset`, a `tf.data.Dataset` |
# | `dlnetwork` | `keras.Sequential` |
# | `layerNormalizationLayer` | `ImageLayerNormalization` (not `LayerNormalization`) |
# | `transposedConv2dLayer` | `Conv2DTranspose` |
# | `dlfeval`, `dlgradient` | `tf.GradientTape` |
# | `EnableHigherDerivatives` | one tape within another |
# | `adamupdate` | `optimizer.apply` |
# | `forward`, `predict` | `network(x, training=True)`, `training=False` |
# | the `while` loop | `model.fit`, which calls `train_step` |
# | `imtile`, `rescale` | `image_grid`; −1..1 always becomes 0..255 |
# | `animatedline`, `drawnow` | `Monitor` |
# | `save`, `load` | `Checkpoint`, `model.save`, `load_model` |
#
# **References**
#
# - I. Goodfellow et al.: *Generative Adversarial Networks*, [arXiv:1406.2661](https://arxiv.org/abs/1406.2661)
# - M. Arjovsky, S. Chintala, L. Bottou: *Wasserstein GAN*, [arXiv:1701.07875](https://arxiv.org/abs/1701.07875)
# - I. Gulrajani et al.: *Improved Training of Wasserstein GANs*, [arXiv:1704.00028](https://arxiv.org/abs/1704.00028)
# - MathWorks: *Train Wasserstein GAN with Gradient Penalty (WGAN-GP)*
