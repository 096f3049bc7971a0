r"""What the air of a climate world makes of the sea: pressure, temperature, rain.

Everything here is a function of a month's sea temperature and weather, with no noise, so that the
same weather can be given another sea.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from . import climate_planet as frozen
from ._globe import Array, Globe
from ._planet import Planet, belt, freeze, hemispheres, softplus, year
from ._surface import coriolis

__all__ = ["Air", "air", "carried", "pumping", "winter"]

DAY = 86400.0


class Air(NamedTuple):
    """Months of the air, each (month, rows, columns), and the sea under it."""

    sst: Array  # degC, on land too
    slp: Array  # Pa
    t2m: Array  # degC
    precipitation: Array  # mm day-1


def air(
    planet: Planet,
    anomaly: Array,
    offset: Array | float,
    weather: Array,
    season: np.ndarray,
    world: Mapping[str, float],
) -> Air:
    """Months of the air over an anomaly of the sea.

    Parameters
    ----------
    planet : Planet
    anomaly : array, (month, rows, columns)
        Of the sea, before it freezes, K.
    offset : array or float
        What is added to the sea's temperature after that, K.
    weather : array, (month, rows, columns)
        Pressure that is the air's own, Pa.
    season : array of int, (month,)
        Months of the year, from 0.
    world : mapping
        The drawn parameters.
    """
    sst = freeze(planet.sst[season] + anomaly) + offset
    heat = _heat(planet, sst, season)
    free = weather + _trains(planet, heat, season, world)
    pressure = free + world["gill"] * np.tensordot(heat, planet.gill, 1)
    warmth = sst - freeze(planet.sst)[season]
    felt = planet.globe.seen(warmth, ~planet.land, frozen.AIR["reach"])
    t2m = planet.air[season] + _temperature(planet, warmth, felt, pressure, season, world)
    # Where the heating is, on the equator, air rises into it and not under a low (Gill 1980).
    rises = pumping(planet.globe, free) / frozen.RAIN["unit"]
    rises += np.tensordot(heat, planet.lifted, 1)
    rises += planet.local[season] + _belts(planet, felt, pressure, season)
    rain = _rain(planet, np.where(planet.land, t2m, sst), rises, _tropics(planet, warmth))
    return Air(sst, planet.slp[season] + pressure, t2m, rain)


def winter(planet: Planet, season: np.ndarray, world: Mapping[str, float]) -> Array:
    """How much stronger the air's anomalies are than in the mean of a year, (month, rows, 1)."""
    wave = np.cos(2 * np.pi * season / 12)[:, None, None]
    return 1 + world["winter"] * wave * hemispheres(planet.globe.north)


def _heat(planet: Planet, sst: Array, season: np.ndarray) -> Array:
    """Tropical heating beyond the mean year's and the other places', K, (month, place).

    It saturates, and a place of cold sea gives none until it is warm: so a great El Nino heats
    further east than a small one. What heats everywhere alike moves no air.
    """
    full = frozen.HEATING["full"]
    mean = _convecting(planet, freeze(planet.sst))
    heat = full * np.tanh((_convecting(planet, sst) - mean[season]) / full)
    return heat - heat.mean(axis=-1, keepdims=True)


def _trains(planet: Planet, heat: Array, season: np.ndarray, world: Mapping[str, float]) -> Array:
    """Pressure that heating makes out of the tropics, most in winter, Pa."""
    wave = world["winter"] * np.cos(2 * np.pi * season / 12)[:, None]
    sides = zip((1, -1), planet.trains, strict=True)
    both = [np.tensordot((1 + side * wave) * heat, each, 1) for side, each in sides]
    return world["trains"] * np.asarray(sum(both))


def _convecting(planet: Planet, sst: Array) -> Array:
    """Sea temperature over the threshold at each place of heating, K, (..., place)."""
    p = frozen.RAIN
    over = np.tensordot(sst, planet.heated, ((-2, -1), (1, 2))) - p["threshold"]
    return softplus(over, p["soft"])


def _temperature(
    planet: Planet,
    warmth: Array,
    felt: Array,
    pressure: Array,
    season: np.ndarray,
    world: Mapping[str, float],
) -> Array:
    """Anomaly of the air at 2 m, K: what the sea warms, and what the wind carries."""
    p, globe = frozen.AIR, planet.globe
    sea = ~planet.land
    out = np.where(sea, p["maritime"] * warmth, p["coastal"] * felt)
    over = np.where(sea, p["over sea"] + (1 - p["over sea"]) * planet.ice, 1.0)
    brought = carried(globe, pressure, planet.mild[season])
    return out + world["advection"] * over[season] * brought


def carried(globe: Globe, pressure: Array, temperature: Array) -> Array:
    """What the geostrophic wind of a pressure brings of a temperature in a day, K."""
    winds = globe.wind(pressure, frozen.AIR["softest"])
    slopes = globe.gradient(temperature)
    return -DAY * (winds[0] * slopes[0] + winds[1] * slopes[1])


def _belts(planet: Planet, felt: Array, pressure: Array, season: np.ndarray) -> Array:
    """Rising air of the belts of rain and sinking air between them, which move.

    The tropical one moves to the warmer side (Schneider et al. 2014), a storm track to the pole
    where pressure is high towards the equator (Thompson and Wallace 2000).
    """
    p, lat = frozen.RAIN, planet.globe.north
    swing = (p["belt swing"] * year(frozen.WARMTH["latest"]))[season]
    moved = _apart(planet.globe, felt, p["belt feels"], -p["belt feels"], p["belt feels width"])
    shift = p["belt most"] * np.tanh(p["belt moves"] * moved / p["belt most"])
    out = p["belt"] * belt(lat, p["belt latitude"] + swing + shift, p["belt width"])
    for side in (-1, 1):
        at = side * p["desert latitude"] + 0.5 * (swing + shift)
        out += p["desert"] * belt(lat, at, p["desert width"])
        high = _apart(
            planet.globe,
            pressure,
            side * p["storms equatorward"],
            side * p["storms poleward"],
            p["storms feel width"],
        )
        moves = p["storms most"] * np.tanh(p["storms moves"] * high / p["storms most"])
        out += p["storms"] * belt(lat, side * (p["storms latitude"] + moves), p["storms width"])
    return out


def _apart(globe: Globe, field: Array, one: float, other: float, width: float) -> Array:
    """A field around one latitude less that around another, (month, 1, columns)."""
    weights = np.array([belt(globe.north, at, width) for at in (one, other)])
    weights /= weights.sum(axis=1, keepdims=True)
    return np.asarray((field * (weights[0] - weights[1])).sum(axis=-2, keepdims=True))


def _tropics(planet: Planet, field: Array) -> Array:
    """Mean of a field over the tropical sea, (month, 1, 1)."""
    weights = planet.globe.area * belt(planet.globe.north, 0.0, frozen.RAIN["around"])
    weights = np.where(planet.land, 0.0, weights)
    return np.asarray((field * weights).sum(axis=(-2, -1), keepdims=True) / weights.sum())


def _rain(planet: Planet, warmth: Array, rises: Array, tropics: Array) -> Array:
    r"""Rain, mm day-1, of the surface's temperature, degC, of rising air and the tropics' warmth.

    .. math:: P = e^{\alpha (T - T_0)} [k_d (T - T_c)_+ + k_w] (d + w_+^\gamma)

    with soft corners in :math:`(\cdot)_+`: moisture after Clausius and Clapeyron, deep convection
    over a threshold T_c (Graham and Barnett 1987) that rises from T_0 with the mean of the tropics
    (Johnson and Xie 2010), the lows' rain out of the tropics, and drizzle d.
    """
    p = frozen.RAIN
    over = warmth - p["threshold"]
    convects = softplus(over - p["rises"] * tropics, p["soft"])
    deep = p["deep"] * np.where(planet.land, p["land"], 1.0) * convects
    wide = p["wide"] * planet.baroclinic
    lifted = p["drizzle"] + softplus(rises, p["lift"]) ** p["power"]
    return np.exp(p["moisture"] * over) * (deep + wide) * lifted


def pumping(globe: Globe, pressure: Array) -> Array:
    """Laplacian of pressure in Pa over the size of the Coriolis parameter, Pa m-2 s.

    What converges under a low by friction (Ekman), up to a constant.
    """
    softest = coriolis(np.array(frozen.RAIN["softest"]))
    return globe.laplacian(pressure) / np.hypot(coriolis(globe.north), softest)
