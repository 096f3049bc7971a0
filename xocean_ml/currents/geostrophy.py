r"""Geostrophic currents of heights, on arrays.

.. math:: u_g = -\frac{g}{f} \partial_y h, \qquad v_g = \frac{g}{f} \partial_x h

and near the equator, where f vanishes, its limit on the beta-plane:

.. math:: u_g = -\frac{g}{\beta} \partial_{yy} h, \qquad v_g = \frac{g}{\beta} \partial_{xy} h .

The two are blended as by Lagerloef et al. (1999), Tropical Pacific near-surface currents estimated
from altimeter, wind, and drifter data, J. Geophys. Res. 104, 23313-23326: the weight of the second
is a Gaussian of latitude of 2.2 degrees. Here it is lowered a little, to end at 5 degrees.

The slopes are smoothed, not the height: near a coast a mean of heights leans seaward, and would be
too flat; a mean of slopes is not. They are smoothed by steps of diffusion through the sides that
cells of sea have in common, of the variance of a Gaussian: nothing passes through land, however
narrow it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from xocean_ml.grid import EARTH_RADIUS

__all__ = ["GRAVITY", "OMEGA", "Places", "batches", "coriolis", "equatorial", "geostrophic"]

OMEGA = 2 * np.pi / 86164.09
"""Of the sidereal day, s-1."""
GRAVITY = 9.81
"""m s-2, as in the geostrophic currents of satellite altimetry."""
BAND, SCALE = 5.0, 2.2
"""Where the beta-plane has a part, and the width of its weight: degrees of latitude."""
CELLS = 2**20
"""Cells worked on at once: temporary arrays of a few tens of MB."""


@dataclass(frozen=True)
class Places:
    """Where the cells of a rectilinear grid lie.

    Parameters
    ----------
    latitude, longitude : array, (rows,), (columns,)
        Degrees, in the order of the fields; longitudes go on through a seam.
    wraps : bool
        Whether the first column follows the last.
    """

    latitude: np.ndarray
    longitude: np.ndarray
    wraps: bool = False


def coriolis(latitude: np.ndarray) -> np.ndarray:
    """Coriolis parameter, s-1, of latitude in degrees.

    Examples
    --------
    >>> coriolis(np.array([-90.0, 0.0, 30.0])).round(8)
    array([-1.4584e-04,  0.0000e+00,  7.2920e-05])
    """
    return np.asarray(2 * OMEGA * np.sin(np.deg2rad(latitude)))


def equatorial(latitude: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weight of the beta-plane, and one less it without loss of digits, of latitude in degrees.

    Examples
    --------
    >>> equatorial(np.array([0.0, 2.2, 5.0]))[0].round(3)
    array([1.   , 0.364, 0.   ])
    """
    square = (latitude / SCALE) ** 2
    end = np.exp(-((BAND / SCALE) ** 2))
    rest = np.minimum(-np.expm1(-square) / (1 - end), 1.0)
    inside = np.maximum(np.exp(-square) - end, 0.0) / (1 - end)
    return inside, rest


def geostrophic(height: np.ndarray, places: Places, smooth: float) -> tuple[np.ndarray, np.ndarray]:
    """Geostrophic current of a height.

    Parameters
    ----------
    height : array, (..., rows, columns)
        m, above a level surface; NaN on land.
    places : Places
        Of rows and columns.
    smooth : float
        Standard deviation, in cells, over which slopes are smoothed; 0: not at all.

    Returns
    -------
    u, v : array, (..., rows, columns)
        m s-1, float64; NaN where either slope cannot be had, and at the poles.

    Examples
    --------
    >>> places = Places(np.array([30.0, 30.1, 30.2]), np.array([0.0, 0.1]))
    >>> u, _ = geostrophic(np.linspace(0.3, 0.1, 3)[:, None] * np.ones(2), places, 0)
    >>> u.round(2)[1]
    array([1.21, 1.21])
    """
    shape = height.shape
    flat = height.reshape(-1, *shape[-2:])
    u, v = np.empty(flat.shape), np.empty(flat.shape)
    for some in batches(len(flat), shape[-2] * shape[-1]):
        u[some], v[some] = _balance(flat[some].astype(np.float64), places, smooth)
    return u.reshape(shape), v.reshape(shape)


def batches(count: int, cells: int) -> Iterator[slice]:
    """Slices of so many fields that their cells fit at once."""
    step = max(1, CELLS // max(cells, 1))
    return (slice(first, first + step) for first in range(0, count, step))


def _balance(h: np.ndarray, places: Places, smooth: float) -> tuple[np.ndarray, np.ndarray]:
    """Currents of heights (fields, rows, columns)."""
    latitude = places.latitude[:, None]
    east, north = _slopes(h, places)
    for slope in (east, north):
        _diffuse(slope, smooth, places.wraps)
    inside, rest = equatorial(latitude)
    f = coriolis(latitude)
    # At the equator itself both vanish, the upper one faster.
    plain = GRAVITY * np.divide(rest, f, out=np.zeros_like(f), where=f != 0)
    u, v = -plain * north, plain * east
    near = (inside > 0)[:, 0]
    if near.any():
        beta = 2 * OMEGA * np.cos(np.deg2rad(latitude)) / EARTH_RADIUS
        share = (GRAVITY * inside / beta)[near]
        y = EARTH_RADIUS * np.deg2rad(places.latitude)
        u[:, near] -= share * _derivative(north, y, 1)[:, near]
        v[:, near] += share * _derivative(east, y, 1)[:, near]
        _both(u, v)
    return u, v


def _slopes(h: np.ndarray, places: Places) -> tuple[np.ndarray, np.ndarray]:
    """Slopes eastward and northward, both missing where either is."""
    phi, turn = np.deg2rad(places.latitude), 2 * np.pi if places.wraps else 0.0
    circle = np.where(np.abs(places.latitude) < 90 - 1e-6, EARTH_RADIUS * np.cos(phi), np.nan)
    east = _derivative(h, np.deg2rad(places.longitude), 2, turn) / circle[:, None]
    north = _derivative(h, EARTH_RADIUS * phi, 1)
    _both(east, north)
    return east, north


def _both(one: np.ndarray, other: np.ndarray) -> None:
    """Half a vector is none."""
    missing = np.isnan(one) | np.isnan(other)
    one[missing] = other[missing] = np.nan


def _derivative(values: np.ndarray, at: np.ndarray, axis: int, turn: float = 0.0) -> np.ndarray:
    """Derivative along an axis of places `at`, of second order where three cells allow it.

    Centred; from one side where the cell before or behind is missing; by the difference of two
    cells where there are no more. NaN for a cell alone.
    """
    values = np.moveaxis(values, axis, -1)
    wide, away = _widened(values, at, turn)

    def parabola(one: int, other: int) -> np.ndarray:
        a, b = away[one], away[other]
        made = ((wide[one] - values) * (b / a) - (wide[other] - values) * (a / b)) / (b - a)
        return np.asarray(made)

    out = parabola(-1, 1)
    for one, other in ((1, 2), (-1, -2)):
        out = np.where(np.isnan(out), parabola(one, other), out)
    for one in (1, -1):
        out = np.where(np.isnan(out), (wide[one] - values) / away[one], out)
    return np.moveaxis(out, -1, axis)


def _widened(
    values: np.ndarray, at: np.ndarray, turn: float
) -> tuple[dict[int, np.ndarray], dict[int, np.ndarray]]:
    """Values, and distances, of the cells one and two before and behind."""
    count = len(at)
    if turn:
        turn = np.copysign(turn, at[1] - at[0])
        fringes = values[..., -2:], values[..., :2]
        ends = at[-2:] - turn, at[:2] + turn
    else:
        fringes = (np.full((*values.shape[:-1], 2), np.nan),) * 2
        step = at[1] - at[0]
        ends = at[0] - step * np.array([2, 1]), at[-1] + step * np.array([1, 2])
    wide = np.concatenate([fringes[0], values, fringes[1]], -1)
    where = np.concatenate([ends[0], at, ends[1]])
    cuts = {k: slice(2 + k, 2 + k + count) for k in (-2, -1, 1, 2)}
    seen = {k: wide[..., cut] for k, cut in cuts.items()}
    return seen, {k: where[cut] - at for k, cut in cuts.items()}


def _diffuse(field: np.ndarray, smooth: float, wraps: bool) -> None:
    """Smooth in place (fields, rows, columns), by steps that lose nothing at coasts and edges."""
    steps = int(np.ceil(2 * smooth**2))
    for _ in range(steps):
        for axis in (1, 2):
            _step(np.moveaxis(field, axis, 0), smooth**2 / (2 * steps), wraps and axis == 2)


def _step(field: np.ndarray, share: float, wraps: bool) -> None:
    """Exchange a share of the differences between neighbours along the first axis, in place."""
    flux = share * np.nan_to_num(np.diff(field, axis=0))
    seam = share * np.nan_to_num(field[0] - field[-1]) if wraps else None
    field[:-1] += flux
    field[1:] -= flux
    if seam is not None:
        field[-1] += seam
        field[0] -= seam
