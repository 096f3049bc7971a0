"""Frozen numbers of the planet on which all worlds of `xocean_ml.simulate.climate` happen.

Land, mean climate, where anomalies lie and how rain follows from them are the same in every world
and family: a model that learned the planet from some worlds may be asked about others. Worlds
differ in what `xocean_ml.simulate.climate_families` draws, and in chance. As there, the numbers are
held by a test and are not tuned after a model was scored on them.

Places are latitude and longitude in degrees, widths are standard deviations in degrees of a bell
on the sphere (`xocean_ml.simulate._globe.Globe.bell`).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

__all__ = [
    *("AIR", "BASINS", "BELTS", "CENTRAL", "DRY", "EASTERN", "ENSO", "HEATING", "LAND", "POOLS"),
    *(
        "PRESSURE",
        "RAIN",
        "RED",
        "SERIES",
        "SPOTS",
        "TRAIN",
        "TRAINS",
        "WARMTH",
        "WEATHER",
        "WHITE",
    ),
    *("Basin", "Bell", "Season", "numbers"),
]

Bell = tuple[float, float, float, float]
"""Latitude, longitude, width, size."""
Season = tuple[float, float, float, float, float]
"""Latitude, longitude, width, annual mean, and what northern winter adds (summer takes away)."""


class Basin(NamedTuple):
    """A slow mode of a basin."""

    memory: float  # months
    size: float  # K, standard deviation of what is its own
    enso: float  # K that a lasting El Nino of 1 K makes of it
    bells: tuple[Bell, ...]


LAND: tuple[tuple[float, float, float, float, float], ...] = (
    # From a place to a place along the great circle, and half the width, degrees.
    (60, 240, 45, 262, 17),  # North America
    (66, 205, 64, 222, 6),
    (52, 285, 56, 296, 5),
    (34, 254, 19, 260, 6),  # Mexico
    (17, 264, 9, 278, 3),
    (-1, 294, -12, 307, 14),  # South America
    (-24, 296, -50, 290, 7),
    (76, 318, 68, 315, 9),  # Greenland
    (20, 1, 16, 30, 15),  # Africa
    (2, 21, -26, 25, 12),
    (24, 46, 30, 50, 9),  # Arabia
    (41, 355, 50, 10, 6),  # Europe
    (50, 20, 57, 50, 11),
    (63, 16, 62, 27, 6),
    (56, 60, 58, 120, 17),  # Asia
    (38, 65, 40, 80, 11),
    (34, 90, 33, 110, 11),
    (68, 140, 62, 165, 7),
    (23, 77, 13, 77, 6),  # India
    (22, 100, 12, 103, 6),
    (0, 101, 0, 114, 5),  # the maritime continent
    (-4, 135, -6, 145, 4),
    (-23, 122, -26, 144, 10),  # Australia
    (-90, 0, -84, 60, 18),  # Antarctica
)

WARMTH: Mapping[str, float] = MappingProxyType(
    {
        "equator": 27.6,  # degC
        "pole": -1.8,
        "width": 46.0,  # degrees, of the warm belt
        "flat": 2.8,  # how flat it is on top
        "summer": 4.2,  # K, the year's amplitude in middle latitudes
        "latest": 7.6,  # warmest month of the northern sea, from the start of January
        "freezing": -1.8,  # degC
        "soft": 0.4,  # K, over which freezing sets in
    }
)
"""The mean sea: temperature by latitude and month."""

POOLS: tuple[Season, ...] = (
    (0, 150, 20, 1.6, 0.2),  # warm pool
    (-6, 168, 14, 0.5, 0.4),
    (4, 85, 16, 0.9, -0.2),
    (-3, 268, 11, -3.4, 0.6),  # cold tongue: coldest in September
    (-2, 246, 11, -1.7, 0.1),
    (-1, 224, 10, -0.8, 0.0),
    (-20, 282, 11, -3.0, 0.2),  # upwelling under the trades
    (-18, 8, 11, -3.0, 0.2),
    (28, 238, 11, -2.5, 0.2),
    (18, 342, 10, -2.2, -0.2),
    (-3, 355, 9, -1.0, 0.4),
    (38, 150, 10, 1.5, 0.0),  # western boundary currents
    (40, 300, 10, 1.5, 0.0),
    (60, 350, 16, 5.0, 0.0),  # what the Atlantic carries north
    (45, 170, 14, -1.5, 0.0),
)

AIR: Mapping[str, float] = MappingProxyType(
    {
        "equator": 26.5,  # degC
        "slope": 40.0,  # K from equator to pole
        "sheet": -16.0,  # K, of the southern ice sheet
        "sheet width": 16.0,  # degrees
        "cooler": 0.5,  # K, than the sea under it
        "ice": -1.0,  # degC of the sea under which it is half frozen
        "ice soft": 0.5,  # K, over which it freezes
        "summer": 5.0,  # K, the year's amplitude at a pole, of the sea's air
        "continent": 17.0,  # and what the middle of a continent adds
        "latest": 6.7,  # warmest month of northern land
        "inland": 8.0,  # degrees, how far the sea is felt in the mean
        "reach": 12.0,  # degrees, how far anomalies of the sea are felt on land
        "maritime": 0.9,  # of an anomaly of the sea reaches the air over it
        "coastal": 0.6,  # and the air over land
        "over sea": 0.3,  # of what advection makes on land it makes over sea
        "mild": 8.0,  # degrees, over which a coast is levelled where wind carries the mean
        "softest": 12.0,  # degrees, under which wind is brought to nothing
    }
)
"""Air at 2 m."""

BELTS: Mapping[str, float] = MappingProxyType(
    {
        "mean": 101200.0,  # Pa
        "highs": 700.0,  # Pa, of the subtropics
        "highs latitude": 32.0,  # degrees
        "highs width": 10.0,
        "winter": 150.0,  # Pa, by which a hemisphere is higher in winter
        "trough": -2600.0,  # Pa, around the southern continent
        "trough latitude": -66.0,
        "trough width": 11.0,
    }
)
"""Pressure by latitude, to which `PRESSURE` is added."""
PRESSURE: tuple[Season, ...] = (
    (33, 220, 17, 500, -150),  # subtropical highs
    (32, 325, 17, 500, -100),
    (-30, 260, 18, 400, -100),
    (-29, 350, 17, 400, -150),
    (-31, 80, 18, 400, -200),
    (52, 185, 14, -500, -700),  # lows of the northern winter
    (62, 328, 13, -700, -500),
    (50, 98, 18, 500, 1300),  # Siberia
    (28, 75, 14, -100, 700),  # the monsoon
    (50, 250, 14, 100, 300),
    (-25, 133, 12, 0, -400),
    (2, 140, 22, -400, 0),
    (2, 20, 20, -300, 0),
    (-4, 300, 16, -250, 0),
)

ENSO: Mapping[str, float] = MappingProxyType(
    {
        "growth season": 0.12,  # per month, how much faster in season
        "season": 9.0,  # month of it, from the start of January
        "forgetting": 0.02,  # per month, of the recharge
        "least": 0.3,  # of the noise, however cold
        "most": 2.0,  # and however warm
        "quadratic": 0.02,  # per month and K
        "cubic": 0.012,  # per month and K squared
        "bursts": 0.3,  # autocorrelation of the wind's noise over a month
        "east from": 0.7,  # K, from which a warm event lies in the east
        "over": 0.8,  # K, over which it moves there
        "diversity": 0.35,  # K, standard deviation between the two
        "memory": 10.0,  # months, of that
        "steps": 4,  # of a month
    }
)
CENTRAL: tuple[Bell, ...] = (
    *((0, 172, 9, 0.4), (0, 186, 8, 0.7), (0, 200, 8, 0.75), (0, 214, 8, 0.65), (0, 228, 8, 0.45)),
    *((20, 140, 13, -0.25), (-22, 165, 13, -0.3), (22, 240, 11, 0.2)),
)
EASTERN: tuple[Bell, ...] = (
    *((0, 222, 8, 0.35), (0, 236, 8, 0.7), (0, 250, 8, 0.85), (-1, 264, 8, 0.95)),
    *((-4, 277, 8, 0.9), (-14, 281, 7, 0.5), (0, 150, 12, -0.15)),
)

BASINS: tuple[Basin, ...] = (
    Basin(14, 0.45, 0.35, ((40, 178, 14, -1), (30, 200, 10, -0.5), (46, 225, 11, 0.8),
                           (25, 240, 10, 0.6))),  # Pacific decadal
    Basin(40, 0.35, 0.0, ((52, 322, 14, 1), (35, 318, 13, 0.5), (15, 330, 13, 0.7))),
    Basin(7, 0.18, 0.3, ((-8, 60, 12, 0.8), (-8, 82, 12, 0.9), (8, 68, 12, 0.7),
                         (10, 90, 10, 0.6), (10, 113, 9, 0.5))),  # Indian basin
    Basin(4, 0.35, 0.1, ((-3, 58, 11, 0.7), (-7, 98, 9, -1))),  # Indian dipole
    Basin(5, 0.35, 0.0, ((-1, 345, 9, 0.8), (-3, 2, 9, 1), (-15, 8, 9, 0.6))),  # Atlantic Nino
    Basin(10, 0.4, -0.1, ((-32, 188, 14, 1), (-26, 245, 13, -0.7), (-56, 235, 13, -0.7))),
    Basin(9, 0.35, 0.15, ((12, 320, 11, 0.9), (16, 295, 9, 0.6), (-12, 340, 10, -0.4))),
)  # fmt: skip

RED: Mapping[str, float] = MappingProxyType(
    {
        "places": 24,  # on the sphere, those on land left out
        "turned": 0.0,  # degrees
        "width": 17.0,  # degrees
        "tropics": 0.4,  # K
        "middle": 0.55,
        "middle latitude": 40.0,  # degrees
        "middle width": 14.0,
        "poles": 0.25,  # K, from this latitude on:
        "pole": 60.0,
        "memory": 4.0,  # months
    }
)
"""Anomalies of the sea that fade (Hasselmann 1976)."""

SERIES: Mapping[str, float] = MappingProxyType(
    {
        "spin-up": 40,  # years
        "weather": 1.0,  # months in which an anomaly of the air falls to 1/e
        "drive": 4.0,  # and what it left in the sea
    }
)
"""How long things last."""

HEATING: Mapping[str, float] = MappingProxyType(
    {
        "width": 9.0,  # degrees, of a place's heating
        "radius": 10.0,  # degrees, equatorial radius of deformation
        "damping": 0.12,  # over the speed of waves, per radius
        "size": -6.3,  # Pa per K of convecting sea, of a low that is 20 times as deep
        "full": 1.6,  # K, at which the response saturates
        "first": 55.0,  # degrees east
        "apart": 20.0,
        "places": 15,
    }
)
TRAIN: tuple[tuple[float, float], ...] = ((30, 0.3), (56, -1.0), (84, 0.8), (118, -0.5))
"""Distance along a wave train, degrees, and sign."""
TRAINS: Mapping[str, float] = MappingProxyType({"width": 13.0, "way": 30.0, "size": 170.0})

WEATHER: tuple[tuple[Bell, ...], ...] = (
    ((66, 335, 15, -420), (70, 60, 16, -300), (72, 200, 16, -200), (40, 330, 14, 350),
     (42, 200, 14, 150)),  # northern annular
    ((-90, 0, 17, -420), (-48, 30, 15, 200), (-48, 90, 15, 200), (-48, 150, 15, 200),
     (-48, 210, 15, 200), (-48, 270, 15, 200), (-48, 330, 15, 200)),  # southern annular
    ((22, 195, 12, 120), (46, 197, 13, -420), (55, 245, 13, 320), (32, 276, 12, -200)),
    ((55, 350, 13, 300), (62, 60, 14, -350), (48, 110, 13, 250)),  # Eurasian
    ((-40, 210, 13, -150), (-60, 240, 13, 380), (-50, 300, 13, -260)),  # Pacific-South American
)  # fmt: skip
SPOTS: Mapping[str, float] = MappingProxyType(
    {"places": 17, "turned": 9.0, "width": 18.0, "equator": 60.0, "pole": 260.0}  # Pa
)
"""Weather of a month elsewhere."""

RAIN: Mapping[str, float] = MappingProxyType(
    {
        "threshold": 26.5,  # degC, of convection (Graham and Barnett 1987)
        "rises": 0.6,  # K per K of the tropics' mean (Johnson and Xie 2010)
        "soft": 0.8,  # K, over which it sets in
        "moisture": 0.065,  # per K (Clausius and Clapeyron)
        "deep": 4.5,  # mm/day per K over the threshold
        "heated": 0.9,  # units, of the air that rises over a place per K of its heating
        "around": 20.0,  # degrees, within which as much air sinks
        "sink": -0.6,  # units, of the mean air where nothing else is said
        "lift": 0.18,  # units, over which rising air begins to rain
        "power": 1.2,  # of rising air
        "drizzle": 0.04,  # units, that rain where none rises
        "wide": 13.0,  # mm/day, of the rain of lows
        "softest": 12.0,  # degrees, under which the Coriolis parameter is levelled
        "baroclinic": 22.0,  # degrees, within which lows rain little
        "unit": 1.8e-6,  # Pa m-2 s, of the Laplacian of pressure over the Coriolis parameter
        "belt": 2.0,  # ascent of the mean convergence zone
        "belt width": 7.0,
        "belt latitude": 5.0,  # its mean latitude and how far it swings
        "belt swing": 6.0,
        "belt feels": 12.0,  # degrees, where it feels which side is warmer
        "belt feels width": 8.0,
        "belt moves": 24.0,  # degrees per K
        "belt most": 10.0,  # degrees
        "desert": -0.3,  # and of the subtropics
        "desert latitude": 24.0,
        "desert width": 8.0,
        "storms": 1.6,
        "storms latitude": 46.0,
        "storms width": 12.0,
        "storms equatorward": 36.0,  # degrees, where they feel pressure
        "storms poleward": 60.0,
        "storms feel width": 9.0,
        "storms moves": 0.035,  # degrees per Pa
        "storms most": 12.0,  # degrees
        "land": 0.8,  # of the sea's deep rain
    }
)
"""Rain, and the air that rises for it. Belts move further than the Earth's."""
DRY: tuple[Season, ...] = (
    (24, 5, 11, -1.0, 0.0),  # Sahara
    (26, 30, 11, -1.0, 0.0),
    (26, 52, 9, -0.8, 0.0),
    (42, 80, 13, -0.8, 0.0),
    (-25, 130, 11, -1.0, 0.2),
    (-22, 18, 8, -0.7, 0.3),
    (30, 250, 8, -0.8, 0.0),
    (-22, 285, 9, -0.9, 0.0),
    (-42, 291, 7, -0.7, 0.0),
    (20, 80, 11, 0.2, -1.2),  # monsoons
    (12, 5, 10, 0.0, -0.8),
    (-14, 135, 10, 0.0, 0.8),
    (-12, 300, 14, 0.2, 0.4),
    (-14, 190, 12, 0.5, 0.3),  # South Pacific convergence zone
    (-85, 0, 15, -0.8, 0.0),
)
"""Air that rises or sinks at its place, in the units of `RAIN`."""

WHITE: Mapping[str, float] = MappingProxyType(
    {
        "sst": 0.07,  # K
        "slp equator": 14.0,  # Pa
        "slp pole": 55.0,
        "t2m sea": 0.07,  # K
        "t2m land": 0.2,
        "precipitation": 0.1,  # of the rain
    }
)
"""What nothing foretells: standard deviations."""


def numbers() -> dict[str, object]:
    """Every number in this module."""
    return {
        name.lower(): dict(value) if isinstance(value, Mapping) else value
        for name, value in globals().items()
        if name.isupper()
    }
