"""Numerical kernels on plain arrays: conservation sums and closure. No xarray in here."""

from .sums import Sums, segment_sums

__all__ = ["Sums", "segment_sums"]
