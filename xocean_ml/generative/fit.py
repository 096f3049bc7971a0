"""`fit`: a prior trained on one's own fields."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from numbers import Integral
from typing import Any

import xarray as xr

from xocean_ml import persist
from xocean_ml.arguments import updates, whole
from xocean_ml.downscaling.reading import datasets
from xocean_ml.generative.arguments import begin, same_fields
from xocean_ml.generative.diffusion import Diffusion
from xocean_ml.generative.generator import Generator
from xocean_ml.generative.oi import Interpolation
from xocean_ml.generative.reading import CURRENTS, HEIGHTS, found_keys
from xocean_ml.generative.samples import Samples, samples
from xocean_ml.generative.unet import Regression
from xocean_ml.generative.windows import Windows
from xocean_ml.training import Schedule
from xocean_ml.units import dequantify

__all__ = ["KINDS", "fit"]

KINDS = ("diffusion", "unet", "oi")

SCHEDULE = Schedule(
    steps=4000,
    rate=3e-3,
    warmup=100,
    batch=16,
    ema=0.999,
    check_every=100,
    patience=1000,
    optimizer="muon",
)


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
    start: Any = None,
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
    start : model, path or name, optional
        Of a diffusion prior: one of the same fields, whose network training goes on from, at half
        the rate. Norms and covariances are those of `hires` all the same.
    observing : mapping, callable, or several of these
        Of a regression, and needed there: options of `xocean_ml.simulate.observe`, or a function
        of complete fields at one time and a seed that gives a mapping of Datasets; of several
        systems each pair draws one.
    pairs : int
        Of a regression: windows that are observed, to train on.
    withheld : Dataset, or several, optional
        What training is scored on; by default the last fifth of the times of `hires`, which then
        are not trained on, nor a tenth before. (Interpolation is not scored.)
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
        Arguments of another type, or of another kind.
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
    if (observing is not None) != (kind == "unet"):
        raise TypeError(
            "observing= belongs to kind='unet', which needs it: options of xo.simulate.observe, or "
            "a function that gives what is observed of complete fields"
        )
    if start is not None and (kind != "diffusion" or sizes is not None):
        raise TypeError("start= belongs to kind='diffusion', and has the sizes of its network")
    whole("seed", seed, least=0)
    schedule = _schedule(steps, seed, checkpoint, device)
    begun = None if start is None else begin(start)
    given = datasets(hires, "hires")
    held = [] if withheld is None else datasets(withheld, "withheld")
    rest = _without_geostrophic(given[0], fields, currents)
    data = samples(
        given,
        held,
        fields,
        smooth=float(smooth) if rest else None,
        background=background,
        withhold=kind != "oi",
    )
    config: dict[str, Any] = {
        "fields": data.told,
        "cell": list(data.cell),
        "smooth": float(smooth) if rest else None,
        "patch": _patch(patch),
        "background": bool(background),
        "told": "your fields",
        "seed": int(seed),
    }
    if kind == "oi":
        return _interpolation(data, config)
    if kind == "unet":
        return _regression(data, config, schedule, sizes, (observing, int(pairs)), progress)
    return _diffusion(data, config, schedule, sizes, begun, progress)


def _interpolation(data: Samples, config: dict[str, Any]) -> Interpolation:
    from xocean_ml.generative.fit_diffusion import wiener_of

    wiener = wiener_of(data.train.used, config["patch"], tapered=True)
    made = {"covariance": wiener.covariance.numpy(), "mean": wiener.mean.numpy()}
    return Interpolation({**made, **data.background}, config)


def _regression(
    data: Samples,
    config: dict[str, Any],
    schedule: Schedule,
    sizes: Mapping[str, Any] | None,
    observing: tuple[Any, int],
    progress: bool | None,
) -> Regression:
    from xocean_ml.generative import fit_unet as teaching

    chosen = {**teaching.SIZES, **(sizes or {})}
    system, pairs = observing
    reader = Interpolation(dict(data.background), config)
    observers = teaching.observer(system)
    train = teaching.pairs_of(data.train, observers, reader, count=pairs, seed=schedule.seed)
    check = teaching.pairs_of(
        data.check, observers, reader, count=max(16, pairs // 10), seed=schedule.seed + 1
    )
    told = {"pairs": pairs, "patch": config["patch"]}
    weights = teaching.taught(train, check, chosen, schedule, config=told, progress=progress)
    return Regression({**weights, **data.background}, {**config, "sizes": chosen})


def _diffusion(
    data: Samples,
    config: dict[str, Any],
    schedule: Schedule,
    sizes: Mapping[str, Any] | None,
    begun: Diffusion | None,
    progress: bool | None,
) -> Diffusion:
    from xocean_ml.generative import fit_diffusion as teaching
    from xocean_ml.generative.roughness import shares_of

    chosen = {**teaching.SIZES, **(sizes or {})} if begun is None else begun.config["sizes"]
    patch, train = config["patch"], data.train.used
    norms = {e["key"]: [f"{e[n]:.5g}" for n in ("mean", "std")] for e in data.told}
    network = teaching.untrained(train, patch, chosen, schedule.seed)
    told: dict[str, Any] = {"patch": patch, "norms": norms}
    if begun is not None:
        same_fields(begun, data.told)
        schedule = replace(schedule, rate=schedule.rate / 2)
        network.network.load_state_dict(begun.network.network.state_dict())
        told["start"] = persist.digest(begun)
    fitted = teaching.teach(
        network,
        Windows(train, patch, schedule.batch, schedule.seed),
        Windows(data.check.used, patch, schedule.batch, schedule.seed + 1),
        schedule,
        config=told,
        progress=progress,
    )
    denoiser = fitted.network
    weights = {name: each.numpy() for name, each in denoiser.state_dict().items()}
    shares = shares_of(denoiser, train, patch, schedule.seed)
    return Diffusion({**weights, **data.background}, {**config, "sizes": chosen, "shares": shares})


# ---- arguments -------------------------------------------------------------------------------


def _schedule(steps: int | None, seed: int, checkpoint: Any, device: str | None) -> Schedule:
    steps = updates(steps, SCHEDULE.steps)
    return replace(SCHEDULE, steps=steps, seed=seed, checkpoint=checkpoint, device=device)


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
