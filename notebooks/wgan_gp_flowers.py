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
# **Author:** The developers of wgan_gp<br>
# **Date created:** 2026/11/23<br>
# **Last modified:** 2026/11/30<br>
# **Description:** A WGAN-GP that overrides `Model.train_step`, and why each of its parts is there.<br>
# **Accelerator:** none needed
#
# ## Introduction
#
# In this notebook a network learns to draw flowers by looking at flowers. You will see why the
# first GANs were hard to train, and what the *Wasserstein distance* and the *gradient penalty*
# change. You will read the heart of a working implementation in Keras 3, on its TensorFlow backend,
# line by line. At the end you will have a generator of your own.
#
# You need to know how a Keras model is trained. You need not know anything about GANs. (The package
# began with an example by MathWorks for MATLAB; see the references. Its preset `matlab` is that
# example, number for number; this notebook is not.)
#
# With `QUICK = True` the flowers are *synthetic*, drawn by a program. Everything then runs on two
# CPU cores, in 4 to 5 minutes on fast ones and in up to 21 on slow ones. With `QUICK = False` the
# notebook downloads 218 MB and trains on photographs, four fifths of 3,670; this takes some six
# times as long. The run shown here took 8 minutes; the figure in section 6 says how much of that was
# its training.
#
# Lines that begin with `assert` check that what the text says is true of the run at hand. If you
# change a setting and one of them stops you, take it out.
#
# ## Setup

# %%
QUICK = True

# %%
# On Google Colab: first upload the file that `pip wheel --no-deps .` makes in a clone of the package.
# Elsewhere: start Jupyter in the environment that the package is installed in (see README.md).
import subprocess
import sys
from pathlib import Path

if "google.colab" in sys.modules:
    wheels = [str(wheel) for wheel in Path.cwd().glob("wgan_gp-*.whl")]
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *wheels], check=True)

# %%
from wgan_gp.support.quiet_tensorflow import load_tensorflow

load_tensorflow()  # quietly, as Keras's backend, and as fast as it is on an old CPU, too

import base64
import dataclasses
import inspect
import textwrap

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from IPython.display import HTML, Markdown, display
from keras import layers

import wgan_gp
from wgan_gp import WGANGP, Checkpoint, Config, HistoryFile, Monitor, Quality, networks, objective
from wgan_gp.data.stream import training_indices
from wgan_gp.export.walk import interpolate
from wgan_gp.metrics.checkerboard import grid_power_share
from wgan_gp.metrics.modes import FlowerModes
from wgan_gp.metrics.swd import SlicedWasserstein
from wgan_gp.networks import ImageLayerNormalization
from wgan_gp.runs.folder import RunFolder
from wgan_gp.runs.pretrained import pretrained_run
from wgan_gp.sampling import to_uint8

ITERATIONS = 700 if QUICK else 3_500  # generator iterations of the main training
COMPARED_ITERATIONS = 120 if QUICK else 600  # and of three shorter ones
RING_ITERATIONS = 1_500
FROZEN_UPDATES = 300

BLUE, ORANGE, GREEN = "#0072B2", "#E69F00", "#009E73"  # colours that everybody can tell apart
plt.rcParams.update({"figure.dpi": 80, "figure.constrained_layout.use": True, "font.size": 12})


# %% cellView="form" jupyter={"source_hidden": true}
# @title How source code and pictures are shown
def show_source(*things):
    """The source code of functions or classes, as it stands in the package."""
    source = "\n\n".join(textwrap.dedent(inspect.getsource(thing)) for thing in things)
    display(Markdown(f"```python\n{source}```"))


def show(figure, alt):
    """The figure, with a text for those who cannot see it."""
    display(figure, metadata={"image/png": {"alt": alt}})
    plt.close(figure)


def show_pictures(titles_and_pictures, alt, height=3.4):
    """Pictures side by side, each with its title."""
    count = len(titles_and_pictures)
    figure, axes = plt.subplots(1, count, figsize=(height * count, height * 1.1), squeeze=False)
    for ax, (title, picture) in zip(axes[0], titles_and_pictures, strict=True):
        ax.imshow(picture)
        ax.set_title(title)
        ax.axis("off")
    show(figure, alt)


# Pages that nbconvert makes would set source code in the type of prose, and break words.
STYLE = """
.jp-RenderedMarkdown pre {
    font-family: var(--jp-code-font-family, monospace); white-space: pre; overflow-x: auto;
}
.jp-OutputArea-output pre { word-break: normal; }
"""
display(HTML(f"<style>{STYLE}</style>"))

# %% [markdown]
# ## What comes out
#
# This is where it leads: the first 25 flowers of the generator that comes with the package. It was
# trained on photographs for an hour and a half on two CPU cores, with the method below and one
# addition (end of section 8): its critic also sees the features of a network trained on
# photographs.

# %%
flowers = wgan_gp.load_pretrained("flowers")
first = wgan_gp.generate_images(flowers, 25)
show_pictures(
    [("Generated", wgan_gp.image_grid(first))], "25 generated images of flowers", height=5
)

# %% [markdown]
# And this is how it learned, from noise to petals. The 9 inputs to the generator stay the same all
# the way:

# %%
film = base64.b64encode(pretrained_run("flowers").film.read_bytes()).decode()
alt = "9 pictures that turn from noise into flowers"
display(HTML(f'<img src="data:image/gif;base64,{film}" alt="{alt}">'))

# %% [markdown]
# ## 1 Two networks and a distance
#
# A **generative adversarial network** (GAN) is two networks that train each other:
#
# - the **generator** $G$ turns random numbers $z$, the *latents*, into an image $\tilde x = G(z)$;
# - the other network looks at images and tells real ones, $x$, from generated ones.
#
# In the first GANs the other network is a classifier, the *discriminator* $D$. It gives the
# probability $D(x)$ that an image is real. At its best it measures a distance between the
# distribution of real images and that of generated ones, the Jensen–Shannon divergence. The
# generator is trained to make this distance small.
#
# The trouble is that where the two distributions hardly overlap, the divergence is close to
# $\log 2$, however far apart they are. This is the usual case: nearly all arrays of pixels are
# noise, real images are a tiny part of them, and generated images hardly ever fall on that part. A
# good discriminator then tells the generator next to nothing about which way to go. (In practice
# the generator is trained with another loss, the *non-saturating* $-\log D(\tilde x)$. Its gradient
# does not vanish there, but it is unstable; see [Arjovsky and Bottou
# 2017](https://arxiv.org/abs/1701.04862).)
#
# The **Wasserstein distance**, or *earth mover's distance*, is the least work it takes to move one
# distribution onto the other. Work is mass times distance. The Wasserstein distance
# shrinks steadily as one distribution approaches the other. Here are both measures for two bell
# curves in one dimension, as one moves away from the other:

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
divergences = [jensen_shannon(bell(0), bell(shift)) for shift in shifts]
distances = [wasserstein(bell(0), bell(shift)) for shift in shifts]
assert np.allclose(distances, np.abs(shifts), atol=1e-6)
assert np.isclose(divergences[0], np.log(2)) and np.isclose(divergences[20], np.log(2), rtol=1e-3)

# %% cellView="form" jupyter={"source_hidden": true}
# @title The figure's code
figure, axes = plt.subplots(1, 3, figsize=(10, 3))
for centre, colour in ((0, GREEN), (4, ORANGE)):
    axes[0].fill_between(grid, bell(centre), color=colour, alpha=0.5)
axes[0].set(xlim=(-3, 8), yticks=[], xlabel="Point", title="Two bell curves, 4 apart")
axes[1].plot(shifts, divergences, color=BLUE)
axes[1].set(xlabel="Shift of the second curve", title="Jensen–Shannon (nats)")
axes[2].plot(shifts, distances, color=BLUE)
axes[2].set(xlabel="Shift of the second curve", title="Wasserstein")
for ax in axes[1:]:
    ax.grid(alpha=0.3)
show(figure, "The Jensen-Shannon divergence is flat beyond a shift of 3; Wasserstein's is a V")

# %% [markdown]
# *Middle: flat wherever the curves hardly overlap, with next to no slope and so no direction.
# Right: a slope everywhere.*
#
# The Wasserstein distance has a second form, the *Kantorovich–Rubinstein duality* ([Arjovsky et al.
# 2017](https://arxiv.org/abs/1701.07875), equation 2):
#
# $$W = \max_{\|D\|_L \le 1} \; \mathbb E\,D(x) - \mathbb E\,D(\tilde x)$$
#
# In words: take all functions $D$ that nowhere rise more steeply than 1 (1-*Lipschitz* functions),
# and among them find the one that scores real images highest above generated ones. The gap between
# the two mean scores is the distance. ($\mathbb E$ is the mean, over real or over generated
# images.) So the second network becomes a **critic**, which may give any number as a score, and
# training is a game of two:
#
# $$\min_G \; \max_{\|D\|_L \le 1} \; \mathbb E\,D(x) - \mathbb E\,D(G(z))$$
#
# The gap is the distance only if the critic is the best one. So the critic takes several steps for
# each step of the generator. (In practice two steps, or even one, can be enough.) A critic cannot
# become too good: the slope of a very good discriminator vanishes, that of a very good critic does
# not. But its slope has to be limited, or the gap grows without end. There are two ways to limit
# it:
#
# 1. **Clipping.** After each step every weight is cut to a small range. This was the first idea,
#    and its own authors called it terrible. With a large range, the weights take long to reach
#    their limits; with a small one, gradients vanish in a deep critic. The authors of the second
#    way add that a clipped critic learns functions that are too simple.
# 2. The **gradient penalty** ([Gulrajani et al. 2017](https://arxiv.org/abs/1704.00028), equation
#    3). Moving one distribution onto the other in the cheapest way gives each real point a
#    generated partner. On the lines between partners the best critic has slope 1 almost everywhere
#    (their Proposition 1). Nobody knows the partners, so take any two points, one real and one
#    generated, and ask for slope 1 at a random point $\hat x$ between them. This is a heuristic,
#    and it works. The term added to the critic's loss is
#
# $$\lambda\,\mathbb E\left[\left(\|\nabla_{\hat x} D(\hat x)\|_2 - 1\right)^2\right], \qquad
# \hat x = \epsilon x + (1 - \epsilon)\,\tilde x, \quad \epsilon \sim U(0, 1)$$
#
# The slope at a point is the length of the gradient there, $\|\nabla_{\hat x} D\|_2$. $\epsilon$ is
# a random number between 0 and 1, and $\lambda$ is the weight of the penalty.
#
# ## 2 Three critics on a ring
#
# Before images, we look at points in the plane. The real points form eight clusters on a ring.
# Small networks learn to make such points in three ways: as the original GAN (with the loss
# $-\log D(\tilde x)$), with clipped weights, and with the penalty.
#
# The last two use the package's `objective` module, which section 5 shows. It expects images, so
# each point is passed as an image of one pixel with two channels. In the original GAN the last
# layer gives a score $s$, and the probability is $D = \text{sigmoid}(s)$. So `softplus(-s)` is
# $-\log D$, and `softplus(s)` is $-\log(1 - D)$. The penalty's weight λ is 0.3 here, and 10 for
# images: on such toy problems a smaller weight is faster (the code of Gulrajani et al. has 0.1).
#
# `fit` does not train two networks against each other, so we write the loop out. A
# `tf.GradientTape` records what is computed within it. `tape.gradient(loss, weights)` then gives
# the derivatives, and `apply` takes a step of Adam down them. `@tf.function` compiles `iteration`
# once, for speed. A compiled function may not make variables later, so `build` makes Adam's
# variables beforehand.

# %%
WAYS = ("original GAN", "weight clipping", "gradient penalty")
centres = 2 * np.exp(2j * np.pi * np.arange(8) / 8)  # as complex numbers
centres = np.stack([centres.real, centres.imag], axis=1).astype("float32")


def ring(count):
    cluster = tf.random.uniform((count,), maxval=8, dtype=tf.int32)
    points = tf.gather(centres, cluster) + tf.random.normal((count, 2), stddev=0.1)
    return tf.reshape(points, (count, 1, 1, 2))


def small_network(input_shape, *last):
    hidden = [layers.Dense(64, activation="relu") for _ in range(2)]
    return keras.Sequential([keras.Input(input_shape), layers.Flatten(), *hidden, *last])


def adam_for(network, learning_rate=1e-3):
    adam = keras.optimizers.Adam(learning_rate, beta_1=0.0, beta_2=0.9)
    adam.build(network.trainable_variables)  # a compiled function may not make variables
    return adam


def cross_entropy(scores, are_real):
    return tf.reduce_mean(tf.nn.softplus(-scores if are_real else scores))


# %%
def train_on_ring(way):
    keras.utils.set_random_seed(1)
    generator = small_network((8,), layers.Dense(2), layers.Reshape((1, 1, 2)))
    critic = small_network((1, 1, 2), layers.Dense(1))
    critic_adam, generator_adam = adam_for(critic), adam_for(generator)

    def critic_loss(real, generated):
        real_scores, scores = critic(real), critic(generated)
        if way == "original GAN":
            return cross_entropy(real_scores, True) + cross_entropy(scores, False)
        loss = objective.unregularized_critic_loss(real_scores, scores)
        if way == "gradient penalty":
            epsilon = tf.random.uniform((len(real), 1, 1, 1))
            loss += 0.3 * objective.gradient_penalty(critic, real, generated, epsilon)
        return loss

    @tf.function
    def iteration():
        for _ in range(5):  # steps of the critic
            real, generated = ring(256), generator(tf.random.normal((256, 8)))
            with tf.GradientTape() as tape:
                loss = critic_loss(real, generated)
            weights = critic.trainable_variables
            critic_adam.apply(tape.gradient(loss, weights), weights)
            if way == "weight clipping":
                for weight in weights:
                    weight.assign(tf.clip_by_value(weight, -0.03, 0.03))
        # One step of the generator.
        with tf.GradientTape() as tape:
            scores = critic(generator(tf.random.normal((256, 8))))
            is_original = way == "original GAN"
            loss = cross_entropy(scores, True) if is_original else objective.generator_loss(scores)
        weights = generator.trainable_variables
        generator_adam.apply(tape.gradient(loss, weights), weights)

    for _ in range(RING_ITERATIONS):
        iteration()
    return generator, critic


# %%
points, landscapes, covered = {}, {}, {}
axis = np.linspace(-3.5, 3.5, 81, dtype="float32")
plane = np.stack(np.meshgrid(axis, axis), axis=-1)
for way in WAYS:
    generator, critic = train_on_ring(way)
    points[way] = generator(tf.random.normal((1_000, 8))).numpy().reshape(-1, 2)
    landscapes[way] = critic(plane.reshape(-1, 1, 1, 2)).numpy().reshape(81, 81)
    distances_to_centres = np.linalg.norm(points[way][:, None] - centres, axis=2)
    shares = (distances_to_centres < 0.4).mean(axis=0)
    covered[way] = int((shares > 0.25 / 8).sum())  # clusters with a quarter of their share
assert covered["gradient penalty"] == 8 > covered["original GAN"]

# %% cellView="form" jupyter={"source_hidden": true}
# @title The figure's code
figure, axes = plt.subplots(1, 3, figsize=(10, 3.6), sharey=True)
for ax, way in zip(axes, WAYS, strict=True):
    ax.contourf(axis, axis, landscapes[way], 12, cmap="Greys_r")
    ax.plot(*points[way][:400].T, ".", color=ORANGE, markersize=3, label="generated")
    ax.plot(*centres.T, "o", mfc="none", color=GREEN, markersize=14, mew=2, label="real clusters")
    ax.set(title=f"{way}: {covered[way]} of 8", aspect="equal", xlim=(-3.5, 3.5), ylim=(-3.5, 3.5))
axes[0].legend(loc="center", fontsize=10)
show(
    figure,
    "Generated points: few clusters with the original GAN, all eight with the gradient penalty",
)

# %% [markdown]
# *Bright: a high score. The title counts the clusters that get at least a quarter of their share of
# points. One run each.*
#
# The original GAN misses clusters. This is **mode collapse**: the generator makes only what fools
# the discriminator at the moment. The clipped critic's landscape is too simple to show single
# clusters. Its points smear along the ring, which is enough for a quarter of a share. With the
# penalty every cluster has a ridge of its own, and gets its points.
#
# The critic's slope is what trains the generator: the generator moves its points, or images, in the
# direction in which the score rises.
#
# ## 3 The flowers
#
# We take the preset `quick` with three changes:
#
# - two critic updates in each iteration, so that there is a loop to see;
# - one learning rate, 1e-3, for both networks, for simplicity. The preset gives the generator twice
#   as much. With the critic's rate petals come out hatched, and you can see some of that below;
# - 700 iterations instead of 1,500.
#
# Without `QUICK` we take the preset `flowers`, also with three changes: a critic of pixels alone, a
# generator as wide as that critic, and 3,500 iterations instead of 4,000.
#
# *Real* images always means the loaded ones, even where these are drawings. *Generated* images are
# the generator's.

# %%
config = dataclasses.replace(
    Config.preset("quick" if QUICK else "flowers"),
    iterations=ITERATIONS,
    n_critic=2,
    generator_learning_rate=1e-3,
    generator_width=2 if QUICK else 1,
    critic_features="none",
)
images = wgan_gp.load_images("synthetic" if QUICK else "tf_flowers", config.image_size)
print("images:", images.shape, images.dtype)

shown = np.linspace(0, len(images) - 1, 25).astype(int)
show_pictures(
    [("25 of the images", wgan_gp.image_grid(images[shown]))],
    "25 images of flowers, all different",
    height=5,
)

# %% [markdown]
# `load_images` decodes every picture once, resizes it to a square and keeps the result on disk.
# `make_dataset` makes the stream that training reads. Each pass goes through the images in a new
# order. Each image is mirrored left to right with probability 1/2, anew at each use, and 0..255 is
# scaled to −1..1 by $x / 127.5 - 1$.

# %%
element = next(iter(wgan_gp.make_dataset(images, config)))
print("an element (batch, critic updates, height, width, channels):", element.shape)
print(f"values: {element.numpy().min():.2f} to {element.numpy().max():.2f}")
held_out = wgan_gp.held_out_images(images, config)
print(f"{len(held_out)} images are held out: training never sees them, quality is measured by them")

# %% [markdown]
# One element of the stream serves one iteration. Its second axis holds the mini-batches: the critic
# is updated several times for each update of the generator, **each time with a fresh mini-batch of
# images**.
#
# ## 4 The two networks
#
# The critic halves the image size with strided convolutions, again and again, down to one score.
# Its activation, leaky ReLU, is $x$ above 0 and $0.2\,x$ below. Its *layer norm* brings the numbers
# of one pixel (without `QUICK`: of one image) to mean 0 and variance 1, and then applies a learned
# scale and offset to each channel. Gulrajani et al. recommend the norm over an image.
#
# The generator starts from a 4×4 map and doubles its size four times. At each size it has twice as
# many channels as the critic (without `QUICK`, the same number). With the same number it drew worse
# in the same time: the SWD of `quick`, which section 6 explains, was 48.9 with the same number and
# 41.3 with twice as many, both with one learning rate
# ([docs/quality.md](../docs/quality.md#the-preset-quick)).
#
# Here is the package's code for both. `_critic_filters` gives the widths (16, 32, 64 and 128;
# without `QUICK` 24, 48, 96 and 192), `glorot` the first weights, and `_precision` the number
# format. Skip what it says about `critic_features` and views; section 8 comes back to them.

# %%
show_source(
    networks.build_critic,
    networks._from_images,
    networks._critic_block,
    networks._to_score,
)
show_source(networks.build_generator, networks._upsampling, networks._norm_and_relu)
generator = wgan_gp.build_generator(config)
critic = wgan_gp.build_critic(config)
critic.summary(line_length=72)
generator.summary(line_length=72)

# %% [markdown]
# **Why not transposed convolutions?** They are the usual way to double the size, and the MathWorks
# example uses them. But a kernel of 5 that moves by 2 does not reach all pixels equally often. Take
# the output pixels along one axis, and count how many input pixels reach each of them:

# %%
reached = {}
for kernel in (5, 4):
    ones = tf.ones((1, 12, 1, 1)), tf.ones((kernel, 1, 1, 1))
    counts = tf.nn.conv2d_transpose(*ones, (1, 24, 1, 1), (1, 2, 1, 1), "SAME")
    reached[kernel] = counts.numpy().ravel()[4:-4].astype(int)
    print(f"kernel {kernel}, stride 2:", *reached[kernel])
assert set(reached[5]) == {2, 3} and set(reached[4]) == {2}

# %% [markdown]
# With a kernel of 5 every second pixel gets more, and that is the **grid** in many GANs' pictures.
# So this generator doubles the size by repeating pixels, and then convolves with a kernel of 3.
# What is flat stays flat that way. But where the map changes, even and odd pixels still mix their
# neighbours differently, and a faint grid is left. So the last doubling, at the full size, is
# bilinear: it fades from one pixel to the next. Section 8 compares this with transposed
# convolutions. (A critic with a kernel of 5 has the same flaw, and the generator's gradient comes
# through it. So `flowers` has a kernel of [4](../docs/tried.md#many-recipes-at-once-on-a-gpu);
# `quick` has the usual 5.)
#
# **Layer norm in the critic, not batch norm.** The penalty asks for the slope of each image's score
# with respect to *that image*. Batch norm mixes the images of a batch: a score then depends on all
# the others, and the slope is no longer one image's own. The generator may have batch norm, and it
# learns much faster that way (section 8).
#
# **Why layer norms of our own?** The penalty is a function of a gradient, so training with it takes
# *second* derivatives. Keras's norms treat the mean as a constant when they differentiate the
# variance. First derivatives are still right, second ones are not.
#
# To check this, we ask how a slope changes along a random `direction`. We compute it once with two
# tapes, one within the other, and once from two slopes a tiny step apart, which is right up to
# rounding. We do so for three norms. The first is Keras's; with one group it is a norm over the
# whole image. The second is the same formula, written plainly. The third is ours: the plain one
# with both derivatives written out by hand, which is faster.


# %%
def plain_image_norm(x):
    mean = tf.reduce_mean(x, axis=[1, 2, 3], keepdims=True)
    variance = tf.reduce_mean(tf.square(x - mean), axis=[1, 2, 3], keepdims=True)
    return (x - mean) / tf.sqrt(variance + 1e-5)


def slope(norm, x, direction):
    with tf.GradientTape() as tape:
        tape.watch(x)
        first_number = norm(x)[0, 0, 0, 0]
    return tf.reduce_sum(tape.gradient(first_number, x) * direction)


def second_derivative(norm, x, direction):
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = slope(norm, x, direction)
    return float(tf.reduce_sum(tape.gradient(value, x) * direction))


x, direction = tf.constant(np.random.default_rng(0).normal(size=(2, 1, 2, 2, 2)))
norms = {
    "GroupNormalization": layers.GroupNormalization(groups=1, epsilon=1e-5, dtype="float64"),
    "plain_image_norm": plain_image_norm,
    "ImageLayerNormalization": ImageLayerNormalization(dtype="float64"),
}
errors = {}
for name, norm in norms.items():
    by_tapes = second_derivative(norm, x, direction)
    ahead, behind = (slope(norm, x + h * direction, direction) for h in (1e-5, -1e-5))
    by_differences = float(ahead - behind) / 2e-5
    errors[name] = abs(by_tapes - by_differences)
    print(f"{name:24} by tapes {by_tapes:8.4f}, by differences {by_differences:8.4f}")
wrong, *right = errors.values()
assert max(right) < 1e-4 < wrong

# %% [markdown]
# That was the norm over a whole image. The preset `quick` normalises each pixel over its channels,
# with the same code, and Keras's `LayerNormalization` has the same flaw. In six minutes of training
# the flaw did no harm that [docs/quality.md](../docs/quality.md) could show. We still prefer the
# right derivative.
#
# **No sigmoid at the end.** A score confined to 0..1 cannot rise with slope 1 all the way from one
# image to another: with 12,288 numbers in −1..1, images are tens apart. The score can still have
# slope 1 at every point, but then mostly sideways, or up and down, not steadily towards the other
# image. Section 8 shows what happens with a sigmoid.
#
# **Networks of your own.** Copy one of these functions into a cell, or write any two Keras models
# whose shapes agree, and train them as section 6 does: `model = wgan_gp.WGANGP(my_generator,
# my_critic)`, then `model.compile(critic_optimizer, generator_optimizer)`.
#
# ## 5 The objective, and one training step
#
# Here is the penalty for a critic that scores images. (The 1e-10 in the root keeps the derivative
# finite where the gradient is 0.)


# %%
def plain_gradient_penalty(critic, real, generated, epsilon):
    interpolated = epsilon * real + (1 - epsilon) * generated  # the points x̂
    with tf.GradientTape() as tape:
        tape.watch(interpolated)  # it is no variable, so the tape has to be told
        scores = critic(interpolated)
    gradients = tape.gradient(scores, interpolated)
    norms = tf.sqrt(tf.reduce_sum(tf.square(gradients), axis=[1, 2, 3]) + 1e-10)
    return tf.reduce_mean(tf.square(norms - 1))


# %% [markdown]
# In the package, five short functions are the terms of the objective; the training step adds them
# up. The three in the middle do the same as the function above, and can do it for a list of views as
# well. (`tf.nest` applies a function to one tensor, or to each in a list; section 8 says what the
# views are.) `gradient_penalty`, used above and below, checks the shape of epsilon and applies
# `unit_norm_penalty` to the result of `gradient_norms`.

# %%
show_source(
    objective.unregularized_critic_loss,
    objective.gradient_norms,
    objective._norm,
    objective.unit_norm_penalty,
    objective.generator_loss,
)

# %% [markdown]
# Is it right? Take a critic whose slope is known: $D(x) = w \cdot x$ has the gradient $w$ at every
# point, so the penalty must be $(\|w\|_2 - 1)^2$, whatever the images are.

# %%
linear_critic = keras.Sequential(
    [keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(1, use_bias=False)]
)
w = linear_critic.get_weights()[0]
noise = tf.random.normal((2, 16, 8, 8, 3))
epsilon = tf.random.uniform((16, 1, 1, 1))
plain_penalty = plain_gradient_penalty(linear_critic, noise[0], noise[1], epsilon)
penalty = objective.gradient_penalty(linear_critic, noise[0], noise[1], epsilon)
by_hand = (np.linalg.norm(w) - 1) ** 2
print(f"plain_gradient_penalty: {plain_penalty.numpy():.6f}")
print(f"gradient_penalty:       {penalty.numpy():.6f}")
print(f"by hand:                {by_hand:.6f}")
assert np.allclose([plain_penalty, penalty], by_hand, rtol=1e-4)

# %% [markdown]
# `epsilon` has the shape `(batch, 1, 1, 1)`: one number **per image**. With one per pixel the points
# would not lie on the line between a real and a generated image.
#
# This is Algorithm 1 of Gulrajani et al., in words:
#
# > repeat:
# > 1. $n_\text{critic}$ times:
# >    1. take real images $x$, latents $z$ and numbers $\epsilon$; $\tilde x = G(z)$, $\hat x = \epsilon x + (1 - \epsilon) \tilde x$
# >    2. $L = D(\tilde x) - D(x) + \lambda (\|\nabla_{\hat x} D(\hat x)\|_2 - 1)^2$, mean over the mini-batch
# >    3. a step of Adam on the critic's weights down $L$
# > 2. take latents $z$; a step of Adam on the generator's weights down $-D(G(z))$, mean over the mini-batch
#
# In plain TensorFlow it looks like this:


# %%
def plain_critic_update(generator, critic, adam, real, penalty_weight=10.0):
    latents = tf.random.normal((len(real), generator.input_shape[-1]))
    epsilon = tf.random.uniform((len(real), 1, 1, 1))
    generated = generator(latents, training=True)
    with tf.GradientTape() as tape:
        unregularized = objective.unregularized_critic_loss(critic(real), critic(generated))
        penalty = plain_gradient_penalty(critic, real, generated, epsilon)
        loss = unregularized + penalty_weight * penalty
    gradients = tape.gradient(loss, critic.trainable_variables)
    adam.apply(gradients, critic.trainable_variables)
    return -unregularized  # the gap by which real images score higher


def plain_training_step(generator, critic, critic_adam, generator_adam, batches):
    for real in tf.unstack(batches, axis=1):  # n_critic mini-batches
        gap = plain_critic_update(generator, critic, critic_adam, real)
    latents = tf.random.normal((len(real), generator.input_shape[-1]))
    with tf.GradientTape() as tape:
        generated = generator(latents, training=True)
        loss = objective.generator_loss(critic(generated))
    gradients = tape.gradient(loss, generator.trainable_variables)
    generator_adam.apply(gradients, generator.trainable_variables)
    return gap


# %% [markdown]
# - There are **two tapes** in the critic's update. The outer one, above, is for the weights; the
#   inner one, within the penalty, is for the images. The outer tape sees the inner one work, so the
#   penalty is differentiated *through* the gradient. This is the second derivative.
# - The generated images are made outside the tape, because the generator is fixed while the critic
#   learns.
# - In the last lines the gradient goes through the critic to the generator's weights. Only those
#   weights are changed.
#
# Now we run twenty such iterations with the two networks of section 4, which have learned nothing
# yet:

# %%
critic_adam, generator_adam = adam_for(critic), adam_for(generator)
step = tf.function(plain_training_step)
gaps = [
    float(step(generator, critic, critic_adam, generator_adam, batches))
    for batches in wgan_gp.make_dataset(images, config).take(20)
]
print(f"the gap: {gaps[0]:.2f} in the first iteration, {max(gaps):.2f} at its widest")
assert max(gaps) > gaps[0]

# %% [markdown]
# The gap shoots up, because it is easy to tell flowers from what an untrained generator makes. It
# comes down once the generator follows; in the training below, this happens within the first 40
# iterations.
#
# The package does the same within `fit`. `WGANGP` is a `keras.Model` with a `train_step` of its
# own:

# %%
show_source(
    WGANGP.train_step,
    WGANGP._update_critic,
    WGANGP._critic_gradients,
    WGANGP._critic_losses,
    WGANGP._update_generator,
)

# %% [markdown]
# It is the same algorithm. On a first reading, skip `replicas` (several devices), `scale_loss`
# (half precision), `_with_penalty_if_due` (which can leave the penalty out of some updates), and
# `_critic_inputs` with its `shift_seed` (which hands the images on as they are; the other case is
# at the end of section 8). The names of the other small functions say what they do: a loop, random
# numbers, notes for the curve. Two additions matter:
#
# - All random numbers follow from the seed and the iteration (`stream_seed`), so a run that was
#   stopped and resumed ends with the same bits.
# - After each iteration an **averaged generator** is updated. Each of its weights is an
#   *exponential moving average* (EMA) of the generator's weight over time. The average fluctuates
#   less, so its pictures are better.
#
# | | here | Algorithm 1 |
# | --- | --- | --- |
# | penalty weight λ | 10 | 10 |
# | critic updates $n_\text{critic}$ | 2 | 5 |
# | mini-batch | 32 | any |
# | learning rates | 1e-3, falling to 5% over the second half | 1e-4 |
# | Adam's β₁, β₂ | 0, 0.9 | 0, 0.9 |
#
# Fewer critic updates and smaller mini-batches fit more generator iterations into the same minutes,
# and larger steps make more of each. [docs/quality.md](../docs/quality.md) has these changes
# measured together. Falling rates brought nothing in runs of six minutes; in longer runs they were
# not measured separately.

# %% cellView="form" jupyter={"source_hidden": true}
# @title The table's check
assert (config.gradient_penalty_weight, config.n_critic, config.batch_size) == (10, 2, 32)
assert config.critic_learning_rate == config.generator_learning_rate == 1e-3
assert (config.beta_1, config.beta_2, config.final_learning_rate) == (0, 0.9, 0.05)

# %% [markdown]
# ## 6 Training
#
# The stream has no end. So an *epoch* is not a pass over the images but a chosen number of
# generator iterations, here 20; the history keeps their means. Four callbacks watch:
#
# - `Quality` measures the distance to the held-out images, at iteration 1 and then every 100
#   iterations.
# - `Monitor` draws the figure below, 15 times in all.
# - `HistoryFile` writes each epoch's numbers to a file.
# - `Checkpoint` comes last. It saves everything needed to continue training, including what the
#   three others remember, so it is given them, too.

# %%
RUN = RunFolder.create_numbered(Path("runs"), "notebook").path  # a new folder for the results
model = wgan_gp.build_model(config)  # WGANGP(generator, critic, ...), compiled with two Adams
quality = Quality(held_out, every=100)
monitor = Monitor(RUN, every=ITERATIONS // 14, seed=config.seed, quality=quality)
history_file = HistoryFile(RUN / "history.csv")
checkpoint = Checkpoint(
    RUN / "checkpoints", every="epoch", callbacks=[quality, monitor, history_file]
)
history = model.fit(
    wgan_gp.make_dataset(images, config),
    epochs=ITERATIONS // 20,
    steps_per_epoch=20,
    callbacks=[quality, monitor, history_file, checkpoint],
    verbose=0,  # the monitor shows how it goes
)

# %% [markdown]
# **How to read the curves.** Blue is the critic's loss with the penalty, orange without. Below them
# is the *sliced Wasserstein distance* (SWD) between generated images and images that training never
# sees. It is computed in four steps:
#
# 1. Each image is taken apart into fine detail, coarser detail and layout, and small patches are
#    cut from each.
# 2. The patches of each set are brought to the same brightness and contrast, so that these do not
#    count.
# 3. The patches are projected onto many random directions.
# 4. Along each direction the one-dimensional distance is taken, as in section 1. The mean of these
#    distances, times 1,000, is the SWD.
#
# Lower is better. Even real images are not at 0; the next cell prints how far apart they are. The
# critic has no part in the SWD, so do not compare it with the loss.
#
# - *Why is the loss negative?* It is $\mathbb E\,D(\tilde x) - \mathbb E\,D(x)$ plus the penalty,
#   and the critic scores real images higher. **Minus the orange curve is the gap.** It would be the
#   Wasserstein distance if this critic were the best of all that are nowhere steeper than 1. It is
#   far from that ([Stanczuk et al. 2021](https://arxiv.org/abs/2103.01678)).
# - *Should the gap not narrow, as the distance did in section 1?* The best critic's would. This one
#   is still learning, and where it improves faster than the generator, the gap widens. On the
#   synthetic flowers the gap ends wider than it was at iteration 200. In the run behind the first
#   pictures above (on photographs; the gap is the mean over the four critics of section 8) it falls
#   early by almost half and then stays there. The pictures improve in both runs, as the SWD says.
# - *So what is the gap good for?* Not for ranking pictures. Arjovsky et al. are often cited for
#   finding that their critic's loss follows the quality of the pictures, but their critic was
#   trained closer to its best. What the gap can show is trouble: a running mean that jumps or runs
#   away after the first hundred iterations. (The pictures and the SWD are the averaged generator's.
#   The curves are those of the generator that the critic sees.)
# - *What lies between the curves?* λ times the penalty. On the synthetic flowers it is more than a
#   third of the size of the blue curve at iteration 100, and a seventh in the end; the slopes are
#   near 1. Where the gap is small, λ times the penalty can exceed it, and blue rises above 0.

# %% cellView="form" jupyter={"source_hidden": true}
# @title The numbers in the text
iterations = 20 * np.arange(1, len(history.epoch) + 1)
gap = -np.array(history.history["critic_loss_unregularized"])
early, swd = 9, history.history["val_swd"]  # the tenth epoch ends at iteration 200
print(f"SWD at iteration 200: {swd[early]:.0f}, in the end: {swd[-1]:.0f}; ", end="")
print(f"the gap then: {gap[early]:.1f}, in the end: {gap[-1]:.1f}")
assert swd[-1] < swd[early]
assert not QUICK or gap[-1] > gap[early]

training = training_indices(images, config)  # real images on both sides are the yardstick
others = images[training[:: len(training) // len(quality.images)][: len(quality.images)]]
yardstick = SlicedWasserstein(quality.images)(others)["mean"]
print(f"SWD of as many training images to the same held-out ones: {yardstick:.0f}")

share = -config.gradient_penalty_weight * np.array(history.history["gradient_penalty"])
share /= history.history["critic_loss"]
print(f"λ times the penalty is {share[4]:.2f} of the loss at iteration 100,", end=" ")
print(f"{share[-1]:.2f} in the end")
assert not QUICK or 0.1 < share[-1] < share[4] < 0.5

packaged_history = np.genfromtxt(pretrained_run("flowers").history, delimiter=",", names=True)
packaged_gap = -packaged_history["critic_loss_unregularized"]
second_quarter = packaged_gap[len(packaged_gap) // 4 : len(packaged_gap) // 2].mean()
print(f"the packaged run's gap at iteration 200: {packaged_gap[early]:.1f},", end=" ")
print(f"in the second quarter: {second_quarter:.1f}, in the end: {packaged_gap[-1]:.1f}")
assert max(second_quarter, packaged_gap[-1]) < 0.6 * packaged_gap[early]

# %% [markdown]
# **A bargain.** Why are the slopes close to 1, and not exactly 1? Let $d$ be the gap that the
# critic would find with slope 1. Made $s$ times as steep, it finds the gap $s\,d$ and pays
# $\lambda (s - 1)^2$. What is left, $s\,d - \lambda (s - 1)^2$, is largest where its derivative
# $d - 2 \lambda (s - 1)$ is 0. This is at
#
# $$s = 1 + \frac{d}{2\lambda}$$
#
# This can be checked. The gap of the trained critic is $s\,d$ and its gradient norm is $s$, so the
# gap divided by the norm is $d$.
#
# The argument assumes one slope everywhere. In fact slopes scatter, with a mean $m$ and a variance
# $v$, and the gap is $m\,d$. Scaling all slopes by $t$ would leave
# $t\,m\,d - \lambda\,(t^2 (v + m^2) - 2\,t\,m + 1)$. A critic that has settled gains nothing by
# being steeper or flatter, so the derivative at $t = 1$ is 0. This gives
# $m\,d = 2 \lambda\,(v + m^2 - m)$, and so
#
# $$m = 1 + \frac{d}{2\lambda} - \frac{v}{m}$$
#
# The variance is known, since the logged penalty is $v + (m - 1)^2$.

# %%
norm = np.array(history.history["gradient_norm"])  # m
gap = -np.array(history.history["critic_loss_unregularized"])  # m d
scatter = np.array(history.history["gradient_penalty"]) - (norm - 1) ** 2  # v
bargain = 1 + gap / norm / (2 * config.gradient_penalty_weight)  # 1 + d / (2λ)
later = slice(len(norm) // 4, None)
off = np.abs(bargain - norm)[later]
unexplained = np.abs(bargain - scatter / norm - norm)[later]
print(f"after the first quarter, norm and 1 + d / (2λ) differ by {off.max():.3f} at most,", end=" ")
print(f"{off.mean():.3f} on average; with the scatter, by {unexplained.mean():.3f}")
assert off.max() < 0.1 and unexplained.mean() < off.mean()

# %% cellView="form" jupyter={"source_hidden": true}
# @title The figure's code
figure, axes = plt.subplots(1, 2, figsize=(9, 3.2))
axes[0].plot(iterations, norm, color=BLUE, label="measured, m")
axes[0].plot(iterations, bargain, "--", color=GREEN, label="1 + d / (2λ)")
scattered = bargain - scatter / norm
axes[0].plot(iterations, scattered, ":", color=ORANGE, linewidth=2.5, label="1 + d / (2λ) − v / m")
axes[0].axhline(1, color="black", linewidth=0.8)
axes[0].set(title="Mean gradient norm")
axes[0].legend()
axes[1].plot(iterations, gap, color=ORANGE)
axes[1].set(title="The gap", ylim=(0, None))
for ax in axes:
    ax.set_xlabel("Generator iteration")
    ax.grid(alpha=0.3)
show(figure, "The measured gradient norm lies a little below 1 + d / (2λ), and on it less v / m")

# %% [markdown]
# *The dashed line is a little above the measured one. The dotted line, with $v / m$ taken off, lies
# on the measured one once the critic has settled. After the first quarter they differ on average by
# the last number printed above.*
#
# **The gap is not the Wasserstein distance.** Freeze a copy of the generator, and let a copy of the
# critic go on learning with the plain update above. The pictures do not change, but the gap does:

# %%
frozen, judge = (keras.models.clone_model(network) for network in (model.generator, model.critic))
frozen.set_weights(model.generator.get_weights())
judge.set_weights(model.critic.get_weights())
adam = adam_for(judge, 2e-4)
update = tf.function(plain_critic_update)
stream = iter(wgan_gp.make_dataset(images, config, start_iteration=ITERATIONS))
gaps = []
for _ in range(FROZEN_UPDATES // config.n_critic):
    batches = next(stream)
    gaps += [float(update(frozen, judge, adam, batches[:, i])) for i in range(config.n_critic)]
smooth = np.reshape(gaps, (-1, 10)).mean(axis=1)
print(f"while both learned: {gap[-1]:.1f}; in the end: {smooth[-5:].mean():.1f}")
assert smooth[-5:].mean() > 1.1 * gap[-1]

# %% cellView="form" jupyter={"source_hidden": true}
# @title The figure's code
figure, ax = plt.subplots(figsize=(6, 3))
ax.plot(10 * np.arange(1, len(smooth) + 1), smooth, color=ORANGE)
ax.axhline(gap[-1], color="black", linestyle=":", label="while both learned")
ax.set(xlabel="Critic update, generator frozen", title="The gap", ylim=(0, None))
ax.legend()
show(figure, "With the generator frozen, the gap rises above the dotted line")

# %% [markdown]
# *The curve ends above the dotted line, though the pictures stay the same. So the gap depends on
# the critic's training, not on the pictures alone. (The copy learns at 2e-4, four times the rate
# that the critic ended with.) Even the best critic's gap would not be the distance: its slopes are
# not held to 1 exactly, nor everywhere.*
#
# The same 25 latents, at three moments of training:

# %%
tiles = RunFolder(RUN).tiles()
moments = [list(tiles)[i] for i in (1, 4, -1)]
show_pictures(
    [(f"Iteration {i}", plt.imread(tiles[i])) for i in moments],
    "25 generated images at three moments, more and more like flowers",
)

# %% [markdown]
# ## 7 New images
#
# New latents, new flowers:

# %%
new_flowers = model.generate(25, seed=1)
show_pictures(
    [("25 new images", wgan_gp.image_grid(new_flowers))], "25 new generated flowers", height=5
)

# %% [markdown]
# **A walk.** Neighbouring latents give similar images, so you can walk from flower to flower. The
# way leads along the sphere (*slerp*, spherical linear interpolation), not straight through it: 100
# standard-normal numbers have a length close to 10, and the generator has seen nothing of the
# inside. Is that worth the trouble? Both rows below lead from one latent to the same other one, the
# upper row along the sphere, the lower row straight:

# %%
a, b = np.random.default_rng(3).standard_normal((2, config.latent_dim)).astype("float32")
places = np.linspace(0, 1, 9, dtype="float32")
ways = {
    "along the sphere": np.stack([interpolate(a, b, t) for t in places]),
    "straight": np.stack([(1 - t) * a + t * b for t in places]),
}
rows = [np.concatenate(list(to_uint8(model(way)).numpy()), axis=1) for way in ways.values()]
lengths = {name: np.linalg.norm(way, axis=1) for name, way in ways.items()}
for name, length in lengths.items():
    print(f"{name:17} length {length[0]:.1f}, in the middle {length[4]:.1f}")
assert lengths["straight"][4] < 0.8 * lengths["along the sphere"][4]

# %% cellView="form" jupyter={"source_hidden": true}
# @title The figure's code
figure, ax = plt.subplots(figsize=(9, 2.4))
ax.imshow(np.concatenate(rows))
ax.set(xticks=[], yticks=[config.image_size * k for k in (0.5, 1.5)], yticklabels=list(ways))
show(figure, "Two rows of nine flowers that change from one into another")

# %% [markdown]
# Halfway along the straight line the latent is 30% shorter, a length that random latents hardly
# ever have. Yet the pictures look much the same: this generator copes. Not every generator does,
# and the sphere costs nothing.
#
# **Does it draw all kinds?** Photographs do not say how many kinds there are. The synthetic flowers
# do, so this check is for `QUICK` only. They have seven colours, equally often, and mostly show one
# flower, sometimes two or three. A small classifier counts these in 500 new images. It has only
# seen clean drawings, and must name a kind even for a smear.
#
# The number below is the share of images that would have to be of another kind for all shares to be
# right. By chance, even 500 perfect images have some 4% (colours) and 2% (numbers of flowers).

# %%
if QUICK:
    kinds = FlowerModes()(model.generate(500, seed=3))
    for name, (shares, true_shares, off, _) in kinds.items():
        rarest = min(shares, key=lambda kind: shares[kind] / true_shares[kind])
        print(f"{name}: {off:.0%} would have to be of another kind; least covered is", end=" ")
        print(f"'{rarest}', {shares[rarest]:.0%} instead of {true_shares[rarest]:.0%}")
        assert shares[rarest] > 0

# %% cellView="form" jupyter={"source_hidden": true}
# @title The figure's code
if QUICK:
    figure, axes = plt.subplots(1, 2, figsize=(9, 3), width_ratios=(7, 3))
    for ax, (name, modes) in zip(axes, kinds.items(), strict=True):
        place = np.arange(len(modes.shares))
        ax.bar(place - 0.2, modes.true_shares.values(), 0.4, color=GREEN, label="true share")
        ax.bar(place + 0.2, modes.shares.values(), 0.4, color=ORANGE, label="generated")
        ax.set_xticks(place, list(modes.shares), rotation=30)
        ax.set_title({"colour": "Colour", "flowers": "Number of flowers"}[name])
    axes[0].set_ylabel("Share of images")
    axes[1].legend()
    show(figure, "Shares of colours and of numbers of flowers, generated beside true ones")

# %% [markdown]
# No kind is missing, but the shares are further off than they would be by chance: the generator
# makes too many of some kinds and too few of others. The lines above name the kinds that it covers
# least.
#
# **Is it copying?** For each new image we look for the most similar real image, among the held-out
# images and the mirror images as well. The most similar one has the smallest root mean square
# difference of pixels.


# %%
def nearest(picture, others):
    """The number of the nearest of `others`, and how far it is, of 0..255."""
    differences = others.astype("float32") - picture
    distances = np.sqrt(np.mean(differences**2, axis=(1, 2, 3)))
    return int(distances.argmin()), float(distances.min())


new = model.generate(6, seed=2)
real = np.concatenate([images, images[:, :, ::-1]])
neighbours = [nearest(picture, real) for picture in new]
among_real = [
    nearest(images[i], np.delete(real, [i, i + len(images)], axis=0))[1] for i in shown[:6]
]
print(f"A real image's nearest neighbour is {np.mean(among_real):.0f} away on average.")

# %% cellView="form" jupyter={"source_hidden": true}
# @title The figure's code
pictures = {
    "New images": new,
    "The nearest real images, and their distance": real[[number for number, _ in neighbours]],
}
figure, axes = plt.subplots(2, 1, figsize=(9, 3.9))
for ax, (title, row) in zip(axes, pictures.items(), strict=True):
    ax.imshow(np.concatenate(list(row), axis=1))
    ax.set(title=title, xticks=[], yticks=[])
places = np.arange(6) * config.image_size + config.image_size / 2
axes[1].set_xticks(places, [f"{distance:.0f}" for _, distance in neighbours])
show(figure, "Six new images above their nearest real images, which are other flowers")

# %% [markdown]
# Where the nearest image shares a background or a colour but not the flower, it is no sign of
# copying. Six images and a distance of pixels cannot rule copying out. A distance far below that
# among the real images would be a warning.
#
# ## 8 What an ingredient brings
#
# We train three more times on the same images, for 120 iterations each (600 without `QUICK`):
#
# - with this recipe;
# - with a **sigmoid** on the score, as the MathWorks example has it;
# - with that example's **transposed convolutions**, which have a kernel of 5 (and are one layer
#   fewer).

# %%
VARIANTS = {
    "this recipe": {},
    "sigmoid": {"critic_activation": "sigmoid"},
    "transposed": {"upsampling": "transposed"},
}
compared, curves, grids, distances = [], {}, {}, {}
distance_to_held_out = SlicedWasserstein(quality.images)
short = dataclasses.replace(config, iterations=COMPARED_ITERATIONS)
for name, settings in VARIANTS.items():
    other = wgan_gp.build_model(dataclasses.replace(short, **settings))
    log = other.fit(
        wgan_gp.make_dataset(images, short),
        epochs=COMPARED_ITERATIONS // 4,
        steps_per_epoch=4,
        verbose=0,
    )
    made = other.generate(256)
    compared.append((name, wgan_gp.image_grid(made[:4])))
    curves[name] = log.history
    grids[name] = grid_power_share(made)
    distances[name] = distance_to_held_out(made[: len(quality.images)])["mean"]
print("SWD:", ", ".join(f"{name} {distance:.0f}" for name, distance in distances.items()))
print("power in a grid of two pixels:")
for name, share in {**grids, "real images": grid_power_share(images)}.items():
    print(f"  {name:16}{share:.5f}")
assert grids["transposed"] > grids["this recipe"]

# %% cellView="form" jupyter={"source_hidden": true}
# @title The figure's code
show_pictures(
    compared, "Four images each: this recipe, with a sigmoid, with transposed convolutions"
)

figure, axes = plt.subplots(1, 2, figsize=(9, 3))
for name, colour in zip(("this recipe", "sigmoid"), (BLUE, ORANGE), strict=True):
    iteration = 4 * np.arange(1, len(curves[name]["gradient_norm"]) + 1)
    axes[0].plot(iteration, curves[name]["gradient_norm"], color=colour, label=name)
    axes[1].plot(iteration, curves[name]["gradient_penalty"], color=colour, label=name)
axes[0].set(title="Mean gradient norm", ylim=(0, 1.6))
axes[1].set(title="Gradient penalty", yscale="log")
for ax in axes:
    ax.set_xlabel("Generator iteration")
    ax.grid(alpha=0.3)
axes[0].legend()
show(figure, "With a sigmoid the gradient norm climbs to 1 only, and the penalty falls further")

# %% [markdown]
# With a score within 0..1 the critic gains at most 1 by telling images apart, while a flat critic,
# of slope 0, pays λ · (0 − 1)² = 10. So the critic first makes its slopes 1, as the left figure
# shows. Nothing makes the slopes point to the other images, and the sigmoid's pictures are far
# behind.
#
# In longer runs on photographs, both with the example's transposed convolutions, the sigmoid needed
# three times as long and more for the same SWD. Then it caught up, and even ended lower, because
# its pictures had less of those convolutions' grid. To the eye, at an eighth and a quarter of the
# example's filters, its pictures stayed colour and light ([docs/matlab.md](../docs/matlab.md)).
#
# The transposed convolutions print their **grid**. After so few iterations their shapes are no worse
# than this recipe's, so look at the texture. In their pictures a pattern of two pixels has 17
# times the share of the power (squared contrast) that it has in the synthetic flowers, where it
# comes from sharp edges. This recipe's pictures have far less of it than even the synthetic
# flowers: they are smoother than what the generator learns from.
#
# The table in [docs/quality.md](../docs/quality.md) shows what every other ingredient brings on
# photographs, each with its picture. The first five tips below are sorted by how much each lowered
# the SWD there. Only the bilinear step did not lower it; it removed the grid. The other tips were
# not measured there. ($\beta_1$ was measured
# [elsewhere](../docs/tried.md#many-recipes-at-once-on-a-gpu): with 0.5 the SWD more than doubled.)
#
# | Tip | Reason |
# | --- | --- |
# | Leave the score linear | A squashed one learns at a fraction of the speed |
# | Batch norm in the generator | Colours and shapes within minutes; never in the critic |
# | Upsample, then convolve; the last time bilinear | No grid |
# | Fewer critic updates, larger steps: 2 updates, mini-batches of 32, rates 1e-3 | Four times the generator iterations in the same time |
# | Draw with averaged weights | The generator's weights swing, their average less so |
# | Adam with β₁ = 0 | Momentum keeps following old gradients, though the other network has changed since |
# | Look at the same latents over time | You see the network change, not the luck of the draw |
# | Judge by many pictures and a measurement | The loss may rise or fall while the pictures get better |
#
# **Must the critic begin with pixels?** Another network already knows much of what the critic has
# to learn about photographs. EfficientNet-Lite0, which was trained on ImageNet, is one. As in
# [Projected GANs](https://arxiv.org/abs/2111.01007), let four critics stand side by side,
#
# $$D_k(f_k(x)), \qquad k = 0, \dots, 3,$$
#
# where $f_0(x) = x$ are the pixels, and $f_1$ to $f_3$ are what three stages of that network make
# of the image. The network stays as it is. Each critic has a gradient penalty of its own, on the
# lines between $f_k(x)$ and $f_k(\tilde x)$, and so a gap of its own. The losses are the means over
# the four. The generator has to narrow all four gaps, and its gradient comes through the network.
# (In training, all images of an update, real and generated, are first moved by the same random
# shift of a few pixels. Otherwise the network's strides leave more of a grid.)
#
# The setting for this is `critic_features="efficientnet-lite0"`, and the flowers at the top were
# made with it. With a critic of pixels alone it takes longer until anything looks like a flower,
# and [more kinds of photographs](../docs/quality.md#a-critic-that-looks-through-a-trained-network)
# are left out.
#
# ## 9 Keeping it, and your own images
#
# While the model trained, `Checkpoint` saved everything needed to continue. We take a *new* model,
# restore it, train both models for five more iterations, and compare every weight:

# %%
resumed = wgan_gp.build_model(config)
done = Checkpoint(RUN / "checkpoints").restore(resumed)
for one in (model, resumed):
    one.fit(
        wgan_gp.make_dataset(images, config, start_iteration=done),
        steps_per_epoch=5,
        verbose=0,
    )
equal = all(
    np.array_equal(a, b) for a, b in zip(model.get_weights(), resumed.get_weights(), strict=True)
)
print(f"restored at iteration {done}; five iterations later, equal to the last bit: {equal}")
assert equal

# %% [markdown]
# To hand the generator to others, export it as a SavedModel, which needs nothing but TensorFlow.
# Here is another process that may not import Keras or this package:

# %%
model.save(RUN / "model.keras")  # the whole model, to train on
wgan_gp.export_saved_model(model.drawing_generator, RUN / "saved_model")

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
# **With your own images**, one line does all of this and keeps the results in a folder. (In a
# terminal it is `wgan-gp train --preset flowers --data MY_PHOTOS`.)
#
# ```python
# model = wgan_gp.train(Config.preset("flowers"), "MY_PHOTOS", "runs/mine")
# ```
#
# A few thousand images are good; a few hundred are too few for good results. They should all show
# one kind of thing. The [README](../README.md) says how long each preset takes, and how to stop and
# resume. If you come from the MathWorks example, you will find its functions again in
# [docs/matlab.md](../docs/matlab.md).
#
# | Symptom | Likely cause |
# | --- | --- |
# | The critic's loss falls without end | No penalty, or it is not differentiated: is it within the tape? |
# | The penalty all but vanishes, the pictures stay noise or grey | A sigmoid on the score, or λ far too large |
# | All pictures alike | Generator far ahead: more critic updates, a lower generator learning rate |
# | Good at first, then noise | Learning rates too high for a long run |
# | `nan` | Learning rates too high; or a root of 0 in the norm: keep the 1e-10 inside it |
# | A grid of two pixels | Transposed convolutions whose stride does not divide the kernel: upsample, then convolve |
#
# ## Conclusion
#
# The Wasserstein distance has a slope wherever the distributions are. The gradient penalty keeps
# the critic's slope near 1, so that it reaches the generator. The critic's gap is no measure of
# quality, so measure quality on held-out images. Apart from the loss, what mattered were a linear
# score, a critic without batch norm, and upsampling before convolving. Next, train on images of
# your own (section 9), or with a critic of features (section 8).
#
# ## Exercises
#
# 1. **Epsilon.** `gradient_penalty` refuses an `epsilon` with one value *per number* of an image.
#    When the notebook has run, go back to `train_on_ring`, put `plain_gradient_penalty` in its place
#    and draw epsilons of the shape `(256, 1, 1, 2)`. In the check of the linear critic, draw
#    epsilons of the shape `(16, 8, 8, 3)`, and take out what concerns `penalty`: the line that
#    computes it, the line that prints it, and its name in the `assert`. Does anything change?
# 2. **One-sided.** The penalty could ask for a slope of *at most* 1: $\max(0, \|\nabla D\| - 1)^2$.
#    Write it with `objective.gradient_norms`, and try it on the ring.
# 3. **The bargain.** Predict the gradient norm for λ = 1, with $d$ = `gap[-1] / norm[-1]` of the
#    run above. Then train for 100 iterations with `dataclasses.replace(config, iterations=100,
#    gradient_penalty_weight=1)`, predict the norm again from that run's $d$, and compare both
#    predictions with the measured norm.
#
# <details><summary>Solutions</summary>
#
# 1. The check of the linear critic does not change: its slope is the same at every point. On the
#    ring the points then lie anywhere in the rectangle that a real and a generated point span; with
#    two coordinates little changes. With 12,288 numbers it matters: such points are noise mixed
#    from two images, and the slope is watched where no image lies.
# 2. `tf.reduce_mean(tf.square(tf.maximum(norms - 1, 0)))` with
#    `norms = objective.gradient_norms(critic, real, generated, epsilon)`. Gulrajani et al. found
#    the two-sided penalty better, but not significantly: two sides won 100 of their trials, one
#    side 77 (their appendix C).
# 3. The prediction is $1 + d/2$. With a $d$ of 3 to 4, as on the synthetic flowers, this is a slope
#    of 2.5 to 3. Nothing in the argument needs a large λ, so the measured norm should follow the
#    prediction again. It should lie below the prediction by $v / m$, which need not be small with
#    so weak a penalty.
#
# </details>
#
# ## References
#
# - I. Goodfellow et al.: *Generative Adversarial Networks*, [arXiv:1406.2661](https://arxiv.org/abs/1406.2661)
# - M. Arjovsky, S. Chintala, L. Bottou: *Wasserstein GAN*, [arXiv:1701.07875](https://arxiv.org/abs/1701.07875)
# - M. Arjovsky, L. Bottou: *Towards Principled Methods for Training Generative Adversarial Networks*,
#   [arXiv:1701.04862](https://arxiv.org/abs/1701.04862)
# - I. Gulrajani et al.: *Improved Training of Wasserstein GANs*, [arXiv:1704.00028](https://arxiv.org/abs/1704.00028)
# - J. Stanczuk et al.: *Wasserstein GANs Work Because They Fail (to Approximate the Wasserstein Distance)*,
#   [arXiv:2103.01678](https://arxiv.org/abs/2103.01678)
# - T. Karras et al.: *Progressive Growing of GANs for Improved Quality, Stability, and Variation* (section 5: SWD),
#   [arXiv:1710.10196](https://arxiv.org/abs/1710.10196)
# - A. Sauer et al.: *Projected GANs Converge Faster*, [arXiv:2111.01007](https://arxiv.org/abs/2111.01007)
# - A. Odena, V. Dumoulin, C. Olah: [*Deconvolution and Checkerboard Artifacts*](https://distill.pub/2016/deconv-checkerboard/), 2016
# - MathWorks: [*Train Wasserstein GAN with Gradient Penalty (WGAN-GP)*](https://www.mathworks.com/help/deeplearning/ug/trainwasserstein-gan-with-gradient-penalty-wgan-gp.html)
