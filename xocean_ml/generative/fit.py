"""`fit`: a prior trained on one's own fields."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any

import numpy as np
import xarray as xr

from xocean_ml.downscaling.reading import datasets
from xocean_ml.errors import ValuesError, warn
from xocean_ml.generative.background import about, tensors_of
from xocean_ml.generative.diffusion import Diffusion
from xocean_ml.generative.generator import Generator
from xocean_ml.generative.oi import Interpolation
from xocean_ml.generative.reading import CURRENTS, HEIGHTS, Read, found_keys, read
from xocean_ml.generative.unet import Regression
from xocean_ml.generative.windows import Windows, normed
from xocean_ml.training import Schedule, withheld_blocks
from xocean_ml.units import dequantify

__all__ = ["KINDS", "fit"]

KINDS = ("diffusion", "unet", "oi")

SCHEDULE = Schedule(
    steps=4000,
    rate=3e-3,
    warmup=100,
    batch=16,
    ema=0.999,
    check_every=200,
    patience=1000,
    optimizer="muon",
)

WITHHELD = 0.2
"""Share of the times that is withheld."""

FEWEST = 5
"""Times of which some can be withheld."""


def fit(
    hires: xr.Dataset | Sequence[xr.Dataset],
    kind: str = "diffusion",
    *,
    fields: Mapping[str, str] | Iterable[str] | None = None,
    currents: str = "auto",
    smooth: float = 0.0,
    background: bool = False,
    patch: int = 64,
    steps: int | None = None,
    seed: int = 0,
    sizes: Mapping[str, Any] | None = None,
    observing: Any = None,
    pairs: int = 1000,
    withheld: xr.Dataset | Sequence[xr.Dataset] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: bool | None = None,
    device: str | None = None,
) -> Generator:
    """Train a prior of the surface ocean on complete fields.

    Parameters
    ----------
    hires : Dataset, or several
        Fields on time and one-dimensional latitude and longitude; NaN over land. All are brought
        to the units of the first.
    kind : {"diffusion", "unet", "oi"}
        A diffusion prior; a regression from what an observing system sees; or the Gaussian that is
        nearest, for optimal interpolation.
    fields : mapping or iterable of str, optional
        Which fields, by key, and as a mapping which variable each is. By default sea level
        (anomaly, or else height), temperature, salinity and currents, whichever are there.
    currents : {"auto", "whole", "rest"}
        Whether currents are learnt whole or without their geostrophic part, which is made of each
        member's sea level anew; "auto": without, where there are currents and sea level.
    smooth : float
        Cells over which slopes of the sea level are smoothed for that.
    background : bool
        Whether the mean of each cell is kept with the model and departures from it are learnt: for
        one region, where members are then wanted. Else the prior knows no places.
    patch : int
        Cells of a tile's side, a multiple of 8: smaller domains are filled up with land.
    steps : int, optional
        Updates of the weights; 4000 by default.
    seed : int
        Key of all random numbers.
    sizes : mapping, optional
        Of the network; see `xocean_ml.generative.fit_diffusion.SIZES`.
    observing : mapping, callable, or several of these
        Of a regression, and needed there: options of `xocean_ml.simulate.observe`, or a function
        of complete fields at one time and a seed that gives a mapping of Datasets; of several
        systems each pair draws one.
    pairs : int
        Of a regression: windows that are observed, to train on.
    withheld : Dataset, or several, optional
        What training is scored on; by default blocks of time of `hires`, then not trained on.
    checkpoint : path, optional
        File from which a fit that was killed goes on, to the same weights.
    progress : bool, optional
        Show a bar; by default on a terminal.
    device : str, optional

    Returns
    -------
    Generator
        ``.save(path)`` keeps it.

    Raises
    ------
    ValueError
        A kind that is not known; no steps; a patch that cannot be.
    TypeError
        Arguments of another type.
    FieldNotFound, UnitsError, GridError, ValuesError
        Fields that are not there, have other units, do not share times and grid, hold nothing but
        land, or infinite values.

    Warns
    -----
    UserWarning
        Scored on what it is trained on, for want of times.

    Examples
    --------
    >>> from xocean_ml import tutorial
    >>> ds = tutorial.open_dataset("surface")
    >>> fit(ds, "oi", fields=["sea_level_anomaly", "sea_surface_temperature"])
    OI(sea_level_anomaly, sea_surface_temperature; your fields)
    """
    if kind not in KINDS:
        raise ValueError(f"kind={kind!r} is not known; known: {', '.join(map(repr, KINDS))}")
    schedule = _schedule(steps, seed, checkpoint, device)
    given = datasets(hires, "hires")
    rest = _without_geostrophic(given[0], fields, currents)
    seen = _read(given, fields, smooth if rest else None, ())
    others = [] if withheld is None else datasets(withheld, "withheld")
    held = _read(others, fields, smooth if rest else None, seen[0].fields)
    splits = [_split(each, seed, not held) for each in seen]
    kept: dict[str, np.ndarray] = {}
    told = _told(seen, [pick for pick, _ in splits])
    if background:
        mean = _mean_map(seen, held, splits[0][0])
        kept = tensors_of(seen[0], mean)
        seen, held = (
            [replace(each, values=about(each.values, mean, told)) for each in several]
            for several in (seen, held)
        )
        told = _about_map(told, _told(seen, [pick for pick, _ in splits]))
    train = [normed(each.values[pick], told) for each, (pick, _) in zip(seen, splits, strict=True)]
    check = [normed(each.values, told) for each in held] or [
        normed(each.values[pick], told) for each, (_, pick) in zip(seen, splits, strict=True)
    ]
    config: dict[str, Any] = {
        "fields": told,
        "cell": [float(np.median([each.cell[k] for each in seen])) for k in (0, 1)],
        "smooth": float(smooth) if rest else None,
        "patch": _patch(patch),
        "background": bool(background),
        "told": "your fields",
        "seed": int(seed),
    }
    if kind == "oi":
        from xocean_ml.generative.fit_diffusion import wiener_of

        wiener = wiener_of(train, config["patch"], tapered=True)
        made = {"covariance": wiener.covariance.numpy(), "mean": wiener.mean.numpy()}
        return Interpolation({**made, **kept}, config)
    if kind == "unet":
        used = [pick for pick, _ in splits]
        every = _Data(given, [normed(each.values, told) for each in seen], used)
        scored = _Data(others, check, [np.arange(len(each)) for each in check])
        if not others:
            scored = _Data(given, every.fields, [pick for _, pick in splits])
        systems = _Systems(observing, pairs, kept)
        return _regression(every, scored, config, schedule, sizes, systems, progress)
    diffusion = _diffusion(train, check, config, schedule, sizes, progress)
    return replace(diffusion, weights={**diffusion.weights, **kept})


@dataclass(frozen=True, eq=False)
class _Data:
    """Datasets, what was read of them, normalised, and the times that are used."""

    datasets: Sequence[xr.Dataset]
    fields: Sequence[np.ndarray]
    picks: Sequence[np.ndarray]


@dataclass(frozen=True, eq=False)
class _Systems:
    """How complete fields are observed, how often, and about what map, if any."""

    observing: Any
    pairs: int
    background: Mapping[str, np.ndarray]


def _regression(
    train: _Data,
    check: _Data,
    config: dict[str, Any],
    schedule: Schedule,
    sizes: Mapping[str, Any] | None,
    systems: _Systems,
    progress: bool | None,
) -> Regression:
    from xocean_ml.generative import fit_unet as teaching

    if systems.observing is None:
        raise TypeError(
            "kind='unet' needs observing=: options of xo.simulate.observe, or a function that "
            "gives what is observed of complete fields"
        )
    chosen = {**teaching.SIZES, **(sizes or {})}
    reader = Interpolation(dict(systems.background), config)
    observers = teaching.observer(systems.observing)

    def made(data: _Data, count: int, seed: int) -> teaching.Pairs:
        return teaching.pairs_of(
            data.datasets, data.fields, data.picks, observers, reader, count=count, seed=seed
        )

    both = (
        made(train, systems.pairs, schedule.seed),
        made(check, max(16, systems.pairs // 10), schedule.seed + 1),
    )
    told = {"pairs": int(systems.pairs)}
    weights = teaching.taught(*both, chosen, schedule, config=told, progress=progress)
    weights |= systems.background
    return Regression(weights, {**config, "sizes": chosen})


def _diffusion(
    train: list[np.ndarray],
    check: list[np.ndarray],
    config: dict[str, Any],
    schedule: Schedule,
    sizes: Mapping[str, Any] | None,
    progress: bool | None,
) -> Diffusion:
    from xocean_ml.generative import fit_diffusion as teaching

    chosen = {**teaching.SIZES, **(sizes or {})}
    patch = config["patch"]
    network = teaching.untrained(train, patch, chosen, schedule.seed)
    fitted = teaching.teach(
        network,
        Windows(train, patch, schedule.batch, schedule.seed),
        Windows(check, patch, schedule.batch, schedule.seed + 1),
        schedule,
        config={
            "patch": patch,
            "norms": {e["key"]: [f"{e[n]:.5g}" for n in ("mean", "std")] for e in config["fields"]},
        },
        progress=progress,
    )
    weights = {name: each.numpy() for name, each in fitted.network.state_dict().items()}
    return Diffusion(weights, {**config, "sizes": chosen})


# ---- arguments -------------------------------------------------------------------------------


def _schedule(steps: int | None, seed: int, checkpoint: Any, device: str | None) -> Schedule:
    steps = SCHEDULE.steps if steps is None else steps
    if not isinstance(steps, Integral) or isinstance(steps, bool) or steps < 1:
        raise ValueError(f"steps={steps!r}: a whole number of at least 1 is needed")
    return replace(SCHEDULE, steps=int(steps), seed=seed, checkpoint=checkpoint, device=device)


def _patch(patch: int) -> int:
    if not isinstance(patch, Integral) or patch < 16 or patch % 8:
        raise ValueError(f"patch={patch!r}: a multiple of 8 cells, 16 at least, is needed")
    return int(patch)


def _without_geostrophic(ds: xr.Dataset, fields: Any, currents: str) -> bool:
    if currents not in ("auto", "whole", "rest"):
        raise ValueError(f"currents={currents!r}: it is 'auto', 'whole' or 'rest'")
    there = found_keys(dequantify(ds)[0], fields)
    both = all(key in there for key in CURRENTS) and any(key in there for key in HEIGHTS)
    if currents == "rest" and not both:
        raise ValueError(
            "currents='rest': it takes both components and the height of the sea; found "
            f"{', '.join(there)}"
        )
    return both and currents != "whole"


# ---- data ------------------------------------------------------------------------------------


def _read(
    given: Sequence[xr.Dataset], fields: Any, smooth: float | None, like: Sequence[Any]
) -> list[Read]:
    made: list[Read] = []
    for each in given:
        made.append(read(each, fields, smooth, like or (made[0].fields if made else ())))
    return made


def _split(data: Read, seed: int, withhold: bool) -> tuple[np.ndarray, np.ndarray]:
    """Maps to train on and maps withheld: never of the same time."""
    many = int(data.times.max()) + 1
    if not withhold or many < FEWEST:
        if withhold:
            warn(
                f"{many} times are too few to withhold some: fit is scored on what it is trained "
                f"on. Give withheld=, or {FEWEST} times or more"
            )
        return np.arange(len(data.times)), np.arange(len(data.times))
    block = max(1, many // 12)
    split = withheld_blocks(many, WITHHELD, block, seed, guard=int(block > 2))
    return np.flatnonzero(split.train[data.times]), np.flatnonzero(split.withheld[data.times])


def _told(seen: Sequence[Read], picks: Sequence[np.ndarray]) -> list[dict[str, Any]]:
    """Fields with what is known of their size."""
    made = []
    for number, told in enumerate(seen[0].fields):
        maps = [each.values[pick, number] for each, pick in zip(seen, picks, strict=True)]
        values = np.concatenate([each[np.isfinite(each)] for each in maps])
        if not values.size:
            raise ValuesError(f"{told['key']}: every value is missing at the times to train on")
        std = float(values.std(dtype=np.float64)) or 1.0
        mean = float(values.mean(dtype=np.float64))
        grown = _growth(seen, number)
        rate = None if grown is None else grown / std**2
        made.append({**told, "mean": mean, "std": std, "size": std, "growth": rate})
    return made


def _mean_map(seen: Sequence[Read], held: Sequence[Read], pick: np.ndarray) -> np.ndarray:
    """Mean of each cell over the times to train on, (fields, rows, columns); NaN on land."""
    shapes = {each.values.shape[1:] for each in (*seen, *held)}
    if len(seen) > 1 or len(shapes) > 1:
        raise ValueError(
            "background=True is for one Dataset, of one region (and withheld= on the same grid)"
        )
    values = seen[0].values[pick]
    there = np.isfinite(values)
    count = there.sum(axis=0)
    total = np.where(there, values, 0).sum(axis=0, dtype=np.float64)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _about_map(
    raw: Sequence[dict[str, Any]], left: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Fields whose sizes are those of departures from a map, but for what is far from all seen."""
    return [
        {**each, "std": part["std"], "growth": part["growth"]}
        for each, part in zip(raw, left, strict=True)
    ]


def _growth(seen: Sequence[Read], number: int) -> float | None:
    """Variance of the change of a field in a day, from that of its shortest step."""
    squares = []
    for each in seen:
        if not np.isfinite(each.step):
            continue
        many = int(each.times.max()) + 1
        maps = each.values[:, number].reshape(many, -1, *each.values.shape[-2:])
        squares.append(float(np.nanmean(np.diff(maps, axis=0) ** 2)) / each.step**2)
    return float(np.mean(squares)) if squares else None
