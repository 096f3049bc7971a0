"""Networks: torch modules on plain tensors. No xarray in here, and nothing that reads files."""
