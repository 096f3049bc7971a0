"""Frozen parameters of the climates of `xocean_ml.simulate.climate`.

These numbers were written down before any model that is scored on them was trained. They are not
tuned afterwards: `fingerprint` is held by a test, with the planet's (`climate_planet`). A new
question takes a new family with a new key, or an override in the call, never an edit here.

========== ==================================================================================
name       where its ranges lie
========== ==================================================================================
train      the training range
select     inside `train`: for stopping and for choosing between models
test       inside `train`, other seeds and narrower ranges: what bars are measured on
other      outside `train`: a warmer sea, a stronger El Nino, other teleconnections
tutorial   the packaged sample
========== ==================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from . import climate_planet
from ._frozen import Range, are_ranges, chosen, digest

__all__ = ["FACTORS", "FAMILIES", "Family", "fingerprint", "get_family"]

FACTORS: tuple[str, ...] = (
    *("warming", "enso_period", "enso_damping", "enso_noise", "enso_asymmetry"),
    *("basins", "red", "memory", "gill", "trains", "weather", "winter", "drive", "advection"),
)
"""What is drawn for each world, in the order of the draw."""


@dataclass(frozen=True)
class Family:
    """Ranges from which a world is drawn, uniformly.

    Parameters
    ----------
    key : int
        Enters every random draw: two families never share noise, whatever the seed.
    warming : (float, float)
        Of the mean sea, K.
    enso_period : (float, float)
        Of the recharge oscillator, months.
    enso_damping : (float, float)
        Of its temperature, per month.
    enso_noise : (float, float)
        Of the wind on it, K per month.
    enso_asymmetry : (float, float)
        How much that noise grows by, per K of a warm event.
    basins, red : (float, float)
        Size of the slow modes and of the fading ones, in units of the planet's.
    memory : (float, float)
        Of both, in units of the planet's.
    gill, trains : (float, float)
        Pressure that tropical heating makes in the tropics and out of them, in units of the
        planet's.
    weather : (float, float)
        Pressure of a month's weather, in units of the planet's.
    winter : (float, float)
        How much stronger weather and wave trains are in winter than in the mean.
    drive : (float, float)
        What wind makes of the sea's temperature, days of advection.
    advection : (float, float)
        What wind makes of the air's temperature, days of advection.
    """

    key: int
    warming: Range = (-0.25, 0.25)
    enso_period: Range = (42.0, 52.0)
    enso_damping: Range = (0.045, 0.06)
    enso_noise: Range = (0.22, 0.27)
    enso_asymmetry: Range = (0.4, 0.6)
    basins: Range = (0.85, 1.15)
    red: Range = (0.85, 1.15)
    memory: Range = (0.8, 1.25)
    gill: Range = (0.8, 1.2)
    trains: Range = (0.75, 1.25)
    weather: Range = (0.85, 1.15)
    winter: Range = (0.3, 0.5)
    drive: Range = (0.7, 1.1)
    advection: Range = (2.5, 3.5)

    def __post_init__(self) -> None:
        are_ranges(self, FACTORS)


FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        "train": Family(key=201),
        "select": Family(key=202, warming=(-0.2, 0.2), gill=(0.85, 1.15), memory=(0.85, 1.2)),
        "test": Family(
            key=203,
            warming=(-0.2, 0.2),
            enso_period=(43.0, 51.0),
            enso_damping=(0.047, 0.058),
            enso_noise=(0.225, 0.265),
            memory=(0.85, 1.2),
            gill=(0.85, 1.15),
            trains=(0.8, 1.2),
            weather=(0.9, 1.1),
        ),
        "other": Family(
            key=204,
            warming=(1.0, 2.0),
            enso_period=(30.0, 38.0),
            enso_damping=(0.035, 0.042),
            enso_noise=(0.28, 0.32),
            enso_asymmetry=(0.62, 0.75),
            memory=(1.3, 1.6),
            gill=(1.25, 1.6),
            trains=(0.4, 0.7),
            weather=(1.16, 1.3),
            winter=(0.1, 0.25),
            drive=(0.3, 0.6),
        ),
        "tutorial": Family(key=205, warming=(0.0, 0.0)),
    }
)
"""The frozen families by name."""


def get_family(name: str, **overrides: Any) -> Family:
    """Return a frozen family, with fields replaced for one call.

    Raises
    ------
    ValueError
        No family of that name.
    TypeError
        An override that is no field of `Family`.

    Examples
    --------
    >>> get_family("train").enso_period
    (42.0, 52.0)
    """
    return chosen(FAMILIES, "climate", name, overrides)


def fingerprint() -> str:
    """Return the sha256 of every number here and of the planet's, as a test holds it."""
    return digest(FAMILIES, factors=FACTORS, planet=climate_planet.numbers())
