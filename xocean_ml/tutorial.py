"""Small Datasets that come with the package, to try things on.

They are kept in ``xocean_ml/data`` as NumPy archives rather than NetCDF: reading NetCDF takes an
extra, and these are for whoever has installed nothing else. In an archive, variables are 16-bit
integers, coordinates are as they were, and a header in JSON tells dimensions, attributes, scale
and offset. `open_dataset` makes a Dataset of that again, which writes to NetCDF as the simulated
one would.

``python -m xocean_ml.tutorial`` makes them anew. The surface needs the extra ``simulate`` and
minutes.
"""

from __future__ import annotations

import json
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr

__all__ = ["make", "open_dataset"]

NAMES = ("surface", "climate")
LEFT_OUT = ("u_geostrophic", "v_geostrophic")
"""What a user computes from ssh and mdt."""
STEPS = {"surface": 65534, "climate": 8190}
"""Of a variable's range: what anomalies need, and no more than the package should weigh."""
HEADER = "header.json"
FILL = -32768
"""The integer that stands for NaN; values take all others."""


def open_dataset(name: str) -> xr.Dataset:
    """Open a Dataset of the package.

    Parameters
    ----------
    name : str
        ``"surface"``: two months of a simulated surface ocean, 144 by 144 cells of a box of 800 km
        with a coast, every 5 days: world 0 of the family ``"tutorial"`` of
        `xocean_ml.simulate.surface`.
        ``"ostia"``: 54 months of the sea surface temperature of the tropics, from satellites, on 18
        by 432 cells: the analysis OSTIA of the Met Office (Donlon et al. 2012), as the extra
        ``sample`` has it (iris-sample-data, Open Government Licence).
        ``"climate"``: 20 years of a simulated planet, monthly means on 32 by 64 cells of the globe:
        world 0 of the family ``"tutorial"`` of `xocean_ml.simulate.climate`.

    Returns
    -------
    Dataset
        In memory, float32, with CF attributes. ``"surface"`` has dimensions (time: 12, latitude:
        144, longitude: 144) and the variables ``ssh`` (anomaly, m), ``mdt`` (its mean, m, without
        time), ``sst`` (degC), ``sss`` (1e-3), ``u``, ``v`` (m s-1, total current), ``wind_u``,
        ``wind_v`` (m s-1, over land too); NaN on land. Values are rounded to 1/65534 of a
        variable's range.
        ``"climate"`` has dimensions (time: 240, latitude: 32, longitude: 64) and the variables
        ``sst`` (degC, NaN on land), ``slp`` (Pa), ``t2m`` (K), ``precipitation`` (kg m-2 s-1),
        rounded to 1/8190 of their range: what rains less than 0.01 mm/day is rounded too.

    Raises
    ------
    ValueError
        No Dataset of that name.
    ImportError
        ``"ostia"`` without the extra ``sample``.

    Examples
    --------
    >>> ds = open_dataset("surface")
    >>> dict(ds.sizes)
    {'time': 12, 'latitude': 144, 'longitude': 144, 'bnds': 2}
    >>> ds.sst.attrs["units"]
    'degC'
    """
    if name == "ostia":
        return _ostia()
    _check(name)
    with as_file(files("xocean_ml") / "data" / f"{name}.npz") as path:
        return _read(path)


def make(name: str, folder: Path | None = None) -> Path:
    """Simulate a packaged Dataset anew; ``"surface"`` needs pyqg-jax and about two minutes.

    Parameters
    ----------
    name : str
        As for `open_dataset`.
    folder : Path, optional
        Where to write; the package's own by default.

    Returns
    -------
    Path
        Of the file.

    Raises
    ------
    ValueError
        No Dataset of that name.
    """
    _check(name)
    ds = {"surface": _surface, "climate": _climate}[name]()
    ds.attrs["history"] += "; rounded by xocean_ml.tutorial"
    folder = Path(__file__).parent / "data" if folder is None else folder
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.npz"
    _write(ds, path, STEPS[name])
    return path


def _check(name: str) -> None:
    if name not in NAMES:
        names = ", ".join((*NAMES, "ostia"))
        raise ValueError(f"no tutorial Dataset {name!r}: choose from {names}")


def _ostia() -> xr.Dataset:
    """As the file has it, whole."""
    import xarray as xr

    try:
        import iris_sample_data  # type: ignore[import-not-found, import-untyped, unused-ignore]
    except ImportError as error:
        raise ImportError(
            'the Dataset "ostia" needs the extra "sample": pip install "xocean_ml[sample]"'
        ) from error
    with xr.open_dataset(Path(iris_sample_data.path, "ostia_monthly.nc")) as ds:
        return ds[["surface_temperature"]].load()


def _surface() -> xr.Dataset:
    from xocean_ml.simulate import surface

    return surface("tutorial", seed=0, size=144, states=12, every=5).drop_vars(LEFT_OUT)


def _climate() -> xr.Dataset:
    from xocean_ml.simulate import climate

    return climate("tutorial", seed=0, years=20)


def _write(ds: xr.Dataset, path: Path, steps: int = 65534) -> None:
    """Pack a Dataset into an archive, each variable in so many steps from its least to its most."""
    import numpy as np

    header: dict[str, Any] = {"attrs": ds.attrs, "variables": {}}
    arrays: dict[str, Any] = {}
    for key, variable in ds.variables.items():
        name = str(key)
        about: dict[str, Any] = {"dims": variable.dims, "attrs": variable.attrs}
        if name in ds.data_vars:
            arrays[name], about["scale"], about["offset"] = _packed(variable.values, steps)
            if "coordinates" in variable.encoding:
                about["coordinates"] = variable.encoding["coordinates"]
        elif np.issubdtype(variable.dtype, np.datetime64):
            arrays[name] = variable.values.astype("datetime64[ns]")
        else:
            arrays[name] = variable.values
        header["variables"][name] = about
    header["coords"] = [str(name) for name in ds.coords]
    arrays[HEADER] = np.array(json.dumps(header))
    np.savez_compressed(path, **arrays)


def _packed(values: np.ndarray, steps: int) -> tuple[np.ndarray, float, float]:
    """Integers, and the scale and offset that make values of them again."""
    import numpy as np

    known = np.isfinite(values)
    low, high = float(values[known].min()), float(values[known].max())
    scale = (high - low) / steps or 1.0
    offset = (low + high) / 2
    whole = np.rint((np.where(known, values, offset).astype(float) - offset) / scale)
    return np.where(known, whole, FILL).astype(np.int16), scale, offset


def _read(path: Path) -> xr.Dataset:
    """Unpack an archive."""
    import numpy as np
    import xarray as xr

    with np.load(path, allow_pickle=False) as archive:
        header = json.loads(str(archive[HEADER]))
        variables = {
            name: _variable(archive[name], about) for name, about in header["variables"].items()
        }
    coords = {name: variables.pop(name) for name in header["coords"]}
    return xr.Dataset(variables, coords, header["attrs"])


def _variable(values: np.ndarray, about: dict[str, Any]) -> xr.Variable:
    import numpy as np
    import xarray as xr

    encoding: dict[str, Any] = {"_FillValue": None}
    if "scale" in about:
        exact = np.where(values == FILL, np.nan, values * about["scale"] + about["offset"])
        values = exact.astype(np.float32)
        encoding = {"_FillValue": np.float32(np.nan)}
        if "coordinates" in about:
            encoding["coordinates"] = about["coordinates"]
    elif np.issubdtype(values.dtype, np.datetime64) and values.ndim == 1:  # bounds follow it
        encoding |= {"units": f"days since {np.datetime_as_string(values[0], 'D')}"}
        encoding["dtype"] = "float64"
    return xr.Variable(about["dims"], values, about["attrs"], encoding)


if __name__ == "__main__":
    for each in NAMES:
        print(make(each))
