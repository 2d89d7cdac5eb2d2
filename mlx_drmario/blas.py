"""Gives MLX's CPU backend a fast matrix product on Linux.

MLX's Linux wheel bundles the reference BLAS (about 8 GFLOP/s); numpy's wheel bundles OpenBLAS (about 120 on one core).
A small shim library exports the `cblas_sgemm` that MLX looks up and forwards it to numpy's. It must be loaded before
`mlx.core` is, so importing `mlx_drmario` does it. Measured figures: docs/benchmarks.md.
"""

import ctypes
import importlib.util
import os
import sys
from pathlib import Path

_status = "not loaded"


def blas_status() -> str:
    """Which matrix product MLX's CPU backend uses, in words, for `drmario doctor` and run records."""
    return _status


def load_fast_blas() -> None:
    """Puts numpy's OpenBLAS under MLX; does nothing off Linux, after `mlx.core` was imported, or without the files."""
    global _status
    if sys.platform != "linux":
        _status = "the platform's own (only the Linux wheel of MLX needs help)"
        return
    if "mlx.core" in sys.modules:
        _status = "MLX's bundled reference BLAS: mlx.core was imported before mlx_drmario"
        return
    core = importlib.util.find_spec("mlx_drmario._core")  # in an editable install it is not beside this file
    shim = Path(core.origin if core and core.origin else __file__).with_name("libmlxdm_blas.so")
    # One thread: OpenBLAS's spinning workers cost more than they gain on shared cores (docs/libraries.md, section 2).
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    import numpy

    candidates = sorted((Path(numpy.__file__).parent.parent / "numpy.libs").glob("libscipy_openblas64_*.so"))
    if not shim.is_file() or not candidates:
        missing = "the shim was not built" if not shim.is_file() else "numpy bundles no OpenBLAS"
        _status = f"MLX's bundled reference BLAS: {missing}"
        return
    # Initialise it privately first: once it is global, MLX may call it.
    if ctypes.CDLL(str(shim)).mlxdm_blas_init(str(candidates[0]).encode()) != 0:
        _status = f"MLX's bundled reference BLAS: {candidates[0].name} has no sgemm that we know"
        return
    ctypes.CDLL(str(shim), mode=ctypes.RTLD_GLOBAL)
    _status = f"numpy's OpenBLAS ({candidates[0].name}), {os.environ['OPENBLAS_NUM_THREADS']} thread(s)"
