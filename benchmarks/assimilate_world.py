"""Assimilation of a simulated climate: what is known of rain, pressure and air from the sea alone?

    python benchmarks/assimilate_world.py                        # skill, a quarter of an hour
    python benchmarks/assimilate_world.py --part change          # a warmer sea, against the truth
    python benchmarks/assimilate_world.py --part solver          # Gauss-Newton against Adam
    python benchmarks/assimilate_world.py --part real --data DIR # monthly_4var_20deg.nc

Worlds are of the family "test" of `xo.simulate.climate`: sixteen of them, six months of each.
``eof`` is fitted to the worlds that the packaged ``dcvae`` was trained on (``--files`` keeps it).

skill   share of the variance about the climatology that is explained, area weighted, of every
        variable; in brackets the spread over the error. "autoencoder": fields encoded, decoded.
        The last column is what dcvae explains of rain beyond eof, with a 95 % interval by
        bootstrap of worlds, in pairs.
change  the sea is warmed, everywhere or by the pattern of an El Nino, and the response compared
        with that of the world itself, of the same chance: correlation of the patterns, and the
        regression of the true one on it
solver  120 months of 10 % of the cells of sea temperature and pressure: how many costs of
        Gauss-Newton are at most 1.01 of Adam's after 600 steps, and the time that Adam takes, with
        a schedule as short as will do, to come within 1.01 of that in every sixth
real    sea temperature, pressure, air temperature and rain of 1979 to 2004 on 20 degrees, trained
        on the first 18 years; 95 % intervals by bootstrap of years
"""

from __future__ import annotations

import argparse
import functools
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import xocean_ml as xo
from xocean_ml.assimilation.analysis import Given, Seen
from xocean_ml.assimilation.rows import joined, own
from xocean_ml.assimilation.train import TRAIN, worlds

KEYS = {
    "sea_surface_temperature": "sst",
    "air_pressure_at_mean_sea_level": "slp",
    "air_temperature_2m": "t2m",
    "precipitation": "precipitation",
}
NAMES = tuple(KEYS.values())
ERROR = {"sst": 0.2, "slp": 50.0, "t2m": 0.2, "precipitation": 3e-6}
"""Standard errors of the observations of simulated worlds: degC, Pa, K, kg m-2 s-1."""

REAL_ERROR = {"sst": 0.1, "slp": 0.5, "t2m": 0.2, "precipitation": 0.1}
"""Of means over 20 degrees: K, hPa, degC, mm day-1."""

CASES = {
    "all fields": NAMES,
    "sea temperature": ("sst",),
    "and pressure": ("sst", "slp"),
}
TEST, MONTHS, EVERY = 16, 6, 7
STEPS, TIMED = 600, 6
"""Of Adam until it has converged, and months between those that it is timed in."""

Fields = tuple[xr.Dataset, xr.Dataset | None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=["skill", "change", "solver", "real"], default="skill")
    parser.add_argument("--files", type=Path, default=None, help="folder that keeps models")
    parser.add_argument("--dcvae", default="dcvae", help="another model file")
    parser.add_argument("--data", type=Path, default=None)
    options = parser.parse_args()
    {"skill": skill, "change": change, "solver": solver, "real": real}[options.part](options)


def both(options: argparse.Namespace) -> dict[str, Any]:
    """The packaged model, and the linear one of the same worlds."""
    path = options.files and options.files / f"world-eof-{TRAIN}.safetensors"
    if path and path.exists():
        linear = xo.load(path)
    else:
        linear = worlds("train", range(TRAIN)).assimilate.fit("eof")
        if path:
            linear.save(path)
    return {"eof": linear, "dcvae": xo.load(options.dcvae)}


def tested() -> list[xr.Dataset]:
    """Six months of each world, of all times of the year."""
    every = [xo.simulate.climate("test", seed=seed, years=4) for seed in range(TEST)]
    return [
        ds.isel(time=slice(n % 12, None, EVERY)).isel(time=slice(MONTHS))
        for n, ds in enumerate(every)
    ]


# ---- skill -----------------------------------------------------------------------------------


def skill(options: argparse.Namespace) -> None:
    table(both(options), tested(), ERROR)


def table(
    models: Mapping[str, Any], truth: Sequence[xr.Dataset], error: Mapping[str, float]
) -> None:
    """What each model explains of each variable, case by case."""
    usual = [ds.where(False).assimilate(models["eof"], fields=KEYS) for ds in truth]
    base = sums(truth, [(each, None) for each in usual])
    months = sum(ds.sizes["time"] for ds in truth)
    head = "".join(f"{name:>20}" for name in NAMES)
    print(f"{months} months in {len(truth)} blocks\n{'':<22}{head}{'months/s':>10}")
    for case in ("autoencoder", *CASES):
        scores = {}
        for name, model in models.items():
            began = time.perf_counter()
            made = [answer(ds, model, case, error, number) for number, ds in enumerate(truth)]
            rate = months / (time.perf_counter() - began)
            scores[name] = sums(truth, made)
            print(f"{case:<16}{name:<6}{cells(scores[name], base)}{rate:>10.2f}", flush=True)
        for name in NAMES:
            print(f"{'':<16}dcvae less eof, {name}: {gain(scores, base, name)}")


def answer(
    ds: xr.Dataset, model: Any, case: str, error: Mapping[str, float], number: int
) -> Fields:
    """Fields, and their spreads if there are any."""
    if case == "autoencoder":
        return ds.assimilate.encode(model, fields=KEYS).assimilate.decode(model), None
    random = np.random.default_rng(number)
    seen = ds[list(CASES[case])].copy(deep=True)
    for name in CASES[case]:
        seen[name] += error[name] * random.standard_normal(seen[name].shape)
        if name == "precipitation" and float(ds[name].min()) >= 0:
            seen[name] = seen[name].clip(0, keep_attrs=True)
    fields = {key: name for key, name in KEYS.items() if name in seen}
    errors = {key: error[name] for key, name in fields.items()}
    full = seen.assimilate(model, error=errors, fields=fields)
    return full, full


Sums = dict[str, np.ndarray]


def sums(truth: Sequence[xr.Dataset], made: Sequence[Fields]) -> Sums:
    """Squares of errors, and of spreads, of each world and variable."""
    weight = np.cos(np.deg2rad(truth[0][truth[0].sst.dims[1]]))
    found: Sums = {}
    for name in NAMES:
        errors = [
            float(((out[name] - ds[name]) ** 2).weighted(weight).mean())
            for ds, (out, _) in zip(truth, made, strict=True)
        ]
        spreads = [
            float((full[f"{name}_spread"] ** 2).weighted(weight).mean()) if full else np.nan
            for _, full in made
        ]
        found[name], found[f"{name}_spread"] = np.array(errors), np.array(spreads)
    return found


def cells(found: Sums, base: Sums) -> str:
    told = ""
    for name in NAMES:
        explained = 1 - found[name].sum() / base[name].sum()
        spread = np.sqrt(found[f"{name}_spread"].sum() / found[name].sum())
        told += f"{f'{explained:.3f}' + (f' ({spread:.2f})' if spread == spread else ''):>20}"
    return told


def gain(scores: Mapping[str, Sums], base: Sums, name: str) -> str:
    """What dcvae explains beyond eof, with an interval by bootstrap of worlds."""
    less = scores["eof"][name] - scores["dcvae"][name]
    random = np.random.default_rng(0)
    drawn = random.integers(len(less), size=(2000, len(less)))
    every = less[drawn].sum(axis=1) / base[name][drawn].sum(axis=1)
    low, high = np.quantile(every, [0.025, 0.975])
    return f"{less.sum() / base[name].sum():+.3f} ({low:+.3f} to {high:+.3f})"


# ---- change ----------------------------------------------------------------------------------


def change(options: argparse.Namespace) -> None:
    models = both(options)
    plain = [xo.simulate.climate("test", seed=seed, years=1) for seed in range(4)]
    nino = el_nino()
    print(f"{'':<26}" + "".join(f"{name:>22}" for name in NAMES[1:]))
    for told, offset in {"0.25 K everywhere": 0.25 + 0 * nino, "an El Nino": nino}.items():
        truth = [
            xo.simulate.climate("test", seed=seed, years=1, sst_offset=offset) - ds
            for seed, ds in enumerate(plain)
        ]
        pattern = (offset + 0 * plain[0].sst).where(plain[0].sst.notnull())
        for name, model in models.items():
            found = [
                ds[["sst"]].assimilate.perturb(
                    model,
                    {"sea_surface_temperature": pattern.assign_attrs(units="degC")},
                    error={"sea_surface_temperature": 0.2},
                )
                for ds in plain
            ]
            print(f"{told:<18}{name:<6}{alike(truth, found)}", flush=True)


def el_nino() -> xr.DataArray:
    """What goes with one kelvin in the middle of the equatorial Pacific, in other worlds."""
    every = worlds("train", range(4)).sst
    sst = every.groupby("time.month") - every.groupby("time.month").mean(("world", "time"))
    box = {"latitude": slice(-5, 5), "longitude": slice(190, 240)}
    if sst.latitude[0] > sst.latitude[-1]:
        box["latitude"] = slice(5, -5)
    index = sst.sel(box).mean(("latitude", "longitude"))
    pattern = (sst * index).mean(("world", "time")) / (index**2).mean(("world", "time"))
    return pattern.fillna(0).drop_vars("month", errors="ignore")


def alike(truth: Sequence[xr.Dataset], found: Sequence[xr.Dataset]) -> str:
    """Correlation of the mean responses, and the regression of the true one on the found one."""
    told = ""
    one, other = (xr.concat(each, "world").mean(("world", "time")) for each in (truth, found))
    weight = np.cos(np.deg2rad(one.latitude))
    for name in NAMES[1:]:
        a, b = one[name].drop_vars("height", errors="ignore"), other[name]
        r = float(xr.corr(a, b, weights=(weight + 0 * a)))
        slope = float((a * b).weighted(weight).mean() / (b * b).weighted(weight).mean())
        told += f"{f'r {r:.2f}, slope {slope:.2f}':>22}"
    return told


# ---- solver ----------------------------------------------------------------------------------


def solver(options: argparse.Namespace, count: int = 120, share: float = 0.1) -> None:
    model = xo.load(options.dcvae)
    ds = xo.simulate.climate("test", seed=0, years=count // 12)
    state = model.state
    rows_ = slice(None, None, -1 if ds.latitude[0] > ds.latitude[-1] else 1)
    values = state.pack(np.stack([ds[n].values for n in NAMES], axis=1)[..., rows_, :])
    ratios, newtons, adams = [], [], []
    for month in range(count):
        random = np.random.default_rng(month)
        parts = [own(state, field) for field in (0, 1)]
        keep = [np.flatnonzero(random.random(len(each)) < share) for each in parts]
        rows = joined([each.some(some) for each, some in zip(parts, keep, strict=True)])
        error = np.concatenate(
            [np.full(len(k), e) for k, e in zip(keep, (ERROR["sst"], ERROR["slp"]), strict=True)]
        )
        y = values[month, rows.cell[:, 0]] + error * random.standard_normal(len(rows))
        now = model.tables.at(float(month % 12))
        given = Given.of(rows, y[None], error, now, model.tables)
        seen = Seen.of(model.known, given)
        began = time.perf_counter()
        fast = model.solve(given, seen, "newton", 0)[0]
        newtons.append(time.perf_counter() - began)
        slow = functools.partial(model.solve, given, seen, "adam")
        least = slow(STEPS)[0].cost
        ratios.append(fast.cost / least)
        if month % TIMED == 0:
            adams.append(seconds(slow, least))
    ratios = np.array(ratios)
    print(
        f"{count} months, {len(rows)} observations: cost over Adam's at most 1.01 in "
        f"{(ratios <= 1.01).mean():.1%} (median {np.median(ratios):.4f}, most {ratios.max():.4f})\n"
        f"Gauss-Newton {np.mean(newtons):.3f} s a month, Adam {np.mean(adams):.3f} s: "
        f"{np.mean(adams) / np.mean(newtons):.1f} times"
    )


def seconds(solve: Callable[[int], Any], least: float) -> float:
    """Of the least steps with which Adam comes within 1.01 of what it reaches at its end."""
    for steps in (25, 50, 100, 200, 400, STEPS):
        began = time.perf_counter()
        cost = solve(steps)[0].cost
        took = time.perf_counter() - began
        if cost <= 1.01 * least:
            break
    return took


# ---- real fields -----------------------------------------------------------------------------


def real(options: argparse.Namespace, years: int = 18, latent: int = 20) -> None:
    ds = xr.open_dataset(options.data / "monthly_4var_20deg.nc").load()
    ds = ds.rename(lat="latitude", lon="longitude", precip="precipitation")
    train, test = ds.isel(time=slice(0, 12 * years)), ds.isel(time=slice(12 * years, None))
    models = {
        kind: train.assimilate.fit(kind, latent=latent, fields=KEYS) for kind in ("eof", "dcvae")
    }
    print(models)
    blocks = [test.isel(time=slice(n, n + 12)) for n in range(0, test.sizes["time"], 12)]
    table(models, blocks, REAL_ERROR)


if __name__ == "__main__":
    main()
