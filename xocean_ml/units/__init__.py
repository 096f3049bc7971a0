"""Units: read them as files spell them, convert by role, keep Quantities out of the graph.

A units string goes through our own table and the UDUNITS exponent syntax first and only then to
pint, which alone reads ``MB`` as megabyte and ``M/S`` as molar per siemens and refuses ``m s-1``.
The registry is the application's, taken at call time; nothing global is changed.

==============  ===========================================================================
`strings`       spelling: `cf_string`, and `read`, through which every units string goes
`conversions`   numbers: `conversion`, `Conversion`, `compatible`, `is_rate`, `normalise`
`quantities`    pint's Quantities at the door: `units_of`, `dequantify`, `requantify`, and
                `with_spreads`
==============  ===========================================================================

Each knows only `strings`.
"""

from __future__ import annotations

from xocean_ml.units.conversions import (
    Conversion,
    Equivalence,
    compatible,
    conversion,
    is_rate,
    normalise,
)
from xocean_ml.units.quantities import dequantify, requantify, units_of, with_spreads
from xocean_ml.units.strings import cf_string

__all__ = [
    "Conversion",
    "Equivalence",
    "cf_string",
    "compatible",
    "conversion",
    "dequantify",
    "is_rate",
    "normalise",
    "requantify",
    "units_of",
    "with_spreads",
]
