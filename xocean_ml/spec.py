"""What a model says of itself before anything runs.

From its `Spec` alone come the field look-up, the unit conversions, the dask template, the plan
and the error messages: no model is ever run to find a shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

__all__ = ["FieldSpec", "Role", "Spec"]

Role = Literal["state", "difference", "spread", "variance", "count", "weight"]
"""What kind of number a field holds; it decides the unit conversion, not the field's name.

``state`` takes the offset of a scale (degC to K), ``difference`` (increment, anomaly) and
``spread`` (standard deviation, standard error) take the factor only, ``variance`` its square;
``count`` and ``weight`` take the factor.
"""


@dataclass(frozen=True)
class FieldSpec:
    """One field that a model reads or writes.

    Parameters
    ----------
    key : str
        Row of the look-up table (`xocean_ml.fields.table`), e.g. ``"temperature_increment"``.
    role : Role
        What kind of number it is.
    units : str
        Units in which the model works.
    required : bool
        Whether the model can do without it.
    """

    key: str
    role: Role
    units: str
    required: bool = True


@dataclass(frozen=True)
class Spec:
    """A model's frozen description: enough to plan a run without running anything.

    Parameters
    ----------
    name : str
        Name of the kind of model, e.g. ``"dong"``; key of its loader in the model registry.
    version : int
        Version of the configuration's layout.
    reads, writes : tuple of FieldSpec
        Fields taken and given.
    whole : tuple of str
        Axes (``"T"``, ``"Z"``, ``"Y"``, ``"X"``) that one task must see whole.
    reach : mapping of str to int
        Halo, in cells, on the other axes.
    scale : mapping of str to float
        Output cells per input cell on an axis; absent means 1.
    domain : mapping of str to (float, float)
        Range of each quantity seen in training; outside it a plan warns.
    config : mapping
        Everything else the model needs to be rebuilt: plain JSON values.
    """

    name: str
    reads: tuple[FieldSpec, ...]
    writes: tuple[FieldSpec, ...]
    version: int = 1
    whole: tuple[str, ...] = ()
    reach: Mapping[str, int] = field(default_factory=dict)
    scale: Mapping[str, float] = field(default_factory=dict)
    domain: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the spec as plain JSON values, for a model file's header."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Spec:
        """Rebuild a spec from `to_json`.

        Examples
        --------
        >>> spec = Spec("dong", (FieldSpec("temperature_increment", "difference", "K"),), ())
        >>> Spec.from_json(spec.to_json()) == spec
        True
        """
        data = dict(data)
        for name in ("reads", "writes"):
            data[name] = tuple(FieldSpec(**each) for each in data[name])
        data["whole"] = tuple(data["whole"])
        data["domain"] = {key: (low, high) for key, (low, high) in data["domain"].items()}
        return cls(**data)

    def __dask_tokenize__(self) -> tuple[str, dict[str, Any]]:
        return ("xocean_ml.Spec", self.to_json())
