"""Generative assimilation of real maps, as a smoke test: is it worse than interpolation?

    python benchmarks/genda_real.py --data DIR                   # ssh_med_2005.nc
    python benchmarks/genda_real.py --data DIR --part currents   # currents_agulhas_2002.nc

sea level   absolute dynamic topography of the western Mediterranean on 1/8 degree, three months of
            maps. The prior learns from 60 days, departures from their mean, coasts included; of the
            last 20, every fourth is observed along the tracks of four altimeters (five days of
            them, 2 cm)
currents    of the Agulhas on 1/4 degree; the prior learns from the first 200 days, of the last 40
            every eighth is observed in a fortieth of the cells (0.1 m s-1)

Rivals: the mean of the training (climatology), the last day of it (persistence), multivariate
optimal interpolation with the covariance of the same days at every wavelength. Scores over the sea,
of the mean of the members corrected for their number, with 95 % intervals by bootstrap of days. A
map is smooth and a short record is one state of the sea, hardly more: no product is judged here.
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import xarray as xr

import xocean_ml as xo
from xocean_ml.generative.fit import fit
from xocean_ml.generative.generator import Generator

PATCH = 64
SIZES = {"channels": [48, 48], "blocks": 1, "width": 32, "fold": 2}


def sea_level(folder: Path) -> tuple[xr.Dataset, xr.Dataset]:
    """Days to learn from, and days to judge by."""
    ds = xr.open_dataset(folder / "ssh_med_2005.nc").load()
    ds["adt"].attrs |= {"standard_name": "sea_surface_height_above_geoid", "units": "m"}
    ds = ds.sel(latitude=slice(35.5, 44.5), longitude=slice(-1, 16))
    return ds.isel(time=slice(60)), ds.isel(time=slice(71, 91))


def currents(folder: Path) -> tuple[xr.Dataset, xr.Dataset]:
    """Days to learn from, and days to judge by."""
    ds = xr.open_dataset(folder / "currents_agulhas_2002.nc").load()
    for name, way in (("u", "eastward"), ("v", "northward")):
        ds[name].attrs |= {"standard_name": f"{way}_sea_water_velocity", "units": "m s-1"}
    return ds.isel(time=slice(200)), ds.isel(time=slice(218, 258))


def tracks(truth: xr.Dataset, day: int) -> xr.Dataset:
    """What altimeters see of five days, as of the one in the middle."""
    around = truth.isel(time=slice(max(day - 2, 0), day + 3))
    seen = xo.simulate.observe(around, nadirs=4, cloud=None, seed=day)["nadir"]
    at = truth.time.values[day]
    return seen.assign_coords(time=("obs", np.full(seen.sizes["obs"], at), seen.time.attrs))


def drifters(truth: xr.Dataset, day: int) -> xr.Dataset:
    """Currents in a fortieth of the cells, with errors."""
    one = truth.isel(time=[day])
    random = np.random.default_rng(day)
    there = random.random(one.u.shape) < 1 / 40
    noise = 0.1 * random.standard_normal((2, *one.u.shape))
    return one.assign({n: (one[n] + e).where(there) for n, e in zip("uv", noise, strict=True)})


def score(made: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each day: square of the mean's error, corrected; of the error; of the spread.

    Of members (days, members, rows, columns) and the truth (days, rows, columns).
    """
    many = made.shape[1]
    square = np.nanmean((made.mean(axis=1) - truth) ** 2, axis=(1, 2))
    if many == 1:
        return square, square, np.zeros_like(square)
    variance = np.nanmean(made.var(axis=1, ddof=1), axis=(1, 2))
    return square - variance / many, square, variance * (many + 1) / many


def told(name: str, scores: tuple[np.ndarray, np.ndarray, np.ndarray]) -> str:
    """A line of the table, with an interval."""
    random = np.random.default_rng(0)
    best, square, spread = scores
    drawn = random.integers(0, len(best), (500, len(best)))
    error = np.sqrt(np.maximum(best[drawn].mean(axis=1), 0))
    low, high = np.quantile(error, [0.025, 0.975])
    line = f"{name:22} {np.sqrt(best.mean()):8.4f} ({low:.4f} to {high:.4f})"
    if spread.any():
        ratio = np.sqrt(spread[drawn].mean(axis=1) / square[drawn].mean(axis=1))
        low, high = np.quantile(ratio, [0.025, 0.975])
        line += f"   {np.sqrt(spread.mean() / square.mean()):5.2f} ({low:.2f} to {high:.2f})"
    return line


def run(asked: argparse.Namespace) -> None:
    """Fit, draw, score."""
    part = {"sea level": sea_level, "currents": currents}[asked.part]
    past, truth = part(asked.data)
    every, look = (4, tracks) if asked.part == "sea level" else (8, drifters)
    names = ["adt"] if asked.part == "sea level" else ["u", "v"]
    errors = (
        None
        if asked.part == "sea level"
        else dict.fromkeys(("eastward_sea_water_velocity", "northward_sea_water_velocity"), 0.1)
    )
    days = range(2, truth.sizes["time"] - 2, every)
    begin = time.perf_counter()
    models: dict[str, Generator] = {"optimal interpolation": fit(past, "oi", background=True)}
    models["diffusion"] = fit(
        past,
        background=True,
        patch=PATCH,
        sizes=SIZES,
        steps=asked.steps,
        checkpoint=asked.checkpoint,
        progress=False,
        device="cpu",
    )
    print(f"trained in {time.perf_counter() - begin:.0f} s, {asked.steps} steps")
    drawn = {
        name: [
            look(truth, day).genda(
                model, members=asked.members, like=truth.isel(time=[day]), error=errors
            )
            for day in days
        ]
        for name, model in models.items()
    }
    for name in names:
        real = np.stack([truth[name].values[day] for day in days])
        print(f"{name}: root mean square error, spread over error; {len(days)} days")
        mean = past[name].mean("time").values
        print(told("climatology", score(np.stack([mean[None]] * len(days)), real)))
        last = past[name].values[-1]
        print(told("persistence", score(np.stack([last[None]] * len(days)), real)))
        for model, several in drawn.items():
            made = np.stack([each[name].isel(time=0).values for each in several])
            print(told(model, score(made, real)), flush=True)


def main() -> None:
    """Run one part."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the real data")
    parser.add_argument("--part", default="sea level", choices=("sea level", "currents"))
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--members", type=int, default=16)
    parser.add_argument("--checkpoint", type=Path, default=None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run(parser.parse_args())


if __name__ == "__main__":
    main()
