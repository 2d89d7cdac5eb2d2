"""Traces: games stored in HDF5 that replay bit for bit (imported as `mlx_drmario.traces`). docs/traces.md."""
