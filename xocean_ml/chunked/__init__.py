"""The only door to dask: output blocks, input windows, carries and model delivery.

One primitive: for each output block, an index window into each input, and one task
(``docs/windows.md``). Nothing in here knows oceanography or xarray.

`windows`   how the axes of an input follow the blocks of the output
`tiling`    sizes of blocks: chunks joined, arrays in memory cut
`memory`    arrays in memory taken in as one chunk, results computed
`assembly`  what runs inside a task: windows put together, results cut to chunks
`graphs`    tasks, one for each block of a grid, as a dask graph
"""

from xocean_ml.chunked.graphs import (
    Carry,
    PerBlock,
    Tasks,
    arrays,
    clone,
    compute,
    constant,
    once,
    reduced,
    tasks,
)
from xocean_ml.chunked.memory import computed, lazy
from xocean_ml.chunked.tiling import groups, tiles
from xocean_ml.chunked.windows import (
    Along,
    Input,
    Output,
    Place,
    halo,
    indices,
    own,
    scaled,
    selected,
    starts,
    touched,
    whole,
)

__all__ = [
    "Along",
    "Carry",
    "Input",
    "Output",
    "PerBlock",
    "Place",
    "Tasks",
    "arrays",
    "clone",
    "compute",
    "computed",
    "constant",
    "groups",
    "halo",
    "indices",
    "lazy",
    "once",
    "own",
    "reduced",
    "scaled",
    "selected",
    "starts",
    "tasks",
    "tiles",
    "touched",
    "whole",
]
