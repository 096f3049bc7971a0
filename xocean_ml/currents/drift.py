r"""What the wind drives, on arrays: its stress, and a published gain.

The Ekman current is :math:`G \tau` with complex numbers for vectors, east real and north imaginary.
"""

from __future__ import annotations

import numpy as np

from xocean_ml.currents.geostrophy import equatorial

__all__ = ["published_gain", "stress"]

AIR = 1.22
"""Density of air, kg m-3."""
SURFACE, BELOW = (0.61, 30.75), (0.25, 48.18)
"""Amplitude, m s-1 Pa-1, and angle, degrees, at the surface and at `DROGUE`."""
DROGUE = 15.0
"""Depth of drifters' drogues, m."""


def stress(east: np.ndarray, north: np.ndarray) -> np.ndarray:
    """Stress of a wind on the sea.

    Parameters
    ----------
    east, north : array
        Wind at 10 m, m s-1.

    Returns
    -------
    array, complex
        Pa: density of air, drag coefficient, speed, wind. The drag coefficient is 1.2e-3, and
        (0.49 + 0.065 speed) 1e-3 where that is more, which is from 11 m s-1; winds of more than
        25 m s-1, which were not measured, have that of 25.

    References
    ----------
    Large & Pond (1981), Open ocean momentum flux measurements in moderate to strong winds,
    J. Phys. Oceanogr. 11, 324-336, eq. 11.

    Examples
    --------
    >>> stress(np.array([0.0, 10.0]), np.array([-20.0, 0.0])).round(3)
    array([0.   -0.874j, 0.146+0.j   ])
    """
    speed = np.hypot(east, north)
    drag = np.maximum(1.2e-3, 0.49e-3 + 0.065e-3 * np.minimum(speed, 25.0))
    return np.asarray(AIR * drag * speed * (east + 1j * north))


def published_gain(latitude: np.ndarray, depth: float) -> np.ndarray:
    """Gain of the Ekman current that drifters and floats have, over the globe.

    Parameters
    ----------
    latitude : array
        Degrees.
    depth : float
        m. Rio et al. give 0 and 15 m; between and below goes the spiral through both: amplitudes
        by the same factor, angles by the same turn, over the same depth.

    Returns
    -------
    array, complex
        m s-1 Pa-1. It turns to the right in the north, to the left in the south, and not at the
        equator; between, within 5 degrees, smoothly as geostrophy goes over to the beta-plane.

    References
    ----------
    Rio, Mulet & Picot (2014), Beyond GOCE for the ocean circulation estimate, Geophys. Res. Lett.
    41, 8918-8925: global means.

    Examples
    --------
    >>> gain = published_gain(np.array([-30.0, 0.0, 30.0]), 15.0)
    >>> np.abs(gain).round(3), np.angle(gain, deg=True).round(2)
    (array([0.25, 0.25, 0.25]), array([ 48.18,   0.  , -48.18]))
    """
    share = depth / DROGUE
    amplitude = SURFACE[0] * (BELOW[0] / SURFACE[0]) ** share
    angle = np.deg2rad(SURFACE[1] + share * (BELOW[1] - SURFACE[1]))
    turn = np.sign(latitude) * equatorial(latitude)[1]
    return np.asarray(amplitude * np.exp(-1j * angle * turn))
