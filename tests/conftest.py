"""Shared fixtures. Importing mlx_drmario first puts the fast BLAS under MLX before any test imports mlx.core."""

import os
import signal
from pathlib import Path

import hypothesis
import pytest

import mlx_drmario  # noqa: F401

os.environ.setdefault("MLX_ENABLE_TF32", "0")  # where a GPU would round products, tolerances are those of float32

hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, max_examples=60)
hypothesis.settings.load_profile("ci")

ROOT = Path(__file__).parent.parent

# A shell's background job ignores Ctrl-C (and after nohup a closed terminal): the processes that tests stop must not.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_addoption(parser: pytest.Parser) -> None:
    help = "directory with recordings of the retail program to replay instead of the selection in tests/golden"
    parser.addoption("--recordings", type=Path, default=ROOT / "tests" / "golden", help=help)


@pytest.fixture(scope="session")
def golden_dir(pytestconfig: pytest.Config) -> Path:
    """The recordings: the selection that the repository carries unless --recordings names another directory."""
    directory: Path = pytestconfig.getoption("--recordings")
    return directory
