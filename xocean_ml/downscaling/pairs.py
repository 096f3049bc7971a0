"""Training pairs from fine fields: coarse by area means, patches that may touch land, any scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from xocean_ml.kernels.lattice import Lattice, overlaps, regular
from xocean_ml.kernels.resample import area_mean, bicubic, fill

__all__ = ["Batch", "Fine", "Pairs", "coarsened", "paired"]

AVERAGED = 6
"""Scale from which the fine field is often halved itself: as much to learn, at a third of the cost.

Only where a range of scales is trained for."""


@dataclass(frozen=True)
class Fine:
    """Fine fields of one domain.

    Parameters
    ----------
    fields : array, (time, fields, rows, columns)
        Normalised; NaN over land.
    guides : array, (time, guides, rows, columns), or None
        Likewise, on the same cells.
    """

    fields: np.ndarray
    guides: np.ndarray | None


class Batch(NamedTuple):
    """What a network is trained on.

    Attributes
    ----------
    coarse, guide : array of float32
        As `xocean_ml.networks.where` has it; no guide: None.
    lattice : Lattice
    residual : array, (samples, fields, h, w)
        What bicubic lacks; 0 where it does not count.
    counts : array of bool
        Where it does.
    """

    coarse: np.ndarray
    guide: np.ndarray | None
    lattice: Lattice
    residual: np.ndarray
    counts: np.ndarray


def coarsened(fine: np.ndarray, cells: tuple[int, int], least: float = 0.0) -> np.ndarray:
    """Area means of a fine field on so many coarse cells of the same area.

    Parameters
    ----------
    fine : array, (..., rows, columns)
        NaN over land. Cells of a patch are taken as equal in area.
    cells : (int, int)
        Coarse rows and columns.
    least : float
        Share of sea above which a coarse cell is sea.

    Returns
    -------
    array, (..., cells)
        NaN over land.
    """
    lengths = [
        overlaps(np.arange(n + 1.0), np.linspace(0, n, size + 1))
        for n, size in zip(cells, fine.shape[-2:], strict=True)
    ]
    mean, share = area_mean(fine, *lengths)
    return np.where(share > least, mean, np.nan)


def paired(
    fine: np.ndarray, guides: np.ndarray | None, cells: tuple[int, int], least: float = 0.0
) -> Batch:
    """Make pairs of fine patches, whole ones."""
    coarse = coarsened(fine, cells, least).astype(np.float32)
    size = fine.shape[-2:]
    lattice = regular(cells, (size[0] / cells[0], size[1] / cells[1]))
    valid = ~np.isnan(coarse)
    filled = fill(coarse, valid)
    sea = valid.all(axis=1, keepdims=True).astype(np.float32)
    counts = ~np.isnan(fine)
    residual = np.where(counts, fine - bicubic(filled, lattice), 0).astype(np.float32)
    guide = None
    if guides is not None:
        there = ~np.isnan(guides)
        mask = there.all(axis=1, keepdims=True)
        guide = np.concatenate([np.where(there, guides, 0), mask], axis=1).astype(np.float32)
    return Batch(np.concatenate([filled, sea], axis=1), guide, lattice, residual, counts)


@dataclass(frozen=True)
class Pairs:
    """Batches of patches, drawn from fine fields.

    Parameters
    ----------
    fine : sequence of Fine
        Domains.
    factors : (float, float)
        Range of scales; equal ends for one scale.
    patch : int
        Coarse cells of a patch's side, at most.
    size : int
        Patches in a batch.
    mirrored : bool
        Whether to draw mirror images, and all fields and guides with their signs changed. A
        quasi-geostrophic surface seen in a mirror, or with its signs changed, is one of the other
        hemisphere. Height and temperature change sign together: what one tells of the other is
        how they go together.
    """

    fine: Sequence[Fine]
    factors: tuple[float, float]
    patch: int = 16
    size: int = 8
    mirrored: bool = False

    def draw(self, rng: np.random.Generator) -> Batch:
        """One batch: a scale, then patches of it that hold sea."""
        low, high = self.factors
        factor = float(low + (high - low) * rng.random())
        if rng.random() < 0.7:
            factor = float(np.clip(round(factor), *self.factors))
        room = min(min(each.fields.shape[-2:]) for each in self.fine)
        cells = max(4, min(self.patch, int(room / factor)))
        side = min(room, round(cells * factor))
        picked = [self._patch(rng, side) for _ in range(self.size)]
        fields = np.stack([each for each, _ in picked])
        given = [each for _, each in picked if each is not None]
        guides = np.stack(given) if given else None
        if factor >= AVERAGED and low < high and side % 2 == 0 and rng.random() < 0.6:
            half = (side // 2, side // 2)
            fields = coarsened(fields, half).astype(np.float32)
            guides = None if guides is None else coarsened(guides, half).astype(np.float32)
        return paired(fields, guides, (cells, cells), least=0.5 * (rng.random() < 0.3))

    def _patch(self, rng: np.random.Generator, side: int) -> tuple[np.ndarray, np.ndarray | None]:
        for _ in range(20):
            fine = self.fine[int(rng.integers(len(self.fine)))]
            time = int(rng.integers(len(fine.fields)))
            row, column = (int(rng.integers(n - side + 1)) for n in fine.fields.shape[-2:])
            at = (time, slice(None), slice(row, row + side), slice(column, column + side))
            fields = fine.fields[at]
            if np.isfinite(fields[0]).mean() > 0.2:
                break
        guides = None if fine.guides is None else fine.guides[at]
        if self.mirrored:
            across, along, sign = (1 - 2 * int(each) for each in rng.integers(2, size=3))
            fields = sign * fields[..., ::along, ::across]
            guides = None if guides is None else sign * guides[..., ::along, ::across]
        return fields, guides
