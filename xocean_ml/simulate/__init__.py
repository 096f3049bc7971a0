"""Simulators: worlds whose truth is known, for tests, training, the tour and experiments."""

from .climate import climate
from .increments import increments
from .surface import surface

__all__ = ["climate", "increments", "surface"]
