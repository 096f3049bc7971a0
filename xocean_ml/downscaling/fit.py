"""`fit`: a network trained to make one's own fields finer."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from numbers import Real
from typing import Any

import numpy as np
import xarray as xr

from xocean_ml import persist
from xocean_ml.arguments import updates
from xocean_ml.downscaling.downscaler import COARSE_CELL, FACTOR
from xocean_ml.downscaling.learned import NETWORKS, Learned, network_of
from xocean_ml.downscaling.pairs import Fine, Pairs
from xocean_ml.downscaling.reading import Read, datasets, read, wanted
from xocean_ml.errors import ValuesError, warn
from xocean_ml.training import Schedule, seeded, withheld_blocks

__all__ = ["MIRRORED", "SIZES", "fit"]

MIRRORED = {
    "sea_level_anomaly",
    "sea_surface_height_above_geoid",
    "sea_surface_temperature",
    "sea_surface_salinity",
}
"""Fields whose mirror images, and changes of sign about the mean, may be real: see `Pairs`."""

SIZES: dict[str, dict[str, Any]] = {
    "liif": {"channels": 32, "blocks": 6, "hidden": 64, "layers": 3},
    "jiif": {"channels": 24, "blocks": 4, "hidden": [64, 32, 32]},
    "resac": {"channels": 32, "depth": 3, "stages": 3},
    "fno": {"channels": 24, "layers": 4, "modes": 6},
    "glio": {"channels": 32, "hidden": 48},
}
"""Sizes of the networks that are trained on a CPU in minutes."""

PARTS = ("fields", "guides")

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

FEWEST = 5
"""Times of which some can be withheld."""


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
        Fine fields on one-dimensional latitude and longitude and time; NaN over land. All are
        brought to the units of the first, or of `init`.
    kind : {"liif", "jiif", "resac", "fno", "glio"}
        Which network: `xocean_ml.networks`. ``"liif"`` takes no guide, ``"jiif"`` needs one.
    factor : number or (low, high)
        Scale that is trained for, or a range from which each batch draws one.
    guide : Dataset, str, or sequence of str, optional
        Fine fields that guide: a Dataset on the same grid, in any order, with the times of
        `hires` among its own or with no time; or names of fields in `hires`.
    fields : mapping or iterable of str, optional
        Which fields, by key (``"sea_level_anomaly"``), and as a mapping which variable each is;
        a mapping may tell the guides' variables too. By default the first of sea level anomaly,
        height above geoid, and temperature that is there and no guide.
    init : model, path or name, optional
        A model of the same kind to begin with: from simulations to a product, say. It decides
        fields, guides, sizes and units.
    steps : int, optional
        Updates of the weights; 1500 by default.
    patch : int
        Coarse cells of a patch's side, at most.
    seed : int
        Key of all random numbers.
    sizes : mapping, optional
        Of the network; see `SIZES`. Not with `init`.
    withheld : Dataset, or several, optional
        What tells when to stop; by default blocks of time of `hires`, then not trained on. A
        Dataset of fewer than five times has none to spare: it is scored on what it is trained on,
        with a warning.
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
        A kind that is not known; a scale below 1 or too large for the domain; no steps; no data.
    TypeError
        A guide for a kind or an `init` that takes none, or none for one that needs it; fields or
        sizes that are not those of `init`; arguments of another type.
    FieldNotFound, UnitsError, GridError
        Fields or guides that are not there, have other units, or do not share times and grid.
    ValuesError
        Nothing but land; infinite values.

    Warns
    -----
    UserWarning
        Scored on what it is trained on, for want of times.

    Notes
    -----
    Coarse fields are area means over the sea, at a random place and scale in each batch. Blocks
    of time are withheld, with all members of an ensemble, and the weights are those that did best
    there.

    Examples
    --------
    >>> from xocean_ml import tutorial
    >>> ds = tutorial.open_dataset("surface")[["ssh"]]
    >>> fit(ds, "liif", factor=(2, 4), steps=2, progress=False)
    LIIF(your fields)
    """
    _check_kind(kind, guide)
    schedule = _schedule(steps, seed, checkpoint, device)
    first = _initial(init, kind, sizes)
    given = datasets(hires, "hires")
    what = wanted(given[0], guide, fields, None if first is None else first.config)
    seen = [read(each, what) for each in given]
    held = [] if withheld is None else datasets(withheld, "withheld")
    others = [read(each, what) for each in held]
    splits = _splits(seen, seed, not others)
    train = [pick for pick, _ in splits]
    norms: Mapping[str, Any] = (
        {part: _norms(seen, train, part, getattr(what, part)) for part in PARTS}
        if first is None
        else {part: first.config[part] for part in PARTS}
    )
    fine = _fine(seen, train, norms)
    check = _fine(others, [np.arange(len(each.fields)) for each in others], norms)
    check = check or _fine(seen, [pick for _, pick in splits], norms)
    factors = _factors(factor, fine)
    keys = {each["key"] for part in PARTS for each in norms[part]}
    pairs = Pairs(fine, factors, patch, schedule.batch, keys <= MIRRORED)
    network, chosen = _network(kind, first, norms, sizes, seed)
    # What decides the outcome: a checkpoint of anything else is refused.
    told = {"kind": kind, "factors": list(factors), "patch": patch, "norms": _rounded(norms)}
    told |= {"init": None if first is None else persist.digest(first)[:16]}
    if checkpoint is not None:
        told |= {"data": _digest(seen), "withheld": _digest(others)}
    from xocean_ml.downscaling.teach import teach

    scored = replace(pairs, fine=check, mirrored=False)
    fitted = teach(network, pairs, scored, schedule, config=told, progress=progress)
    config = {
        "kind": kind,
        "sizes": chosen,
        "fields": norms["fields"],
        "guides": norms["guides"],
        "spread": kind == "glio",
        "trained": _trained(seen, factors),
        "told": "your fields",
        "seed": seed,
    }
    weights = {name: each.numpy() for name, each in fitted.network.state_dict().items()}
    return Learned(weights, config)


# ---- arguments -------------------------------------------------------------------------------


def _check_kind(kind: str, guide: Any) -> None:
    if kind not in NETWORKS:
        raise ValueError(f"kind={kind!r} is not known; known: {', '.join(map(repr, NETWORKS))}")
    if guide is None and kind not in ALONE:
        raise TypeError(f"kind={kind!r} needs guide=: a Dataset, or names of fields in it")
    if guide is not None and kind not in GUIDED:
        raise TypeError(f"kind={kind!r} does not take guide")


def _schedule(steps: int | None, seed: int, checkpoint: Any, device: str | None) -> Schedule:
    steps = updates(steps, SCHEDULE.steps)
    return replace(
        SCHEDULE,
        steps=steps,
        check_every=max(100, steps // 50),
        seed=seed,
        checkpoint=checkpoint,
        device=device,
    )


def _initial(init: Any, kind: str, sizes: Any) -> Learned | None:
    if init is None:
        return None
    model, _ = persist.loaded(init)
    if not isinstance(model, Learned) or model.kind != kind:
        raise TypeError(f"init={init!r} is no model of kind {kind!r} to begin with")
    if sizes is not None:
        raise TypeError("sizes= are those of init=: leave them out, or begin without init=")
    return model


def _factors(factor: Any, fine: Sequence[Fine]) -> tuple[float, float]:
    pair = tuple(factor) if isinstance(factor, (tuple, list)) else (factor, factor)
    if len(pair) != 2 or not all(isinstance(f, Real) and not isinstance(f, bool) for f in pair):
        raise TypeError(f"factor={factor!r}: one number is needed, or a range (low, high)")
    low, high = map(float, pair)
    room = min(min(each.fields.shape[-2:]) for each in fine)
    if not 1 < low <= high:
        raise ValueError(f"factor={factor!r}: a scale above 1, or a range of them, is needed")
    if room / high < 4:
        raise ValueError(
            f"factor={factor!r}: the smallest domain has {room} cells a side, fewer than four "
            "coarse ones"
        )
    return low, high


def _network(
    kind: str,
    first: Learned | None,
    norms: Mapping[str, Any],
    sizes: Mapping[str, Any] | None,
    seed: int,
) -> tuple[Any, dict[str, Any]]:
    """The network to train, and its sizes."""
    if first is not None:
        return first.network, dict(first.config["sizes"])
    chosen = {**SIZES[kind], **(sizes or {})}
    with seeded(seed):
        return network_of(kind, len(norms["fields"]), len(norms["guides"]), **chosen), chosen


# ---- data ------------------------------------------------------------------------------------


def _splits(seen: Sequence[Read], seed: int, withhold: bool) -> list[tuple[np.ndarray, np.ndarray]]:
    """Of each domain, maps to train on and maps withheld: never of the same time."""
    few = [str(each.times.max() + 1) for each in seen if each.times.max() + 1 < FEWEST]
    if withhold and few:
        warn(
            f"{', '.join(few)} times are too few to withhold some: fit stops by its score on what "
            f"it is trained on. Give withheld=, or {FEWEST} times or more",
        )
    return [_split(each.times, seed, withhold) for each in seen]


def _split(times: np.ndarray, seed: int, withhold: bool) -> tuple[np.ndarray, np.ndarray]:
    many = int(times.max()) + 1
    if not withhold or many < FEWEST:
        return np.arange(len(times)), np.arange(len(times))
    block = max(1, many // 12)
    split = withheld_blocks(many, WITHHELD, block, seed, guard=int(block > 2))
    return np.flatnonzero(split.train[times]), np.flatnonzero(split.withheld[times])


def _norms(
    seen: Sequence[Read], picks: Sequence[np.ndarray], part: str, specs: Sequence[Any]
) -> list[dict[str, Any]]:
    """Mean and standard deviation of fields or guides over the maps to train on."""
    made = []
    for number, spec in enumerate(specs):
        maps = [getattr(each, part)[pick, number] for each, pick in zip(seen, picks, strict=True)]
        values = np.concatenate([each[np.isfinite(each)] for each in maps])
        if not values.size:
            raise ValuesError(f"{spec['key']}: every value is missing at the times to train on")
        mean, std = values.mean(dtype=np.float64), values.std(dtype=np.float64)
        kept = {name: spec[name] for name in ("key", "role", "units")}
        made.append({**kept, "mean": float(mean), "std": float(std) or 1.0})
    return made


def _fine(
    seen: Sequence[Read], picks: Sequence[np.ndarray], norms: Mapping[str, Any]
) -> list[Fine]:
    """Domains, normalised, at some maps."""
    return [
        Fine(_normed(each.fields[pick], norms["fields"]), None)
        if each.guides is None
        else Fine(
            _normed(each.fields[pick], norms["fields"]),
            _normed(each.guides[pick], norms["guides"]),
        )
        for each, pick in zip(seen, picks, strict=True)
    ]


def _normed(values: np.ndarray, norms: Sequence[Mapping[str, Any]]) -> np.ndarray:
    mean, std = (
        np.array([each[name] for each in norms], np.float32)[:, None, None]
        for name in ("mean", "std")
    )
    made: np.ndarray = (values - mean) / std
    return made


def _rounded(norms: Mapping[str, Any]) -> dict[str, Any]:
    """Norms by part and key, without the digits that differ between machines."""
    return {
        part: {
            each["key"]: {**each, "mean": f"{each['mean']:.6g}", "std": f"{each['std']:.6g}"}
            for each in every
        }
        for part, every in norms.items()
    }


def _digest(seen: Sequence[Read]) -> str:
    """What tells data from others."""
    whole = hashlib.sha256()
    for each in seen:
        for values in (each.fields, each.guides, each.times):
            if values is not None:
                whole.update(f"{values.dtype.str} {values.shape}".encode())
                whole.update(np.ascontiguousarray(values).data)
    return whole.hexdigest()[:16]


def _trained(seen: Sequence[Read], factors: tuple[float, float]) -> dict[str, list[float]]:
    """What is seen in training, as `Downscaler.beyond` compares it, and somewhat more."""
    cells = [side for each in seen for side in each.spacing]
    return {
        COARSE_CELL: [min(cells) * factors[0] / 1.5, max(cells) * factors[1] * 1.5],
        FACTOR: [1.0, factors[1] * 2.0],
    }
