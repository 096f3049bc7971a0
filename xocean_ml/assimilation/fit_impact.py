"""Fits an impact model: networks of blocks withheld in turn, and how they do there."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from scipy.special import ndtri

from xocean_ml.assimilation.codes import LATENT
from xocean_ml.assimilation.impact import FOLDS, Impact, inputs_of, latent_of, time_of, told
from xocean_ml.assimilation.reading import month_of, seasons
from xocean_ml.assimilation.when import keys
from xocean_ml.errors import GridError

__all__ = ["fit_impact"]

KNOTS = 201
"""Of the table from ranks to values."""

FEWEST = 40
"""Times of which a perceptron can learn."""

STEPS = 600

DECAY = 2e-3
"""Weight of the squares of weights."""

KEPT = ("standard_name", "long_name", "units", "units_metadata", "cell_methods")


def fit_impact(
    ds: xr.Dataset,
    series: xr.DataArray,
    model: Any = None,
    *,
    steps: int = STEPS,
    seed: int = 0,
    **arguments: Any,
) -> Impact:
    """Fit an impact model: what a series does when the climate is as it is.

    Parameters
    ----------
    ds : Dataset
        With ``latent`` (time, latent_number); or fields, of which `model` finds the latent.
    series : DataArray
        One number for each time, in any unit; missing ones are left out. Times are matched by the
        month (or the step of the times of `ds`).
    model : model, path or name, optional
        That finds the latent of fields.
    steps : int
        Updates of each network's weights.
    seed : int
        Key of all random numbers.
    **arguments
        As for `xocean_ml.assimilation.codes.encode`.

    Returns
    -------
    Impact
        With ``.scores`` of times that were withheld in turn, and ``.save(path)``.

    Raises
    ------
    FieldNotFound, GridError
        No latent; too few times in common.
    """
    latent = latent_of(ds, model, arguments)
    x, y, season = _matched(latent, series, time_of(latent))
    norms = np.stack([np.append(x.mean(0), [0, 0]), np.append(x.std(0) + 1e-9, [1, 1])])
    norms = norms.astype(np.float32)
    inputs = inputs_of(x, season, norms)
    values = np.quantile(y, np.linspace(0.5 / len(y), 1 - 0.5 / len(y), KNOTS), method="hazen")
    normal = ndtri((np.argsort(np.argsort(y)) + 0.5) / len(y))
    fold = np.arange(len(y)) * FOLDS // len(y)
    weights: dict[str, np.ndarray] = {}
    mean, std, line = (np.empty(len(y)) for _ in range(3))
    for number in range(FOLDS):
        out = fold == number
        network = _taught(inputs[~out], normal[~out], steps, seed, number)
        weights |= {f"{number}.{n}": v.numpy() for n, v in network.state_dict().items()}
        mean[out], std[out] = _asked(network, inputs[out])
        line[out] = _ridge(inputs[~out], y[~out], inputs[out])
    wider = max(1.0, float(np.sqrt(np.mean(((normal - mean) / std) ** 2))))
    found, quantiles = told(mean[None], wider * std[None], values)
    rivals = {"climatology": _climatology(y, season, fold), "linear": line}
    config = {
        "name": str(series.name or "series"),
        "attrs": {k: str(v) for k, v in series.attrs.items() if k in KEPT},
        "latent": int(x.shape[1]),
        "wider": wider,
        "seed": seed,
        "scores": _scores(y, found, quantiles, rivals),
    }
    return Impact(weights, values.astype(np.float64), norms, config)


def _matched(
    latent: xr.DataArray, series: xr.DataArray, time: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Latents, numbers and seasons of the times that both have, in order of time."""
    if latent.ndim != 2:
        raise GridError(
            f"latent has dimensions {latent.dims}: a series belongs to one state a time"
        )
    other = next((d for d in series.dims if series[d].dtype.kind in "MO"), None)
    if other is None or series.ndim != 1:
        raise GridError(f"series has dimensions {series.dims}: one dimension, of dates, is needed")
    step = _step(latent[time])
    mine, theirs = keys(latent[time], step), keys(series[other], step)
    there = np.isfinite(np.asarray(series.values, float))
    place = {int(key): n for n, key in enumerate(theirs) if there[n]}
    pairs = [(n, place[int(key)]) for n, key in enumerate(mine) if int(key) in place]
    if len(pairs) < FEWEST:
        raise GridError(f"series and latent have {len(pairs)} times in common, fewer than {FEWEST}")
    own, their = (np.array(each) for each in zip(*pairs, strict=True))
    values = np.asarray(latent.transpose(time, LATENT).values, np.float64)
    return values[own], np.asarray(series.values, np.float64)[their], seasons(latent[time])[own]


def _step(time: xr.DataArray) -> float:
    """Days between times."""
    apart = np.diff(np.sort(keys(time, 1.0)))
    return float(np.median(apart)) if apart.size else 31.0


# ---- networks --------------------------------------------------------------------------------


def _taught(x: np.ndarray, y: np.ndarray, steps: int, seed: int, fold: int) -> Any:
    """A perceptron, trained by the likelihood of normal ranks."""
    import torch

    from xocean_ml.networks.perceptron import Perceptron
    from xocean_ml.training import Schedule, fit, generator, seeded

    with seeded(seed, fold):
        network = Perceptron(x.shape[1])
    target = y.astype(np.float32)

    def batch(step: int) -> Any:
        some = generator(seed, fold, step).integers(len(x), size=min(64, len(x)))
        return x[some], target[some]

    def loss(each: Any, given: Any) -> torch.Tensor:
        mean, log_std = each(given[0])
        away = (given[1] - mean) * torch.exp(-log_std)
        # what is small explains well enough: few samples, many inputs
        small = sum((p**2).sum() for n, p in each.named_parameters() if n.endswith("weight"))
        made: torch.Tensor = (0.5 * away**2 + log_std).mean() + DECAY * small
        return made

    schedule = Schedule(
        steps=steps, rate=3e-3, warmup=20, seed=seed, check_every=steps, device="cpu"
    )
    return fit(network, batch, loss, schedule=schedule, progress=False).network


def _asked(network: Any, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means and standard deviations of normal ranks."""
    import torch

    with torch.inference_mode():
        mean, log_std = network(torch.from_numpy(x))
    return mean.numpy(), np.exp(log_std.numpy())


def _ridge(x: np.ndarray, y: np.ndarray, there: np.ndarray) -> np.ndarray:
    """A rival: linear regression with a penalty of a tenth of the samples."""
    centre = y.mean()
    matrix = x.T @ x + 0.1 * len(x) * np.eye(x.shape[1])
    return np.asarray(there @ np.linalg.solve(matrix, x.T @ (y - centre)) + centre)


def _climatology(y: np.ndarray, season: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """A rival: the mean of the month in the other blocks."""
    month = month_of(season)
    usual = np.full_like(y, y.mean())
    for number in range(FOLDS):
        for each in range(12):
            known = y[(fold != number) & (month == each)]
            if known.size:
                usual[(fold == number) & (month == each)] = known.mean()
    return usual


def _scores(
    y: np.ndarray, found: np.ndarray, quantiles: np.ndarray, rivals: dict[str, np.ndarray]
) -> dict[str, float]:
    def rmse(each: np.ndarray) -> float:
        return float(np.sqrt(np.mean((each - y) ** 2)))

    inside = (y >= quantiles[:, 0]) & (y <= quantiles[:, -1])
    return {
        "rmse": rmse(found),
        **{name: rmse(each) for name, each in rivals.items()},
        "correlation": float(np.corrcoef(found, y)[0, 1]),
        "covered": float(inside.mean()),
    }
