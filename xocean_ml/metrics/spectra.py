"""Spectra of fields on a box of latitude and longitude, averaged over rings of wavenumber."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Rings", "effective_resolution"]

EARTH = 6371.0
"""Radius, km."""


@dataclass(frozen=True)
class Rings:
    """Which Fourier modes of a box share a wavenumber.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns.
    spacing : (float, float)
        Distance of rows and of columns, km.
    """

    shape: tuple[int, int]
    spacing: tuple[float, float]

    @classmethod
    def of(cls, latitude: np.ndarray, longitude: np.ndarray) -> Rings:
        """Rings of a box, degrees; columns are as far apart as on its middle latitude."""
        rows = abs(np.diff(latitude).mean()) * np.pi / 180 * EARTH
        middle = np.cos(np.deg2rad(latitude.mean()))
        columns = abs(np.diff(longitude).mean()) * np.pi / 180 * EARTH * middle
        return cls((len(latitude), len(longitude)), (float(rows), float(columns)))

    @property
    def step(self) -> float:
        """Width of a ring, cycles per km: the lowest wavenumber of the longer side."""
        return float(1 / max(n * d for n, d in zip(self.shape, self.spacing, strict=True)))

    @property
    def number(self) -> np.ndarray:
        """Ring of each mode, (rows, columns / 2 + 1); 0 holds the mean."""
        down = np.fft.fftfreq(self.shape[0], self.spacing[0])
        along = np.fft.rfftfreq(self.shape[1], self.spacing[1])
        return np.rint(np.hypot(down[:, None], along) / self.step).astype(int)

    @property
    def count(self) -> int:
        """Rings up to the Nyquist wavenumber of the coarser side; those beyond are not whole."""
        return int(0.5 / max(self.spacing) / self.step)

    @property
    def wavenumber(self) -> np.ndarray:
        """Middle of each ring from the first, cycles per km."""
        return self.step * np.arange(1, self.count + 1)

    def transform(self, fields: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Fourier modes of fields without their trend, tapered towards the edges and the coast.

        Parameters
        ----------
        fields : array, (time, rows, columns)
            Anything where the mask is false.
        mask : array of bool, (time, rows, columns)

        Returns
        -------
        array of complex, (time, rows, columns / 2 + 1)
        """
        taper = np.hanning(self.shape[0] + 2)[1:-1, None] * np.hanning(self.shape[1] + 2)[1:-1]
        flat = _without_plane(np.where(mask, fields, 0.0), mask)
        return np.fft.rfft2(flat * taper * _softened(mask))

    def cross(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Real part of the product of modes, summed over rings: (time, rings)."""
        product = (one * other.conj()).real
        # Modes of both signs of the along-wavenumber: all but the first and the Nyquist column.
        twice = np.full(product.shape[-1], 2.0)
        twice[0] = 1.0
        if self.shape[1] % 2 == 0:
            twice[-1] = 1.0
        number = self.number.ravel()
        flat = (product * twice).reshape(len(product), -1)
        found = np.stack([np.bincount(number, row, self.count + 1) for row in flat])
        return found[:, 1 : self.count + 1]


def _softened(mask: np.ndarray) -> np.ndarray:
    """A window that falls off towards the coast over a twelfth of the box.

    A sharp coast is in the field and in the truth: it would look like skill at all wavenumbers.
    """
    inside = mask.all(axis=0)
    width = max(2, min(inside.shape) // 12)
    depth = np.zeros(inside.shape)
    for _ in range(width):
        depth += inside
        wide = np.pad(inside, 1, constant_values=True)
        rows, columns = inside.shape
        inside = np.logical_and.reduce(
            [wide[i : i + rows, j : j + columns] for i in range(3) for j in range(3)]
        )
    return np.sin(0.5 * np.pi * depth / width) ** 2


def _without_plane(fields: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Fields less the plane that fits them best over the mask."""
    rows, columns = np.meshgrid(*(np.linspace(-1, 1, n) for n in fields.shape[1:]), indexing="ij")
    base = np.stack([np.ones_like(rows), rows, columns], axis=-1).reshape(-1, 3)
    out = np.empty_like(fields, dtype=np.float64)
    for number, (field, sea) in enumerate(zip(fields, mask, strict=True)):
        weighted = base * sea.reshape(-1, 1)
        plane = np.linalg.lstsq(weighted, (field * sea).ravel(), rcond=None)[0]
        out[number] = field - (base @ plane).reshape(field.shape)
    return out


def effective_resolution(
    wavenumber: np.ndarray, error: np.ndarray, truth: np.ndarray
) -> np.ndarray:
    """Wavelength at which the error's spectrum first reaches half of the truth's.

    Parameters
    ----------
    wavenumber : array, (rings,)
        Cycles per km.
    error, truth : array, (rings, ...)
        Spectra.

    Returns
    -------
    array, (...)
        km, by linear interpolation of the ratio in the wavenumber; the wavelength of the last
        ring if half is never reached, infinite if it is from the first.

    Examples
    --------
    >>> k = np.array([0.001, 0.01, 0.02, 0.04])
    >>> float(effective_resolution(k, np.array([0.0, 0.2, 0.8, 1.0]), np.ones(4)))
    66.66666666666667
    """
    ratio = np.divide(error, truth, out=np.ones_like(error, float), where=truth > 0)
    over = ratio >= 0.5
    first = over.argmax(axis=0)
    before = np.maximum(first - 1, 0)
    low, high = (np.take_along_axis(ratio, at[None], axis=0)[0] for at in (before, first))
    share = np.where(high > low, (0.5 - low) / np.where(high > low, high - low, 1.0), 0.0)
    at = wavenumber[before] + share * (wavenumber[first] - wavenumber[before])
    found = np.where(first > 0, 1 / at, np.inf)
    return np.where(over.any(axis=0), found, 1 / wavenumber[-1])
