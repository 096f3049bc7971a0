r"""Chance of a climate world: the recharge oscillator and modes that fade, month by month.

All noise is drawn by years, counted from the start of the spin-up, so that a month does not depend
on how many follow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from . import climate_planet as frozen
from ._atmosphere import carried, winter
from ._globe import Array
from ._planet import Planet

__all__ = ["Draw", "anomalies", "fade", "noise", "oscillate"]

Draw = Callable[[str, int], np.random.Generator]
"""Random numbers of a process in a year."""


def noise(draw: Draw, what: str, years: int, *shape: int) -> Array:
    """Standard normal numbers, (12 years, *shape)."""
    each = [draw(what, year).standard_normal((12, *shape)) for year in range(years)]
    return np.concatenate(each)


def fade(shocks: Array, memory: Array | float, forced: Array | float = 0.0) -> Array:
    r"""Red noise :math:`x_{t+1} = r x_t + \sqrt{1 - r^2} \xi + (1 - r) F` (Hasselmann 1976).

    Parameters
    ----------
    shocks : array, (month, mode)
        Standard normal.
    memory : float or array, (mode,)
        Months in which an anomaly falls to 1/e.
    forced : float or array, (month, mode)
        What it follows.

    Returns
    -------
    array, (month, mode)
        Of variance one where nothing forces it, but for the beginning.
    """
    keep = np.exp(-1 / np.broadcast_to(memory, shocks.shape[1:]))
    drive = np.sqrt(1 - keep**2) * shocks + (1 - keep) * forced
    out = np.empty_like(shocks)
    state = np.zeros(shocks.shape[1:])
    for month, each in enumerate(drive):
        state = keep * state + each
        out[month] = state
    return out


def oscillate(shocks: Array, months: Array, world: Mapping[str, float]) -> Array:
    r"""Temperature of the equatorial Pacific, K: a recharge oscillator (Jin 1997).

    .. math:: \dot T &= R(t) T + \omega h + b T^2 - c T^3 + \sigma (1 + B T) \xi \\
              \dot h &= -\omega T - \epsilon h

    Growth follows the season (Stein et al. 2010), and noise grows with the event (Jin et al. 2007),
    which with b makes warm events stronger than cold ones.

    Parameters
    ----------
    shocks : array, (month,)
        Standard normal.
    months : array, (month,)
        Middles of the months, counted from the start of January.
    world : mapping
        The drawn parameters.
    """
    p = frozen.ENSO
    omega = 2 * np.pi / world["enso_period"]
    growth = p["growth season"] * np.cos(2 * np.pi * (months - p["season"]) / 12)
    growth -= world["enso_damping"]
    steps = int(p["steps"])
    warm = charge = burst = 0.0
    out = np.empty(len(shocks))
    for month, (shock, rate) in enumerate(zip(shocks.tolist(), growth.tolist(), strict=True)):
        burst = p["bursts"] * burst + (1 - p["bursts"] ** 2) ** 0.5 * shock
        for _ in range(steps):
            gain = min(max(1 + world["enso_asymmetry"] * warm, p["least"]), p["most"])
            grows = (rate + p["quadratic"] * warm - p["cubic"] * warm**2) * warm
            rise = grows + omega * charge + world["enso_noise"] * gain * burst
            # The new temperature drives the charge: the oscillation then neither gains nor loses.
            warm += rise / steps
            charge -= (omega * warm + p["forgetting"] * charge) / steps
        out[month] = warm
    return out


def anomalies(
    planet: Planet, season: np.ndarray, draw: Draw, world: Mapping[str, float]
) -> tuple[Array, Array]:
    """What chance makes of the sea and of the air over it.

    Parameters
    ----------
    planet : Planet
    season : array of int, (month,)
        Months of the year, from 0.
    draw : callable
    world : mapping
        The drawn parameters.

    Returns
    -------
    array, (month, rows, columns)
        Anomaly of the sea before it freezes, K.
    array, (month, rows, columns)
        Pressure that is the air's own, Pa.
    """
    spin_up = int(frozen.SERIES["spin-up"])
    years = spin_up + len(season) // 12
    months = np.arange(12 * years) + season[0]
    pacific = _pacific(noise(draw, "pacific", years, 2), months + 0.5, world)
    basins = np.array([each.memory for each in frozen.BASINS]) * world["memory"]
    follow = np.array([each.enso / each.size for each in frozen.BASINS])
    shocks = noise(draw, "basins", years, len(basins))
    slow = fade(shocks, basins, follow * pacific.sum(axis=1, keepdims=True))
    red = fade(noise(draw, "red", years, len(planet.red)), frozen.RED["memory"] * world["memory"])
    # The sea keeps for months what the weather of a month brings.
    shocks = noise(draw, "weather", years, len(planet.weather))
    blows, kept = (fade(shocks, frozen.SERIES[each]) for each in ("weather", "drive"))
    brought = carried(planet.globe, planet.weather, planet.mild.mean(axis=0))
    sea = np.concatenate([planet.enso, planet.basins, planet.red, brought])
    sizes = [1.0, world["basins"], world["red"], world["drive"] * world["weather"]]
    parts = zip(sizes, (pacific, slow, red, kept), strict=True)
    series = np.concatenate([size * each for size, each in parts], axis=1)[12 * spin_up :]
    anomaly = world["warming"] + np.tensordot(series, sea, 1)
    weather = world["weather"] * np.tensordot(blows[12 * spin_up :], planet.weather, 1)
    return anomaly, weather * winter(planet, season, world)


def _pacific(shocks: Array, months: Array, world: Mapping[str, float]) -> Array:
    """Central and eastern part of El Nino, K, (month, 2): the warmer, the further east.

    Their sum is the oscillator's temperature; a part that fades moves between them (Takahashi et
    al. 2011).
    """
    p = frozen.ENSO
    warm = oscillate(shocks[:, 0], months, world)
    between = p["diversity"] * fade(shocks[:, 1:], p["memory"])[:, 0]
    east = warm * 0.5 * (1 + np.tanh((warm - p["east from"]) / p["over"])) + between
    return np.stack([warm - east, east], axis=1)
