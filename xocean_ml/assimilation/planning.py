"""What `assimilate` would do, as a `Plan`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xocean_ml.assimilation.sources import OnGrid, OnPoints
from xocean_ml.plan import Plan, readable

if TYPE_CHECKING:
    from xocean_ml.assimilation.prepare import Ready

__all__ = ["describe"]

HOW = {
    "own": "on the model's grid",
    "mean": "averaged over the model's cells",
    "linear": "as points between the model's cells",
}


def describe(ready: Ready) -> Plan:
    """The plan of a prepared call; nothing is computed."""
    seen: list[OnGrid | OnPoints] = [*ready.gridded, *ready.points]
    observed = [_observed(ready, each) for each in seen]
    notes = []
    keys = {each.found.key for each in seen}
    inferred = [each["key"] for each in ready.model.config["fields"] if each["key"] not in keys]
    if inferred:
        notes.append(f"inferred from the others: {', '.join(inferred)}")
    if not ready.job.residual:
        notes.append("what the latent cannot represent is not analysed")
    return Plan(f"assimilate with {ready.model!r}", [*observed, _result(ready)], tuple(notes))


def _observed(ready: Ready, each: OnGrid | OnPoints) -> dict[str, Any]:
    if isinstance(each, OnPoints):
        what = f"{each.found.variable} ({len(each.values)} points)"
        error = "none" if not each.error.any() else f"{np.median(each.error):.3g} (median)"
        how = "linear between the model's cells"
    else:
        sizes = ", ".join(f"{d}: {n}" for d, n in each.array.sizes.items())
        what = f"{each.found.variable} ({sizes})"
        how = HOW[each.how]
        if each.error is not None:
            error = str(each.error.name or "an array")
        else:
            error = f"{each.gridded.error:.3g}" if each.gridded.error else "none"
    return {
        "observed": what,
        "field": f"{each.found.key}, found by {each.found.how}",
        "units": each.found.units or "none",
        "seen": how,
        "error": f"{error}, and what the latent cannot represent",
    }


def _result(ready: Ready) -> dict[str, Any]:
    rows, columns = ready.model.state.shape
    many = max(ready.job.members, 1)
    block = max(ready.grid[0]) * int(np.prod([max(each) for each in ready.grid[1:]], dtype=int))
    values = block * rows * columns * len(ready.place.fields) * (many + 1) * 8
    patterns = ready.model.state.size * 8 * len(getattr(ready.model, "patterns", ()))
    return {
        "result": ", ".join(f"{f.name} [{f.attrs.get('units', '')}]" for f in ready.place.fields)
        + ", each with its spread",
        "times": f"{ready.time.size}, by calendar "
        + ("months" if ready.model.config["season"] == "month" else "days"),
        "grid": f"{rows} x {columns} cells",
        "tasks": f"{int(np.prod([len(each) for each in ready.grid]))} blocks"
        if ready.is_lazy
        else "in memory",
        "memory": f"about {readable(values + patterns)} a task",
        "device": ready.job.device,
    }
