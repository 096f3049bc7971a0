"""Frozen parameters of the twin worlds of `xocean_ml.simulate.increments`.

These numbers were written down before any model that is scored on them was trained. They are not
tuned afterwards: `fingerprint` is held by a test. A new question takes a new family with a new
key, or an override in the call, never an edit here.

A world is a set of vertical profiles (`PROFILES`, the same in all families) times one random
factor per column, log-uniform within the family's range, and an observing system (`PLATFORMS`)
whose eras begin when the family says.

========== ==================================================================================
name       where its ranges lie
========== ==================================================================================
train      the training range
select     inside `train`, other eras: for stopping and for choosing between models
test       reaches from inside `train` to outside
inside     (`test_inside`) inside `train` in every factor, other eras
outside    (`test_outside`) outside `train` in every factor but drift, other eras and time step
========== ==================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ._frozen import Range, chosen, digest

__all__ = [
    "DEPTH",
    "FACTORS",
    "FAMILIES",
    "PLATFORMS",
    "PROFILES",
    "Family",
    "fingerprint",
    "get_family",
]

DEPTH: tuple[float, ...] = (
    *(5.0, 15.0),
    *(30.0, 50.0, 75.0, 100.0, 150.0, 200.0, 270.0),
    *(350.0, 430.0, 530.0, 650.0, 780.0),
    *(950.0, 1200.0, 1500.0, 1850.0),
    *(2500.0, 4000.0),
)
"""Default levels, m: 2, 7, 5, 4 and 2 in the bands 0-20, -300, -800, -2000 and below 2000 m."""

PROFILES: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {
        "depth": (5, 20, 50, 100, 200, 350, 500, 800, 1200, 2000, 4000),  # m
        # Slow model error: standard deviation, K/year, and decorrelation time, years.
        "drift": (2.5, 1.5, 0.8, 0.6, 0.45, 0.32, 0.24, 0.13, 0.065, 0.022, 0.006),
        "drift_time": (0.15, 0.3, 1.0, 2.0, 3.0, 4.0, 4.5, 5.0, 6.0, 8.0, 10.0),
        # Fast model error: standard deviation of what one year adds, K/year^(1/2).
        "noise": (0.9, 0.8, 0.55, 0.40, 0.28, 0.18, 0.12, 0.06, 0.03, 0.010, 0.003),
        # Time in which the model forgets an error of its state, years.
        "restoring": (0.15, 0.25, 0.6, 1.0, 1.5, 2.2, 3.0, 4.5, 6.0, 10.0, 15.0),
        # Error of one precise profile, instrument and representation, K.
        "error": (0.6, 0.6, 0.8, 0.9, 0.7, 0.5, 0.36, 0.18, 0.09, 0.035, 0.012),
    }
)
"""Vertical profiles, interpolated linearly in log depth."""

PLATFORMS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        # rate: profiles a month that reach one column, in the ship, XBT and Argo era.
        # reach: share of profiles that go at least as deep as `depth` (m), linear in between.
        "surface": {
            "precise": False,
            "rate": (2.0, 6.0, 12.0),
            "depth": (0.0, 18.0, 22.0),
            "reach": (1.0, 1.0, 0.0),
        },
        "cast": {
            "precise": True,
            "rate": (0.12, 0.35, 0.35),
            "depth": (0.0, 100.0, 300.0, 800.0, 1200.0, 2000.0, 4500.0),
            "reach": (1.0, 0.9, 0.55, 0.20, 0.10, 0.04, 0.02),
        },
        "xbt": {
            "precise": False,
            "rate": (0.0, 3.0, 1.0),
            "depth": (0.0, 400.0, 480.0, 700.0, 800.0),
            "reach": (1.0, 0.95, 0.45, 0.35, 0.0),
        },
        "argo": {
            "precise": True,
            "rate": (0.0, 0.0, 4.0),
            "depth": (0.0, 900.0, 1100.0, 1950.0, 2050.0, 4500.0),
            "reach": (1.0, 1.0, 0.9, 0.75, 0.01, 0.005),
        },
    }
)
"""The observing system: what each platform brings to a column."""

FACTORS: tuple[str, ...] = (
    *("drift", "drift_time", "noise", "restoring", "error"),
    *("density", "tuning", "coarse"),
)
"""What is drawn for each column, in the order of the draw."""


@dataclass(frozen=True)
class Family:
    """One family of twin worlds: ranges of each column's factors, and what all columns share.

    Parameters
    ----------
    key : int
        Enters every random draw: two families never share noise, whatever the seed.
    drift, drift_time, noise, restoring, error : (float, float)
        Ranges of the factors on the rows of `PROFILES`.
    density : (float, float)
        Range of the factor on all rates of `PLATFORMS`.
    tuning : (float, float)
        Range of the forecast error that the assimilation assumes over a consistent one
        (standard deviations): above 1 its gain is too high.
    coarse : (float, float)
        Range of the error of a coarse observation (surface report, XBT) over a precise one.
    xbt, argo : float
        Year in the middle of each era's onset.
    ramp : float
        Length of an onset, years.
    vertical : float
        Decorrelation length of all noise between levels, in units of log depth.
    members : int
        Size of the ensemble that gives the spread.
    years : (int, int)
        First and last year, inclusive.
    step : str
        Time step, a pandas frequency.
    """

    key: int
    drift: Range
    drift_time: Range
    noise: Range
    restoring: Range
    error: Range
    density: Range
    tuning: Range
    coarse: Range
    xbt: float
    argo: float
    ramp: float
    vertical: float
    members: int = 40
    years: tuple[int, int] = (1920, 2019)
    step: str = "MS"

    def __post_init__(self) -> None:
        for name in FACTORS:
            low, high = getattr(self, name)
            if not 0 < low <= high:
                raise ValueError(f"{name} is a range (low, high) above 0; found {(low, high)}")
        if not (self.ramp > 0 and self.vertical > 0 and self.members > 1):
            raise ValueError("ramp and vertical must be above 0, and members above 1")


FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        "train": Family(
            key=1,
            drift=(0.5, 2.0),
            drift_time=(0.5, 2.0),
            noise=(0.5, 2.0),
            restoring=(0.5, 2.0),
            error=(0.5, 2.0),
            density=(0.25, 4.0),
            tuning=(0.5, 2.0),
            coarse=(1.5, 3.0),
            xbt=1970.0,
            argo=2004.0,
            ramp=4.0,
            vertical=1.0,
        ),
        "select": Family(
            key=2,
            drift=(0.6, 1.6),
            drift_time=(0.6, 1.8),
            noise=(0.6, 1.6),
            restoring=(0.6, 1.6),
            error=(0.6, 1.6),
            density=(0.3, 3.0),
            tuning=(0.6, 1.6),
            coarse=(1.6, 2.8),
            xbt=1968.0,
            argo=2003.0,
            ramp=6.0,
            vertical=0.8,
        ),
        "test": Family(
            key=3,
            drift=(0.7, 3.0),
            drift_time=(0.9, 3.5),
            noise=(0.8, 3.0),
            restoring=(0.25, 1.2),
            error=(0.8, 3.0),
            density=(0.1, 1.5),
            tuning=(0.8, 3.0),
            coarse=(1.2, 2.5),
            xbt=1966.0,
            argo=2002.0,
            ramp=5.0,
            vertical=0.6,
        ),
        "test_inside": Family(
            key=4,
            drift=(0.7, 1.5),
            drift_time=(0.7, 1.5),
            noise=(0.7, 1.5),
            restoring=(0.7, 1.5),
            error=(0.7, 1.5),
            density=(0.4, 2.5),
            tuning=(0.7, 1.5),
            coarse=(1.7, 2.6),
            xbt=1972.0,
            argo=2005.0,
            ramp=3.0,
            vertical=1.2,
        ),
        "test_outside": Family(
            key=5,
            drift=(0.7, 1.5),
            drift_time=(2.2, 3.5),
            noise=(0.25, 0.45),
            restoring=(2.2, 4.0),
            error=(2.1, 3.0),
            density=(0.1, 0.23),
            tuning=(2.1, 3.0),
            coarse=(3.1, 4.0),
            xbt=1964.0,
            argo=2000.0,
            ramp=8.0,
            vertical=0.5,
            step="10D",
        ),
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
    >>> get_family("train").density
    (0.25, 4.0)
    >>> get_family("train", density=(1.0, 1.0)).density
    (1.0, 1.0)
    """
    return chosen(FAMILIES, "twin", name, overrides)


def fingerprint() -> str:
    """Return the sha256 of every number in this module, as a test holds it."""
    return digest(
        FAMILIES,
        depth=DEPTH,
        profiles=dict(PROFILES),
        platforms={name: dict(each) for name, each in PLATFORMS.items()},
        factors=FACTORS,
    )
