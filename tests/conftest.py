"""Shared fixtures. Importing mlx_drmario first puts the fast BLAS under MLX before any test imports mlx.core."""

from pathlib import Path

import hypothesis
import pytest

import mlx_drmario  # noqa: F401

hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, max_examples=60)
hypothesis.settings.load_profile("ci")

ROOT = Path(__file__).parent.parent
COMPACT = ROOT / "tests" / "golden"
FULL = ROOT.parent / "shared" / "golden"


@pytest.fixture(scope="session")
def golden_dir() -> Path:
    """The full set of recordings when it lies beside the checkout, else the selection that the repository carries."""
    return FULL if FULL.is_dir() else COMPACT
