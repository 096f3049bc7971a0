"""Units: every string of real files, the law of each role, Quantities off and on again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import dask.array as da
import numpy as np
import pint
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from xocean_ml import units
from xocean_ml.errors import UnitsError

# As files write them: as pint reads them, and whether that is what pint alone makes of it.
EXPECTED = {
    # real files
    "m": "meter",
    "meter": "meter",
    "meters": "meter",
    "METERS": "meter",
    "km": "kilometer",
    "%": "percent",
    "m/s": "meter / second",
    "M/S": "meter / second",
    "m s-1": "meter / second",
    "meter second-1": "meter / second",
    "count": "count",
    "dB": "decibel",
    "degrees^2": "degree ** 2",
    "K": "kelvin",
    "kg/m^2": "kilogram / meter ** 2",
    "degrees_north": "degree",
    "degrees_east": "degree",
    "degree_north": "degree",
    "degree_east": "degree",
    "decibar": "decibar",
    "degree_Celsius": "degree_Celsius",
    "degC": "degree_Celsius",
    "Celsius": "degree_Celsius",
    "Deg C": "degree_Celsius",
    "DEG C": "degree_Celsius",
    "psu": "0.001",
    "1e-3": "0.001",
    "": "dimensionless",
    "G/KG": "gram / kilogram",
    "MB": "millibar",
    "hPa": "hectopascal",
    "mm day-1": "millimeter / day",
    # the table's page
    "1": "dimensionless",
    "g/kg": "gram / kilogram",
    "Pa": "pascal",
    "mb": "millibar",
    "deg C": "degree_Celsius",
    "degree_C": "degree_Celsius",
    "degrees_celsius": "degree_Celsius",
    "kg m-2 s-1": "kilogram / meter ** 2 / second",
    "mm/day": "millimeter / day",
    "kg/m3": "kilogram / meter ** 3",
    "K/s": "kelvin / second",
    # other spellings of the same
    "°C": "degree_Celsius",
    "degreesC": "degree_Celsius",
    "kelvin": "kelvin",
    "KELVIN": "kelvin",
    "degK": "kelvin",
    "degC day-1": "delta_degree_Celsius / day",
    "m s⁻¹": "meter / second",
    "m.s-1": "meter / second",
    "m s^-1": "meter / second",
    "m*s**-1": "meter / second",
    "kg.m-2.s-1": "kilogram / meter ** 2 / second",
    "KG/M2/S": "kilogram / meter ** 2 / second",
    "W/(m2 K)": "watt / kelvin / meter ** 2",
    "W/M2": "watt / meter ** 2",
    "degrees s-1": "degree / second",
    "10^6 m3/s": "1000000 meter ** 3 / second",
    "PSS-78": "0.001",
    "per mil": "0.001",
    "psu per day": "0.001 1 / day",
    "0.01 m": "0.01 meter",
    "-": "dimensionless",
    "unitless": "dimensionless",
    "db": "decibar",
    "S": "siemens",
    "K2": "kelvin ** 2",
    "m2": "meter ** 2",
}
# Not quantities at all: what the message must hold.
REFUSED = {
    "seconds since 2000-01-01 00:00:00.0": "time axis",
    "days since 1950-01-01 00:00:00 UTC": "time axis",
    "days since 2002-01-01 00:00:00": "time axis",
    "days since 1979-01-01 00:00:00": "time axis",
    "days since 1981-11-01 00:00:00": "time axis",
    "days since 1950-01-01 00:00:00": "time axis",
    "days since 1891-01-01": "time axis",
    "days since 2010-01-01 00:00:00": "time axis",
    "seconds since 1970-01-01 00:00:00": "time axis",
    "hour since 0000-01-01 00:00:00": "time axis",
    "hour since 0000-01-01": "time axis",
    "Celcius": "do you mean 'celsius'?",
    "furlongz": "'furlongz' is no unit",
    "m/s)": "'m/s)'",
    "(m": "cannot be read",
    "m & s": "cannot be read",
    "0": "cannot be read",
}


@pytest.mark.parametrize(("text", "expected"), EXPECTED.items())
def test_normalise(text: str, expected: str) -> None:
    assert units.normalise(text) == expected
    assert units.normalise(expected) == expected
    pint.get_application_registry().Quantity(expected)  # pint reads it


@pytest.mark.parametrize(("text", "message"), REFUSED.items())
def test_normalise_refuses(text: str, message: str) -> None:
    with pytest.raises(UnitsError) as error:
        units.normalise(text)
    assert message in str(error.value)
    assert repr(text) in str(error.value)


@pytest.mark.realdata
def test_every_units_string_of_the_files_is_listed(realdata: Path) -> None:
    found = set()
    for path in realdata.rglob("*.nc"):
        with xr.open_dataset(path, decode_times=False) as ds:
            found |= {v.attrs["units"] for v in ds.variables.values() if "units" in v.attrs}
    assert found, "no files"
    assert found <= {*EXPECTED, *REFUSED}


CONVERSIONS = [
    ("degC", "K", "state", (1.0, 273.15)),
    ("degC", "K", "difference", (1.0, 0.0)),
    ("degC", "K", "spread", (1.0, 0.0)),
    ("degC", "K", "variance", (1.0, 0.0)),
    ("degF", "K", "spread", (5 / 9, 0.0)),
    ("degF", "K", "variance", (25 / 81, 0.0)),
    ("degF", "degC", "state", (5 / 9, -160 / 9)),
    ("0.01 degC", "K", "state", (0.01, 273.15)),
    ("K", "0.01 degC", "state", (100.0, -27315.0)),
    ("MB", "Pa", "state", (100.0, 0.0)),
    ("dbar", "Pa", "state", (1e4, 0.0)),
    ("cm", "m", "variance", (1e-4, 0.0)),
    ("cm2", "m2", "variance", (1e-4, 0.0)),
    ("cm2", "m", "variance", (1e-4, 0.0)),
    ("degC2", "K", "variance", (1.0, 0.0)),
    ("1", "count", "count", (1.0, 0.0)),
    ("km2", "m2", "weight", (1e6, 0.0)),
    ("%", "1", "state", (0.01, 0.0)),
    ("dB", "dB", "state", (1.0, 0.0)),
    ("psu", "1", "state", (1.0, 0.0)),
    ("1e-3", "psu", "state", (1.0, 0.0)),
    ("psu day-1", "s-1", "difference", (1 / 86400, 0.0)),
    ("g/kg", "1", "state", (1e-3, 0.0)),
]


@pytest.mark.parametrize(("source", "target", "role", "expected"), CONVERSIONS)
def test_conversion(source: str, target: str, role: units.Role, expected: tuple) -> None:
    convert = units.conversion(source, target, role)
    assert (convert.factor, convert.offset) == pytest.approx(expected, rel=1e-14)
    assert type(convert.factor) is type(convert.offset) is float  # numpy's would widen float32
    back = units.conversion(target, source, role)
    assert (back.factor, back.offset) == pytest.approx(
        (convert.inverse().factor, convert.inverse().offset), rel=1e-12, abs=1e-12
    )


@pytest.mark.parametrize(
    ("source", "target", "equivalence", "factor"),
    [
        ("1e-3", "1", "practical_salinity", 1.0),
        ("1e-3 s-1", "psu s-1", "practical_salinity", 1.0),
        ("1e-3", "1", None, 1e-3),
        ("mm/day", "kg m-2 s-1", "liquid_water", 1 / 86400),
        ("kg m-2 s-1", "mm/day", "liquid_water", 86400.0),
        ("m", "kg m-2", "liquid_water", 1000.0),
        ("kg m-2 s-1", "kg m-2 day-1", "liquid_water", 86400.0),
    ],
)
def test_equivalences(source, target, equivalence, factor) -> None:
    convert = units.conversion(source, target, equivalence=equivalence)
    assert convert.factor == pytest.approx(factor, rel=1e-14)
    assert convert.offset == 0


@pytest.mark.parametrize(
    ("source", "target", "equivalence", "message"),
    [
        ("m", "K", None, "'meter' and 'kelvin'"),
        ("C", "K", None, "do you mean 'degC'?"),
        ("psu", "g/kg", None, "gsw.SA_from_SP"),
        ("g/kg", "1", "practical_salinity", "gsw.SA_from_SP"),
        ("%", "1", "practical_salinity", "'%'"),
        ("mm/day", "kg m-2 s-1", None, "differ in dimension"),
        ("m", "kg m-2 s-1", "liquid_water", "differ in dimension"),
        ("degrees_north", "1", None, "'degree'"),
        ("dB", "1", None, "'decibel'"),
        ("(dB) s-1", "1", None, "differ in dimension"),
    ],
)
def test_conversion_refuses(source, target, equivalence, message) -> None:
    with pytest.raises(UnitsError) as error:
        units.conversion(source, target, equivalence=equivalence, variable="t")
    for part in (message, repr(source), repr(target), "t: "):
        assert part in str(error.value)
    assert not units.compatible(source, target, equivalence=equivalence)


TEMPERATURES = st.sampled_from(["degC", "K", "degF", "Celsius", "Deg C", "0.01 degC"])
SPEEDS = st.sampled_from(["m s-1", "cm/s", "M/S", "km day-1", "knot", "meter second-1"])


@given(st.one_of(st.tuples(*[TEMPERATURES] * 3), st.tuples(*[SPEEDS] * 3)), st.floats(-1e3, 1e3))
def test_conversions_compose(three: tuple[str, str, str], x: float) -> None:
    a, b, c = three
    for role in ("state", "difference", "variance"):
        one = units.conversion(a, c, role)(x)
        two = units.conversion(b, c, role)(units.conversion(a, b, role)(x))
        assert one == pytest.approx(two, rel=1e-9, abs=1e-7)


@given(TEMPERATURES, TEMPERATURES, st.floats(-100, 100), st.floats(-100, 100))
def test_role_laws(a: str, b: str, x: float, y: float) -> None:
    """A difference converts as the difference of states; a variance as a squared difference."""
    state = units.conversion(a, b, "state")
    difference = units.conversion(a, b, "difference")
    assert difference(x - y) == pytest.approx(state(x) - state(y), rel=1e-6, abs=1e-6)
    variance = units.conversion(a, b, "variance")
    assert variance((x - y) ** 2) == pytest.approx(difference(x - y) ** 2, rel=1e-9)


@pytest.mark.parametrize("dtype", ["float32", "float64", ">f4"])
def test_dtype_stays_and_input_too(dtype: str) -> None:
    data = np.array([1.0, np.nan, 3.0], dtype)
    before = data.copy()
    out = units.conversion("degC", "K")(data)
    assert out.dtype == np.dtype(dtype).newbyteorder("=")
    np.testing.assert_array_equal(data, before)
    np.testing.assert_allclose(out, before + 273.15, rtol=1e-6)


def test_dask_stays_lazy() -> None:
    def boom(block):
        raise AssertionError("computed")

    data = da.zeros((4, 4), chunks=2, dtype="float32").map_blocks(boom, meta=np.empty((0, 0), "f4"))
    out = units.conversion("degC", "K")(data)
    assert isinstance(out, da.Array)
    assert out.dtype == "float32"
    assert out.chunks == data.chunks


def test_is_rate() -> None:
    assert units.is_rate("K s-1", "degC")
    assert units.is_rate("degC/day", "K")
    assert not units.is_rate("K", "degC")
    assert not units.is_rate("K s-2", "K")


@pytest.mark.parametrize("text", [t for t in EXPECTED if "delta" not in EXPECTED[t] and t != "dB"])
def test_cf_string_reads_back(text: str) -> None:
    ureg = pint.get_application_registry()
    quantity = ureg.Quantity(units.normalise(text))
    if quantity.magnitude != 1 and quantity.dimensionless:
        quantity = ureg.Quantity(1, "permille")
    assert units.normalise(units.cf_string(quantity.units)) in (
        f"{quantity.units:D}",
        "0.001",
    )


def _quantified(chunked: bool) -> xr.Dataset:
    ureg = pint.get_application_registry()
    t = np.arange(6.0, dtype="float32").reshape(2, 3)
    data = da.from_array(t, chunks=(1, 3)) if chunked else t
    return xr.Dataset(
        {
            "t": (("y", "x"), ureg.Quantity(data, "degC"), {"standard_name": "n"}),
            "d": (("y", "x"), ureg.Quantity(data, "delta_degC")),
            "flag": ("x", [1, 2, 3]),
        },
        coords={"depth": ("y", ureg.Quantity([5.0, 10.0], "m")), "x": [0.0, 1.0, 2.0]},
    )


@pytest.mark.parametrize("chunked", [False, True])
def test_dequantify_and_back(chunked: bool) -> None:
    ds = _quantified(chunked)
    plain, kept = units.dequantify(ds)
    assert set(kept) == {"t", "d", "depth"}
    assert plain.t.attrs == {"standard_name": "n", "units": "degC"}
    assert plain.d.attrs == {"units": "degC", "units_metadata": "temperature: difference"}
    assert isinstance(plain.t.data, da.Array if chunked else np.ndarray)
    assert plain.t.dtype == "float32"
    back = units.requantify(plain, kept)
    for name in ("t", "d", "depth"):
        assert back[name].data.units == ds[name].data.units
        assert isinstance(back[name].data.magnitude, da.Array) == (chunked and name != "depth")
        np.testing.assert_array_equal(
            np.asarray(back[name].data.magnitude), np.asarray(ds[name].data.magnitude)
        )
    assert isinstance(ds.t.data, pint.Quantity), "the input is not modified"


def test_requantify_takes_the_units_that_are_written_now() -> None:
    plain, kept = units.dequantify(_quantified(False))
    plain["t"] = (plain.t + 273.15).assign_attrs(units="K")
    back = units.requantify(plain.drop_vars("d"), kept)
    assert f"{back.t.data.units:D}" == "kelvin"
    assert "d" not in back


def test_requantify_by_names_alone() -> None:
    ds = xr.Dataset(
        {
            "s": ("x", [35.0], {"units": "psu"}),
            "d": ("x", [1.0], {"units": "degC", "units_metadata": "temperature: difference"}),
            "plain": ("x", [1.0]),
        }
    )
    back = units.requantify(ds, ["s", "d", "plain", "absent"])
    assert f"{back.s.data.units:D}" == "permille"
    assert back.s.data.magnitude == 35.0
    assert f"{back.d.data.units:D}" == "delta_degree_Celsius"
    assert isinstance(back.plain.data, np.ndarray)
    with pytest.raises(UnitsError):
        units.requantify(ds.assign(d=ds.d.assign_attrs(units="nonsense")), ["d"])


def test_plain_dataset_passes() -> None:
    ds = xr.Dataset({"t": ("x", [1.0], {"units": "K"})})
    plain, kept = units.dequantify(ds)
    assert plain is ds
    assert kept == {}
    assert units.requantify(plain, kept) is ds


@pytest.mark.filterwarnings("ignore")
def test_pint_xarray_index_and_chunks_of_quantities() -> None:
    pytest.importorskip("pint_xarray")
    ds = xr.Dataset(
        {"t": ("x", [1.0, 2.0, 3.0], {"units": "degC"})},
        coords={"x": ("x", [0.0, 1.0, 2.0], {"units": "m"})},
    ).pint.quantify()
    assert type(ds.xindexes["x"]).__name__ == "PintIndex"
    plain, kept = units.dequantify(ds)
    assert plain.x.attrs["units"] == "m"
    assert float(plain.t.sel(x=1.0)) == 2.0
    back = units.requantify(plain, kept)
    assert type(back.xindexes["x"]).__name__ == "PintIndex"
    assert f"{back.x.data.units:D}" == "meter"

    chunks, kept = units.dequantify(ds.chunk(x=2))
    assert isinstance(chunks.t.data, da.Array)
    assert not isinstance(chunks.t.data.compute(), pint.Quantity)
    np.testing.assert_array_equal(chunks.t.values, [1.0, 2.0, 3.0])


def test_registry_is_the_applications_at_call_time() -> None:
    own = pint.UnitRegistry()
    own.define("smoot = 1.7018 * meter")
    before = pint.get_application_registry().get()
    with pytest.raises(UnitsError):
        units.normalise("smoot")
    pint.set_application_registry(own)
    try:
        assert units.conversion("smoot", "m").factor == pytest.approx(1.7018)
    finally:
        pint.set_application_registry(before)


def test_import_is_light_and_changes_nothing() -> None:
    code = (
        "import xarray, sys; before = set(sys.modules)\n"
        "import xocean_ml.units, xocean_ml.fields\n"
        "new = set(sys.modules) - before\n"
        "heavy = {'pint', 'pint_xarray', 'cf_xarray', 'dask.array', 'torch', 'gsw'} & new\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_using_units_leaves_pint_alone() -> None:
    code = (
        "import pint, sys; reg = pint.get_application_registry()\n"
        "shown = pint.Quantity.__dict__.get('_repr_inline_')\n"
        "from xocean_ml import units; units.conversion('psu', '1e-3'); units.normalise('MB')\n"
        "assert pint.get_application_registry() is reg and 'psu' not in reg\n"
        "assert pint.Quantity.__dict__.get('_repr_inline_') is shown\n"
        "assert not {'pint_xarray', 'cf_xarray'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
