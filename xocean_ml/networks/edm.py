r"""A denoiser that is right for a Gaussian before it has learnt, and learns what is not.

.. math:: D(x, \sigma) = W(x, \sigma) + c(\sigma)\,F(x / \sqrt{1 + \sigma^2},\ \ln\sigma)

with the linear denoiser W (`xocean_ml.networks.wiener`) and a network F that begins at zero. c is
the standard deviation of what W leaves unknown, so that F has to tell numbers of unit size at every
level; so is the weight of the loss. With :math:`W = x / (1 + \sigma^2)` these are the scalings of
Karras et al. 2022 (EDM, table 1, for data of unit variance).

W sees the whole domain at once, of any size; F sees it in tiles (`xocean_ml.networks.tiles`), and
learns from tiles of domains of several sizes. So what is larger than a tile is told by W.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from xocean_ml.networks.tiles import blended
from xocean_ml.networks.wiener import Wiener, waves

__all__ = ["Denoiser"]


FILLS = 8
"""Times that land is filled with what is expected there, for the linear denoiser."""

COARSE = 3.0
"""Level of noise at which that begins: only large waves are told from so much of it."""


class Denoiser(nn.Module):
    """The mean of fields, given that noise was added.

    In training the network's products are made in half precision (bfloat16); the linear answer
    never is, of which small differences are what the network is asked for at low levels of noise.

    Parameters
    ----------
    wiener : Wiener
    network : UNet
        Of the fields, the linear answer, what that has taken away, and land or sea:
        ``beside = 2 * fields + 1``.
    patch : int
        Cells of a tile's side.
    shares : sequence of float, optional
        Of the level of noise, for each field, that it is told; all to train. A network that has not
        learnt enough takes details for noise, step after step; told of less noise, it keeps them.
    """

    def __init__(
        self,
        wiener: Wiener,
        network: nn.Module,
        patch: int = 64,
        shares: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        self.wiener, self.network, self.patch = wiener, network, patch
        self.shares = [1.0] * wiener.covariance.shape[1] if shares is None else [*shares]
        self._over: dict[Any, tuple[Wiener, Tensor]] = {}

    def forward(
        self, x: Tensor, sigma: Tensor, sea: Tensor, origin: tuple[int, int] = (0, 0)
    ) -> Tensor:
        """Expected fields.

        Parameters
        ----------
        x : Tensor, (samples, fields, rows, columns)
            Normalised fields with noise; noise alone on land.
        sigma : Tensor, (samples,)
        sea : Tensor, (samples or 1, 1, rows, columns)
            1, and 0 on land.
        origin : (int, int)
            Numbers of the first cell in the whole grid, to which tiles are anchored.
        """
        linear, seen = self._seen(x, sigma, sea)
        return linear + self.out(x.shape[-2:], sigma) * self._added(seen, sigma, origin)

    def loss(
        self,
        clean: Tensor,
        noise: Tensor,
        sigma: Tensor,
        sea: Tensor,
        at: tuple[int, int] = (0, 0),
    ) -> Tensor:
        """Mean square of errors of one tile's sea, in units of what is unknown (`Wiener.weights`).

        Near coasts the linear answer may be far off at low levels of noise; such samples count as
        if it were off by as much as elsewhere.

        Parameters
        ----------
        clean, noise : Tensor, (samples, fields, rows, columns)
            Normalised fields of a domain, anything on land; white noise.
        sigma : Tensor, (samples,)
        sea : Tensor, (samples or 1, 1, rows, columns)
        at : (int, int)
            First cell of the tile.
        """
        sea = sea.expand(len(clean), -1, -1, -1)
        clean = torch.where(sea > 0, clean, 0.0)
        linear, seen = self._seen(clean + sigma[:, None, None, None] * noise, sigma, sea)
        rows, columns = (slice(start, start + self.patch) for start in at)
        added = self._added(seen[..., rows, columns], sigma)
        scale = self.out(clean.shape[-2:], sigma)
        there = sea[..., rows, columns]
        plain = (linear - clean)[..., rows, columns] * there
        weight = self.wiener.weights(plain.shape[-2:], sigma)
        before, after = (
            (waves(each) ** 2 * weight).sum(dim=(1, 2, 3))
            for each in (plain, plain + scale * added * there)
        )
        cells = (there.sum(dim=(1, 2, 3)) * clean.shape[1]).clamp(min=1)
        return (after / (before / cells).detach().clamp(min=1)).sum() / cells.sum()

    def out(self, shape: torch.Size, sigma: Tensor) -> Tensor:
        """Standard deviation of what the linear denoiser leaves, (samples, fields, 1, 1)."""
        wiener, shares = self._told()
        return shares * wiener.left(shape, sigma).sqrt()[:, :, None, None]

    def _seen(self, x: Tensor, sigma: Tensor, sea: Tensor) -> tuple[Tensor, Tensor]:
        """The linear answer, and all that the network is told."""
        wiener, shares = self._told()
        level = shares * sigma[:, None, None, None]
        with torch.autocast(x.device.type, enabled=False):
            linear = shares * _linear(wiener, x / shares, sigma, sea)
        there = sea.expand(len(x), -1, -1, -1)
        taken = (x - linear) * sea / level
        return linear, torch.cat([x * sea * (1 + level**2).rsqrt(), linear, taken, there], dim=1)

    def _told(self) -> tuple[Wiener, Tensor]:
        """The linear denoiser of fields over the shares told, which have noise of one level."""
        key = (*self.shares, self.wiener.covariance.device)
        if key not in self._over:
            shares = self.wiener.covariance.new_tensor(self.shares)
            wiener = self.wiener if bool((shares == 1).all()) else self.wiener.over(shares)
            self._over = {key: (wiener, shares[:, None, None])}
        return self._over[key]

    def _added(self, seen: Tensor, sigma: Tensor, origin: tuple[int, int] = (0, 0)) -> Tensor:
        level = torch.log(sigma * self._told()[1].log().mean().exp())
        sea = (seen[:, -1] > 0).any(dim=0)
        with torch.autocast(seen.device.type, torch.bfloat16, enabled=self.training):
            made = blended(lambda tile: self.network(tile, level), seen, self.patch, origin, sea)
        return made.float()


def _linear(wiener: Wiener, x: Tensor, sigma: Tensor, sea: Tensor) -> Tensor:
    """What is expected of a Gaussian, where nothing is known of land."""
    coastal = (sea.flatten(1) == 0).any(dim=1).expand(len(x))
    if bool(coastal.all()):
        return _filled(wiener, x, sigma, sea)
    made: Tensor = wiener(x * sea, sigma)
    if not bool(coastal.any()):
        return made
    sea = sea.expand(len(x), -1, -1, -1)
    some = _filled(wiener, x[coastal], sigma[coastal], sea[coastal])
    return made.index_copy(0, coastal.nonzero()[:, 0], some)


def _filled(wiener: Wiener, x: Tensor, sigma: Tensor, sea: Tensor) -> Tensor:
    """The same with land filled by what is expected there, again and again.

    From levels at which large waves alone are kept, which reach far inland, down to the noise's
    own: each time less is left of the step at the coast. At the noise's own level alone it would
    take hundreds of times.
    """
    made = torch.zeros_like(x)
    above = (COARSE / sigma).clamp(min=1)
    for number in range(FILLS + 1):
        level = sigma * above ** (1 - number / FILLS)
        made = wiener(x * sea + made * (1 - sea), level)
    return made
