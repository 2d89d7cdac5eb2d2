"""Gives MLX's CPU backend a fast matrix product on Linux.

MLX's Linux wheel bundles the reference BLAS (about 8 GFLOP/s); numpy's wheel bundles OpenBLAS (about 120 on one core).
A small shim library exports the `cblas_sgemm` that MLX looks up and forwards it to numpy's. It must be loaded before
`mlx.core` is, so importing `mlx_drmario` does it. Whether numpy is there already does not matter: the thread count is
set through OpenBLAS's own call. Measured figures: docs/benchmarks.md.
"""

import ctypes
import importlib.util
import os
import sys
import warnings
from pathlib import Path

_status = "not loaded"

VARIABLE = "OPENBLAS_NUM_THREADS"

LATE = (
    "mlx.core was imported before mlx_drmario, so MLX's CPU backend keeps its slow bundled BLAS: import mlx_drmario "
    "first (a comment `# isort: split` after that line keeps a sorter of imports from moving it)"
)


def blas_status() -> str:
    """Which matrix product MLX's CPU backend uses, in words, for `drmario doctor` and run records."""
    return _status


def load_fast_blas() -> None:
    """Puts numpy's OpenBLAS under MLX; does nothing off Linux or without the files.

    Warns when `mlx.core` was imported before, as nothing can be done then, unless MLX computes on a GPU.
    """
    global _status
    if sys.platform != "linux":
        _status = "the platform's own (only the Linux wheel of MLX needs help)"
        return
    if "mlx.core" in sys.modules:
        _status = "MLX's bundled reference BLAS: mlx.core was imported before mlx_drmario"
        mx = sys.modules["mlx.core"]
        if mx.default_device() == mx.cpu:
            warnings.warn(LATE, RuntimeWarning, stacklevel=3)  # this function, the package, whoever imports it
        return
    core = importlib.util.find_spec("mlx_drmario._core")  # in an editable install it is not beside this file
    shim = Path(core.origin if core and core.origin else __file__).with_name("libmlxdm_blas.so")
    # One thread: OpenBLAS's spinning workers cost more than they gain on shared cores (docs/libraries.md, section 2).
    os.environ.setdefault(VARIABLE, "1")  # read as numpy loads, and by processes that this one starts
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
    _status = f"numpy's OpenBLAS ({candidates[0].name}), {_limit_threads(candidates[0])} thread(s)"


def _limit_threads(library: Path) -> int:
    """Make OpenBLAS use as many threads as the variable says, also when it was loaded before; returns how many it uses.

    The two functions are those that threadpoolctl calls too (github.com/joblib/threadpoolctl, `OpenBLASController`).
    """
    openblas = ctypes.CDLL(str(library))  # the one that numpy has loaded
    wanted = os.environ[VARIABLE]
    if wanted.isdecimal() and int(wanted) > 0:  # OpenBLAS itself ignores anything else
        openblas.scipy_openblas_set_num_threads64_(int(wanted))
    return int(openblas.scipy_openblas_get_num_threads64_())
