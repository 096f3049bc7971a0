"""A plan: what a call would do, told before anything runs. The same for all accessors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

__all__ = ["Plan", "readable"]


@dataclass(frozen=True)
class Plan:
    """What a call would do.

    Parameters
    ----------
    title : str
        What is done with which model.
    rows : sequence of mapping
        One per variable, from heading to what it is.
    notes : sequence of str
        What is worth knowing: rechunks, double reading, what lies outside the training domain.
    """

    title: str
    rows: Sequence[Mapping[str, Any]]
    notes: Sequence[str] = ()

    def __str__(self) -> str:
        lines = [self.title]
        for row in self.rows:
            width = max(map(len, row))
            lines += [f"  {heading:<{width}}  {value}" for heading, value in row.items()]
            lines.append("")
        lines += [f"  note: {note}" for note in self.notes]
        return "\n".join(lines).rstrip()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        body = ""
        for row in self.rows:
            body += "".join(
                f"<tr><th style='text-align:left'>{escape(k)}</th>"
                f"<td style='text-align:left'>{escape(str(v))}</td></tr>"
                for k, v in row.items()
            )
        notes = "".join(f"<li>{escape(note)}</li>" for note in self.notes)
        return f"<b>{escape(self.title)}</b><table>{body}</table><ul>{notes}</ul>"


def readable(size: float) -> str:
    """A number of bytes as people read it.

    Examples
    --------
    >>> readable(3_500_000)
    '3.5 MB'
    """
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if size < 1000 or unit == "TB":
            return f"{size:.3g} {unit}"
        size /= 1000
    raise AssertionError  # not reached
