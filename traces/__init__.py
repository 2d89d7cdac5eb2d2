"""Traces: games stored in HDF5 that replay bit for bit (imported as `mlx_drmario.traces`)."""

from mlx_drmario.traces.frames import FrameTrace, TraceWriter, read, replay

__all__ = ["FrameTrace", "TraceWriter", "read", "replay"]
