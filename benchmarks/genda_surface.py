"""Generative assimilation of simulated surfaces: the packaged prior against its rivals.

    python benchmarks/genda_surface.py --worlds DIR                      # scores
    python benchmarks/genda_surface.py --worlds DIR --system sparse      # another observing system
    python benchmarks/genda_surface.py --worlds DIR --family other       # another turbulence
    python benchmarks/genda_surface.py --worlds DIR --part cost          # steps and guidance

Worlds of the family "test" of `xo.simulate.surface` (eight, four states of each, 10 days apart),
made in DIR where they lack, a minute each: 32 days of 64 x 64 cells of 5.5 km, always the same part
of the box. Each stands still for five days while altimeters pass; the others look once.

system    usual: SSH of 4 nadirs (0.02 m), SST under clouds (half of the cells, 0.3 K), coarse maps
          of SSH (150 km), SST (30 km) and SSS (60 km); sparse: 2 nadirs, twice the noise, three
          quarters under clouds
rivals    oi: multivariate optimal interpolation with covariances at every wavelength, of 30 of the
          training worlds, as the others; unet: regression trained for the usual system, and
          unet-any: for systems drawn at random, both with the Gaussian of their errors as spread
          (``--rivals DIR`` keeps them)
scores    of the mean of M members, corrected for M; fair CRPS (of an infinite ensemble); spread
          over error; energy and variogram scores; worst ratio of the members' spectrum to the
          truth's at wavelengths above 4 cells; u, v and SSS are never seen but as coarse SSS.
          In brackets 95 % intervals by bootstrap of days; of spectra by bands, of worlds, each of
          which has its own turbulence
cost      evaluations of the network and products with its Jacobian for each member, against scores
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import xocean_ml as xo
from xocean_ml.downscaling.train import SELECT, TRAIN, worlds
from xocean_ml.generative.fit import fit
from xocean_ml.generative.train import KEPT

FIELDS = ("ssh", "sst", "sss", "u", "v")
FIRST, SIDE = 40, 64
"""Part of the box that is shown."""

HELD = 5
"""Days that a world stands still for altimeters."""

NOISE = {
    "nadir": 0.02,
    "sst": 0.3,
    "coarse_sea_level_anomaly": 0.02,
    "coarse_sea_surface_temperature": 0.2,
    "coarse_sea_surface_salinity": 0.15,
}
SYSTEMS: dict[str, dict[str, Any]] = {
    "usual": {"nadirs": 4, "cloud": 0.5, "noise": NOISE},
    "sparse": {"nadirs": 2, "cloud": 0.75, "noise": {k: 2 * v for k, v in NOISE.items()}},
}
BANDS = ((4, 8), (8, 16), (16, 32))
"""Of wavelengths, cells."""

WORLDS, STATES = 8, 4
PAIRS, STEPS = 1500, 2000
"""Of a regression's training."""


def days(folder: Path, family: str) -> list[xr.Dataset]:
    """Complete fields of one day each."""
    cut = slice(FIRST, FIRST + SIDE)
    every = worlds(folder, family, WORLDS, kept=KEPT)
    return [
        each.isel(time=[state], latitude=cut, longitude=cut)
        for each in every
        for state in range(min(STATES, each.sizes["time"]))
    ]


def seen(truth: xr.Dataset, system: Mapping[str, Any], seed: int) -> dict[str, xr.Dataset]:
    """What is observed of a day, the altimeters' of some days on which nothing has changed."""
    at = truth.time.values[0]
    options = {k: v for k, v in system.items() if k != "nadirs"}
    made = xo.simulate.observe(truth, nadirs=0, coarse=True, seed=seed, **options)
    around = range(-(HELD // 2), HELD // 2 + 1)
    held = xr.concat(
        [truth[["ssh"]].assign_coords(time=[at + np.timedelta64(day, "D")]) for day in around],
        "time",
    )
    options = {"nadirs": system["nadirs"], "noise": {"nadir": system["noise"]["nadir"]}}
    nadir = xo.simulate.observe(held, cloud=None, seed=seed, **options)["nadir"]
    if not nadir.sizes["obs"]:
        return made
    same = ("obs", np.full(nadir.sizes["obs"], at), nadir.time.attrs)
    return {"nadir": nadir.assign_coords(time=same), **made}


def any_system(truth: xr.Dataset, seed: int) -> dict[str, xr.Dataset]:
    """What a system drawn at random observes."""
    random = np.random.default_rng([7, seed])
    scale = float(np.exp(random.uniform(np.log(0.5), np.log(2.5))))
    system = {
        "nadirs": int(random.integers(1, 7)),
        "cloud": float(random.uniform(0.2, 0.9)),
        "noise": {k: scale * v for k, v in NOISE.items()},
    }
    return seen(truth, system, seed)


def usual_system(truth: xr.Dataset, seed: int) -> dict[str, xr.Dataset]:
    """What the usual system observes."""
    return seen(truth, SYSTEMS["usual"], seed)


def rivals(folder: Path, kept: Path | None, names: Sequence[str]) -> dict[str, Any]:
    """Models to compare with, trained on worlds that the prior was trained on too."""
    made = {}
    systems = {"unet": usual_system, "unet-any": any_system}
    for name in names:
        path = None if kept is None else kept / f"{name}.safetensors"
        if path is not None and path.exists():
            made[name] = xo.load(path)
            continue
        train = worlds(folder, "train", TRAIN, kept=KEPT)
        if name == "oi":
            made[name] = fit(train, "oi")
        else:
            select = worlds(folder, "select", SELECT, kept=KEPT)
            made[name] = fit(
                train,
                "unet",
                observing=systems[name],
                pairs=PAIRS,
                steps=STEPS,
                withheld=select,
                device="cpu",
            )
        if path is not None:
            made[name].save(path)
    return made


def drawn(
    truths: Sequence[xr.Dataset],
    model: Any,
    system: Mapping[str, Any],
    members: int,
    **options: Any,
) -> tuple[xr.Dataset, float]:
    """Members of all days, on one grid, a day a time; seconds a member."""
    made = []
    begin = time.perf_counter()
    for number, truth in enumerate(truths):
        first, *also = seen(truth, system, number).values()
        one = xo.genda(first, model, also=also, members=members, like=truth, **options)
        made.append(one[list(FIELDS)])
    each = (time.perf_counter() - begin) / len(truths) / members
    return together(made), each


def together(several: Sequence[xr.Dataset]) -> xr.Dataset:
    """Days of several worlds as times of one: their cells are of the same size."""
    first = several[0]
    dates = np.datetime64("2000-01-01", "ns") + np.timedelta64(1, "D") * np.arange(len(several))
    return xr.concat(
        [
            each.assign_coords(latitude=first.latitude, longitude=first.longitude, time=[date])
            for each, date in zip(several, dates, strict=True)
        ],
        "time",
        combine_attrs="override",
    )


def derived(ds: xr.Dataset, latitude: xr.DataArray) -> xr.Dataset:
    """Speed, and vorticity over 1e-5 s-1."""
    metre = 111.2e3
    along = metre * np.cos(np.deg2rad(latitude))
    turn = ds.v.differentiate("longitude") / along - ds.u.differentiate("latitude") / metre
    made = xr.Dataset({"speed": np.hypot(ds.u, ds.v), "vorticity": 1e5 * turn})
    return made.assign({name: ds[name] for name in FIELDS})


def scored(members: xr.Dataset, truth: xr.Dataset) -> xr.Dataset:
    """Scores of all fields."""
    both = [derived(each, truth.latitude) for each in (members, truth)]
    return xo.metrics.ensemble(*both, bootstrap=300)


def worst_spectrum(score: xr.Dataset) -> dict[str, float]:
    """The ratio of spectra that is furthest from 1, at wavelengths above 4 cells."""
    cell = 5.56
    some = score.psd_ratio.where(score.wavenumber < 1 / (4 * cell), drop=True)
    made = {}
    for name in map(str, score["variable"].values):
        ratio = some.sel(variable=name).values
        ratio = ratio[np.isfinite(ratio)]
        made[name] = float(ratio[np.abs(np.log(ratio)).argmax()])
    return made


def power(fields: np.ndarray) -> np.ndarray:
    """Power of fields (..., n, n) in each band: less their planes, in a window that fades out.

    Land counts as zero, for members and the truth alike.
    """
    fields, n = np.nan_to_num(fields), fields.shape[-1]
    y = np.linspace(-1, 1, n)
    for shape in (np.ones((n, n)), np.tile(y[:, None], n), np.tile(y, (n, 1))):
        part = (fields * shape).sum((-2, -1), keepdims=True) / (shape**2).sum()
        fields = fields - part * shape
    fade = np.cos(0.5 * np.pi * y)
    made = np.abs(np.fft.fft2(fields * fade[:, None] * fade)) ** 2
    k = np.hypot(np.fft.fftfreq(n)[:, None], np.fft.fftfreq(n))
    return np.stack([made[..., (k >= 1 / far) & (k < 1 / near)].sum(-1) for near, far in BANDS], -1)


def show_spectra(members: xr.Dataset, truth: xr.Dataset, worlds: np.ndarray) -> None:
    """Power of members over the truth's, with 95 % intervals by bootstrap of worlds."""
    random = np.random.default_rng(0)
    names = [f"{near} to {far} cells" for near, far in BANDS]
    print(f"power over the truth's (of a usual world) {', '.join(names)}")
    for name in FIELDS:
        order = ("realization", "time", "latitude", "longitude")
        made = power(members[name].transpose(*order).values).mean(axis=0)
        real = power(truth[name].transpose(*order[1:]).values)
        each = np.array(
            [[a[worlds == w].mean(axis=0) for a in (made, real)] for w in np.unique(worlds)]
        )
        drawn = each[random.integers(0, len(each), (4000, len(each)))].mean(axis=1)
        ratio = each[:, 0].mean(axis=0) / each[:, 1].mean(axis=0)
        usual = np.exp(np.log(each[:, 0] / each[:, 1]).mean(axis=0))
        ends = np.quantile(drawn[:, 0] / drawn[:, 1], [0.025, 0.975], axis=0)
        told = zip(ratio, *ends, usual, strict=True)
        print(
            f"{name:10} "
            + "   ".join(f"{r:.2f} ({low:.2f} to {high:.2f}; {u:.2f})" for r, low, high, u in told)
        )


def show(scores: Mapping[str, xr.Dataset]) -> None:
    """A table, a row for each field and model."""
    print(
        f"{'':10} {'model':10} {'rmse':>8} {'fair crps':>26} {'spread/error':>20} "
        f"{'energy':>8} {'variogram':>9} {'spectrum':>8}"
    )
    for name in (*FIELDS, "speed", "vorticity"):
        for model, score in scores.items():
            one = score.sel(variable=name)
            if "where" in one.dims:
                one = one.sel(where="all")
            told = [
                f"{float(one[each]):.4f} ({float(one[f'{each}_low']):.4f} to "
                f"{float(one[f'{each}_high']):.4f})"
                for each in ("crps",)
            ]
            spread = (
                f"{float(one.spread_over_error):.2f} ({float(one.spread_over_error_low):.2f} to "
                f"{float(one.spread_over_error_high):.2f})"
            )
            print(
                f"{name:10} {model:10} {float(one.rmse_corrected):8.4f} {told[0]:>26} {spread:>20} "
                f"{float(one.energy):8.4f} {float(one.variogram):9.4f} "
                f"{worst_spectrum(score)[name]:8.2f}",
                flush=True,
            )


def compare(asked: argparse.Namespace) -> None:
    """Scores of the prior and its rivals."""
    truths = days(asked.worlds, asked.family)[:: asked.every]
    truth = together([each[list(FIELDS)] for each in truths])
    models = rivals(asked.worlds, asked.rivals, [n for n in asked.models if n != "diffusion"])
    if "diffusion" in asked.models:
        models["diffusion"] = xo.load(asked.prior)
    scores = {}
    for name, model in models.items():
        members, each = drawn(truths, model, SYSTEMS[asked.system], asked.members)
        scores[name] = scored(members, truth)
        print(f"{name}: {each:.2f} s a member", flush=True)
        if asked.keep is not None:
            members.to_netcdf(asked.keep / f"{asked.family}_{asked.system}_{name}.nc")
    print(f"{len(truths)} days of {asked.family}, system {asked.system}, {asked.members} members")
    show(scores)
    if "diffusion" in models:
        show_spectra(members, truth, asked.every * np.arange(len(truths)) // STATES)


def cost(asked: argparse.Namespace) -> None:
    """Scores of the prior for steps and kinds of guidance."""
    truths = days(asked.worlds, asked.family)[:: asked.every]
    truth = together([each[list(FIELDS)] for each in truths])
    model = xo.load(asked.prior)
    cases = {
        "256 steps": {"steps": 256},
        "64 steps": {"steps": 64},
        "32 steps": {},
        "16 steps": {"steps": 16},
        "corrector": {"corrector": True},
        "sda, 64": {"guidance": "sda", "steps": 64},
    }
    scores = {}
    for name, options in cases.items():
        members, each = drawn(truths, model, SYSTEMS[asked.system], asked.members, **options)
        scores[name] = scored(members, truth)
        steps = options.get("steps", 32)
        back = 1 if options.get("guidance") == "sda" else 2
        print(f"{name}: {steps} evaluations, {back * steps} products, {each:.2f} s a member")
    show(scores)


def main() -> None:
    """Run one part."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", type=Path, required=True, help="folder of simulated worlds")
    parser.add_argument("--part", choices=("scores", "cost"), default="scores")
    parser.add_argument("--family", default="test", choices=("test", "other"))
    parser.add_argument("--system", default="usual", choices=[*SYSTEMS])
    parser.add_argument("--models", nargs="*", default=["oi", "unet", "unet-any", "diffusion"])
    parser.add_argument("--prior", default="diffusion", help="a name or a file")
    parser.add_argument("--rivals", type=Path, default=None, help="folder of trained rivals")
    parser.add_argument("--keep", type=Path, default=None, help="folder for members")
    parser.add_argument("--members", type=int, default=16)
    parser.add_argument("--every", type=int, default=1, help="each so many days alone")
    asked = parser.parse_args()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        {"scores": compare, "cost": cost}[asked.part](asked)


if __name__ == "__main__":
    main()
