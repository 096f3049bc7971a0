"""Find fields by the names that real files bear: never fuzzy, never computing.

The order of search: what the user says (``fields={...}``); the standard name, aliases resolved; a
scalar height (or a sea mask) where a name alone does not decide; a product's exact variable name
(or long name) whose units and dimensions fit too, which warns once.

==============  ===========================================================================
`row`           `Row`: what is known of one field
`rows`          the look-up table itself: to know one more name, write it there
`cf_attrs`      what the attributes of one variable say
`fits`          whether a variable's units can be those of a row
`failures`      what a failed look-up says
`search`        the steps in their order: `Found`, `ProfileWarning`
`links`         what belongs to a field: `find_spread`, `find_error`, `find_counts`
`lookup`        `find`, `look_for`, `find_all`, `table`
==============  ===========================================================================

Each knows only those above it.
"""

from __future__ import annotations

from xocean_ml.fields.links import find_counts, find_error, find_spread
from xocean_ml.fields.lookup import find, find_all, look_for, table
from xocean_ml.fields.search import Found, ProfileWarning

__all__ = [
    "Found",
    "ProfileWarning",
    "find",
    "find_all",
    "find_counts",
    "find_error",
    "find_spread",
    "look_for",
    "table",
]
