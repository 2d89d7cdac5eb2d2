"""Where networks compute: on MLX's default device, or on the one that the environment names."""

from __future__ import annotations

import functools
import os

import mlx.core as mx

VARIABLE = "MLX_DRMARIO_DEVICE"
"""`cpu` or `gpu`. On a CPU the first block of a network is the engine's own code, games are divided among threads, and
runs repeat bit for bit, which a Mac's user may want, too."""


def default_device() -> mx.Device:
    """The device of whatever is computed from now on. Raises ValueError for a name in VARIABLE that is none, or none of
    this machine's."""
    obey(os.environ.get(VARIABLE))
    return mx.default_device()


@functools.cache
def obey(wanted: str | None) -> None:
    """Make a device the default one, the first time that it is asked for; raises as `default_device`."""
    if wanted is None:
        return
    if wanted not in ("cpu", "gpu"):
        raise ValueError(f"{VARIABLE} is {wanted!r}, allowed are 'cpu' and 'gpu'")
    try:
        mx.set_default_device(getattr(mx, wanted))
    except ValueError:
        raise ValueError(f"{VARIABLE} is {wanted!r}, which MLX does not have here") from None
