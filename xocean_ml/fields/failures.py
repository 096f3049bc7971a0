"""What a failed look-up says: what was looked for, what was found, what to do."""

from __future__ import annotations

import xarray as xr

from xocean_ml.errors import AmbiguousField, FieldNotFound
from xocean_ml.fields import cf_attrs
from xocean_ml.fields.cf_attrs import bearing
from xocean_ml.fields.fits import can_be, example_units
from xocean_ml.fields.row import Row
from xocean_ml.fields.rows import ROWS
from xocean_ml.spec import Role
from xocean_ml.units import units_of

__all__ = ["ambiguous", "found_lines", "not_found"]


def ambiguous(ds: xr.Dataset, row: Row, how: str, names: list[str]) -> AmbiguousField:
    """The error for several candidates: each with the `fields=` that chooses it."""
    paste = "\n".join(f"    fields={{{row.key!r}: {name!r}}}" for name in names)
    return AmbiguousField(
        f"{row.key}: {len(names)} variables are this field, by {how}\n"
        + "\n".join(_line(name, ds.variables[name]) for name in names)
        + f"\n  to do: choose one\n{paste}"
    )


def _line(name: str, variable: xr.Variable) -> str:
    standard = variable.attrs.get("standard_name") or "no standard_name"
    dims = ", ".join(map(str, variable.dims))
    units = units_of(variable)
    return f"    {name} ({dims}): {standard} [{'no units' if units is None else units}]"


_SHOWN = 20


def found_lines(ds: xr.Dataset, row: Row) -> str:
    """The Dataset's variables, those whose units fit the row first."""
    everywhere = ds.variables if row.role == "weight" else ds.data_vars
    names = [
        name
        for name in everywhere
        if isinstance(name, str) and cf_attrs.is_numeric(ds.variables[name])
    ]
    names.sort(key=lambda name: not can_be(ds, row, name))
    lines = [_line(name, ds.variables[name]) for name in names[:_SHOWN]]
    if len(names) > _SHOWN:
        lines.append(f"    and {len(names) - _SHOWN} more")
    words = [
        f"    {name} is skipped: {variable.dtype} are no numbers"
        for name, variable in ds.data_vars.items()
        if variable.dtype.kind in "OSU" and variable.attrs.get("standard_name")
    ]
    lines += words[:_SHOWN]
    return "\n".join(["  found:", *(lines or ["    no variable of numbers"])])


def not_found(ds: xr.Dataset, row: Row, role: Role | None) -> FieldNotFound:
    """The error for no candidate: looked for, found, to do."""
    wanted = [*row.names, *row.family]
    weak = [f"{n} with {'a sea mask' if s is None else 'its scalar height'}" for n, s in row.weak]
    looked = "standard_name " + ", ".join([*wanted, *weak]) if wanted or weak else ""
    if row.variables:
        looked += f"{'; or ' if looked else ''}a variable named {', '.join(row.variables)}"
        looked += f" in {row.units[0]}" if row.units else ""
    # A variable that says it is something else is not proposed, nor one of many.
    fitting = [
        name
        for name in ds.data_vars
        if isinstance(name, str)
        and can_be(ds, row, name)
        and cf_attrs.standard_name(ds.variables[name])[0] is None
    ]
    paste = f"fields={{{row.key!r}: {(fitting[0] if len(fitting) == 1 else 'NAME')!r}}}"
    hints = "".join(f"\n    {hint}" for hint in _hints(ds, row, role))
    return FieldNotFound(
        f"{row.key}: no variable of the Dataset is this field\n"
        f"  looked for: {looked or row.trap}\n{found_lines(ds, row)}\n"
        f"  to do: name the variable if one is it, {paste}{hints}"
    )


def _hints(ds: xr.Dataset, row: Row, role: Role | None) -> list[str]:
    """What else may help: the traps of the table, where the Dataset stands in one."""
    variables = {str(name): variable for name, variable in ds.variables.items()}
    hints = []
    if row.key.endswith("_increment"):
        hints.append(
            "a plain state is never taken for an increment: "
            "xo.increments(analysis, background) makes one"
        )
    if row.key == "cell_area" and {"e1t", "e2t"} <= set(variables):
        hints.append("NEMO's is ds.e1t * ds.e2t: ds['cell_area'] = that, units m2")
    if row.key == "precipitation" and bearing(
        ROWS["precipitation_amount"], variables, ROWS["precipitation_amount"].names
    ):
        hints.append("an accumulated amount must be divided by its period first")
    for name, variable in variables.items():
        if name not in row.variables and cf_attrs.standard_name(variable)[0] not in row.all_names:
            continue
        if units_of(variable) is None:
            hints.append(
                f"{name} has no units: ds[{name!r}].attrs['units'] = {example_units(row)!r}"
            )
        elif role == "state" and cf_attrs.role_told(variable, row) == "difference":
            hints.append(f"{name} is an anomaly or a difference, not a state")
        elif role == "difference" and row.role == "state":
            hints.append(f"{name} is a state, not a difference: take its mean off first")
    if row.key == "sea_surface_temperature":
        theta = ROWS["sea_water_temperature"]
        if any(v in variables for v in theta.variables) or bearing(theta, variables, theta.names):
            hints.append("the top level of a 3-D temperature: ds.isel(depth=0), then fields=")
    return hints
