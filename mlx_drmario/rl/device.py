"""What MLX runs on here: whether it can compile, and the rest in words and numbers for `drmario doctor`."""

import functools
import re
import shutil
import subprocess
import time
import zlib

import mlx.core as mx

from mlx_drmario.nets.device import default_device


def facts() -> dict[str, str]:
    """The device, whether mx.compile can work on it, and the speed of a matrix product."""
    return {"device": _device(), "mx.compile": _compile(), "matrix product": f"{matmul_gflops():.0f} GFLOP/s (float32)"}


def matmul_gflops(size: int = 512, repeats: int = 10) -> float:
    """Speed of a float32 product of two size x size matrices on the default device, in 10^9 operations a second: the
    best of `repeats`, so that other work on the machine hides little of it."""
    a, b = mx.random.normal((2, size, size))
    best = float("inf")
    for _ in range(repeats):
        mx.eval(a, b)
        start = time.perf_counter()
        mx.eval(a @ b)
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best / 1e9


def _device() -> str:
    return f"{default_device().type.name} ({mx.device_info().get('device_name', 'unnamed')})"


def _compile() -> str:
    if default_device() == mx.gpu:
        return "on the GPU"
    return compiler_problem() or f"with {shutil.which('g++')}"


@functools.cache
def compiler_problem() -> str | None:
    """One sentence on why `mx.compile` does not work on this machine's CPU; None where it does.

    MLX gives g++ the text of the headers it was built with, and g++ 13 and newer refuse what g++ 12 takes (MLX issue
    2281). To know is to try: seconds on a machine that never did, nothing where the result is in the temporary folder,
    under a name that the compiler's version is part of, as a constant. Raises RuntimeError for another failure.
    """
    compiler = shutil.which("g++")
    if compiler is None:
        return "not possible: no g++ on the PATH, steps run uncompiled (slower)"
    version = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=False).stdout
    marked = float(zlib.crc32(f"{compiler} {version}".encode()) >> 8)
    try:
        with mx.stream(mx.cpu):
            mx.eval(mx.compile(lambda x: x * x + marked)(mx.array([1.0, 2.0])))
    except RuntimeError as error:
        said = str(error).partition("the output is:")[2].strip()
        if not said:  # a compiler that was stopped, say
            raise
        reason = re.search(r"error: .*", said) or re.match(r".*", said)
        assert reason is not None
        return (
            f"not possible: {compiler} does not compile what MLX writes, as g++ 12 does ({reason[0]}), "
            "steps run uncompiled (slower)"
        )
    return None
