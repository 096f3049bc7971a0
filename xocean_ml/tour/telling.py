"""Tables, files and figures of the tour: told, and written whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from xocean_ml import persist
from xocean_ml.errors import XOceanError

__all__ = ["draw", "missing", "small", "table", "write"]

NEEDS = {"plot": "the figure", "io": "NetCDF and Zarr files"}


def write(ds: xr.Dataset, path: Path) -> None:
    """Write a NetCDF file, and say so."""
    try:
        persist.write_atomically(path, ds.to_netcdf)
    except (ImportError, ValueError) as error:
        if not (hint := missing("io")):
            raise
        raise XOceanError(f"{path} cannot be written{hint}") from error
    print(f"written: {path}")


def draw(kind: str, path: Path, *fields: Any, **options: Any) -> None:
    """Write a figure of `xocean_ml.plot`, and say so, or how to get it."""
    if hint := missing("plot"):
        print(f"no figure{hint}")
        return
    from xocean_ml import plot

    figure = getattr(plot, kind)(*fields, **options)
    persist.write_atomically(path, figure.savefig)
    print(f"written: {path}")


def missing(extra: str) -> str:
    """What to install, if an extra's packages are not there; else nothing."""
    from importlib.util import find_spec

    wanted = {"plot": ("matplotlib",), "io": ("netCDF4", "zarr")}[extra]
    if all(find_spec(name) for name in wanted):
        return ""
    return f'; {NEEDS[extra]} need the extra "{extra}": pip install "xocean_ml[{extra}]"'


def small(value: float) -> str:
    """A small number, in powers of ten."""
    if np.isnan(value):
        return "-"
    return "0" if value == 0 else f"{value:.0e}"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Columns as wide as what they hold, under their headings."""
    lines = [headings, *rows]
    widths = [max(len(row[k]) for row in lines if row) for k in range(len(headings))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip()
        for row in lines
    ).rstrip()
