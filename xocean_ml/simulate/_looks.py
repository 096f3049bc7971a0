"""The looks of an observing system at one field: altimeters, swath, radiometer, coarse maps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ._chance import clouds, gaussian, rng, white
from ._footprints import FWHM, Blur
from ._gridded import Field
from ._orbits import NADIRS, SWATH, Array, Flight, Orbit
from ._seen import map_of, stored_map, swath_of, table_of

__all__ = ["UNITS", "Sight", "coarse", "nadir", "sst", "swath"]

UNITS = {
    "sea_level_anomaly": "m",
    "sea_surface_height_above_geoid": "m",
    "sea_surface_temperature": "K",
    "sea_surface_salinity": "1e-3",
}
"""Fields that can be seen, and the units of their noise; their order keys it."""
SPACING = {"nadir": 7.0, "swath": 2.0}
"""Along the track, km."""
ACROSS = np.concatenate([np.arange(-60.0, -9, 2), np.arange(10.0, 61, 2)])
"""Of a swath's pixels from the track, km to the right."""
MEMORY = 5.0
"""Of the noise of coarse maps, days."""
TITLES = {
    "nadir": "Sea level along simulated ground tracks of altimeters",
    "swath": "Sea level in the simulated swath of an altimeter",
    "sst": "Sea surface temperature between simulated clouds",
    "coarse": "Simulated coarse map",
}


@dataclass(frozen=True)
class Sight:
    """A field that is looked at: the result's name, the error in the field's units, the seed."""

    name: str
    truth: xr.Dataset
    field: Field
    error: float
    seed: int

    @property
    def line(self) -> str:
        """Of the history."""
        return f"observed by xocean_ml.simulate.observe(seed={self.seed}): {self.name}"

    def flight(self, number: int, orbit: Orbit) -> Flight:
        """A satellite, which is somewhere on its orbit."""
        start, node = rng(self.seed, f"{self.name} orbit", number).random(2)
        return Flight(orbit, start, 360 * node, SPACING[self.name])

    def days(self) -> Iterator[int]:
        """Days in which something may be seen."""
        first, last = self.field.span
        return iter(range(int(np.floor(first)), int(np.floor(last)) + 1))

    def within(self, days: Array) -> NDArray[np.bool_]:
        """Which times lie in the truth's."""
        first, last = self.field.span
        return np.asarray((days >= first) & (days <= last))


def nadir(sight: Sight, count: int) -> xr.Dataset:
    field = sight.field
    flights = [sight.flight(number, orbit) for number, orbit in enumerate(NADIRS[:count])]
    found = []
    for day in sight.days():
        rows = np.concatenate([_points(sight, day, *each) for each in enumerate(flights)])
        rows = rows[sight.within(rows[:, 0])]
        rows = rows[np.argsort(rows[:, 0], kind="stable")]
        rows[:, 3] = field.at(*rows[:, :3].T) + sight.error * rows[:, 3]
        found.append(rows[np.isfinite(rows[:, 3])])
    names = [orbit.name for orbit in NADIRS]
    return _told(sight, table_of(field, np.concatenate(found), sight.error, names))


def _points(sight: Sight, day: int, satellite: int, flight: Flight) -> Array:
    """Of one day and satellite: time, latitude, longitude, noise, satellite, pass; (looks, 6)."""
    looks = flight.looks(day, sight.field.box)
    days = flight.times(looks)
    latitude, longitude = flight.at(days)
    return np.stack(
        [
            *(days, latitude, sight.field.box.eastward(longitude)),
            white(sight.seed, "nadir", satellite, looks, 1)[:, 0],
            *(np.full(len(looks), satellite), flight.passes(days)),
        ],
        axis=1,
    )


def swath(sight: Sight) -> xr.Dataset:
    field, flight = sight.field, sight.flight(0, SWATH)
    box = field.box.wider(ACROSS.max() + SPACING["swath"])
    found = []
    for day in sight.days():
        looks = flight.looks(day, box)
        looks = looks[sight.within(flight.times(looks))]
        days = flight.times(looks)
        latitude, longitude = flight.beside(days, ACROSS)
        inside = field.box.holds(latitude, longitude)
        times = np.broadcast_to(days[:, None], inside.shape)
        values = np.full(inside.shape, np.nan)
        values[inside] = field.at(times[inside], latitude[inside], longitude[inside])
        values += sight.error * white(sight.seed, "swath", 0, looks, len(ACROSS))
        kept = np.isfinite(values).any(axis=1)
        about = (days, flight.passes(days), latitude, field.box.eastward(longitude), values)
        found.append([each[kept] for each in about])
    parts = [np.concatenate(each) for each in zip(*found, strict=True)]
    return _told(sight, swath_of(field, parts, ACROSS, sight.error))


def sst(sight: Sight, share: float) -> xr.Dataset:
    field = sight.field
    values = np.empty((len(field.days), *map(len, field.sides)), field.dtype)
    hidden = clouds(sight.seed, field.days, field.sides, share)
    for time, day in enumerate(field.days):
        # The day and the second, of one key: a truth may have several times a day.
        second = round(float(day % 1) * 86400)
        chance = rng(sight.seed, "sst", int(np.floor(day)), second)
        noise = chance.standard_normal(values.shape[1:])
        values[time] = field.slab(time) + sight.error * noise
    values[hidden] = np.nan
    return _told(sight, stored_map(field, sight.truth, values, sight.error, sight.line))


def coarse(sight: Sight, footprint: float) -> xr.Dataset:
    field, blur = sight.field, Blur(sight.field, footprint)
    # Correlated as white noise under the same footprint would be.
    length = np.sqrt(2) * footprint / FWHM
    chance = rng(sight.seed, "coarse", list(UNITS).index(field.found.key))
    noise = gaussian(chance, field.days, blur.sides, length, MEMORY)
    values = np.empty(noise.shape, field.dtype)
    for time, each in enumerate(noise):
        values[time] = blur(field.slab(time)) + sight.error * each
    cells = (blur.rows, blur.columns)
    return _told(sight, map_of(field, values, cells, sight.error, footprint))


def _told(sight: Sight, ds: xr.Dataset) -> xr.Dataset:
    """With attributes that say what it is, and how it was made."""
    before = str(sight.truth.attrs.get("history", "")).rstrip("\n")
    return ds.assign_attrs(
        Conventions="CF-1.11",
        title=TITLES[sight.name.partition("_")[0]],
        source="xocean_ml.simulate.observe",
        comment="What satellites would see of the truth; not data",
        history="\n".join(filter(None, [before, sight.line])),
    )
