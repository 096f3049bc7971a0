"""Solvers: what is done with a network again and again. Plain tensors, no xarray.

`diffusion`   from noise to a sample: levels of noise, and the steps between them
`guidance`    the mean that observations ask for, at a level of noise
"""
