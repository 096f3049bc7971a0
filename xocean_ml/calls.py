"""What all calls with a model share: the model in the graph, and the line in the history."""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar

from xocean_ml import chunked, metadata, persist

__all__ = ["Call", "history"]


def history(task: str, model: persist.Model, origin: str | None, **settings: Any) -> str:
    """One line that says how to do it again.

    Parameters
    ----------
    task : str
        Name of what was done.
    model : Model
    origin : str or None
        Where it was loaded from.
    **settings
        What else it takes; None is left out.
    """
    sha = persist.digest(model)[:16]
    name = persist.called(model, origin)
    return metadata.history_line(task, model=name, sha256=sha, **settings)


class Call:
    """A call that is decided; each task adds what is its own.

    Attributes
    ----------
    task : str
        Name of what is done, for the history.
    model : Model
    origin : str or None
        Where it was loaded from.
    settings : dict
        For the history.
    """

    task: ClassVar[str]
    model: persist.Model
    origin: str | None
    settings: dict[str, Any]

    @cached_property
    def node(self) -> chunked.Tasks:
        """The model as one node of the graph."""
        return chunked.constant(persist.parcel(self.model, self.origin))

    def history(self) -> str:
        """One line that says how to do it again."""
        return history(self.task, self.model, self.origin, **self.settings)
