"""Frozen parameters of the surface worlds of `xocean_ml.simulate.surface`.

These numbers were written down before any model that is scored on them was trained. They are not
tuned afterwards: `fingerprint` is held by a test. A new question takes a new family with a new key,
or an override in the call, never an edit here.

========== ==================================================================================
name       where its ranges lie
========== ==================================================================================
train      the training range
select     inside `train`: for stopping and for choosing between models
test       inside `train`, other seeds and narrower or shifted ranges: what bars are measured on
other      outside `train`: another hemisphere, another stratification, other tracers
tutorial   the packaged sample
========== ==================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ._frozen import Range, are_ranges, chosen, digest

__all__ = ["BOX", "FACTORS", "FAMILIES", "Family", "fingerprint", "get_family"]

BOX: Mapping[str, float] = MappingProxyType(
    {
        "period": 1200.0,  # km, side of the doubly periodic domain
        "shown": 2 / 3,  # of it is shown, so that a shown box is not periodic
        "upper": 500.0,  # m, depth of the upper layer
        "spin_up": 400.0,  # days from random eddies to a world that has forgotten them
        "refine": 20.0,  # days on the final grid, after the spin-up on a coarse one
        "coarsest": 96.0,  # cells of the domain's side in the spin-up
    }
)

FACTORS: tuple[str, ...] = (
    *("latitude", "radius", "criticality", "drag", "ratio"),
    *("sst_gradient", "sst_direction", "sst_memory", "sss_gradient", "sss_direction"),
    *("sss_memory", "forcing", "wind", "ekman", "land"),
)
"""What is drawn for each world, in the order of the draw."""


@dataclass(frozen=True)
class Family:
    """Ranges from which a world is drawn, uniformly.

    Parameters
    ----------
    key : int
        Enters every random draw: two families never share noise, whatever the seed.
    latitude : (float, float)
        Of the box's middle, degrees north.
    radius : (float, float)
        First baroclinic deformation radius, km.
    criticality : (float, float)
        Shear of the mean flow over beta times the radius squared: above one it is unstable.
    drag : (float, float)
        Bottom drag, per day.
    ratio : (float, float)
        Depth of the upper layer over the lower one's.
    sst_gradient, sss_gradient : (float, float)
        Mean gradient, K (1e-3) per 100 km.
    sst_direction, sss_direction : (float, float)
        Where the mean field increases to, degrees from east.
    sst_memory, sss_memory : (float, float)
        Time in which an anomaly is forgotten, days.
    forcing : (float, float)
        Size of large-scale forced anomalies, in units of what stirring over 100 km makes.
    wind : (float, float)
        Standard deviation of each component, m s-1.
    ekman : (float, float)
        Current per square root of |sin latitude| and stress, m s-1 Pa-1.
    land : (float, float)
        Share of the box that is land; below zero there is none.
    """

    key: int
    latitude: Range = (28.0, 44.0)
    radius: Range = (20.0, 32.0)
    criticality: Range = (5.0, 7.5)
    drag: Range = (0.012, 0.03)
    ratio: Range = (0.15, 0.35)
    sst_gradient: Range = (0.4, 1.2)
    sst_direction: Range = (-130.0, -50.0)
    sst_memory: Range = (40.0, 120.0)
    sss_gradient: Range = (0.05, 0.2)
    sss_direction: Range = (-60.0, 60.0)
    sss_memory: Range = (80.0, 200.0)
    forcing: Range = (0.1, 0.5)
    wind: Range = (4.0, 8.0)
    ekman: Range = (0.15, 0.35)
    land: Range = (-0.15, 0.3)

    def __post_init__(self) -> None:
        are_ranges(self, FACTORS)


FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        "train": Family(key=101),
        "select": Family(key=102, latitude=(30.0, 40.0), radius=(22.0, 30.0), land=(-0.1, 0.2)),
        "test": Family(
            key=103,
            latitude=(29.0, 43.0),
            radius=(21.0, 31.0),
            criticality=(5.2, 7.2),
            drag=(0.013, 0.028),
            sst_gradient=(0.5, 1.1),
            sst_direction=(-125.0, -55.0),
            sst_memory=(45.0, 110.0),
            forcing=(0.15, 0.45),
            land=(-0.15, 0.25),
        ),
        "other": Family(
            key=104,
            latitude=(-52.0, -45.0),
            radius=(15.0, 19.0),
            criticality=(8.0, 9.5),
            drag=(0.035, 0.05),
            ratio=(0.4, 0.6),
            sst_gradient=(0.25, 0.38),
            sst_direction=(60.0, 120.0),
            sst_memory=(20.0, 38.0),
            sss_direction=(100.0, 200.0),
            forcing=(0.55, 0.8),
            wind=(8.5, 11.0),
            ekman=(0.36, 0.45),
        ),
        "tutorial": Family(key=105, latitude=(36.0, 36.0), land=(0.08, 0.12)),
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
    >>> get_family("train").radius
    (20.0, 32.0)
    """
    return chosen(FAMILIES, "surface", name, overrides)


def fingerprint() -> str:
    """Return the sha256 of every number in this module, as a test holds it."""
    return digest(FAMILIES, box=dict(BOX), factors=FACTORS)
