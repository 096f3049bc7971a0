"""Simulators: worlds whose truth is known, for tests, training, the tour and experiments."""

from .increments import increments
from .surface import surface

__all__ = ["increments", "surface"]
