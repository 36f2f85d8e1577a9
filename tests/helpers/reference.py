"""WGAN-GP once more, in float64 NumPy: the oracle of the training step.

Written from the papers alone, with derivatives by `autograd`; nothing of Keras or TensorFlow. A
network is the list of its layers' weights in order, images are `(batch, height, width, channels)`.
"""

import autograd.numpy as np
from autograd import elementwise_grad, grad

IMAGE, PIXEL = (1, 2, 3), (3,)  # what the critic's layer norm is over


def critic(weights, images, norm_over=IMAGE):
    """Convolution blocks, then a 4x4 convolution to one linear score an image."""
    weights = list(weights)
    x, is_first = images, True
    while x.shape[1] > 4:
        x = conv_stride_2(x, weights.pop(0), weights.pop(0))
        if not is_first:
            x = layer_norm(x, weights.pop(0), weights.pop(0), norm_over)
        x = np.where(x > 0, x, 0.2 * x)
        is_first = False
    kernel, bias = weights  # (4, 4, channels, 1)
    return np.tensordot(x, kernel, axes=([1, 2, 3], [0, 1, 2])) + bias


def generator(weights, latents):
    """A dense layer, a valid transposed convolution, then ones that double."""
    weights = list(weights)
    x = np.dot(latents, weights.pop(0)) + weights.pop(0)
    x = x.reshape(len(latents), 4, 4, -1)
    x = conv_transpose(x, weights.pop(0), weights.pop(0), stride=1, crop=(0, 0))
    while weights:
        x = np.maximum(x, 0)
        x = conv_transpose(x, weights.pop(0), weights.pop(0), stride=2, crop=(1, 2))
    return np.tanh(x)


def upsampling_generator(weights, latents):
    """A dense layer, blocks of upsampling, convolution and batch norm, and a last convolution."""
    x, _ = upsampling_blocks(weights, latents)
    return np.tanh(conv_3(x, *weights[-2:]))


def upsampling_blocks(weights, latents):
    """What the last convolution gets, and mean and variance before each batch norm."""
    moments = []
    x = np.dot(latents, weights[0]) + weights[1]
    x = x.reshape(len(latents), 4, 4, -1)
    blocks = list(zip(*(weights[i:-2:3] for i in range(2, 5)), strict=True))
    for number, (kernel, scale, offset) in enumerate(blocks, start=1):
        doubled = mixed if number == len(blocks) else repeated
        x = conv_3(doubled(doubled(x, axis=1), axis=2), kernel, 0.0)
        mean, variance = batch_moments(x)
        moments += [mean, variance]
        x = np.maximum((x - mean) / np.sqrt(variance + 1e-3) * scale + offset, 0)
    return x, moments


def repeated(x, axis):
    return np.repeat(x, 2, axis)


def mixed(x, axis):
    """Bilinear: each new pixel is 3/4 of the old one that it lies in and 1/4 of that one's next."""
    x = np.moveaxis(x, axis, 0)
    before = np.concatenate([x[:1], x[:-1]])
    after = np.concatenate([x[1:], x[-1:]])
    both = np.stack([0.75 * x + 0.25 * before, 0.75 * x + 0.25 * after], axis=1)
    return np.moveaxis(both.reshape(2 * x.shape[0], *x.shape[1:]), 0, axis)


def batch_moments(x):
    mean = np.mean(x, axis=(0, 1, 2))
    return mean, np.mean((x - mean) ** 2, axis=(0, 1, 2))


def critic_loss(weights, real_images, generated_images, epsilon, penalty_weight, norm_over=IMAGE):
    mixed = epsilon * real_images + (1 - epsilon) * generated_images
    gradients = elementwise_grad(critic, 1)(weights, mixed, norm_over)
    norms = np.sqrt(np.sum(gradients**2, axis=(1, 2, 3)) + 1e-10)
    unregularized = np.mean(critic(weights, generated_images, norm_over)) - np.mean(
        critic(weights, real_images, norm_over)
    )
    return unregularized + penalty_weight * np.mean((norms - 1) ** 2)


def generator_loss(weights, critic_weights, latents, generator=generator, norm_over=IMAGE):
    return -np.mean(critic(critic_weights, generator(weights, latents), norm_over))


critic_gradient = grad(critic_loss)
generator_gradient = grad(generator_loss)


class Adam:
    """Kingma and Ba (arXiv:1412.6980), algorithm 1 in the faster form at the end of section 2.

    The learning rate is a function of the updates done.
    """

    def __init__(self, learning_rate, beta_1, beta_2, epsilon):
        self.learning_rate, self.betas, self.epsilon = learning_rate, (beta_1, beta_2), epsilon
        self.step, self.moments = 0, None

    def update(self, weights, gradients):
        rate = self.learning_rate(self.step)
        (b1, b2), self.step = self.betas, self.step + 1
        if self.moments is None:
            self.moments = [(0 * w, 0 * w) for w in weights]
        self.moments = [
            (b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2)
            for (m, v), g in zip(self.moments, gradients, strict=True)
        ]
        rate = rate * np.sqrt(1 - b2**self.step) / (1 - b1**self.step)
        return [
            w - rate * m / (np.sqrt(v) + self.epsilon)
            for w, (m, v) in zip(weights, self.moments, strict=True)
        ]


def conv_stride_2(x, kernel, bias):
    """5x5 or 4x4, stride 2, output half the size: one row is added before, two or one after."""
    size, width = x.shape[1] // 2, len(kernel)
    padding = (1, width - 3)
    x = np.pad(x, ((0, 0), padding, padding, (0, 0)), "constant")
    taps = (
        np.dot(x[:, i : i + 2 * size - 1 : 2, j : j + 2 * size - 1 : 2], kernel[i, j])
        for i in range(width)
        for j in range(width)
    )
    return sum(taps) + bias


def conv_3(x, kernel, bias):
    """3x3, stride 1, output of the same size."""
    size = x.shape[1]
    x = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), "constant")
    taps = (
        np.dot(x[:, i : i + size, j : j + size], kernel[i, j]) for i in range(3) for j in range(3)
    )
    return sum(taps) + bias


def conv_transpose(x, kernel, bias, stride, crop):
    """5x5: every input pixel adds the kernel `(5, 5, out, in)` to the output, then `crop`."""
    if stride == 2:
        x = interleave_zeros(interleave_zeros(x, 1), 2)
    taps = (
        np.pad(np.dot(x, kernel[i, j].T), ((0, 0), (i, 4 - i), (j, 4 - j), (0, 0)), "constant")
        for i in range(5)
        for j in range(5)
    )
    full = sum(taps)
    inner = slice(crop[0], full.shape[1] - crop[1])
    return full[:, inner, inner] + bias


def interleave_zeros(x, axis):
    """a b c -> a 0 b 0 c."""
    doubled = np.stack([x, 0 * x], axis=axis + 1)
    shape = [*x.shape]
    shape[axis] *= 2
    keep = [slice(None)] * x.ndim
    keep[axis] = slice(0, -1)
    return doubled.reshape(shape)[tuple(keep)]


def layer_norm(x, scale, offset, over):
    mean = np.mean(x, axis=over, keepdims=True)
    variance = np.mean((x - mean) ** 2, axis=over, keepdims=True)
    return (x - mean) / np.sqrt(variance + 1e-5) * scale + offset
