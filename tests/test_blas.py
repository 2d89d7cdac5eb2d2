"""MLX's matrix product is fast whatever is imported first, or a warning says what to do. A fresh process per order."""

import os
import re
import subprocess
import sys
from itertools import permutations

import pytest

import mlx_drmario as dm

linux = pytest.mark.skipif(
    sys.platform != "linux" or "OpenBLAS" not in dm.blas_status(), reason="needs the Linux wheels of MLX and numpy"
)

LOOK = """
import ctypes, warnings
from pathlib import Path
warnings.simplefilter("always")
{imports}
import mlx_drmario as dm, mlx.core as mx, numpy as np
library = next((Path(np.__file__).parent.parent / "numpy.libs").glob("libscipy_openblas64_*.so"))
openblas = ctypes.CDLL(str(library))
print(openblas.scipy_openblas_get_num_threads64_())
print(dm.blas_status())
maps = Path("/proc/self/maps").read_text()
print("libmlxdm_blas" in maps)
"""


def look(imports: str, **environ: str) -> tuple[int, str, bool, str]:
    """Threads that OpenBLAS uses, the status, whether the shim is loaded, and stderr."""
    clean = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    code = LOOK.format(imports=imports)
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=clean | environ, capture_output=True, text=True, check=True)
    threads, status, shim = done.stdout.splitlines()[:3]
    return int(threads), status, shim == "True", done.stderr


@linux
@pytest.mark.parametrize("order", permutations(["mlx_drmario", "numpy", "mlx.core"]), ids="-".join)
def test_every_order_of_imports(order):
    threads, status, shim, error = look("; ".join(f"import {name}" for name in order))
    if order.index("mlx_drmario") < order.index("mlx.core"):
        assert (threads, shim, error) == (1, True, "")
        assert status.startswith("numpy's OpenBLAS") and status.endswith("1 thread(s)")
    else:
        assert not shim and "reference BLAS" in status
        assert len(re.findall("RuntimeWarning", error)) == 1
        assert "import mlx_drmario first" in error


@linux
@pytest.mark.parametrize("imports", ["import mlx_drmario", "import numpy"])
def test_a_thread_count_that_was_asked_for_is_kept(imports):
    threads, status, _, _ = look(imports, OPENBLAS_NUM_THREADS="2")
    assert threads == 2 and status.endswith("2 thread(s)")


@linux
def test_a_thread_count_that_was_asked_for_after_numpy_was_loaded():
    assert look("import numpy, os; os.environ['OPENBLAS_NUM_THREADS'] = '2'")[0] == 2


@linux
@pytest.mark.parametrize("value", ["", "many", "0", "-1"])
def test_what_openblas_ignores_is_reported_as_it_is(value):
    threads, status, _, _ = look("import numpy", OPENBLAS_NUM_THREADS=value)
    assert threads >= 1 and status.endswith(f"{threads} thread(s)")
