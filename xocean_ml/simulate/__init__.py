"""Simulators: worlds whose truth is known, for tests, training, the tour and experiments.

==============  ===========================================================================
`increments`    a century of an assimilation's increments, with the model error they hold
`surface`       the surface of a turbulent ocean: height, temperature, salinity, currents
`climate`       a planet's climate: sea temperature, pressure, air temperature, rain
`observe`       what satellites would see of a surface ocean, simulated or not
==============  ===========================================================================
"""

from .climate import climate
from .increments import increments
from .observe import observe
from .surface import surface

__all__ = ["climate", "increments", "observe", "surface"]
