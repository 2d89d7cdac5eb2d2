"""`drmario bench`: how fast is each layer on this machine?"""

import json
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    import mlx_drmario as dm


@dataclass(frozen=True)
class BenchConfig:
    """Measure engine, planner, decision loop, afterstates and training; print a table, write or compare JSON."""

    seconds: float = 1.0
    """time spent on each line"""
    json: Path | None = None
    """write the results and the facts of the machine to this file"""
    compare: tuple[Path, Path] | None = None
    """print two result files side by side instead of measuring"""


SCALING_GAMES = (1, 64, 1024, 4096)
SCALING_THREADS = (1, 2)


@dataclass(frozen=True)
class Line:
    """One measured rate: the median of the repetitions and their spread."""

    name: str
    unit: str
    rate: float
    low: float
    high: float


def measure(name: str, unit: str, seconds: float, work: Callable[[], float]) -> Line:
    """Repeats `work`, which returns the number of units it did, for about `seconds`; at least five times."""
    work()  # warm up
    rates: list[float] = []
    end = time.perf_counter() + seconds
    while len(rates) < 5 or time.perf_counter() < end:
        start = time.perf_counter()
        units = work()
        rates.append(units / (time.perf_counter() - start))
    rates.sort()
    return Line(name, unit, rates[len(rates) // 2], rates[len(rates) // 10], rates[-1 - len(rates) // 10])


def _buttons(rng: "np.random.Generator", frames: int, games: int) -> "np.ndarray":
    import numpy as np

    held = rng.choice(np.array([0, 0, 0, 1, 2, 4, 4, 0x80, 0x40], np.uint8), size=(frames // 4, games, 1))
    return np.ascontiguousarray(held.repeat(4, axis=0))


def engine_lines(seconds: float) -> list[Line]:
    """`Batch.run` without recording. Games restart from a snapshot of running games, so that none idles at its end."""
    import numpy as np

    import mlx_drmario as dm

    lines = []
    for games in (1, 64, 4096):
        for threads in (1, 2):
            rng = np.random.default_rng(0)
            batch = dm.Batch(num_envs=games, threads=threads)
            batch.reset(rng.integers(5, 21, games), rng.integers(0, 3, games), rng.integers(2, 65536, games))
            frames = max(400, min(1200, 2_000_000 // games // 4 * 4))
            buttons = _buttons(rng, frames, games)
            start = batch.save()

            def work(batch: dm.Batch = batch, buttons: np.ndarray = buttons, start: bytes = start) -> float:
                batch.load(start)
                batch.run(buttons)
                return float(buttons.shape[0] * buttons.shape[1])

            lines.append(measure(f"engine, {games} games, {threads} thread(s)", "frames/s", seconds, work))
    return lines


def _played(games: int, threads: int, steps: int) -> "dm.Decisions":
    """Games of levels 0 to 20 at all speeds, `steps` random decisions old."""
    import numpy as np

    import mlx_drmario as dm

    rng = np.random.default_rng(1)
    decisions = dm.Decisions(num_envs=games, threads=threads)
    decisions.reset(rng.integers(0, 21, games), rng.integers(0, 3, games), rng.integers(2, 65536, games))
    for _ in range(steps):
        decisions.step(decisions.sample_legal(1))
    return decisions


def planner_lines(seconds: float) -> list[Line]:
    """Placement queries on states of random play, and scripts of random legal placements."""
    import numpy as np

    import mlx_drmario as dm

    decisions = _played(512, 1, 12)
    running = ~decisions.ended
    state = decisions.state[running]
    bottles = np.ascontiguousarray(state["p1_bottle"])
    colors = np.stack([state["p1_pill_color_l"], state["p1_pill_color_r"]], axis=-1)
    counters, speeds, ups = (state[f] for f in ("frame_counter", "p1_speed_setting", "p1_speed_ups"))
    legal = decisions.legal[running]

    def queries() -> float:
        dm.reach(bottles, colors, counters, speeds, ups)
        return float(len(bottles))

    rng = np.random.default_rng(0)
    chosen = [int(rng.choice(np.flatnonzero(row))) for row in legal]

    def scripts() -> float:
        for i, action in enumerate(chosen):
            dm.script(bottles[i], colors[i], int(counters[i]), int(speeds[i]), int(ups[i]), action)
        return float(len(chosen))

    return [
        measure("planner, all placements of a state, 1 thread", "states/s", seconds, queries),
        measure("planner, one script (called from Python)", "scripts/s", seconds, scripts),
    ]


def _random_play(games: int, threads: int) -> Callable[[], float]:
    """Eight random legal decisions of every game, everything included: choice, planner, planes, masks, restarts."""
    import numpy as np

    decisions = _played(games, threads, 0)
    rng = np.random.default_rng(2)

    def work() -> float:
        for _ in range(8):
            decisions.step(decisions.sample_legal(2))
            if decisions.ended.any():
                level, speed = rng.integers(0, 21, games), rng.integers(0, 3, games)
                decisions.reset(level, speed, rng.integers(2, 65536, games), mask=decisions.ended)
        return 8.0 * games

    return work


def decision_lines(seconds: float) -> list[Line]:
    """Random legal play by number of games and threads, and what else the decision loop offers."""
    import numpy as np

    import mlx_drmario as dm

    lines = [
        measure(_decisions_name(games, threads), "decisions/s", seconds, _random_play(games, threads))
        for games in SCALING_GAMES
        for threads in SCALING_THREADS
    ]
    decisions = _played(64, 1, 12)
    lines.append(
        measure("afterstates, 1 thread", "afterstates/s", seconds, lambda: float(len(decisions.afterstates().env)))
    )
    batch = dm.Batch(num_envs=1024, threads=1)
    batch.reset(10, 2, np.arange(2, 1026))

    def observe() -> float:
        batch.observe("extended")
        return 1024.0

    lines.append(measure("observation, 16 planes, 1 thread", "observations/s", seconds, observe))
    return lines


def _decisions_name(games: int, threads: int) -> str:
    return f"decisions, random legal, {games} games, {threads} thread(s)"


def scaling(lines: list[Line]) -> str:
    """Games x threads: total and per-game rate, speedup over one thread, efficiency."""
    rates = {line.name: line.rate for line in lines}
    rows = [f"{'games':>6} {'threads':>7} {'decisions/s':>12} {'per game':>9} {'speedup':>8} {'efficiency':>10}"]
    for games in SCALING_GAMES:
        one = rates[_decisions_name(games, 1)]
        for threads in SCALING_THREADS:
            rate = rates[_decisions_name(games, threads)]
            speedup = rate / one
            rows.append(
                f"{games:6} {threads:7} {rate:12,.0f} {rate / games:9,.1f} {speedup:8.2f} {speedup / threads:10.0%}"
            )
    return "\n".join(rows)


def learning_lines(seconds: float) -> list[Line]:
    """The default network: choosing a placement by number of games, and training end to end (rollout and update)."""
    from mlx_drmario.rl.player import NetworkPolicy
    from mlx_drmario.rl.ppo.config import PPORunConfig
    from mlx_drmario.rl.ppo.learner import Learner
    from mlx_drmario.rl.ppo.train import resolve

    lines = []
    with Learner(resolve(PPORunConfig())) as learner:
        policy = NetworkPolicy(learner.model)
        for games in (1, 16, 64, 256, 1024):
            decisions = _played(games, 1, 3)

            def choose(decisions: Any = decisions) -> float:
                policy.act(decisions.view)
                return float(decisions.num_envs)

            lines.append(measure(f"default policy, {games} games", "decisions/s", seconds, choose))

        def iterate() -> float:
            before = learner.counters.decisions
            learner.iterate()
            return float(learner.counters.decisions - before)

        lines.append(measure("training, end to end", "decisions/s", seconds, iterate))
        samples = learner.config.decisions_per_iteration * learner.config.ppo.epochs
        rates = sorted(samples / learner.iterate()["perf/update_seconds"] for _ in range(5))
        lines.append(Line("training, update steps alone", "samples/s", rates[2], rates[0], rates[-1]))
    return lines


def facts() -> dict[str, Any]:
    """What a rate means nothing without."""
    import os

    import numpy as np

    import mlx_drmario as dm

    cpu = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        names = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        cpu = names[0] if names else cpu
    return {
        "date": time.strftime("%Y-%m-%d"),
        "platform": platform.platform(),
        "cpu": cpu,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": dm.blas_status(),
        "load": os.getloadavg()[0],
    }


def compare(before: Path, after: Path) -> str:
    """Two result files side by side, with the ratio of their rates."""
    old, new = json.loads(before.read_text()), json.loads(after.read_text())
    rates = {line["name"]: line["rate"] for line in old["lines"]}
    rows = [f"{'':52} {before.stem:>14} {after.stem:>14}  ratio"]
    for line in new["lines"]:
        if line["name"] in rates:
            ratio = line["rate"] / rates[line["name"]]
            rows.append(f"{line['name']:52} {rates[line['name']]:14,.0f} {line['rate']:14,.0f}  {ratio:5.2f}")
    return "\n".join(rows)


def run(config: BenchConfig) -> int:
    """Measures, prints, returns 0. OSError when a result file cannot be read or written."""
    if config.compare is not None:
        print(compare(*config.compare))
        return 0
    machine = facts()
    print("  ".join(f"{key}: {value}" for key, value in machine.items()))
    lines: list[Line] = []
    for group in (engine_lines, planner_lines, decision_lines, learning_lines):
        for line in group(config.seconds):
            print(f"{line.name:52} {line.rate:14,.0f} {line.unit:14} ({line.low:,.0f} to {line.high:,.0f})", flush=True)
            lines.append(line)
    print("\n" + scaling(lines))
    if config.json is not None:
        results = {"facts": machine, "lines": [asdict(line) for line in lines]}
        config.json.write_text(json.dumps(results, indent=2) + "\n")
    return 0
