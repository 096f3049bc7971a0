"""Scores of an ensemble against the truth: how close, how sure, and how like the truth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from xocean_ml import grid
from xocean_ml.device import to_numpy
from xocean_ml.errors import FieldNotFound, GridError
from xocean_ml.metrics import proper
from xocean_ml.metrics.bootstrap import blocks, interval
from xocean_ml.metrics.spectra import Rings

__all__ = ["ensemble"]

WHERE = ["all", "observed", "unobserved"]

Sums = dict[str, np.ndarray]


def ensemble(
    members: xr.Dataset,
    truth: xr.Dataset,
    *,
    base: xr.Dataset | None = None,
    observed: xr.Dataset | None = None,
    largest: int = 100,
    bootstrap: int = 500,
    seed: int = 0,
) -> xr.Dataset:
    r"""Score an ensemble of fields, for all variables that it has in common with the truth.

    With members :math:`x_1 \dots x_M`, their mean :math:`\bar x` and variance :math:`s^2` (over
    M - 1), the truth y, and area-weighted means over cells and times (angle brackets) that leave
    out cells where any of the fields has no value:

    ===================== =====================================================================
    ``crps``              :math:`\langle \frac1M \sum_i |x_i - y| - \frac1{2M(M-1)} \sum_{ij}
                          |x_i - x_j| \rangle`, the fair form [1]_: not better or worse by M
    ``rmse``              :math:`\langle (\bar x - y)^2 \rangle^{1/2}`, of the ensemble's mean
    ``rmse_corrected``    rmse / sqrt(1 + 1/M): of the mean of infinitely many members, if the
                          ensemble is calibrated
    ``spread_over_error`` :math:`(\frac{M+1}M \langle s^2 \rangle)^{1/2}` / rmse, 1 if calibrated
                          [2]_
    ``within_90``         share of the truth between the quantiles of 5 % and 95 %. A truth above
                          r of the members counts with that share of r/(M+1) to (r+1)/(M+1) which
                          lies within 0.05 to 0.95. With fewer than 19 members, whose outermost lie
                          inside these quantiles: within :math:`t s \sqrt{1 + 1/M}` of the mean,
                          t Student's 95 % quantile, M - 1 degrees of freedom
    ``energy``            as ``crps`` with the norm of a whole map (root of the area-weighted mean
                          square) for the modulus [3]_, mean over times
    ``variogram``         variogram score of order 0.5 [4]_ of cells 1, 2, 4 and 8 apart along
                          rows and columns, weighted by 1/distance, mean over pairs; made fair:
                          less the sampling variance of the members' mean
    ``rank_histogram``    share of cells whose truth is above 0 to M members, along ``rank``;
                          1/(M+1) if calibrated. Among equals the place is drawn at random
    ``psd_ratio``         power of the members, each by itself, over the truth's, along
                          ``wavenumber``; 1 where members are as rough as the truth
    ===================== =====================================================================

    Parameters
    ----------
    members : Dataset
        Fields along an ensemble dimension such as ``realization``, latitude, longitude and,
        mostly, time; in any order, numpy or dask. Dask arrays are computed once, a time a task.
    truth : Dataset
        The same variables on the same times and grid, in the same units; NaN where there is none.
    base : Dataset, optional
        What to compare with, of the same variables: a deterministic map, or an ensemble of any
        size; without time if it is the same for all. Gives ``crps_ratio`` and ``rmse_ratio``,
        below 1 where the members are better; the CRPS of a map is its mean absolute error.
    observed : Dataset of bool, optional
        True where a variable was observed; without time if it is the same for all. Scores of
        single cells (``crps``, ``rmse``, ``spread_over_error``, ``within_90``) are then given
        along ``where``: all cells, observed and unobserved ones.
    largest : int
        Most blocks of neighbouring times that are resampled.
    bootstrap : int
        Resamplings, for the 95 % intervals; 0 for none.
    seed : int
        Of the resampling, and of the ranks among equals, keyed by time and cell.

    Returns
    -------
    Dataset
        Along ``variable`` the scores above, in the units of the variable or without any;
        ``crps_low``, ``crps_high`` and so on; and along ``wavenumber`` (cycles per km)
        ``psd_members`` (mean of the members' spectra), ``psd_mean`` (of the ensemble's mean) and
        ``psd_truth``, in relative units. One member has no spread: NaN.

    Raises
    ------
    FieldNotFound
        No variable in both, or one that `base` or `observed` lacks.
    GridError
        No ensemble dimension; other times or another grid; no rows and columns.

    References
    ----------
    .. [1] Ferro (2014), QJRMS 140, 1917-1923, doi:10.1002/qj.2270.
    .. [2] Fortin, Abaza, Anctil and Turcotte (2014), J. Hydrometeorol. 15, 1708-1713,
       doi:10.1175/JHM-D-14-0008.1.
    .. [3] Gneiting and Raftery (2007), JASA 102, 359-378, section 4.3,
       doi:10.1198/016214506000001437.
    .. [4] Scheuerer and Hamill (2015), MWR 143, 1321-1334, doi:10.1175/MWR-D-14-00269.1.

    Examples
    --------
    Members that are drawn as the truth is:

    >>> lat = ("lat", np.linspace(30, 35, 16), {"units": "degrees_north"})
    >>> lon = ("lon", np.linspace(0, 5, 16), {"units": "degrees_east"})
    >>> random = np.random.default_rng(0)
    >>> both = xr.DataArray(random.normal(size=(25, 20, 16, 16)), {"lat": lat, "lon": lon},
    ...                     ("realization", "time", "lat", "lon")).to_dataset(name="ssh")
    >>> members, truth = both.isel(realization=slice(1, None)), both.isel(realization=0)
    >>> score = ensemble(members, truth, bootstrap=0).sel(variable="ssh")
    >>> print(f"{float(score.spread_over_error):.1f} {float(score.within_90):.1f}")
    1.0 0.9
    """
    names = [str(name) for name in truth.data_vars if name in members.data_vars]
    if not names:
        raise FieldNotFound(
            f"no variable of truth, {sorted(map(str, truth.data_vars))}, is in members, "
            f"{sorted(map(str, members.data_vars))}"
        )
    given = {"members": members, "truth": truth, "base": base, "observed": observed}
    maps = [_Maps.of({k: v for k, v in given.items() if v is not None}, name) for name in names]
    scored = [
        _scored(sums, each.rings, _Resampling(largest, bootstrap, seed))
        for each, sums in zip(maps, _computed(maps, seed), strict=True)
    ]
    out = xr.concat(scored, xr.Variable("variable", names))
    return out if observed is not None else out.isel(where=0, drop=True)


@dataclass(frozen=True)
class Score:
    """A score: a ratio of sums, or its root."""

    above: str
    below: str
    long_name: str
    root: bool = False
    along: tuple[str, ...] = ("where",)

    def __call__(self, sums: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the score of totals, element by element; NaN where there are no data."""
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = sums[self.above] / sums[self.below]
            return np.sqrt(ratio) if self.root else ratio


_UNITS = ", in the units of the variable"

SCORES = {
    "crps": Score("crps", "weight", f"fair continuous ranked probability score{_UNITS}"),
    "rmse": Score("square", "weight", f"root mean square error of the mean{_UNITS}", root=True),
    "rmse_corrected": Score(
        "square_corrected", "weight", f"rmse over sqrt(1 + 1/members){_UNITS}", root=True
    ),
    "spread_over_error": Score("spread", "square", "spread over error", root=True),
    "within_90": Score("inside", "weight", "truth between the quantiles of 5 % and 95 %"),
    "crps_ratio": Score("crps", "crps_base", "crps over that of the base"),
    "rmse_ratio": Score("square", "square_base", "rmse over that of the base", root=True),
    "energy": Score("energy", "maps", f"fair energy score{_UNITS}", along=()),
    "variogram": Score(
        "variogram", "pairs", f"fair variogram score of order 0.5{_UNITS}", along=()
    ),
    "rank_histogram": Score("ranks", "ranked", "share of cells of a rank", along=("rank",)),
    "psd_ratio": Score(
        "psd_members", "psd_truth", "power of members over the truth's", along=("wavenumber",)
    ),
}


@dataclass(frozen=True)
class _Resampling:
    """How intervals are found."""

    largest: int
    samples: int
    seed: int


def _scored(sums: Sums, rings: Rings, how: _Resampling) -> xr.Dataset:
    """All scores of one variable, from sums of each time."""
    joined = blocks(sums, sums["maps"][0] > 0, how.largest)
    total = {name: value.sum(axis=-1, keepdims=True) for name, value in sums.items()}
    out = xr.Dataset(coords=_coordinates(sums, rings))
    for name, score in SCORES.items():
        if score.above not in sums or score.below not in sums:
            continue
        shape = tuple(out.sizes[dim] for dim in score.along)
        attrs = {"long_name": score.long_name}
        out[name] = (score.along, score(total).reshape(shape), attrs)
        parts = {each: joined[each] for each in (score.above, score.below)}
        bounds = interval(parts, score, samples=how.samples, seed=how.seed)
        for side, bound in zip(("low", "high"), bounds, strict=True):
            if how.samples:
                named = {"long_name": f"{side} end of the 95 % interval of {name}"}
                out[f"{name}_{side}"] = (score.along, bound.reshape(shape), named)
    for name in ("psd_members", "psd_mean", "psd_truth"):
        out[name] = ("wavenumber", total[name][:, 0])
    return out


def _coordinates(sums: Sums, rings: Rings) -> dict[str, Any]:
    wavenumber = {"long_name": "wavenumber", "units": "km-1"}
    rank = {"long_name": "members below the truth", "units": "1"}
    return {
        "where": WHERE[: len(sums["weight"])],
        "rank": ("rank", np.arange(len(sums["ranks"])), rank),
        "wavenumber": ("wavenumber", rings.wavenumber, wavenumber),
    }


@dataclass(frozen=True)
class _Maps:
    """The fields of one variable: (time, rows, columns), of ensembles (time, member, ...)."""

    fields: dict[str, xr.Variable]
    latitude: np.ndarray
    rings: Rings

    @classmethod
    def of(cls, given: dict[str, xr.Dataset], name: str) -> _Maps:
        """Take a variable from each Dataset; lazy where it was."""
        if lacking := [key for key, ds in given.items() if name not in ds]:
            raise FieldNotFound(f"{name} is in truth and members, but not in {lacking[0]}")
        truth = given["truth"][name]
        where = grid.axes(truth)
        if not {"Y", "X"} <= set(where):
            raise GridError(f"{name}{truth.dims}: a grid of latitude and longitude is needed")
        sides = [grid.latitude(truth), grid.longitude(truth)]
        if any(side.ndim != 1 or side.size < 2 for side in sides):
            raise GridError(
                f"{name}: spectra need latitudes and longitudes of one dimension, two of each at "
                f"least; found {', '.join(f'{side.name} {dict(side.sizes)}' for side in sides)}"
            )
        latitude, longitude = (np.asarray(side.values, float) for side in sides)
        fields = _aligned({key: ds[name] for key, ds in given.items()}, where["Y"], where["X"])
        return cls(fields, latitude, Rings.of(latitude, longitude))

    @property
    def lazy(self) -> bool:
        """Whether any field is a dask array."""
        return any(each.chunks is not None for each in self.fields.values())

    def shared(self, seed: int) -> dict[str, Any]:
        """What `_map_sums` takes besides the fields."""
        area = np.cos(np.deg2rad(self.latitude))
        return {"names": tuple(self.fields), "area": area, "rings": self.rings, "seed": seed}


def _aligned(fields: dict[str, xr.DataArray], y: str, x: str) -> dict[str, xr.Variable]:
    """Bring fields to one order of dimensions, after a check that they are on one grid."""
    truth = fields["truth"]
    member = {key: grid.axes(each).get("E") for key, each in fields.items()}
    _check_ensembles(fields, member)
    times = [str(dim) for dim in truth.dims if dim not in (y, x)]
    if len(times) > 1:
        raise GridError(
            f"{truth.name}{truth.dims}: time, latitude and longitude are scored; select one of "
            "each other dimension"
        )
    if lacking := [dim for dim in truth.dims if dim not in fields["members"].dims]:
        raise GridError(f"{truth.name}: members have no dimension {lacking[0]}, which truth has")
    try:
        xr.align(*fields.values(), join="exact", exclude=[dim for dim in member.values() if dim])
    except ValueError as wrong:
        raise GridError(f"{truth.name}: times or grids differ: {wrong}") from wrong
    time = times[0] if times else "_time"
    sizes = {time: truth.sizes.get(time, 1), y: truth.sizes[y], x: truth.sizes[x]}
    return {key: _shaped(key, each, sizes, member[key]) for key, each in fields.items()}


def _check_ensembles(fields: dict[str, xr.DataArray], member: dict[str, str | None]) -> None:
    """Members have an ensemble dimension, and the truth has none."""
    if member["members"] is None:
        each = fields["members"]
        raise GridError(
            f"{each.name}{each.dims}: members need an ensemble dimension: rename it to "
            "realization, or use expand_dims('realization') where there is one member"
        )
    for key in {"truth", "observed"} & set(fields):
        if member[key] is not None:
            raise GridError(f"{key}: {fields[key].name} has a dimension {member[key]}: select one")


def _shaped(
    key: str, field: xr.DataArray, sizes: dict[str, int], member: str | None
) -> xr.Variable:
    """(time, rows, columns), of ensembles (time, member, rows, columns).

    What lacks a dimension, such as the time of a climatology, is repeated along it.
    """
    time, y, x = sizes
    if key in ("members", "base"):
        member = member or "_member"
        sizes = {time: sizes[time], member: field.sizes.get(member, 1), y: sizes[y], x: sizes[x]}
    if more := [dim for dim in field.dims if dim not in sizes]:
        raise GridError(f"{key}: {field.name} has a dimension {more[0]}, which truth has not")
    if set(sizes) == set(field.dims):
        return field.variable.transpose(*sizes)  # reads nothing, where that is still to be done
    return field.variable.set_dims(sizes)


def _computed(maps: list[_Maps], seed: int) -> Iterator[Sums]:
    """Sums of each variable, (..., time): from one graph if there is dask, else time by time."""
    if any(each.lazy for each in maps):
        from xocean_ml import chunked

        work = [_tasks(each, seed) for each in maps]
        yield from map(_stacked, chunked.compute(chunked.once(_listed, *work)))
        return
    for each in maps:
        shared, count = each.shared(seed), each.fields["truth"].shape[0]
        yield _stacked(
            [
                _map_sums(k, *(field[k : k + 1].values for field in each.fields.values()), **shared)
                for k in range(count)
            ]
        )


def _tasks(maps: _Maps, seed: int) -> Any:
    """A task for each time: variables that come from the same source are computed together."""
    from xocean_ml import chunked

    grid_of_times = ((1,) * maps.fields["truth"].shape[0],)
    inputs = []
    for field in maps.fields.values():
        lazy = field if field.chunks is not None else field.chunk()
        along = [chunked.own(0, grid_of_times[0]), *map(chunked.whole, field.shape[1:])]
        inputs.append(chunked.Input(lazy.data, tuple(along)))
    return chunked.tasks(_task, grid_of_times, inputs, shared=maps.shared(seed))


def _task(place: Any, *fields: Any, **shared: Any) -> Sums:
    return _map_sums(place.index[0], *fields, **shared)


def _listed(*parts: list[Sums]) -> list[list[Sums]]:
    return list(parts)


def _stacked(parts: list[Sums]) -> Sums:
    return {name: np.stack([part[name] for part in parts], axis=-1) for name in parts[0]}


def _map_sums(
    index: int, *fields: Any, names: tuple[str, ...], area: np.ndarray, rings: Rings, seed: int
) -> Sums:
    """Sums of one time, each (...)."""
    maps = {name: to_numpy(each)[0].astype(float) for name, each in zip(names, fields, strict=True)}
    observed = maps.pop("observed", None)
    known = np.isfinite(maps["truth"])
    for name in {"members", "base"} & set(maps):
        known &= np.isfinite(maps[name]).all(axis=0)
    weight = np.broadcast_to(area[:, None], known.shape)
    key = np.random.SeedSequence(seed, spawn_key=(index,))
    random = np.random.default_rng(key).random(known.shape)[known]
    cells = {name: each[..., known] for name, each in maps.items()}
    groups = _groups(weight[known], None if observed is None else observed[known])
    sums = _cell_sums(cells, groups, random)
    filled = {name: np.where(known, maps[name], 0.0) for name in ("members", "truth")}
    score, pairs = proper.variogram(filled["members"], filled["truth"], known, weight)
    far = proper.energy(cells["members"], cells["truth"], weight[known])
    sums |= {"energy": far, "maps": known.any(), "variogram": score, "pairs": pairs}
    sums |= _spectra(filled["members"], filled["truth"], known, rings)
    return {name: np.atleast_1d(np.asarray(value, float)) for name, value in sums.items()}


def _groups(weight: np.ndarray, observed: np.ndarray | None) -> np.ndarray:
    """Weights of the cells in each of `WHERE`, (where, cells)."""
    if observed is None:
        return weight[None]
    return weight * np.stack([np.ones(weight.shape), observed == 1, observed != 1])


def _cell_sums(cells: Sums, groups: np.ndarray, random: np.ndarray) -> dict[str, Any]:
    """Sums over cells, (where,)."""
    members, truth = cells["members"], cells["truth"]
    count = len(members)
    rank = proper.ranks(members, truth, random)
    square = (members.mean(axis=0) - truth) ** 2
    more = 1 + 1 / count
    variance = members.var(axis=0, ddof=1) if count > 1 else np.full(truth.shape, np.nan)
    values = {
        "weight": np.ones(truth.shape),
        "crps": proper.crps(members, truth),
        "square": square,
        "square_corrected": square / more,
        "spread": more * variance,
        "inside": proper.inside(members, truth, rank),
    }
    if "base" in cells:
        values["crps_base"] = proper.crps(cells["base"], truth)
        values["square_base"] = (cells["base"].mean(axis=0) - truth) ** 2
    sums = {name: groups @ value for name, value in values.items()}
    ranks = np.bincount(rank, groups[0], count + 1)
    return sums | {"ranks": ranks, "ranked": groups[0].sum()}


def _spectra(members: np.ndarray, truth: np.ndarray, known: np.ndarray, rings: Rings) -> Sums:
    """Power in each ring."""
    fields = np.concatenate([members, truth[None]])
    modes = rings.transform(fields, np.broadcast_to(known, fields.shape))
    # The mean's modes are the mean of the modes: all steps are linear, and the mask is one.
    modes = np.concatenate([modes, modes[:-1].mean(axis=0, keepdims=True)])
    power = rings.cross(modes, modes)
    return {
        "psd_members": power[: len(members)].mean(axis=0),
        "psd_truth": power[-2],
        "psd_mean": power[-1],
    }
