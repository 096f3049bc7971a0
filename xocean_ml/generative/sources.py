"""Observations of a domain: in what geometry, of what datum, with what errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from xocean_ml import fields as cf
from xocean_ml.assimilation import sources
from xocean_ml.assimilation.rows import Rows
from xocean_ml.assimilation.sources import OnGrid, OnPoints
from xocean_ml.assimilation.state import State
from xocean_ml.currents.reading import topography
from xocean_ml.downscaling.target import spacing
from xocean_ml.errors import FieldNotFound, warn
from xocean_ml.generative.arguments import width_of
from xocean_ml.generative.domain import Domain
from xocean_ml.generative.footprints import area_means, correlated, footprints
from xocean_ml.generative.reading import CURRENTS, HEIGHTS
from xocean_ml.grid import Side, sides_of

__all__ = ["Observed", "mean_topography", "observed"]

COARSER = 1.5
"""Times as large as the domain's cells from which on those of a map are means over their area."""

FOOTPRINT = "footprint_km"
"""Attribute of a variable: full width at half maximum of the Gaussian it is seen through."""

UNTOLD = 0.05
"""Standard error, in standard deviations of a field, where none is told."""


@dataclass(frozen=True, eq=False)
class Observed:
    """One observed field of one Dataset.

    Parameters
    ----------
    seen : OnGrid or OnPoints
    number : int
        Of the field, in the model.
    shift : array, (m,), or 0
        To be added to values, in the model's units: from one datum of heights to the other.
    inflated : float
        Factor of the errors' variance: values whose errors are one error, seen as many.
    wide : bool
        Whether each value is a mean over much more than a cell.
    rows : Rows
        How the state is seen.
    alone : bool
        Whether it sees its own field alone; of whole currents heights are seen too.
    """

    seen: OnGrid | OnPoints
    number: int
    shift: np.ndarray | float
    inflated: float
    wide: bool
    rows: Rows
    alone: bool


def observed(
    ds: xr.Dataset,
    domain: Domain,
    *,
    fields: Mapping[str, str],
    error: Mapping[str, Any],
    footprint: Mapping[str, float],
    mdt: np.ndarray | None,
) -> list[Observed]:
    """What of a domain's fields is observed in a Dataset.

    Parameters
    ----------
    ds : Dataset
        Plain.
    domain : Domain
    fields : mapping
        Variables by key, as the user says.
    error : mapping
        Standard errors by key.
    footprint : mapping
        Widths of footprints, km, by key.
    mdt : array, (rows, columns), optional
        Mean dynamic topography on the domain, m.

    Raises
    ------
    FieldNotFound
        Heights of the other datum, and no mean topography.
    """
    keys = [str(each["key"]) for each in domain.config["fields"]]
    named, sign = _in_datum(ds, keys, fields)
    if sign and mdt is None:
        own = next(key for key in HEIGHTS if key in keys)
        raise FieldNotFound(
            f"{named[own]}: the prior knows {own}, and this is the other height of the sea; the "
            "mean dynamic topography between them is missing. Give it, as a variable 'mdt' in m, "
            "in one of the Datasets or in like="
        )
    match = partial(_match, footprint=footprint, keys=keys, own=domain.cell)
    made = []
    for each in sources.found_in(ds, domain, named, error, match):
        number = keys.index(each.found.key)
        if isinstance(each, OnPoints):
            _tell_nowhere(each)
            if not len(each.values):
                continue  # no satellite came by
        if isinstance(each, OnGrid) and not len(each.gridded.rows):
            warn(
                f"{each.array.name}: its cells are means over more than the domain, of whose sea "
                "none tells enough; it is not used"
            )
            continue
        each = _with_error(each, domain.config["fields"][number], error)
        shift: np.ndarray | float = 0.0
        rows = each.gridded.rows if isinstance(each, OnGrid) else each.rows
        if sign and each.found.key in HEIGHTS:
            assert mdt is not None
            shift = sign * _shift(domain.state, number, rows, mdt, domain.config)
        alone = domain.config["smooth"] is None or each.found.key not in CURRENTS
        if not alone:
            rows, mean = _whole(domain, number, rows, mdt)
            shift = -mean
        wide = isinstance(each, OnGrid) and each.how in ("area", "footprint")
        inflated = 1.0
        if isinstance(each, OnGrid) and each.how == "footprint":
            width = _width(each.array, each.found.key, footprint)
            assert width is not None
            inflated = correlated(width, each.sides)
        made.append(Observed(each, number, shift, inflated, wide, rows, alone))
    return made


def _whole(
    domain: Domain, number: int, rows: Rows, mdt: np.ndarray | None
) -> tuple[Rows, np.ndarray]:
    """Rows of whole currents, of a prior that knows them without their geostrophic part."""
    from xocean_ml.generative.balance import matrices, whole

    keys = [str(each["key"]) for each in domain.config["fields"]]
    height = next(keys.index(key) for key in HEIGHTS if key in keys)
    matrix = matrices(domain.state, float(domain.config["smooth"]))[CURRENTS.index(keys[number])]
    between = mdt if keys[height] == HEIGHTS[0] else None
    return whole(rows, matrix, domain.state, (number, height), domain.config, between)


def mean_topography(
    datasets: Sequence[xr.Dataset], domain: Domain, fields: Mapping[str, str]
) -> np.ndarray | None:
    """Mean dynamic topography on a domain, m, (rows, columns); None where there is none."""
    for ds in datasets:
        named = {k: v for k, v in fields.items() if v in ds.variables}
        found = topography(ds, named)
        if found is None:
            continue
        sides = sides_of(found.to_dataset(name=str(found.name)), str(found.name))
        lat, lon = (str(side.coordinate.name) for side in sides)
        return np.asarray(domain.placed(found, lat, lon).values, np.float64)
    return None


def _in_datum(
    ds: xr.Dataset, keys: Sequence[str], fields: Mapping[str, str]
) -> tuple[dict[str, str], int]:
    """Variables by key; and what of the mean topography is added to heights: 1, 0 or -1."""
    named = sources.named_in(ds, fields)
    own = next((key for key in HEIGHTS if key in keys), None)
    if own is None or own in named:
        return named, 0
    other = HEIGHTS[1 - HEIGHTS.index(own)]
    for key, sign in ((own, 0), (other, 1 if own == HEIGHTS[1] else -1)):
        if found := cf.look_for(ds, key, fields=named):
            return ({**named, own: found.variable} if sign else named), sign
    return named, 0


def _shift(
    state: State, number: int, rows: Rows, mdt: np.ndarray, config: Mapping[str, Any]
) -> np.ndarray:
    whole = np.zeros(state.known.shape)
    whole[number] = mdt
    made = rows.of(state.pack(whole))
    # m to the model's units: heights have no offset
    from xocean_ml.units import conversion

    return np.asarray(made * conversion("m", config["fields"][number]["units"]).factor)


def _width(array: xr.DataArray, key: str, given: Mapping[str, float]) -> float | None:
    told = given.get(key, array.attrs.get(FOOTPRINT))
    return None if told is None else width_of(told, str(array.name))


def _match(
    state: State,
    field: int,
    sides: tuple[Side, Side],
    array: xr.DataArray,
    *,
    footprint: Mapping[str, float],
    keys: Sequence[str],
    own: tuple[float, float],
) -> tuple[Rows, np.ndarray, str]:
    """How the cells of a gridded field see the domain."""
    width = _width(array, keys[field], footprint)
    if width is not None:
        return (*footprints(state, field, sides, width), "footprint")
    cell = spacing(sides)
    if np.sqrt(cell[0] * cell[1] / (own[0] * own[1])) >= COARSER:
        return (*area_means(state, field, sides), "area")
    return sources.grid_match(state, field, sides)


def _with_error(
    each: OnGrid | OnPoints, told: Mapping[str, Any], given: Mapping[str, Any]
) -> OnGrid | OnPoints:
    """The same, with the error that is taken where none is told."""
    least = UNTOLD * float(told["std"])
    name = each.found.variable
    if isinstance(each, OnPoints):
        if each.error.any():
            return each
        _tell(name, told, least)
        return replace(each, error=np.full(len(each.values), least))
    if each.error is not None or each.gridded.error:
        return each
    _tell(name, told, least)
    return replace(each, gridded=replace(each.gridded, error=least))


def _tell_nowhere(each: OnPoints) -> None:
    if each.nowhere:
        warn(
            f"{each.found.variable}: {each.nowhere} observations have no time or no place, and are "
            "not used"
        )


def _tell(name: str, told: Mapping[str, Any], least: float) -> None:
    warn(
        f"{name}: no standard error is told; {least:.3g} {told['units']} is taken. Give it: "
        f"error={{{told['key']!r}: ...}}"
    )
