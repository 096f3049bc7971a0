r"""Arrays of a surface world: winds, coasts, currents.

Currents from sea surface height h on a sphere, with the local Coriolis parameter:

.. math:: u_g = -\frac{g}{f(\varphi)} \partial_y h, \qquad v_g = \frac{g}{f(\varphi)} \partial_x h .

The rest of the current is the wind's and what curvature makes of the geostrophic one (the gradient
wind, iterated twice from :math:`u^{n+1} = u_g + f^{-1} k \times (u^n \cdot \nabla u^n)`).
"""

from __future__ import annotations

import numpy as np

__all__ = ["coast", "coriolis", "cyclogeostrophic", "ekman", "geostrophic", "red", "waves"]

DEGREE = np.pi / 180 * 6371e3
"""Length of a degree of latitude, m."""
GRAVITY = 9.81
OMEGA = 2 * np.pi / 86164.0
"""Of the sidereal day."""
AIR, DRAG = 1.22, 1.3e-3
"""Density of air, kg m-3, and drag coefficient."""


def coriolis(latitude: np.ndarray) -> np.ndarray:
    """Coriolis parameter, s-1, of latitude in degrees."""
    return 2 * OMEGA * np.sin(np.deg2rad(latitude))


def red(rng: np.random.Generator, shape: tuple[int, ...], side: float, wave: float) -> np.ndarray:
    """Periodic random fields of about one wavelength, with variance one.

    Parameters
    ----------
    rng : Generator
    shape : (..., cells, cells)
    side, wave : float
        Of the domain, and the typical wavelength, in the same unit.
    """
    cells = shape[-1]
    k = side / wave
    n = np.hypot(np.fft.fftfreq(cells, 1 / cells)[:, None], np.fft.rfftfreq(cells, 1 / cells))
    amplitude = np.exp(-(((n - k) / (0.5 * k)) ** 2)) * (n > 0)
    hats = np.fft.rfft2(rng.standard_normal(shape)) * amplitude
    fields = np.fft.irfft2(hats, s=shape[-2:])
    return fields / fields.std(axis=(-2, -1), keepdims=True)


def waves(
    rng: np.random.Generator,
    days: np.ndarray,
    north: np.ndarray,
    east: np.ndarray,
    count: int = 60,
) -> np.ndarray:
    """A random field in time and space, a sum of plane waves: any day without those before.

    Parameters
    ----------
    rng : Generator
    days : array, (time,)
    north, east : array, (rows,), (columns,)
        km.
    count : int
        Waves of 500 to 3000 km that pass in 2 to 10 days.

    Returns
    -------
    array, (time, rows, columns)
        Variance one.
    """
    length = 500.0 * 6.0 ** rng.random(count)
    period = 2.0 * 5.0 ** rng.random(count)
    angle, phase = 2 * np.pi * rng.random((2, count))
    out = np.zeros((len(days), len(north), len(east)))
    for size, time, way, start in zip(length, period, angle, phase, strict=True):
        k = 2 * np.pi / size
        space = k * (np.cos(way) * east + np.sin(way) * north[:, None]) + start
        turned = 2 * np.pi * days[:, None, None] / time
        out += np.cos(space - turned)
    return out * np.sqrt(2 / count)


def geostrophic(
    height: np.ndarray, latitude: np.ndarray, longitude: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Geostrophic current of a height, m s-1, by centred differences on the sphere.

    Parameters
    ----------
    height : array, (time, rows, columns)
        m.
    latitude, longitude : array, (rows,), (columns,)
        Degrees; not at the equator.
    """
    f = coriolis(latitude)[:, None]
    u = -GRAVITY / f * np.gradient(height, latitude * DEGREE, axis=1)
    metric = np.cos(np.deg2rad(latitude))[:, None]
    v = GRAVITY / f * np.gradient(height, longitude * DEGREE, axis=2) / metric
    return u, v


def cyclogeostrophic(
    u: np.ndarray, v: np.ndarray, latitude: np.ndarray, longitude: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """What curvature adds to a geostrophic current, m s-1; arrays as for `geostrophic`."""
    f = coriolis(latitude)[:, None]
    metric = np.cos(np.deg2rad(latitude))[:, None]

    def carried(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
        east = np.gradient(c, longitude * DEGREE, axis=2) / metric
        return a * east + b * np.gradient(c, latitude * DEGREE, axis=1)

    a, b = u, v
    for _ in range(2):
        a, b = u - carried(a, b, b) / f, v + carried(a, b, a) / f
    return a - u, b - v


def ekman(
    east: np.ndarray, north: np.ndarray, latitude: np.ndarray, gain: float
) -> tuple[np.ndarray, np.ndarray]:
    """Current that the wind drives at 15 m, m s-1.

    Its angle to the stress is 50 degrees, to the right in the north and to the left in the south.

    Parameters
    ----------
    east, north : array, (time, rows, columns)
        Wind, m s-1.
    latitude : array, (rows,)
        Degrees.
    gain : float
        m s-1 Pa-1, over the root of the sine of latitude.
    """
    wind = east + 1j * north
    stress = AIR * DRAG * np.abs(wind) * wind
    sine = np.sin(np.deg2rad(latitude))[:, None]
    turned = np.exp(-1j * np.deg2rad(50.0) * np.sign(sine))
    current = gain / np.sqrt(np.abs(sine)) * turned * stress
    return current.real, current.imag


def coast(rng: np.random.Generator, cells: int, share: float) -> np.ndarray:
    """Land of a box, (cells, cells): one coast along a side, with bays, capes and islands.

    Parameters
    ----------
    rng : Generator
    cells : int
        Of each side; a finer box has the same land.
    share : float
        Of the box that is land; none if it is not above 0.
    """
    side = int(rng.integers(4))
    rough = red(rng, (3, 96, 96), 1.0, 0.5)[0] + 0.4 * red(rng, (96, 96), 1.0, 0.12)
    if share <= 0:
        return np.zeros((cells, cells), bool)
    where = (np.arange(cells) + 0.5) / cells
    ramp = np.rot90(np.broadcast_to(where[:, None], (cells, cells)), side)
    height = ramp + 0.12 * _smooth(rough, where)
    return height > np.quantile(height, 1 - share)


def _smooth(field: np.ndarray, where: np.ndarray) -> np.ndarray:
    """A periodic field at places of its first half, by its Fourier modes."""
    n = field.shape[0]
    hats = np.fft.fft2(field) / n**2
    k = np.fft.fftfreq(n, 1 / n)
    waves = np.exp(2j * np.pi * np.outer(where / 2, k))
    return (waves @ hats @ waves.T).real
