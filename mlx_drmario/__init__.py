"""A frame-exact, batched Dr. Mario engine, an exact placement planner, and reinforcement learning on MLX.

>>> import mlx_drmario as dm
>>> batch = dm.Batch(num_envs=2)  # frame by frame
>>> batch.reset(level=0, speed=2, seed=0x8988)
"""

import signal as _signal
import sys as _sys

# `python -m mlx_drmario` imports the package before its __main__.py: Ctrl-C ends it as drmario_start says.
if (
    _sys.argv[:1] == ["-m"]
    and ("-m", "mlx_drmario") in zip(_sys.orig_argv, _sys.orig_argv[1:], strict=False)
    and _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler
):
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)

from mlx_drmario.blas import blas_status, load_fast_blas

load_fast_blas()

try:
    from mlx_drmario._core import (
        Afterstates,
        Batch,
        Decisions,
        Line,
        PublicView,
        Search,
        canonical,
        digests,
        event_names,
        feature_names,
        features,
        next_capsules,
        plane_names,
        preview_feature_names,
        preview_features,
        reach,
        scalar_names,
        script,
    )
except ModuleNotFoundError as _error:
    if _error.name != "mlx_drmario._core":
        raise
    raise ModuleNotFoundError(
        f"{__path__[0]} is the source folder, in which nothing is built: run `make .venv/.built` and use that"
        " environment, or use an installed package from another directory",
        name=_error.name,
    ) from None

__version__ = "0.1.0"
__all__ = [
    "Afterstates",
    "Batch",
    "Decisions",
    "Line",
    "PublicView",
    "Search",
    "__version__",
    "blas_status",
    "canonical",
    "digests",
    "event_names",
    "feature_names",
    "features",
    "next_capsules",
    "plane_names",
    "preview_feature_names",
    "preview_features",
    "reach",
    "scalar_names",
    "script",
]
