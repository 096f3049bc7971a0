"""Simulators: worlds whose truth is known, for tests, training, the tour and experiments."""

from .increments import increments

__all__ = ["increments"]
