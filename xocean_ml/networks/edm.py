r"""A denoiser that is right for a Gaussian before it has learnt, and learns what is not.

.. math:: D(x, \sigma) = W(x, \sigma) + c(\sigma)\,F(x / \sqrt{1 + \sigma^2},\ \ln\sigma)

with the linear denoiser W (`xocean_ml.networks.wiener`) and a network F that begins at zero. c is
the standard deviation of what W leaves unknown, so that F has to tell numbers of unit size at every
level; so is the weight of the loss. With :math:`W = x / (1 + \sigma^2)` these are the scalings of
Karras et al. 2022 (EDM, table 1, for data of unit variance).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from xocean_ml.networks.unet import UNet
from xocean_ml.networks.wiener import Wiener

__all__ = ["Denoiser"]


class Denoiser(nn.Module):
    """The mean of fields, given that noise was added.

    Parameters
    ----------
    wiener : Wiener
    network : UNet
        Of the fields, the linear answer and land or sea: ``beside = fields + 1``.
    """

    def __init__(self, wiener: Wiener, network: UNet) -> None:
        super().__init__()
        self.wiener, self.network = wiener, network

    def forward(self, x: Tensor, sigma: Tensor, sea: Tensor) -> Tensor:
        """Expected fields.

        Parameters
        ----------
        x : Tensor, (samples, fields, rows, columns)
            Normalised fields with noise; noise alone on land.
        sigma : Tensor, (samples,)
        sea : Tensor, (samples or 1, 1, rows, columns)
            1, and 0 on land.
        """
        scale = (1 + sigma**2).rsqrt()[:, None, None, None]
        linear = self.wiener(x * sea, sigma)
        there = sea.expand(len(x), -1, -1, -1)
        seen = torch.cat([x * sea * scale, linear, there], dim=1)
        return linear + self.out(x.shape[-2:], sigma) * self.network(seen, torch.log(sigma))

    def out(self, shape: torch.Size, sigma: Tensor) -> Tensor:
        """Standard deviation of what the linear denoiser leaves, (samples, fields, 1, 1)."""
        left = self.wiener.left(shape, sigma)
        return left.sqrt()[:, :, None, None]

    def loss(self, clean: Tensor, noise: Tensor, sigma: Tensor, sea: Tensor) -> Tensor:
        """Mean square of errors in units of what is unknown, over the sea.

        Parameters
        ----------
        clean, noise : Tensor, (samples, fields, rows, columns)
            Normalised fields, anything on land; white noise.
        sigma : Tensor, (samples,)
        sea : Tensor, (samples or 1, 1, rows, columns)
        """
        sea = sea.expand(len(clean), -1, -1, -1)
        clean = torch.where(sea > 0, clean, 0.0)
        made = self(clean + sigma[:, None, None, None] * noise, sigma, sea)
        error = (made - clean) / self.out(clean.shape[-2:], sigma)
        return (error**2 * sea).sum() / (sea.sum() * clean.shape[1]).clamp(min=1)
