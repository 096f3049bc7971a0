"""`ose`: an observing-system experiment, of real observations, some of which are withheld."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from xocean_ml import fields as cf
from xocean_ml import observations as tables
from xocean_ml import units
from xocean_ml.errors import FieldNotFound, ValuesError, warn
from xocean_ml.evaluate.judged import judged
from xocean_ml.evaluate.matching import alike, found_in
from xocean_ml.evaluate.points import Points
from xocean_ml.evaluate.tables import joined
from xocean_ml.evaluate.verified import verified
from xocean_ml.fields import Found
from xocean_ml.generative.when import ns_of
from xocean_ml.observations.sampling import expand, links_of

__all__ = ["ose"]


def ose(
    observations: xr.Dataset,
    models: Any,
    *,
    withheld: xr.Dataset | Mapping[str, Any],
    like: xr.Dataset | xr.DataArray,
    also: xr.Dataset | Sequence[xr.Dataset] | Mapping[str, xr.Dataset] = (),
    members: int = 16,
    seed: int = 0,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    bootstrap: int = 500,
) -> xr.Dataset:
    r"""Score models by observations that they have not seen: an observing-system experiment.

    Members are brought to the withheld points, bilinear between the four cells around and of the
    time nearest within half a step. With members :math:`x_1 \dots x_M`, their mean
    :math:`\bar x` and variance :math:`s^2` (over M - 1), the observation y, its standard error
    :math:`\sigma` and means over points (angle brackets), each of which counts once:

    ===================== =====================================================================
    ``rmse``              :math:`\langle (\bar x - y)^2 \rangle^{1/2}`
    ``rmse_corrected``    :math:`\langle (\bar x - y)^2 - s^2 / M \rangle^{1/2}`: of the mean of
                          infinitely many members. `metrics.ensemble` divides by 1 + 1/M, which
                          is the same of a calibrated ensemble and a truth without errors
    ``bias``              :math:`\langle \bar x - y \rangle`
    ``spread_over_error`` :math:`\langle \frac{M+1}M s^2 + \sigma^2 \rangle^{1/2}` / rmse, 1 if
                          calibrated [1]_
    ``crps``              fair, of members with noise as large as the error of the observation
                          [2]_; of one member, the mean absolute error
    ``within_90``         share of the observations between the quantiles of 5 % and 95 % of such
                          members, as of `metrics.ensemble`
    ``rank_histogram``    share of the points whose observation is above 0 to M such members,
                          along ``rank``; 1/(M+1) if calibrated
    ``points``            how many were verified
    ``left_out``          how many were not: outside the grid or the times, beside land (any of
                          the four cells is missing)
    ===================== =====================================================================

    Parameters
    ----------
    observations : Dataset
        Points in any CF discrete-sampling geometry (or a grid with gaps), found by CF names, in
        any units.
    models : mapping of str to model, or one model
        Whatever `xocean_ml.genda` takes; or Datasets of members that are there already, with an
        ensemble dimension, latitude, longitude and time.
    withheld : Dataset, or mapping of str to value or values
        Points to verify by, whatever they are of. Or coordinates of the observations with the
        values whose rows are taken out, ``{"satellite": 2}``; several values in a list, flags by
        their meanings too.
    like : Dataset or DataArray
        Grid, land and times of the members; see `xocean_ml.genda`.
    also : Dataset, or several
        Further observations.
    members : int
        How many each model draws.
    seed : int
        Of the members, the noise and the resampling. Noise is keyed by time and place of the
        observation.
    options : mapping of str to mapping, optional
        Further arguments of `xocean_ml.genda`, by the model's name.
    bootstrap : int
        Resamplings of blocks of times, for the 95 % intervals; 0 for none.

    Returns
    -------
    Dataset
        The scores above on (model, variable), with ``_low`` and ``_high``, by the names and in
        the units of what is withheld (coordinate ``units``); ``members`` (model). NaN, and no
        points, where a model does not give a variable.

    Raises
    ------
    FieldNotFound
        Nothing that is withheld is a field of the members; a coordinate that is not there.
    ValuesError
        No row, or every one, is withheld.
    GridError
        None of the withheld points lies where members are.
    AmbiguousField, UnitsError
        As `xocean_ml.fields.find` raises them.
    TypeError, ValueError
        What makes no members; options of a model that is not there; as `genda` raises them.

    Warns
    -----
    UserWarning
        No standard error is told of what is withheld: it is taken as exact. Heights of another
        datum, without a mean topography (``mdt``) in any of the Datasets.

    References
    ----------
    .. [1] Fortin, Abaza, Anctil and Turcotte (2014), J. Hydrometeorol. 15, 1708-1713,
       doi:10.1175/JHM-D-14-0008.1.
    .. [2] Ferro (2017), Measuring forecast performance in the presence of observation error.
       QJRMS 143, 2665-2676, doi:10.1002/qj.3115; Hamill (2001), Interpretation of rank histograms
       for verifying ensemble forecasts. MWR 129, 550-560.

    Examples
    --------
    A prior of ten states of a small sea; of three altimeters over the next two one is withheld:

    >>> import xocean_ml as xo
    >>> from xocean_ml.generative.fit import fit
    >>> sea = xo.tutorial.open_dataset("surface").isel(latitude=slice(32), longitude=slice(32))
    >>> prior, sea = fit(sea.isel(time=slice(10)), "oi"), sea.isel(time=[10, 11])
    >>> seen = xo.simulate.observe(sea, nadirs=3, cloud=0.5)
    >>> table = ose(seen["nadir"], {"oi": prior}, withheld={"satellite": "SARAL"},
    ...             also=seen["sst"], like=sea[["ssh", "mdt"]], members=4, bootstrap=0)
    >>> table.crps.dims, [str(name) for name in table.variable.values]
    (('model', 'variable'), ['ssh'])
    >>> int((table.points + table.left_out).squeeze()) == int((seen["nadir"].satellite == 2).sum())
    True
    """
    entries = judged(models, options)
    first, *others = (units.dequantify(each)[0] for each in _datasets(observations, also))
    if isinstance(withheld, xr.Dataset):
        held = units.dequantify(withheld)[0]
    else:
        first, held = _split(first, withheld, alone=not others)
    observed = _points(held)
    near = [first, *others, held, *_topography(like)]
    scored = {}
    for name, entry in entries.items():
        drawn = entry.members([first, *others], members=members, like=like, seed=seed)
        made = xr.Dataset(alike(drawn, held, near))
        if not made.data_vars:
            raise FieldNotFound(
                f"{name}: nothing that is withheld, {', '.join(observed)}, is among its members, "
                f"{sorted(map(str, drawn.data_vars))}"
            )
        scored[name] = verified(made, observed, seed=seed, bootstrap=bootstrap)
    names = [n for n in observed if any(n in each["variable"].values for each in scored.values())]
    return joined(scored, names, {n: units.units_of(held[n]) or "" for n in names})


def _datasets(observations: Any, also: Any) -> list[xr.Dataset]:
    if isinstance(also, xr.Dataset):
        also = [also]
    several = [observations, *(also.values() if isinstance(also, Mapping) else also)]
    for each in several:
        if not isinstance(each, xr.Dataset):
            raise TypeError(f"observations are Datasets, not {type(each).__name__}")
    return several


def _topography(like: Any) -> list[xr.Dataset]:
    return [units.dequantify(like)[0]] if isinstance(like, xr.Dataset) else []


# -- what is withheld --------------------------------------------------------------------------


def _split(
    ds: xr.Dataset, withheld: Mapping[str, Any], *, alone: bool
) -> tuple[xr.Dataset, xr.Dataset]:
    """Observations that are left, and those that are taken out; each missing in the other."""
    found = found_in(ds)
    if not isinstance(withheld, Mapping) or not withheld:
        raise TypeError(
            f"withheld={withheld!r}: a Dataset of points is needed, or a mapping from coordinates "
            "to values, {'satellite': 2}"
        )
    if not found:
        raise FieldNotFound(
            f"no field of the sea's surface is observed: there are {sorted(map(str, ds.data_vars))}"
        )
    kept, held, counts = {}, {}, np.zeros(2, int)
    for each in found.values():
        array = ds[each.variable]
        out = _rows(ds, array, withheld)
        kept[each.variable], held[each.variable] = array.where(~out), array.where(out)
        counts += [int(kept[each.variable].count()), int(held[each.variable].count())]
    if not counts[1] or (alone and not counts[0]):
        told = "; ".join(f"{name} has {_told(ds[name])}" for name in withheld)
        much = "every observation is" if counts[1] else "no observation is"
        raise ValuesError(f"withheld={dict(withheld)}: {much} such; {told}")
    return ds.assign(kept), ds.assign(held)


def _rows(ds: xr.Dataset, array: xr.DataArray, withheld: Mapping[str, Any]) -> xr.DataArray:
    """True where all coordinates have the values; those of a ragged array's instances too."""
    links, out = links_of(ds), xr.ones_like(array, bool).drop_attrs(deep=False)
    for name, values in withheld.items():
        if name not in ds.variables:
            raise FieldNotFound(
                f"withheld: there is no coordinate {name!r}; there are "
                f"{sorted(map(str, {*ds.coords, *ds.data_vars}))}"
            )
        coordinate = expand(_bare(ds, name), array.dims, links)
        out = out & coordinate.isin(_values(ds[name], values))
    return out


def _bare(ds: xr.Dataset, name: str) -> xr.DataArray:
    return xr.DataArray(ds.variables[name].to_base_variable(), name=name)


def _values(coordinate: xr.DataArray, given: Any) -> list[Any]:
    """Values as the coordinate has them; of flags, by their meanings."""
    several = [given] if isinstance(given, str) or np.ndim(given) == 0 else list(given)
    meanings = str(coordinate.attrs.get("flag_meanings", "")).split()
    marks = np.atleast_1d(coordinate.attrs.get("flag_values", []))
    flags: dict[Any, Any] = dict(zip(meanings, marks, strict=False))
    return [flags.get(each, each) for each in several]


def _told(coordinate: xr.DataArray) -> str:
    values = np.unique(coordinate.values)
    told = ", ".join(map(str, values[:8]))
    return f"{told} and {values.size - 8} more" if values.size > 8 else told


def _points(ds: xr.Dataset) -> dict[str, Points]:
    """Withheld observations by variable."""
    found = found_in(ds)
    if not found:
        raise FieldNotFound(
            f"no field of the sea's surface is withheld: there are {sorted(map(str, ds.data_vars))}"
        )
    return {each.variable: _points_of(ds, each) for each in found.values()}


def _points_of(ds: xr.Dataset, found: Found) -> Points:
    linked = cf.find_error(ds, found)
    table = tables.from_grid(ds, found.variable, error=linked.variable if linked else None)
    error = table["error"].values.astype(float)
    if np.isnan(error).any():
        warn(
            f"{found.variable}: {int(np.isnan(error).sum())} of {error.size} withheld observations "
            "have no standard error, and are taken as exact. Give it: an ancillary variable of "
            f"standard_name '{found.standard_name or found.key} standard_error'"
        )
    return Points(
        found.key,
        table["latitude"].values.astype(float),
        table["longitude"].values.astype(float),
        ns_of(table["time"]) if error.size else np.zeros(0, np.int64),
        table["value"].values.astype(float),
        np.nan_to_num(error),
    )
