"""`smooth`: from a Dataset with increments to the same Dataset with smoothed ones."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import xarray as xr

from xocean_ml import metadata, units
from xocean_ml.smoothing.inputs import Over
from xocean_ml.smoothing.prepare import Mode, prepare

if TYPE_CHECKING:
    from xocean_ml.plan import Plan

__all__ = ["plan", "smooth"]


def smooth(
    ds: xr.Dataset,
    model: Any = None,
    *,
    also: Sequence[xr.Dataset] = (),
    fields: Mapping[str, str] | None = None,
    spread: str | Mapping[str, str] | None = None,
    conserve: str | None = "5YS",
    conserve_over: Over = "cell",
    mode: Mode = "increment",
    gate: bool = False,
    uncertainty: bool = False,
    device: str | None = None,
    **options: Any,
) -> xr.Dataset:
    """Smooth the pulses out of data-assimilation increments without losing heat.

    Parameters
    ----------
    ds : Dataset
        Holds increments of temperature or salinity or both, on time and any other dimensions
        (depth, latitude, longitude, cells, realization), found by their CF names; in units of a
        step (K) or rates (K s-1); numpy, dask or cupy; pint-quantified or with ``units``.
    model : model, path, URL or name, optional
        ``"tcn"``, the default, is the learned smoother, a gated network trained on twins: it
        needs depth, and takes spread and counts of observations where it finds them.
        ``"dong"`` is the smoother of Dong et al. (2021).
    also : sequence of Dataset, optional
        Where else to look for spread, analysis or cell sizes.
    fields : mapping of str to str, optional
        Which variable is which field, e.g. ``{"temperature_increment": "dT"}``.
    spread : str or mapping, optional
        Variable with the ensemble spread (of each increment, if a mapping from its name):
        corrections go where it is large. Without it they are uniform. A learned smoother also
        takes one that is not named here: found by its metadata, or that of ``realization``.
    conserve : str, optional
        Which sums over time stay as they were: a pandas frequency for fixed windows (``"5YS"``),
        ``"all"`` for the whole record, ``"running:2Y"`` for what is slower than that, None for
        none.
    conserve_over : {"cell", "column", "global"}
        What is summed over space: nothing, the levels, or all cells.
    mode : {"increment", "state"}
        Smooth the increments, or add the running sum of what smoothing changes to the analysis.
    gate, uncertainty : bool
        Add ``<name>_gate`` or ``<name>_spread`` (standard error) for a model that has them.
    device : str, optional
        ``"cpu"``, ``"cuda"``, ``"cuda:1"``. None: where the data are, else CUDA if there is one.
    **options
        Of the model. For ``"dong"``: ``decay``, e-folding time of the weight of future increments
        (``"30D"``, a timedelta, or ``"fit"``); ``head`` and ``tail``, which ends are repaired.

    Returns
    -------
    Dataset
        As `ds`, with smoothed increments (or states) in their own units, dimensions and dtype.
        Lazy if `ds` is.

    Raises
    ------
    FieldNotFound, AmbiguousField
        No increment, or several; an analysis or a named spread that is not there.
    UnitsError
        Units that cannot be converted.
    GridError
        No time axis; times unsorted, double or too few; cell sizes neither given nor derivable.
    ValuesError
        Infinite increments or a negative spread (when computed, with their place).
    TypeError
        An option that the model does not take.

    Notes
    -----
    Amounts are conserved: increment times length of step (for rates) times cell volume. The heat
    capacity rho0 cp0 is a constant and cancels. The closure is `xocean_ml.kernels.closure`.

    References
    ----------
    Dong, Haines & Martin (2021), J. Adv. Model. Earth Syst., 13, e2021MS002626.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> time = xr.date_range("2000-01-01", periods=120, freq="MS")
    >>> dT = xr.DataArray(
    ...     np.random.default_rng(0).normal(size=120), coords={"time": time}, dims="time",
    ...     attrs={"standard_name": "change_over_time_in_sea_water_potential_temperature",
    ...            "units": "K"})
    >>> ds = xr.Dataset({"dT": dT})
    >>> smoothed = smooth(ds, "dong", decay="90D")
    >>> print(f"{float(ds.dT.std()):.2f} K becomes {float(smoothed.dT.std()):.2f} K")
    0.95 K becomes 0.45 K
    >>> bool(abs(smoothed.dT[:60].sum() - ds.dT[:60].sum()) < 1e-12)
    True
    """
    ready = prepare(
        ds,
        model,
        options,
        also=also,
        fields=fields,
        spread=spread,
        conserve=conserve,
        conserve_over=conserve_over,
        mode=mode,
        gate=gate,
        uncertainty=uncertainty,
        device=device,
    )
    changed: dict[str, xr.DataArray] = {}
    for each in ready.variables:
        changed |= each.run(ready)
    out = metadata.finish(ready.source, changed, line=ready.history())
    return units.requantify(out, units.with_spreads(ready.quantities, changed))


def plan(ds: xr.Dataset, model: Any = None, **arguments: Any) -> Plan:
    """Tell what `smooth` would do with the same arguments, before anything runs.

    Parameters
    ----------
    ds : Dataset
        As for `smooth`.
    model, **arguments
        As for `smooth`.

    Returns
    -------
    Plan
        Fields found and how, units, windows, tasks, memory, device; prints itself.

    Examples
    --------
    >>> from xocean_ml.simulate import increments
    >>> twin = increments("test_inside", columns=2, years=(2000, 2010))
    >>> print(plan(twin))
    smooth with TCN(twins of ocean assimilation)...
    """
    from xocean_ml.smoothing.planning import describe

    names = set(inspect.signature(prepare).parameters)
    given = {name: arguments.pop(name) for name in names & arguments.keys()}
    return describe(prepare(ds, model, arguments, **given))
