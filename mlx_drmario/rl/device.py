"""What MLX runs on here, in words and numbers, for `drmario doctor`."""

import shutil
import time

import mlx.core as mx


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
    return f"{mx.default_device().type.name} ({mx.device_info().get('device_name', 'unnamed')})"


def _compile() -> str:
    if mx.default_device().type == mx.gpu:
        return "on the GPU"
    compiler = shutil.which("g++")
    return f"with {compiler}" if compiler else "not possible: no g++ on the PATH, steps run uncompiled (slower)"
