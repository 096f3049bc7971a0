"""`fit`: a network trained to make one's own fields finer."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from xocean_ml import fields as cf
from xocean_ml import grid, persist, units
from xocean_ml.downscaling import guides as beside
from xocean_ml.downscaling.learned import NETWORKS, Learned, network_of
from xocean_ml.downscaling.pairs import Fine, Pairs
from xocean_ml.downscaling.target import Side, source_side
from xocean_ml.errors import FieldNotFound, GridError, ValuesError
from xocean_ml.training import Schedule, seeded, withheld_blocks

__all__ = ["MIRRORED", "SIZES", "fit"]

KNOWN = ("sea_level_anomaly", "sea_surface_height_above_geoid", "sea_surface_temperature")
"""Fields that are taken where none is named: the first that is there."""

GUIDES = ("sea_surface_temperature", "sea_surface_salinity")
"""Guides that are taken where none is named: the first that is there."""

MIRRORED = {
    "sea_level_anomaly": -1.0,
    "sea_surface_height_above_geoid": -1.0,
    "sea_surface_temperature": 1.0,
    "sea_surface_salinity": 1.0,
}
"""What a field is multiplied by in a mirror: geostrophic heights change sign with rotation."""

SIZES: dict[str, dict[str, Any]] = {
    "liif": {"channels": 32, "blocks": 6, "hidden": 64, "layers": 3},
    "jiif": {"channels": 24, "blocks": 4, "hidden": [64, 32, 32]},
    "resac": {"channels": 32, "depth": 3, "stages": 3},
    "fno": {"channels": 24, "layers": 4, "modes": 12},
    "glio": {"channels": 32, "hidden": 48},
}
"""Sizes of the networks that are trained on a CPU in minutes."""

GUIDED = ("jiif", "resac", "fno", "glio")
ALONE = ("liif", "resac", "fno", "glio")

SCHEDULE = Schedule(
    steps=1500,
    rate=3e-3,
    warmup=50,
    batch=8,
    ema=0.995,
    patience=20,
    optimizer="muon",
)
WITHHELD = 0.2
"""Share of the times that is withheld."""


def fit(
    hires: xr.Dataset | Sequence[xr.Dataset],
    kind: str = "liif",
    *,
    factor: float | tuple[float, float],
    guide: Any = None,
    fields: Mapping[str, str] | Iterable[str] | None = None,
    init: Any = None,
    steps: int | None = None,
    patch: int = 16,
    seed: int = 0,
    sizes: Mapping[str, Any] | None = None,
    withheld: xr.Dataset | Sequence[xr.Dataset] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: bool | None = None,
    device: str | None = None,
) -> Learned:
    """Train a network that makes coarse fields finer, from fine ones.

    Parameters
    ----------
    hires : Dataset, or several
        Fine fields on one-dimensional latitude and longitude and time; NaN over land.
    kind : {"liif", "jiif", "resac", "fno", "glio"}
        Which network: `xocean_ml.networks`. ``"liif"`` takes no guide, ``"jiif"`` needs one.
    factor : number or (low, high)
        Scale that is trained for, or a range from which each batch draws one.
    guide : Dataset, str, or sequence of str, optional
        Fine fields that guide: a Dataset on the same grid and times, or names of fields in
        `hires`.
    fields : mapping or iterable of str, optional
        Which fields, by key (``"sea_level_anomaly"``), and as a mapping which variable each is.
        By default the first of sea level anomaly, height above geoid, and temperature.
    init : model, path or name, optional
        A model of the same kind to begin with: from simulations to a product, say.
    steps : int, optional
        Updates of the weights; 1500 by default.
    patch : int
        Coarse cells of a patch's side, at most.
    seed : int
        Key of all random numbers.
    sizes : mapping, optional
        Of the network; see `SIZES`.
    withheld : Dataset, or several, optional
        What tells when to stop; by default blocks of time of `hires`, then not trained on.
    checkpoint : path, optional
        File from which a fit that was killed goes on, to the same weights.
    progress : bool, optional
        Show a bar; by default on a terminal.
    device : str, optional

    Returns
    -------
    Learned
        ``.save(path)`` keeps it.

    Raises
    ------
    ValueError
        A kind that is not known; a scale below 1 or too large for the domain.
    TypeError
        A guide for a kind that takes none, or none for one that needs it.
    FieldNotFound, UnitsError, GridError
        Fields or guides that are not there, or do not share a grid.
    ValuesError
        Nothing but land.

    Notes
    -----
    Coarse fields are area means over the sea, at a random place and scale in each batch. Blocks
    of time are withheld, and the weights are those that did best there.

    Examples
    --------
    >>> from xocean_ml import tutorial
    >>> ds = tutorial.open_dataset("surface")[["ssh"]]
    >>> fit(ds, "liif", factor=(2, 4), steps=2, progress=False)
    LIIF(your fields)
    """
    if kind not in NETWORKS:
        raise ValueError(f"kind={kind!r} is not known; known: {', '.join(map(repr, NETWORKS))}")
    if guide is None and kind not in ALONE:
        raise TypeError(f"kind={kind!r} needs guide=: a Dataset, or names of fields in it")
    if guide is not None and kind not in GUIDED:
        raise TypeError(f"kind={kind!r} does not take guide")
    first = _initial(init, kind)
    read = [_read(each, guide, fields, first) for each in _listed(hires)]
    others = [_read(each, guide, fields, first) for each in _listed(withheld)]
    names = read[0].names
    if any(each.names != names for each in read + others):
        raise FieldNotFound("the Datasets do not hold the same fields")
    splits = [_split(each, seed, not others) for each in read]
    norms = first.config if first is not None else _norms(read, [split for split, _ in splits])
    train = [_fine(each, pick, norms) for each, (pick, _) in zip(read, splits, strict=True)]
    check = [_fine(each, slice(None), norms) for each in others] or [
        _fine(each, pick, norms) for each, (_, pick) in zip(read, splits, strict=True)
    ]
    factors = _factors(factor, train)
    keys = [each["key"] for each in norms["fields"]]
    mirrored = tuple(MIRRORED[k] for k in keys) if all(k in MIRRORED for k in keys) else ()
    steps = steps or SCHEDULE.steps
    schedule = replace(
        SCHEDULE,
        steps=steps,
        check_every=max(100, steps // 50),
        seed=seed,
        checkpoint=checkpoint,
        device=device,
    )
    pairs = Pairs(train, factors, patch, schedule.batch, mirrored)
    chosen = dict(first.config["sizes"]) if first is not None else {**SIZES[kind], **(sizes or {})}
    if first is None:
        with seeded(seed):
            network = network_of(kind, len(keys), len(norms["guides"]), **chosen)
    else:
        network = first.network
    from xocean_ml.downscaling.teach import teach

    fitted = teach(
        network,
        pairs,
        replace(pairs, fine=check, mirrored=()),
        schedule,
        config={"kind": kind, "factors": list(factors), "patch": patch, "names": list(names)},
        progress=progress,
    )
    config = {
        "kind": kind,
        "sizes": chosen,
        "fields": norms["fields"],
        "guides": norms["guides"],
        "spread": kind == "glio",
        "trained": _trained(read, factors),
        "told": "your fields",
        "seed": seed,
    }
    weights = {name: each.numpy() for name, each in fitted.network.state_dict().items()}
    return Learned(weights, config)


def _initial(init: Any, kind: str) -> Learned | None:
    if init is None:
        return None
    model = persist.load(init) if isinstance(init, (str, os.PathLike)) else init
    if not isinstance(model, Learned) or model.kind != kind:
        raise TypeError(f"init={init!r} is no model of kind {kind!r} to begin with")
    return model


# ---- reading ---------------------------------------------------------------------------------


class _Read:
    """Fine fields of one Dataset as arrays (time, fields, rows, columns)."""

    def __init__(self, found: Sequence[Any], arrays: Sequence[np.ndarray], guides: int) -> None:
        self.found = found
        self.fields = np.stack(arrays[: len(arrays) - guides], axis=1)
        self.guides = np.stack(arrays[len(arrays) - guides :], axis=1) if guides else None
        self.spacing = 0.0
        self.times = len(self.fields)

    @property
    def names(self) -> tuple[str, ...]:
        """Keys of the fields, then of the guides."""
        return tuple(each.key for each in self.found)


def _read(
    ds: xr.Dataset,
    guide: Any,
    fields: Mapping[str, str] | Iterable[str] | None,
    first: Learned | None,
) -> _Read:
    plain, _ = units.dequantify(ds)
    by_name = dict(fields) if isinstance(fields, Mapping) else None
    keys = _wanted(plain, fields, first, "fields", KNOWN)
    found = [(plain, cf.find(plain, key, fields=by_name)) for key in keys]
    told = 0
    if guide is not None:
        other, named = plain, guide
        if isinstance(guide, xr.Dataset):
            (other, _), named = units.dequantify(guide), None
        elif isinstance(guide, str):
            named = [guide]
        chosen = _wanted(other, named, first, "guides", GUIDES)
        found += [(other, cf.find(other, key)) for key in chosen]
        told = len(chosen)
    sides = source_side(plain[[found[0][1].variable]], "Y"), source_side(plain, "X")
    arrays = [_array(source, each, sides) for source, each in found]
    if not np.isfinite(arrays[0]).any():
        raise ValuesError(f"{found[0][1].variable}: every value is missing, all land")
    if len({each.shape for each in arrays}) > 1:
        told_shapes = ", ".join(
            f"{f.variable} {a.shape}" for (_, f), a in zip(found, arrays, strict=True)
        )
        raise GridError(f"fields and guides to learn from must share times and grid: {told_shapes}")
    read = _Read([each for _, each in found], arrays, told)
    read.spacing = 111.2 * float(np.median(np.diff(sides[0].centres)))
    return read


def _wanted(
    ds: xr.Dataset, named: Any, first: Learned | None, part: str, known: Sequence[str]
) -> list[str]:
    """Keys of the fields or guides."""
    if first is not None:
        return [each["key"] for each in first.config[part]]
    if named is not None:
        return [str(each) for each in named]
    for key in known:
        try:
            cf.find(ds, key)
        except FieldNotFound:
            continue
        return [key]
    cf.find(ds, known[0])  # says what was looked for, and what is there
    raise AssertionError


def _array(ds: xr.Dataset, found: Any, sides: tuple[Side, Side]) -> np.ndarray:
    """One field, (time and whatever else, rows, columns), ascending, in float32."""
    each = ds[found.variable]
    time = grid.axes(each).get("T")
    dims = [d for d in each.dims if d not in {sides[0].dim, sides[1].dim, time}]
    leading = ([time] if time is not None else []) + dims
    array = beside.ordered(each, sides, leading)
    values = np.asarray(array.values, np.float32)
    return values.reshape(-1, *values.shape[-2:])


def _listed(given: Any) -> list[xr.Dataset]:
    if given is None:
        return []
    return [given] if isinstance(given, xr.Dataset) else list(given)


def _split(read: _Read, seed: int, withhold: bool) -> tuple[np.ndarray, np.ndarray]:
    """Times to train on, and times withheld."""
    if not withhold or read.times < 5:
        return np.arange(read.times), np.arange(read.times)
    block = max(1, read.times // 12)
    split = withheld_blocks(read.times, WITHHELD, block, seed, guard=int(block > 2))
    return np.flatnonzero(split.train), np.flatnonzero(split.withheld)


def _norms(read: Sequence[_Read], train: Sequence[np.ndarray]) -> dict[str, Any]:
    """Mean and standard deviation of each field over the times to train on."""
    made: dict[str, Any] = {"fields": [], "guides": []}
    for part in made:
        arrays = [getattr(each, part) for each in read]
        if arrays[0] is None:
            continue
        begin = 0 if part == "fields" else read[0].fields.shape[1]
        for number in range(arrays[0].shape[1]):
            values = np.concatenate(
                [
                    a[pick, number][np.isfinite(a[pick, number])]
                    for a, pick in zip(arrays, train, strict=True)
                ]
            )
            found = read[0].found[begin + number]
            made[part].append(
                {
                    "key": found.key,
                    "role": found.role,
                    "units": found.units or "1",
                    "mean": float(values.mean(dtype=np.float64)),
                    "std": float(values.std(dtype=np.float64)) or 1.0,
                }
            )
    return made


def _fine(read: _Read, pick: Any, norms: Mapping[str, Any]) -> Fine:
    made: list[Any] = []
    for part in ("fields", "guides"):
        values = getattr(read, part)
        if values is None:
            made.append(None)
            continue
        mean, std = (
            np.array([each[name] for each in norms[part]], np.float32)[:, None, None]
            for name in ("mean", "std")
        )
        made.append((values[pick] - mean) / std)
    return Fine(made[0], made[1])


def _factors(factor: Any, fine: Sequence[Fine]) -> tuple[float, float]:
    low, high = factor if isinstance(factor, (tuple, list)) else (factor, factor)
    room = min(min(each.fields.shape[-2:]) for each in fine)
    if not 1 < float(low) <= float(high):
        raise ValueError(f"factor={factor!r}: a scale above 1, or a range of them, is needed")
    if room / float(high) < 4:
        raise ValueError(
            f"factor={factor!r}: the smallest domain has {room} cells a side, fewer than four "
            "coarse ones"
        )
    return float(low), float(high)


def _trained(read: Sequence[_Read], factors: tuple[float, float]) -> dict[str, list[float]]:
    """What is seen in training, as `Downscaler.beyond` compares it, and somewhat more."""
    spacing = [each.spacing for each in read]
    return {
        "coarse cell, km": [min(spacing) * factors[0] / 1.5, max(spacing) * factors[1] * 1.5],
        "factor": [1.0, factors[1] * 2.0],
    }
