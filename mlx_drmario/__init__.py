"""A frame-exact, batched Dr. Mario engine, an exact placement planner, and reinforcement learning on MLX.

>>> import mlx_drmario as dm
>>> batch = dm.Batch(num_envs=2)  # frame by frame
>>> batch.reset(level=0, speed=2, seed=0x8988)
"""

import sys as _sys

# `python -m mlx_drmario`, which imports this package before its __main__.py
if _sys.argv[:1] == ["-m"] and ("-m", "mlx_drmario") in zip(_sys.orig_argv, _sys.orig_argv[1:], strict=False):
    from drmario_start import end_without_a_word as _end_without_a_word

    _end_without_a_word()

from mlx_drmario.blas import blas_status, load_fast_blas

load_fast_blas()

from mlx_drmario._core import (  # noqa: E402
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
    reach,
    script,
)

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
    "reach",
    "script",
]
