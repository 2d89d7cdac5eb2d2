"""`drmario doctor`: what is installed here and will it be fast?"""

from dataclasses import dataclass


@dataclass(frozen=True)
class DoctorConfig:
    """Print versions, platform, device, BLAS, threads and a quick speed check."""


def run(config: DoctorConfig) -> int:
    """Print one fact per line, return 0."""
    sections = {"versions": versions(), "machine": machine(), "MLX": mlx(), "engine": engine()}
    for title, facts in sections.items():
        print(title)
        for name, value in facts.items():
            print(f"  {name:<16} {value}")
    return 0


def versions() -> dict[str, str]:
    """This package, Python, and what it depends on."""
    import platform
    from importlib.metadata import PackageNotFoundError, version

    import mlx_drmario as dm

    found = {"mlx_drmario": dm.__version__, "python": platform.python_version()}
    for name in ("mlx", "mlx-metal", "mlx-cpu", "mlx-cuda-12", "mlx-cuda-13", "numpy", "gymnasium", "textual", "h5py"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, str]:
    """Platform and threads."""
    import os
    import platform

    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    threads = {name: os.environ[name] for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS") if name in os.environ}
    return {
        "platform": platform.platform(),
        "processor": platform.machine(),
        "cores": f"{usable} usable of {os.cpu_count()}",
        **threads,
    }


def mlx() -> dict[str, str]:
    """Device, BLAS, compiler, speed."""
    import mlx_drmario as dm
    from mlx_drmario.rl.device import facts

    return {"BLAS on the CPU": dm.blas_status(), **facts()}


def engine() -> dict[str, str]:
    """Decisions per second of the random baseline at level 10 HI, 64 games, for about a second."""
    import time

    import mlx_drmario as dm
    from mlx_drmario import seeds
    from mlx_drmario.baselines import RandomLegal

    d = dm.Decisions(num_envs=64)
    games = seeds.seeds("training", 64)
    d.reset(10, 2, games)
    policy = RandomLegal()
    made = 0
    start = time.perf_counter()
    while (spent := time.perf_counter() - start) < 1.0:
        if d.ended.any():
            d.reset(10, 2, games, mask=d.ended)
        d.step(policy.act(d.view))
        made += d.num_envs
    return {"decisions": f"{made / spent:,.0f} a second (random placements, level 10 HI, 64 games)"}
