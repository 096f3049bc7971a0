"""What `genda` would do, as a `Plan`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xocean_ml.assimilation.sources import OnPoints
from xocean_ml.generative.reading import HEIGHTS
from xocean_ml.generative.sources import Observed
from xocean_ml.plan import Plan, readable

if TYPE_CHECKING:
    from xocean_ml.generative.prepare import Ready

__all__ = ["describe"]

HOW = {
    "own": "on the members' grid",
    "mean": "averaged over the members' cells",
    "linear": "as points between the members' cells",
    "area": "as means over its cells",
    "footprint": "as means over a Gaussian footprint",
}


def describe(ready: Ready) -> Plan:
    """The plan of a prepared call; nothing is computed."""
    rows = [
        _observed(ready, each, source.uses)
        for each, source in zip(ready.observed, ready.job.sources, strict=True)
    ]
    fields = ready.model.config["fields"]
    seen = {each.number for each in ready.observed}
    notes = []
    inferred = [each["key"] for number, each in enumerate(fields) if number not in seen]
    if inferred:
        notes.append(f"inferred from the others: {', '.join(inferred)}")
    bare = _bare(ready)
    if bare:
        notes.append(f"nothing is observed at {bare} of the times: members are the prior's there")
    if ready.domain.sea.all():
        notes.append("no land is known; like=DATASET with missing values, or a mask, tells it")
    if ready.model.config["smooth"] is not None:
        notes.append("currents: geostrophic, of each member's sea level, and the rest")
    return Plan(f"genda with {ready.model!r}", [*rows, _result(ready)], tuple(notes))


def _observed(ready: Ready, each: Observed, uses: Any) -> dict[str, Any]:
    seen = each.seen
    told = ready.model.config["fields"][each.number]
    if isinstance(seen, OnPoints):
        what = f"{seen.found.variable} ({len(seen.values)} points)"
        how = "linear between the members' cells"
        error = f"{np.median(seen.error):.3g} {told['units']} (median)"
    else:
        sizes = ", ".join(f"{d}: {n}" for d, n in seen.array.sizes.items())
        what = f"{seen.found.variable} ({sizes})"
        how = HOW[seen.how]
        error = (
            str(seen.error.name or "an array")
            if seen.error is not None
            else f"{seen.gridded.error:.3g} {told['units']}"
        )
    if each.inflated > 1:
        error += f", {each.inflated:.3g} cells as one"
    if told["key"] in HEIGHTS and not isinstance(each.shift, float):
        how += ", brought to the prior's datum by the mean topography"
    used = sum(len(pick) for pick, _ in uses)
    return {
        "observed": what,
        "field": f"{seen.found.key}, found by {seen.found.how}",
        "units": seen.found.units or "none",
        "seen": how,
        "error": error,
        "used": f"{used} {'points' if isinstance(seen, OnPoints) else 'maps'}",
    }


def _bare(ready: Ready) -> int:
    """Times at which nothing can be used."""
    every = [source.uses for source in ready.job.sources]
    return sum(all(not len(uses[number][0]) for uses in every) for number in range(ready.time.size))


def _result(ready: Ready) -> dict[str, Any]:
    rows, columns = ready.domain.state.shape
    group = max(ready.grid[1])
    fields = len(ready.variables)
    # what a network keeps for its backward pass: some sixty fields of its size
    memory = group * rows * columns * fields * 60 * 4
    cell = " by ".join(f"{each:.3g}" for each in ready.domain.cell)
    return {
        "result": ", ".join(f"{v.name} [{v.attrs.get('units', '')}]" for v in ready.variables),
        "members": f"{ready.members}, in groups of {group}",
        "times": str(ready.time.size),
        "grid": f"{rows} x {columns} cells of {cell} km, {ready.domain.sea.mean():.0%} sea",
        "tasks": f"{len(ready.grid[0]) * len(ready.grid[1])}"
        + ("" if ready.is_lazy else ", at once"),
        "memory": f"about {readable(memory)} a task",
        "device": ready.job.device,
    }
