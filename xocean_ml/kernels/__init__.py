"""Numerical kernels on plain arrays: conservation sums and closure. No xarray in here."""
