"""Surface currents in their parts: geostrophic, Ekman, and what is left; and put together again.

.. math:: u + iv = (u_g + iv_g) + (G\\,\\tau + c) + (u_a + iv_a)

The geostrophic part balances the slope of the sea surface. The Ekman part answers the stress of
the wind by a complex gain, with an intercept where it is fitted. The rest is what a generative
model learns: ageostrophic currents of eddies and fronts.

==============  ===========================================================================
`geostrophy`    arrays: slopes that never cross land, their smoothing, the balance, the equator
`drift`         arrays: stress of the wind, and a published gain
`cells`         where cells lie, that two arrays have the same, infinite values
`reading`       finds currents, heights and wind in a Dataset
`gains`         gains of the Ekman current: fitted over time, published or given
`parts`         the parts as labelled arrays, and what is said of them
`splitting`     `split`
`joining`       `join`
==============  ===========================================================================

Each knows only those above it.
"""

from __future__ import annotations

from xocean_ml.currents.joining import join
from xocean_ml.currents.splitting import split

__all__ = ["join", "split"]
