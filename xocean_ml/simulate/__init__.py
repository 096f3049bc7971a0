"""Simulators: worlds whose truth is known, for tests, training, the tour and experiments."""
