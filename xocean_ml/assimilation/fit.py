"""`fit`: a model of one's own fields."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from xocean_ml.arguments import updates, whole
from xocean_ml.assimilation.climate import SEASONS, anomalies, climate
from xocean_ml.assimilation.eof import Eof
from xocean_ml.assimilation.fit_eof import ENDS, learn
from xocean_ml.assimilation.reading import Read, read, same_grid, told_apart
from xocean_ml.errors import UnitsError, warn

__all__ = ["fit"]

KINDS = ("eof", "dcvae")

WITHHELD = 0.2
"""Share of the times that tell when to stop, and what the latent cannot represent."""

LEAST_GAIN = 0.01
"""Share by which a network must make the error of withheld times smaller, or it is left out."""

RANK = 500
"""Most patterns, those of the latent included."""


def fit(
    ds: xr.Dataset,
    kind: str = "eof",
    *,
    fields: Any = None,
    latent: int = 100,
    climatology: str | None = "month",
    rank: int = RANK,
    steps: int | None = None,
    seed: int = 0,
    withheld: xr.Dataset | None = None,
    extend: Any = None,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: bool | None = None,
    device: str | None = None,
) -> Eof:
    """Fit a model of the climate to fields.

    Parameters
    ----------
    ds : Dataset
        Fields on time and one-dimensional latitude and longitude, NaN over land, in any units;
        monthly, daily or other. It is read into memory.
    kind : {"eof", "dcvae"}
        ``"eof"`` is linear, and exact; ``"dcvae"`` adds a convolutional network to it.
    fields : mapping or sequence of str, optional
        Which fields, by key or standard name; a mapping tells their variables too. By default all
        that are known and there.
    latent : int
        Numbers in the latent.
    climatology : {"month", "day", None}
        ``"month"``: a mean and a standard deviation of each month; ``"day"``: linear between the
        middles of months, for daily fields; None: no season.
    rank : int
        Most patterns, those of the latent and those that it cannot represent.
    steps : int, optional
        Updates of the network's weights; 2000 by default.
    seed : int
        Key of all random numbers.
    withheld : Dataset, optional
        Other fields alike, which tell when to stop and what the latent cannot represent; by default
        blocks of the times of `ds`, then not trained on. The linear model withholds
        either end of the times, and learns from all.
    extend : model, path or name, optional
        A model that further fields join: its latent, its decoder and its kind stay. `ds` holds them
        on the model's grid, and ``latent`` of the same times or fields that it is found from.
    checkpoint : path, optional
        File from which a fit that was killed goes on, to the same weights.
    progress : bool, optional
        Show a bar; by default on a terminal.
    device : str, optional
        ``"cpu"``, ``"cuda"``.

    Returns
    -------
    Eof or Dcvae
        ``.save(path)`` keeps it. Where withheld times of `ds` tell that the network adds nothing,
        it is the linear model, of all times, which is said.

    Raises
    ------
    ValueError
        A kind or climatology that is not known; a latent larger than the times can tell.
    FieldNotFound, AmbiguousField, UnitsError, GridError, ValuesError
        Fields that cannot be read.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> lat = ("lat", [-30.0, 0, 30], {"units": "degrees_north"})
    >>> lon = ("lon", [0.0, 90, 180, 270], {"units": "degrees_east"})
    >>> time = xr.date_range("2000-01-16", periods=48, freq="MS")
    >>> values = 15 + np.random.default_rng(0).normal(size=(48, 3, 4))
    >>> attrs = {"standard_name": "sea_surface_temperature", "units": "degC"}
    >>> sst = xr.DataArray(values, {"time": time, "lat": lat, "lon": lon}, attrs=attrs)
    >>> fit(sst.to_dataset(name="sst"), "eof", latent=3)
    EOF(3 numbers for sea_surface_temperature)
    """
    if kind not in KINDS:
        raise ValueError(f"kind={kind!r} is not known; known: {', '.join(map(repr, KINDS))}")
    if climatology not in SEASONS:
        raise ValueError(
            f"climatology={climatology!r}: it is one of {', '.join(map(repr, SEASONS))}"
        )
    whole("latent", latent, least=1)
    if extend is not None:
        from xocean_ml.assimilation.extend import extend as joined
        from xocean_ml.assimilation.prepare import chosen_model

        known: Any = chosen_model(extend)[0]
        return joined(ds, known, fields, seed)
    data = read(ds, fields)
    many = int(data.times.max()) + 1
    most = many - max(1, int(ENDS * many)) - 1
    if latent > most:
        raise ValueError(
            f"latent={latent}: {many} times, of which {ENDS:.0%} are withheld in turn, tell of "
            f"{max(most, 0)} numbers at most. Take a smaller latent, or more times"
        )
    rank = max(rank, latent)
    config = {
        "latent": int(latent),
        "season": climatology,
        "step": data.step,
        "grid": dict(data.layout),
        "seed": seed,
        "told": f"fitted to {many} times",
    }
    if kind == "eof":
        return _eof(data, config, rank)
    held = None if withheld is None else _alike(withheld, data)
    return _dcvae(data, held, config, rank, _schedule(steps, seed, checkpoint, device), progress)


def _eof(data: Read, config: dict[str, Any], rank: int) -> Eof:
    """The linear model, which withholds either end of the times in turn."""
    known = climate(data, config["season"])
    found = learn(known, data.times, rank, config["seed"])
    latent = min(config["latent"], len(found.patterns))
    if latent < config["latent"]:
        warn(f"the fields have {latent} patterns: the latent is as small")
    complete = {**config, "latent": latent, "fields": data.told(known.power, found.lengths)}
    return Eof(known.state, known.tables, found.patterns, found.rest, complete)


def _dcvae(
    data: Read,
    held: Read | None,
    config: dict[str, Any],
    rank: int,
    schedule: Any,
    progress: bool | None,
) -> Eof:
    """The convolutional model, stopped by withheld samples."""
    from xocean_ml.assimilation.dcvae import Dcvae
    from xocean_ml.assimilation.fit_dcvae import Samples, teach
    from xocean_ml.training import withheld_blocks

    every, alone = data, held is None
    if held is None:
        many = int(data.times.max()) + 1
        split = withheld_blocks(many, WITHHELD, max(1, many // 12), schedule.seed)
        data, held = data.some(split.train[data.times]), data.some(split.withheld[data.times])
    # of the times to train on alone: what is withheld would tell of itself through its mean
    known = climate(data, config["season"])
    tables = known.tables
    when, then = (told_apart(each.month, config["season"]) for each in (data, held))
    others = anomalies(tables, known.state.pack(held.values).astype(np.float64), then)
    train = Samples.of(tables, known.anomaly, when)
    found = teach(
        known, train, Samples.of(tables, others, then), config["latent"], rank, schedule, progress
    )
    if found.gain < LEAST_GAIN:
        told = f"the network changes the squared error of withheld times by {-found.gain:+.1%}"
        if alone:
            warn(f"{told}, and is left out: this is the linear model, of all times")
            return _eof(every, config, rank)
        warn(f'{told}: fit("eof") may do better')
    whole = {
        **config,
        "fields": data.told(known.power, found.lengths),
        "sizes": dict(found.sizes),
    }
    return Dcvae(
        known.state,
        known.tables,
        found.patterns,
        found.rest,
        whole,
        weights=found.weights,
        prior=found.prior,
    )


def _alike(given: xr.Dataset, data: Read) -> Read:
    """Other fields, on the grid of those to train on."""
    other = read(given, {each["key"]: each["name"] for each in data.fields})
    same_grid(other, data.latitude, data.longitude, "withheld")
    for here, there in zip(other.fields, data.fields, strict=True):
        if here["units"] != there["units"]:
            raise UnitsError(
                f"withheld: {here['name']} is in {here['units']}, and in {there['units']} in the "
                "fields to train on: convert one of them"
            )
    return other


def _schedule(steps: int | None, seed: int, checkpoint: Any, device: str | None) -> Any:
    from xocean_ml.assimilation.fit_dcvae import SCHEDULE

    steps = updates(steps, SCHEDULE.steps)
    return replace(SCHEDULE, steps=steps, seed=seed, checkpoint=checkpoint, device=device)
