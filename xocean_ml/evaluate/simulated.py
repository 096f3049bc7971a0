"""`osse`: an observing-system simulation experiment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import xarray as xr

from xocean_ml import fields as cf
from xocean_ml import grid, masks, metrics, simulate, units
from xocean_ml.currents.reading import topography
from xocean_ml.errors import FieldNotFound, GridError
from xocean_ml.evaluate.derived import DERIVED, derived
from xocean_ml.evaluate.judged import judged
from xocean_ml.evaluate.matching import alike, by_name, found_in
from xocean_ml.evaluate.tables import joined
from xocean_ml.fields import Found
from xocean_ml.generative.reading import CURRENTS, HEIGHTS

__all__ = ["osse"]

OBSERVING: dict[str, Any] = {"nadirs": 4, "cloud": 0.5, "coarse": True}
"""Observing system where none is told: altimeters, a radiometer, and coarse maps."""


def osse(
    truth: xr.Dataset,
    models: Any,
    *,
    observing: Mapping[str, Any] | None = None,
    observations: Mapping[str, xr.Dataset] | None = None,
    members: int = 16,
    like: xr.Dataset | xr.DataArray | None = None,
    seed: int = 0,
    base: str | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    bootstrap: int = 500,
) -> xr.Dataset:
    """Score models by a truth that is known: an observing-system simulation experiment.

    Observations of the truth are simulated, every model draws members from the same ones, and
    all fields of the truth that it gives are scored, observed or not.

    Parameters
    ----------
    truth : Dataset
        Complete fields on (time, latitude, longitude), found by CF names, in any units; NaN on
        land. None of its times should be among those that the models were trained on.
    models : mapping of str to model, or one model
        Whatever `xocean_ml.genda` takes: models, paths, packaged names. Or Datasets of members
        that are there already (persistence, a rival's analysis), with an ensemble dimension such
        as ``realization``, on the truth's grid and times.
    observing : mapping, optional
        Arguments of `xocean_ml.simulate.observe`. By default ``{"nadirs": 4, "cloud": 0.5,
        "coarse": True}``.
    observations : mapping of str to Dataset, optional
        Instead, observations that are there already, as `xocean_ml.simulate.observe` gives them.
    members : int
        How many each model draws.
    like : Dataset or DataArray, optional
        Part of the truth, by its times and cells, where members are drawn and scored. By default
        all of it. What is observed outside may still be used, if ``window`` is an option.
    seed : int
        Of the observations, the members and the resampling.
    base : str, optional
        Model with which the others are compared.
    options : mapping of str to mapping, optional
        Further arguments of `xocean_ml.genda`, by the model's name.
    bootstrap : int
        Resamplings of blocks of times, for the 95 % intervals; 0 for none.

    Returns
    -------
    Dataset
        All scores of `xocean_ml.metrics.ensemble` on (model, variable), their ends ``_low`` and
        ``_high``, rank histograms and spectra; with a base, ``crps_ratio`` and ``rmse_ratio``.
        ``members`` (model) tells how many there were. Beside the truth's variables there are
        ``speed`` (m s-1) and ``vorticity`` (s-1, relative), of each member and the truth, where
        both currents are. Coordinates along ``variable``: ``observed``, whether any observation
        is of it, and ``units``. NaN where a model does not give a variable.

    Raises
    ------
    FieldNotFound
        The truth has nothing that is observed, or that a model gives.
    GridError
        `like` is no part of the truth; members on another grid or at other times.
    AmbiguousField, UnitsError
        As `xocean_ml.fields.find` raises them.
    TypeError, ValueError
        What makes no members; both `observing` and `observations`; a base or options of a model
        that is not there; and as `genda` and `simulate.observe` raise them.

    Warns
    -----
    UserWarning
        Heights of the model of another datum than the truth's, without a mean topography (a
        variable ``mdt``) in the truth: they are not scored.

    Notes
    -----
    Models see the same observations, draw with the same chance, and are resampled alike: their
    scores differ less by chance than their intervals tell. Each is scored where it and the truth
    have values. With a base, only cells that the base has too are counted.

    References
    ----------
    Hoffman and Atlas (2016), Future observing system simulation experiments. Bull. Amer. Meteor.
    Soc. 97, 1601-1616, doi:10.1175/BAMS-D-15-00200.1.

    Examples
    --------
    A prior of ten states of a small sea, judged by the next two. (A real one needs far more.)

    >>> import xocean_ml as xo
    >>> from xocean_ml.generative.fit import fit
    >>> sea = xo.tutorial.open_dataset("surface").isel(latitude=slice(32), longitude=slice(32))
    >>> prior = fit(sea.isel(time=slice(10)), "oi")
    >>> table = osse(sea.isel(time=[10, 11]), {"oi": prior}, members=4, bootstrap=0)
    >>> [str(name) for name in table.variable.values]
    ['ssh', 'sst', 'sss', 'u', 'v', 'speed', 'vorticity']
    >>> [str(name) for name in table.variable.values[table.observed.values]]
    ['ssh', 'sst', 'sss']
    >>> table.crps.dims, str(table.units.sel(variable="vorticity").values)
    (('model', 'variable'), 's-1')
    """
    entries = judged(models, options)
    if base is not None and base not in entries:
        raise ValueError(f"base={base!r}: the models are {', '.join(entries)}")
    seen = _seen(truth, observing, observations, seed)
    world = _World.of(truth, like)
    shared = {"members": members, "like": world.domain, "seed": seed}

    def drawn(name: str) -> xr.Dataset:
        return world.like_truth(name, entries[name].members([*seen.values()], **shared))

    against = None if base is None else drawn(base)
    scored = {}
    for name in entries:
        own = drawn(name) if against is None or name != base else against
        scored[name] = _scored(own, world.truth, against, bootstrap, seed)
    names = [name for name in world.truth.data_vars if _is_there(str(name), scored)]
    told = {str(name): units.units_of(world.truth[name]) or "" for name in names}
    out = joined(scored, [*told], told)
    observed = [world.observed(name, seen) for name in told]
    about = {"long_name": "whether any observation is of the variable"}
    return out.assign_coords(observed=("variable", observed, about)).assign_attrs(
        observations=", ".join(seen), seed=seed, **({} if base is None else {"base": base})
    )


def _seen(
    truth: xr.Dataset,
    observing: Mapping[str, Any] | None,
    observations: Mapping[str, xr.Dataset] | None,
    seed: int,
) -> dict[str, xr.Dataset]:
    """Observations by name."""
    if observations is None:
        how = OBSERVING if observing is None else observing
        return simulate.observe(truth, **{"seed": seed, **how})
    if observing is not None:
        raise ValueError("observing= simulates observations, observations= gives them: give one")
    if isinstance(observations, xr.Dataset) or not isinstance(observations, Mapping):
        raise TypeError(
            "observations: a mapping of names to Datasets is needed, {'nadir': ds}, not "
            f"{type(observations).__name__}"
        )
    if not observations:
        raise ValueError("observations is empty: at least one Dataset is needed")
    return dict(observations)


@dataclass(frozen=True, eq=False)
class _World:
    """The truth where members are.

    Parameters
    ----------
    truth : Dataset
        With what is derived from its currents.
    found : mapping
        Its fields, by key.
    domain : Dataset
        What tells `genda` the grid, the land and the times.
    """

    truth: xr.Dataset
    found: Mapping[str, Found]
    domain: xr.Dataset

    @classmethod
    def of(cls, truth: xr.Dataset, like: xr.Dataset | xr.DataArray | None) -> _World:
        plain = _part(units.dequantify(truth)[0], like)
        found = found_in(plain)
        return cls(plain.assign(derived(plain, found)), found, _domain(plain, found))

    def like_truth(self, name: str, members: xr.Dataset) -> xr.Dataset:
        """Members of a model by the truth's names, in its units, with what is derived."""
        made = alike(members, self.truth, [self.truth])
        out = xr.Dataset(made | by_name(members, self.truth))
        mutual = {key: each for key, each in self.found.items() if each.variable in out}
        out = out.assign(derived(out, mutual))
        if not out.data_vars:
            raise FieldNotFound(
                f"{name}: no field of the truth, {sorted(map(str, self.truth.data_vars))}, is "
                f"among its members, {sorted(map(str, members.data_vars))}"
            )
        return out

    def observed(self, name: str, seen: Mapping[str, xr.Dataset]) -> bool:
        """Whether any observation is of a variable: of a derived one, of both currents."""
        keys = [key for key, each in self.found.items() if each.variable == name]
        if keys:
            return _observed(seen, HEIGHTS if keys[0] in HEIGHTS else keys)
        if name in DERIVED:
            return all(_observed(seen, [key]) for key in CURRENTS)
        return any(name in ds.data_vars for ds in seen.values())


def _observed(seen: Mapping[str, xr.Dataset], keys: Sequence[str]) -> bool:
    """Whether any Dataset has any of some fields, and any place where it is."""
    found = [(ds, cf.look_for(ds, key)) for ds in seen.values() for key in keys]
    return any(each is not None and ds[each.variable].size > 0 for ds, each in found)


def _part(truth: xr.Dataset, like: xr.Dataset | xr.DataArray | None) -> xr.Dataset:
    """The truth at the labels of a part of it."""
    if like is None:
        return truth
    if not isinstance(like, (xr.Dataset, xr.DataArray)):
        raise TypeError(f"like= takes a Dataset or DataArray, not {type(like).__name__}")
    wanted = {dim: like[dim] for dim in like.indexes if dim in truth.indexes}
    for dim, labels in wanted.items():
        lacking = ~labels.isin(truth[dim])
        if lacking.any():
            raise GridError(
                f"like= must be a part of the truth, which has no {dim} {labels[lacking].values[0]}"
                f" (and {int(lacking.sum()) - 1} more). Take it from the truth, by isel or sel"
            )
    return truth.sel(wanted)


def _domain(truth: xr.Dataset, found: Mapping[str, Found]) -> xr.Dataset:
    """The truth without fields of the air, whose values over land would make a sea of it."""
    kept = {each.variable for each in found.values()}
    if not kept:
        return truth
    mean = topography(truth, {})
    kept |= set() if mean is None else {str(mean.name)}
    return truth.drop_vars(
        [
            name
            for name, array in truth.data_vars.items()
            if name not in kept
            and {"Y", "X"} <= set(grid.axes(array))
            and masks.given_land(array.reset_coords(drop=True).to_dataset(name=name)) is None
        ]
    )


def _scored(
    members: xr.Dataset,
    truth: xr.Dataset,
    base: xr.Dataset | None,
    bootstrap: int,
    seed: int,
) -> xr.Dataset:
    """Scores of one model; ratios for the variables that the base has too."""
    there = [name for name in truth.data_vars if name in members]
    both = [name for name in there if base is not None and name in base]
    several = []
    for names, other in ((both, base), ([n for n in there if n not in both], None)):
        if names:
            several.append(
                metrics.ensemble(
                    members[names], truth[names], base=other, bootstrap=bootstrap, seed=seed
                )
            )
    out = xr.concat(several, "variable", data_vars="all") if len(several) > 1 else several[0]
    count = members.sizes[grid.axes(members)["E"]]
    return out.assign(members=((), count, {"long_name": "members", "units": "1"}))


def _is_there(name: str, scored: Mapping[str, xr.Dataset]) -> bool:
    return any(name in each["variable"].values for each in scored.values())
