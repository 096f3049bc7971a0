"""The planet of the climates, on a grid: land, its mean year, and where anomalies lie."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import climate_planet as frozen
from ._globe import Array, Globe

__all__ = ["Planet", "belt", "freeze", "hemispheres", "land", "places", "softplus", "year"]

MONTHS = np.arange(12) + 0.5
"""Middles of the months, counted from the start of January."""


def year(latest: float) -> Array:
    """A year's wave by month, shape (12, 1, 1), greatest at a time of it in months."""
    return np.cos(2 * np.pi * (MONTHS - latest) / 12)[:, None, None]


def softplus(value: Array, soft: float) -> Array:
    """The positive part of a value, with a corner as wide as `soft`."""
    return np.asarray(soft * np.logaddexp(0.0, value / soft))


def hemispheres(latitude: Array, width: float = 10.0) -> Array:
    """From -1 in the south to 1 in the north, over degrees around the equator."""
    return np.asarray(np.tanh(latitude / width))


def land(latitude: ArrayLike, longitude: ArrayLike) -> NDArray[np.bool_]:
    """Whether places, degrees, are on land: near the middle line of a continent."""
    here = _unit(*np.broadcast_arrays(latitude, longitude))
    out = np.zeros(here.shape[1:], bool)
    for *ends, half in frozen.LAND:
        first, last = _unit(*np.reshape(ends, (2, 2)).T).T
        turn = np.arccos(first @ last)
        for share in np.linspace(0, 1, int(np.rad2deg(turn)) + 2):  # a place for every degree
            weights = np.sin([(1 - share) * turn, share * turn]) / np.sin(turn)
            middle = weights[0] * first + weights[1] * last
            out |= np.tensordot(middle, here, 1) > np.cos(np.deg2rad(half))
    return out


def _unit(latitude: Array, longitude: Array) -> Array:
    """Unit vectors, (3, ...)."""
    phi, lam = np.deg2rad(latitude), np.deg2rad(longitude)
    return np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)])


def places(count: int, turned: float) -> Array:
    """Latitude and longitude of places evenly on the sphere, degrees: a Fibonacci lattice."""
    steps = np.arange(count)
    latitude = np.rad2deg(np.arcsin((2 * steps + 1) / count - 1))
    longitude = (steps * 360 / ((1 + 5**0.5) / 2) + turned) % 360
    return np.stack([latitude, longitude], axis=1)


@dataclass(frozen=True, eq=False)
class Planet:
    """What all worlds have in common, on a grid.

    Parameters
    ----------
    globe : Globe
    """

    globe: Globe

    def _seasons(self, table: tuple[frozen.Season, ...]) -> Array:
        """Bells with a year of their own, (12, rows, columns)."""
        mean = self.globe.bells([(*row[:3], row[3]) for row in table])
        return mean + year(0.5) * self.globe.bells([(*row[:3], row[4]) for row in table])

    @cached_property
    def land(self) -> NDArray[np.bool_]:
        """Where no sea is, (rows, columns)."""
        return land(self.globe.north, self.globe.longitude)

    # -- the mean year, (12, rows, columns) ------------------------------------------------

    @cached_property
    def sst(self) -> Array:
        """Temperature of the sea before it freezes, degC; on land what the sea would have."""
        p, lat = frozen.WARMTH, self.globe.north
        warm = np.exp(-((np.abs(lat) / p["width"]) ** p["flat"]))
        mean = p["pole"] + (p["equator"] - p["pole"]) * warm
        swing = p["summer"] * np.sin(np.deg2rad(2 * lat)) * np.abs(np.sin(np.deg2rad(2 * lat)))
        return mean + swing * year(p["latest"]) + self._seasons(frozen.POOLS)

    @cached_property
    def ice(self) -> Array:
        """Share of a cell of sea that is frozen."""
        p = frozen.AIR
        return np.asarray(1 / (1 + np.exp((self.sst - p["ice"]) / p["ice soft"])))

    @cached_property
    def maritime(self) -> Array:
        """How far the sea sets the temperature of the air: 0 on land and on ice."""
        return np.where(self.land, 0.0, 1 - self.ice)

    @cached_property
    def air(self) -> Array:
        """Temperature of the air at 2 m, degC."""
        p, lat = frozen.AIR, self.globe.north
        smoother = self.globe.smoother(p["inland"])
        whole = self.globe.smooth(np.ones_like(self.globe.area), smoother)
        inland = self.globe.smooth(self.land.astype(float), smoother) / whole
        sine = np.sin(np.deg2rad(lat))
        sheet = p["sheet"] * self.globe.bell(-90, 0, p["sheet width"])
        mean = p["equator"] - p["slope"] * sine**2 + sheet
        swing = (p["summer"] + p["continent"] * inland) * sine
        apart = mean + swing * year(p["latest"])
        return self.maritime * (freeze(self.sst) - p["cooler"]) + (1 - self.maritime) * apart

    @cached_property
    def mild(self) -> Array:
        """The same, smooth across coasts."""
        smoother = self.globe.smoother(frozen.AIR["mild"])
        whole = self.globe.smooth(np.ones_like(self.globe.area), smoother)
        return self.globe.smooth(self.air, smoother) / whole

    @cached_property
    def slp(self) -> Array:
        """Pressure at sea level, Pa."""
        p, lat = frozen.BELTS, self.globe.north
        highs = p["highs"] * belt(np.abs(lat), p["highs latitude"], p["highs width"])
        trough = p["trough"] * belt(lat, p["trough latitude"], p["trough width"])
        winter = p["winter"] * hemispheres(lat) * year(0.5)
        return p["mean"] + highs + trough + winter + self._seasons(frozen.PRESSURE)

    @cached_property
    def local(self) -> Array:
        """Rising air that has its place, in units of the convergence that makes rain."""
        return frozen.RAIN["sink"] + self._seasons(frozen.DRY)

    @cached_property
    def baroclinic(self) -> Array:
        """How much of the rain of lows there is, (rows, 1)."""
        return np.asarray(1 - np.exp(-((self.globe.north / frozen.RAIN["baroclinic"]) ** 2)))

    # -- where anomalies lie, (mode, rows, columns) -------------------------------------------

    @cached_property
    def enso(self) -> Array:
        """Sea temperature of a central and of an eastern event, per K."""
        return np.stack([self.globe.bells(each) for each in (frozen.CENTRAL, frozen.EASTERN)])

    @cached_property
    def basins(self) -> Array:
        """Sea temperature of the slow modes, K per standard deviation."""
        return np.stack([each.size * self.globe.bells(each.bells) for each in frozen.BASINS])

    @cached_property
    def red(self) -> Array:
        """Sea temperature of the fading modes, K per standard deviation."""
        return np.stack([self.globe.bells([each]) for each in _red()])

    @cached_property
    def weather(self) -> Array:
        """Pressure of a month's weather, Pa per standard deviation."""
        tables = [*frozen.WEATHER, *([each] for each in _spots())]
        return self._balanced(np.stack([self.globe.bells(each) for each in tables]))

    @property
    def _longitudes(self) -> Array:
        """Of the places of heating, degrees."""
        p = frozen.HEATING
        return np.asarray(p["first"] + p["apart"] * np.arange(int(p["places"])), float)

    @cached_property
    def heated(self) -> Array:
        """Weights of the mean sea temperature over places of tropical heating; they sum to 1."""
        p = frozen.HEATING
        bells = np.stack([self.globe.bell(0, lon, p["width"]) for lon in self._longitudes])
        weights = np.where(self.land, 0.0, bells * self.globe.area)
        return np.asarray(weights / weights.sum(axis=(1, 2), keepdims=True))

    @cached_property
    def gill(self) -> Array:
        """Pressure in the tropics that each place of heating makes, Pa per K."""
        return self._balanced(np.stack([_gill(self.globe, lon) for lon in self._longitudes]))

    @cached_property
    def trains(self) -> Array:
        """Pressure out of the tropics that each makes, Pa per K: (side, place, rows, columns)."""
        shapes = [
            [self.globe.bells(_train(lon, side)) for lon in self._longitudes] for side in (1, -1)
        ]
        return self._balanced(np.array(shapes))

    @cached_property
    def lifted(self) -> Array:
        """Air that rises over each place of heating and sinks elsewhere in the tropics, per K."""
        p = frozen.RAIN
        rises = np.stack(
            [self.globe.bell(0, lon, frozen.HEATING["width"]) for lon in self._longitudes]
        )
        around = np.broadcast_to(belt(self.globe.north, 0.0, p["around"]), rises.shape)
        sinks = around * self.globe.mean(rises) / self.globe.mean(around)
        return p["heated"] * (rises - sinks)

    def _balanced(self, pressure: Array) -> Array:
        """The same without its mean over the sphere: air is only moved."""
        return pressure - self.globe.mean(pressure)


def belt(latitude: Array, middle: Array | float, width: float) -> Array:
    """A bell over latitude, degrees."""
    return np.asarray(np.exp(-0.5 * ((latitude - middle) / width) ** 2))


def freeze(sst: Array) -> Array:
    """Temperature of sea water, degC, which is not colder than freezing."""
    p = frozen.WARMTH
    return p["freezing"] + softplus(sst - p["freezing"], p["soft"])


def _red() -> list[frozen.Bell]:
    """Bells of the fading modes, one for each place at sea."""
    p = frozen.RED
    at = places(int(p["places"]), p["turned"])
    out = []
    for lat, lon in at[~land(*at.T)].tolist():
        middle = belt(np.array(abs(lat)), p["middle latitude"], p["middle width"])
        size = p["tropics"] + (p["middle"] - p["tropics"]) * float(middle)
        size += (p["poles"] - p["tropics"]) * (abs(lat) > p["pole"])
        out.append((lat, lon, p["width"], size))
    return out


def _spots() -> list[frozen.Bell]:
    """Bells of weather everywhere."""
    p = frozen.SPOTS
    out = []
    for lat, lon in places(int(p["places"]), p["turned"]).tolist():
        size = p["equator"] + (p["pole"] - p["equator"]) * np.sin(np.deg2rad(lat)) ** 2
        out.append((lat, lon, p["width"], float(size)))
    return out


def _gill(globe: Globe, longitude: float, waves: int = 60) -> Array:
    r"""Pressure that heating on the equator makes, Pa per K (Gill 1980, section 3).

    A damped Kelvin wave east of it and the longest Rossby wave west of it, three times as short:

    .. math:: (\epsilon + \partial_x) q_0 = -Q, \quad (3 \epsilon - \partial_x) q_2 = -Q, \quad
              p = \tfrac12 e^{-y^2/4} (q_0 + (1 + y^2) q_2),

    solved by Fourier series around the globe, so that waves may meet on the other side.
    """
    p = frozen.HEATING
    k = np.arange(waves)
    wide = np.deg2rad(p["width"])
    heat = np.exp(-0.5 * (k * wide) ** 2) * np.where(k, 2.0, 1.0)
    turn = 1j * k * p["radius"] * np.pi / 180  # derivative per radius of deformation
    phase = np.exp(1j * np.outer(np.deg2rad(globe.longitude - longitude), k))
    kelvin = (phase @ (heat / (p["damping"] + turn))).real
    rossby = (phase @ (heat / (3 * p["damping"] - turn))).real
    y = globe.north / p["radius"]
    shape = 0.5 * np.exp(-(y**2) / 4) * (kelvin + (1 + y**2) * rossby)
    return np.asarray(p["size"] * shape)


def _train(longitude: float, side: int) -> list[frozen.Bell]:
    """Highs and lows along the great circle that leaves the tropics poleward and eastward."""
    p = frozen.TRAINS
    way = np.deg2rad(p["way"])
    out = []
    for far, sign in frozen.TRAIN:
        gone = np.deg2rad(far)
        lat = side * np.rad2deg(np.arcsin(np.sin(gone) * np.cos(way)))
        lon = longitude + np.rad2deg(np.arctan2(np.sin(way) * np.sin(gone), np.cos(gone)))
        out.append((float(lat), float(lon), p["width"], p["size"] * sign))
    return out
