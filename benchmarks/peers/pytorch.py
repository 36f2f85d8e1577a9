"""The same iteration in PyTorch, eager, float32.

python benchmarks/peers/pytorch.py WORK contiguous|channels_last
"""

import sys
from itertools import pairwise

import numpy as np
import torch
from torch import nn
from work import Work, take_turns

from wgan_gp.config import Config


class PixelNorm(nn.LayerNorm):
    """Over each pixel's channels."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # (n, channels, height, width)
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ToImage(nn.Module):
    """Keras's order of a dense layer's outputs: channels last."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.reshape(len(x), 4, 4, -1).permute(0, 3, 1, 2).contiguous()


class DoublingTranspose(nn.ConvTranspose2d):
    """Keras's "same": one row is cut off before and two after."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__(channels_in, channels_out, 5, stride=2, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x)[:, :, :-1, :-1]


def critic(config: Config) -> nn.Sequential:
    widths = [3, *(config.base_filters * factor for factor in (1, 2, 4, 8))]
    modules = []
    for index, (before, after) in enumerate(pairwise(widths)):
        modules += halving(before, after, config.critic_kernel)
        if index > 0:
            over_image = config.critic_normalization == "image"
            modules.append(nn.GroupNorm(1, after) if over_image else PixelNorm(after, 1e-5))
        modules.append(nn.LeakyReLU(0.2))
    modules += [nn.Conv2d(widths[-1], 1, 4), nn.Flatten()]
    if config.critic_activation == "sigmoid":
        modules.append(nn.Sigmoid())
    return nn.Sequential(*modules)


def halving(before: int, after: int, kernel: int) -> list[nn.Module]:
    """Keras's "same": of an odd number of rows that are added the last goes after."""
    convolution = nn.Conv2d(before, after, kernel, stride=2, padding=kernel // 2 - 1)
    return [nn.ZeroPad2d((0, 1, 0, 1)), convolution] if kernel % 2 else [convolution]


def generator(config: Config) -> nn.Sequential:
    width = config.generator_width * config.base_filters
    widths = [width * factor for factor in (8, 4, 2, 1)]
    first = [nn.Linear(config.latent_dim, 16 * widths[0]), ToImage()]
    transposed = config.upsampling == "transposed"
    blocks = transposed_blocks(widths) if transposed else smoothed_blocks(widths)
    return nn.Sequential(*first, *blocks, nn.Tanh())


def transposed_blocks(widths: list[int]) -> list[nn.Module]:
    modules = [nn.ConvTranspose2d(widths[0], widths[1], 5)]
    for before, after in zip(widths[1:], [*widths[2:], 3], strict=True):
        modules += [nn.ReLU(), DoublingTranspose(before, after)]
    return modules


def smoothed_blocks(widths: list[int]) -> list[nn.Module]:
    widths, modules = [*widths, widths[-1] // 2], []
    for index, (before, after) in enumerate(pairwise(widths)):
        mode = "bilinear" if index == len(widths) - 2 else "nearest"
        modules += [
            nn.Upsample(scale_factor=2, mode=mode),
            nn.Conv2d(before, after, 3, padding=1, bias=False),
            nn.BatchNorm2d(after, eps=1e-3),
            nn.ReLU(),
        ]
    return [*modules, nn.Conv2d(widths[-1], 3, 3, padding=1)]


@torch.no_grad()
def set_weights(network: nn.Module, weights: list[np.ndarray]) -> None:
    """From Keras's layouts; the order of the weights is the same."""
    for parameter, value in zip(network.parameters(), weights, strict=True):
        # (height, width, in, out), transposed convolutions (height, width, out, in)
        axes = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}[value.ndim]
        parameter.copy_(torch.from_numpy(value.transpose(axes).copy()))


@torch.no_grad()
def keras_weights(network: nn.Module) -> list[np.ndarray]:
    """In Keras's layouts: the inverse of `set_weights`."""
    axes = {4: (2, 3, 1, 0), 2: (1, 0), 1: (0,)}
    values = [parameter.cpu().numpy() for parameter in network.parameters()]
    return [value.transpose(axes[value.ndim]) for value in values]


class Training:
    """The two networks with Glorot's weights, and their updates; losses stay on the device."""

    def __init__(
        self,
        config: Config,
        layout: torch.memory_format = torch.contiguous_format,
        device: str = "cpu",
    ) -> None:
        self.config = config
        self.critic = initialized(critic(config)).to(device, memory_format=layout)
        self.generator = initialized(generator(config)).to(device, memory_format=layout)
        self.critic_optimizer = self.adam(self.critic, config.critic_learning_rate)
        self.generator_optimizer = self.adam(self.generator, config.generator_learning_rate)

    def adam(self, network: nn.Module, rate: float) -> torch.optim.Adam:
        betas = (float(self.config.beta_1), float(self.config.beta_2))
        parameters = [*network.parameters()]
        is_capturable = parameters[0].is_cuda  # in a graph of the GPU's
        epsilon = self.config.adam_epsilon
        return torch.optim.Adam(parameters, rate, betas, epsilon, capturable=is_capturable)

    def update_critic(self, real: torch.Tensor, latents: torch.Tensor, epsilon: torch.Tensor):
        with torch.no_grad():
            fake = self.generator(latents)
        epsilon = epsilon.reshape(-1, 1, 1, 1)
        mixed = (epsilon * real + (1 - epsilon) * fake).requires_grad_()
        (gradients,) = torch.autograd.grad(self.critic(mixed).sum(), mixed, create_graph=True)
        norms = gradients.square().sum(dim=(1, 2, 3)).add(1e-10).sqrt()
        penalty = (norms - 1).square().mean()
        loss = self.critic(fake).mean() - self.critic(real).mean()
        loss = loss + self.config.gradient_penalty_weight * penalty
        self.critic_optimizer.zero_grad()
        loss.backward()
        self.critic_optimizer.step()
        return loss.detach()

    def update_generator(self, latents: torch.Tensor) -> torch.Tensor:
        self.critic.requires_grad_(False)  # whose gradients nobody needs here
        loss = -self.critic(self.generator(latents)).mean()
        self.generator_optimizer.zero_grad()
        loss.backward()
        self.generator_optimizer.step()
        self.critic.requires_grad_(True)
        return loss.detach()

    def draws(self, generator: torch.Generator | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Latents and epsilons of one iteration."""
        n, batch, dims = self.config.n_critic, self.config.batch_size, self.config.latent_dim
        device = next(self.critic.parameters()).device
        latents = torch.randn(n + 1, batch, dims, generator=generator, device=device)
        return latents, torch.rand(n, batch, generator=generator, device=device)

    def iterate(
        self, real_images: list[torch.Tensor], latents: torch.Tensor, epsilon: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The mean loss of the critic, and the generator's."""
        losses = [
            self.update_critic(*draws)
            for draws in zip(real_images, latents[:-1], epsilon, strict=True)
        ]
        return torch.stack(losses).mean(), self.update_generator(latents[-1])


def initialized(network: nn.Module) -> nn.Module:
    """Weights as Keras draws them: Glorot's, and no bias."""
    for module in network.modules():
        if isinstance(module, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return network


def main(path: str, layout: str) -> None:
    work = Work(path)
    layout = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}[layout]
    training = Training(work.config, layout)
    set_weights(training.critic, work.critic)
    set_weights(training.generator, work.generator)
    images = torch.from_numpy(work.real_images).permute(0, 1, 4, 2, 3)
    real_images = [batch.contiguous(memory_format=layout) for batch in images]

    def iterate(latents: torch.Tensor, epsilon: torch.Tensor) -> list[float]:
        return [loss.item() for loss in training.iterate(real_images, latents, epsilon)]

    first = iterate(torch.from_numpy(work.latents), torch.from_numpy(work.epsilon))
    take_turns(*first, lambda: iterate(*training.draws()))


if __name__ == "__main__":
    main(*sys.argv[1:])
