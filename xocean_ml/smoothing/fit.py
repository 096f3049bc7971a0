"""Fitting a smoother: which kind is fitted where."""

from __future__ import annotations

from typing import Any

import xarray as xr

from xocean_ml.smoothing.smoother import Smoother

__all__ = ["fit"]

KINDS = {
    "tcn": ("fit_tcn", ("target", "init", "steps", "seed", "checkpoint", "progress", "device")),
    "statespace": ("own", ()),
    "dong": ("fit_dong", ("head", "tail")),
}
"""Module of ``fit_KIND`` here, and the options that the kind takes."""


def fit(ds: xr.Dataset, kind: str = "tcn", **options: Any) -> Smoother:
    """Fit a smoother to increments; this computes.

    Parameters
    ----------
    ds : Dataset
        As for `xocean_ml.smooth`; at most 60 columns, evenly spaced, are read.
    kind : str
        ``"tcn"``: the learned smoother, trained further on twins that are matched to these
        increments (a state space is fitted to them and run with new noise), or towards `target`.
        ``"statespace"``: a slow model error, a fast one and the assimilation's gain for each
        level, fitted by maximum likelihood and run as a smoother.
        ``"dong"``: the decay time of the smoother of Dong et al. (2021).
    fields, also
        As for `xocean_ml.smooth`.
    target : Dataset, DataArray or str, optional
        For ``"tcn"``: what the increments are to become, on their grid (the truth of a twin, the
        increments of a better reanalysis), or the name of a variable of `ds`. A fifth of the
        record, in blocks of time, is withheld to tell when to stop.
    init : model, path or name, optional
        For ``"tcn"``: the learned smoother to begin with, the packaged one by default.
    steps, seed : int
        For ``"tcn"``: updates of the weights, 600 by default, and the key of all random numbers.
    checkpoint : path, optional
        For ``"tcn"``: file from which a fit that was killed goes on, to the same weights.
    progress : bool, optional
        For ``"tcn"``: show a bar; by default on a terminal.
    device : str, optional
        For ``"tcn"``: ``"cpu"`` or ``"cuda"``.
    head, tail : bool, optional
        For ``"dong"``: as for `xocean_ml.smooth`.

    Returns
    -------
    Smoother
        Fitted; ``.save(path)`` keeps it.

    Raises
    ------
    ValueError
        A kind that is not known.
    TypeError
        An option that the kind does not take.
    FieldNotFound, UnitsError, GridError
        Increments, or a target that does not match them.
    ValuesError
        Nothing but land; a target without values.

    Warns
    -----
    UserWarning
        Increments without a detectable slow part: they are shrunk.

    Examples
    --------
    >>> from xocean_ml.simulate import increments
    >>> twin = increments("test_inside", columns=2, years=(1990, 2010))
    >>> fit(twin, "dong")
    Dong(decay ... days)
    """
    if kind not in KINDS:
        known = ", ".join(f'"{name}"' for name in KINDS)
        raise ValueError(f"kind={kind!r} is not known; known: {known}")
    module, takes = KINDS[kind]
    unknown = set(options) - {"fields", "also", *takes}
    if unknown:
        raise TypeError(f"kind={kind!r} does not take {', '.join(sorted(unknown))}")
    from importlib import import_module

    found = import_module(f"xocean_ml.smoothing.{module}")
    return getattr(found, f"fit_{kind}")(ds, **options)
