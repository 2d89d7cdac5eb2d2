"""A frame-exact, batched Dr. Mario engine, an exact placement planner, and reinforcement learning on MLX.

>>> import mlx_drmario as dm
>>> batch = dm.Batch(num_envs=2)  # frame by frame
>>> batch.reset(level=0, speed=2, seed=0x8988)
"""

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
    "event_names",
    "feature_names",
    "features",
    "next_capsules",
    "reach",
    "script",
]
