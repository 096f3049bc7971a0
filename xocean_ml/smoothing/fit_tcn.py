"""Fitting the learned smoother to one's own increments, with a truth or without."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import xarray as xr

from xocean_ml import fields as cf
from xocean_ml import persist
from xocean_ml.errors import FieldNotFound, GridError, ValuesError
from xocean_ml.networks.tcn import GatedTCN
from xocean_ml.smoothing.matched import Matched
from xocean_ml.smoothing.own import laws_of
from xocean_ml.smoothing.prepare import Variable, prepare
from xocean_ml.smoothing.sample import Sample, sample
from xocean_ml.smoothing.tcn import TCNSmoother
from xocean_ml.smoothing.train import World, hide, loss, pick, tensors
from xocean_ml.training import Schedule, fit, generator, masked_mean, withheld_blocks

__all__ = ["SCHEDULE", "fit_tcn"]

SCHEDULE = Schedule(steps=600, rate=5e-4, warmup=50, batch=48, check_every=100, patience=5)
WORLDS, CELLS = 4, 400
"""Draws of matched twins, and series in each."""
WITHHELD = 0.2
"""Share of a record that is withheld where there is a target."""


def fit_tcn(
    ds: xr.Dataset,
    *,
    target: Any = None,
    fields: Mapping[str, str] | None = None,
    also: Sequence[xr.Dataset] = (),
    init: Any = None,
    steps: int | None = None,
    seed: int = 0,
    checkpoint: Any = None,
    progress: bool | None = None,
    device: str | None = None,
) -> TCNSmoother:
    """Fit the learned smoother; see `xocean_ml.smoothing.fit.fit`."""
    first = _initial(init)
    ready = prepare(ds, first, {}, fields=fields, also=also, conserve=None)
    parts = [_part(each, ds, target, fields) for each in ready.variables]
    schedule = replace(
        SCHEDULE, steps=steps or SCHEDULE.steps, seed=seed, checkpoint=checkpoint, device=device
    )
    if target is None:
        worlds, check = _twins(parts, seed)
        told = "twins matched to your increments"
    else:
        worlds, check = _taught(parts, seed)
        told = "your target"

    def draw(step: int) -> World:
        rng = generator(seed, step)
        here = worlds[rng.integers(len(worlds))]
        many = len(here.error)
        some = torch.from_numpy(rng.choice(many, min(schedule.batch, many), replace=False))
        part = pick(here, some)
        return hide(part, rng) if target is None else part

    fitted = fit(
        first.network,
        draw,
        loss,
        schedule=schedule,
        validate=lambda network: _missed(network, check),
        config={"told": told, "init": persist.digest(first)},
        progress=progress,
    )
    weights = {name: value.numpy() for name, value in fitted.network.state_dict().items()}
    config = {**first.config, "told": told, "seed": seed, "domain": _domain(parts)}
    return TCNSmoother(weights, config)


def _initial(init: Any) -> TCNSmoother:
    model = persist.load("tcn" if init is None else init) if not _is_model(init) else init
    if not isinstance(model, TCNSmoother):
        raise TypeError(f"init={init!r} is no learned smoother to begin with")
    return model


def _is_model(init: Any) -> bool:
    return isinstance(init, persist.Model)


def _part(
    variable: Variable, ds: xr.Dataset, target: Any, fields: Mapping[str, str] | None
) -> Sample:
    """Cells of one variable, with their target."""
    wanted = None if target is None else _target(variable, ds, target, fields)
    some = sample(variable, target=wanted)
    if not np.isfinite(some.series).any():
        raise ValuesError(f"{variable.increments.name}: every value is missing, all land")
    return some


def _target(
    variable: Variable, ds: xr.Dataset, target: Any, fields: Mapping[str, str] | None
) -> xr.DataArray:
    """What the increments are to become: on their grid, in their units."""
    increments, found = variable.increments, variable.found
    if isinstance(target, str):
        if target not in ds:
            raise FieldNotFound(f"target={target!r} is no variable of the Dataset: {list(ds)}")
        target = ds[target]
    elif isinstance(target, xr.Dataset):
        target = target[cf.find(target, found.key, role="difference", fields=fields).variable]
    elif not isinstance(target, xr.DataArray):
        raise TypeError(f"target is a Dataset, a DataArray or a name, not {type(target).__name__}")
    sizes = {str(dim): n for dim, n in target.sizes.items()}
    if sizes != {str(dim): n for dim, n in increments.sizes.items()}:
        raise GridError(
            f"target {target.name}{sizes} does not lie on the grid of "
            f"{increments.name}{dict(increments.sizes)}"
        )
    try:
        xr.align(target, increments, join="exact", copy=False)
    except ValueError as error:
        raise GridError(
            f"target {target.name}: other coordinates than the increments: {error}"
        ) from error
    given = target.attrs.get("units", found.units)
    factor = replace(found, units=given).conversion(found.units).factor
    return target * factor


def _twins(parts: Sequence[Sample], seed: int) -> tuple[list[World], World]:
    """Draws of twins to train on, and one to check with."""
    every = [Matched(some, laws_of(some)) for some in parts]
    draws = [
        [one.draw(CELLS, seed, number, draw) for draw in range(WORLDS + 1)]
        for number, one in enumerate(every)
    ]
    return [world for each in draws for world in each[:-1]], draws[0][-1]


def _taught(parts: Sequence[Sample], seed: int) -> tuple[list[World], World]:
    """Series with their target: steps to train on, and withheld blocks to check with."""
    every = [_with_target(some) for some in parts]
    count = every[0].best.shape[1]
    block = max(1, count // 15)
    split = withheld_blocks(count, WITHHELD, block, seed=seed)
    train, held = (torch.from_numpy(mask) for mask in (split.train, split.withheld))
    return (
        [world._replace(counted=world.counted & train) for world in every],
        every[0]._replace(counted=every[0].counted & held),
    )


def _with_target(some: Sample) -> World:
    assert some.target is not None
    known = np.isfinite(some.target) & np.isfinite(some.series)
    live = np.flatnonzero((np.nan_to_num(some.series) != 0).sum(axis=0) > 2)
    if not (known[:, live].any() and len(live)):
        raise ValuesError("the target has no value where the increments have one")
    amounts, target = (np.where(known, each, 0.0)[:, live] for each in (some.series, some.target))
    spread, counts = (
        None if each is None else np.nan_to_num(each[:, live])
        for each in (some.spread, some.counts)
    )
    times = some.steps.days, some.steps.length
    depth = some.depth_of_cells[live]
    world = tensors(amounts, *times, depth, spread, counts, target, target)
    return world._replace(counted=torch.from_numpy(known[:, live].T.copy()))


def _missed(network: GatedTCN, check: World) -> float:
    """Root mean square error towards the target, over its size."""
    answer = torch.cat(
        [
            network(*(each[i : i + 64] for each in check[:3]))[0]
            for i in range(0, len(check.error), 64)
        ]
    )
    off = ((answer - check.best) / check.error[:, None]).square().clamp(max=100.0)
    return float(masked_mean(off, check.counted).sqrt())


def _domain(parts: Sequence[Sample]) -> dict[str, list[float]]:
    """What the fitted model knows: steps, lengths of record and depths like the data's."""
    lengths = np.concatenate([some.steps.length for some in parts])
    years = parts[0].steps.length.sum() / 365.25
    depth = np.concatenate([some.depth for some in parts])
    return {
        "length of step, days": [0.8 * float(lengths.min()), 1.25 * float(lengths.max())],
        "years": [0.5 * float(years), 2.0 * float(years)],
        "depth, m": [0.8 * float(depth.min()), 1.25 * float(depth.max())],
    }
