"""One row of the look-up table: what is known of a field before any file is seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from xocean_ml.spec import Role
from xocean_ml.units import Equivalence

__all__ = ["Level", "Row"]

Level = Literal["surface", "depth", "any"]


@dataclass(frozen=True)
class Row:
    """One field of the table.

    Parameters
    ----------
    key : str
        Name of the row.
    names : tuple of str
        Standard names accepted, aliases included; the first is the current one.
    variables : tuple of str
        Exact variable names of products; units and dimensions must fit too.
    units : tuple of str
        Canonical units first; a second one has another meaning that is as good.
    role : Role
        What the numbers are unless the file says otherwise.
    level : {"surface", "depth", "any"}
        Dimension kinds that a product's variable must have: no vertical one, one, or either.
    family : tuple of str
        Standard names accepted where none of `names` is there.
    states : tuple of str
        Of an increment: names of states, accepted where the file marks them as a difference.
    weak : tuple of (str, (low, high) or None)
        Standard names that do not decide alone: they need a scalar height or depth, in metres
        and in this range (None: a sea mask), or a product's variable name.
    loose : tuple of str
        Standard names that a product's variable may bear besides, wrong as they are.
    long_names : tuple of str
        Further long names, in lower case.
    equivalence : str, optional
        See `xocean_ml.units.Equivalence`.
    misused : tuple of (str, tuple of str)
        Standard names, and the variables that bear them and are something else.
    rates : bool
        Whether the numbers may be per time.
    trap : str
        What goes wrong with it.
    """

    key: str
    names: tuple[str, ...]
    variables: tuple[str, ...] = ()
    units: tuple[str, ...] = ("1",)
    role: Role = "state"
    level: Level = "any"
    family: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    weak: tuple[tuple[str, tuple[float, float] | None], ...] = ()
    loose: tuple[str, ...] = ()
    long_names: tuple[str, ...] = ()
    equivalence: Equivalence | None = None
    misused: tuple[tuple[str, tuple[str, ...]], ...] = ()
    rates: bool = False
    trap: str = ""

    @property
    def all_names(self) -> tuple[str, ...]:
        """Every standard name by which the field may be asked for."""
        return (*self.names, *self.family, *(name for name, _ in self.weak))
