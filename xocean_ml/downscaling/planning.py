"""What `downscale` would do, as a `Plan`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xocean_ml.downscaling import graph
from xocean_ml.plan import Plan, readable

if TYPE_CHECKING:
    from xocean_ml.downscaling.prepare import Group, Ready

__all__ = ["describe"]


def describe(ready: Ready) -> Plan:
    """The plan of a prepared call; nothing is computed."""
    rows = [_row(ready, group) for group in ready.groups]
    notes = [f"outside the training domain: {each}" for g in ready.groups for each in g.beyond]
    if any(group.lacking for group in ready.groups):
        notes.append("the guide does not cover the target: there it is taken as missing")
    if ready.model.reach is None and any(group.split for group in ready.groups):
        notes.append("the model needs the whole field: latitude and longitude are put together")
    return Plan(f"downscale with {ready.model!r}", rows, tuple(dict.fromkeys(notes)))


def _row(ready: Ready, group: Group) -> dict[str, Any]:
    job, target = group.job, group.target
    rows, columns = target.axes
    one = {
        "variable": ", ".join(job.names),
        "field": "; ".join(
            "any field" if field is None else f"{field.key}, found by {field.how}"
            for field, _ in group.found
        ),
        "units": ", ".join(str(each.attrs.get("units", "none")) for _, each in group.found),
        "result": ", ".join(group.names),
        "grid": f"{rows.count} x {columns.count} cells to {len(rows)} x {len(columns)} "
        f"(x {target.factor[0]:.4g}, x {target.factor[1]:.4g})"
        + (", closed in longitude" if columns.closed else ""),
        "guide": ", ".join(guide.name for guide in job.guides) or "none",
        "windows": _windows(ready, group),
        "tasks": f"{len(job.cuts[0]) * len(job.cuts[1]) * group.stacks} blocks"
        if group.is_lazy
        else "in memory",
        "memory": f"about {readable(_size(group))} a task for fields and guides",
        "device": job.device,
    }
    return one


def _windows(ready: Ready, group: Group) -> str:
    if ready.model.reach is None:
        return "the whole field"
    return f"own block and {graph.reach_of(ready.model, group.job.conserve)} coarse cells around it"


def _size(group: Group) -> float:
    """Bytes of what the largest task reads and writes."""
    coarse, seen = (
        np.prod(
            [max(b - a for a, b in (getattr(c, name) for c in cuts)) for cuts in group.job.cuts]
        )
        for name in ("coarse", "seen")
    )
    results = len(group.names) + len(group.job.guides)
    itemsize = max(np.dtype(each).itemsize for each in group.job.dtypes)
    return float((coarse * len(group.job.names) + seen * results) * itemsize * group.depth)
