"""`drmario bench`: how fast is each layer on this machine?"""

import contextlib
import io
import json
import os
import platform
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

from mlx_drmario.cli import discard_output
from mlx_drmario.files import check_output
from mlx_drmario.ranges import Level, Range, check_ranges

if TYPE_CHECKING:
    from mlx_drmario.cli.bench.cases import Effort, Work


@dataclass(frozen=True)
class BenchConfig:
    """Measure engine, planner, decision loop, afterstates and training; print a table, write or compare JSON."""

    seconds: Annotated[float, Range(0, 86_400, without="low")] = 1.0
    """time spent on each line"""
    json: Path | None = None
    """write the results and the facts of the machine to this file"""
    compare: tuple[Path, Path] | None = None
    """print two result files side by side instead of measuring"""
    against: str | None = None
    """build this commit and the one checked out, and let them take turns (training is left out)"""
    learning: bool = False
    """train until 95 % of validation games at HI are cleared, with five seeds (many minutes), instead of all else"""
    level: Level = 0
    """virus level that --learning asks for"""

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True)
class Line:
    """One measured rate: the median of the repetitions, their spread, and units per CPU second of all threads."""

    name: str
    unit: str
    rate: float
    low: float
    high: float
    cpu_rate: float

    def __str__(self) -> str:
        spread = f"({self.low:,.0f} to {self.high:,.0f})"
        return f"{self.name:52} {self.rate:14,.0f} {self.unit:14} {spread:32} {self.cpu_rate:14,.0f} per CPU second"


def measure(name: str, unit: str, seconds: float, work: "Work") -> Line:
    """Repeats `work` for about `seconds`, at least five times."""
    from mlx_drmario.cli.bench.cases import time_work

    work()  # warm up
    efforts: list[Effort] = []
    end = time.perf_counter() + seconds
    while len(efforts) < 5 or time.perf_counter() < end:
        efforts.append(time_work(work, 0.0))
    rates = sorted(effort.units / effort.wall for effort in efforts)
    cpu_rate = sum(effort.units for effort in efforts) / sum(effort.cpu for effort in efforts)
    return Line(name, unit, rates[len(rates) // 2], rates[len(rates) // 10], rates[-1 - len(rates) // 10], cpu_rate)


def scaling(lines: list[Line]) -> str:
    """Games x threads: total and per-game rate, speedup over one thread, efficiency."""
    from mlx_drmario.cli.bench.cases import SCALING_GAMES, SCALING_THREADS, random_play_name

    rates = {line.name: line.rate for line in lines}
    rows = [f"{'games':>6} {'threads':>7} {'decisions/s':>12} {'per game':>9} {'speedup':>8} {'efficiency':>10}"]
    for games in SCALING_GAMES:
        one = rates[random_play_name(games, 1)]
        for threads in SCALING_THREADS:
            rate = rates[random_play_name(games, threads)]
            speedup = rate / one
            rows.append(
                f"{games:6} {threads:7} {rate:12,.0f} {rate / games:9,.1f} {speedup:8.2f} {speedup / threads:10.0%}"
            )
    return "\n".join(rows)


def learning_lines(seconds: float) -> list[Line]:
    """The default network: choosing a placement by number of games, and training end to end (rollout and update)."""
    from mlx_drmario.cli.bench.cases import played
    from mlx_drmario.rl.player import NetworkPolicy
    from mlx_drmario.rl.ppo.config import PPORunConfig
    from mlx_drmario.rl.ppo.learner import Learner
    from mlx_drmario.rl.ppo.train import resolve

    lines = []
    with Learner(resolve(PPORunConfig())) as learner:
        policy = NetworkPolicy(learner.model)
        for games in (1, 16, 64, 256, 1024):
            decisions = played(games, 1, 3)

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
        cpu = time.process_time()
        rates = sorted(samples / learner.iterate()["perf/update_seconds"] for _ in range(5))
        cpu_rate = 5 * samples / (time.process_time() - cpu)  # rollouts included: those have no clock of their own
        lines.append(Line("training, update steps alone", "samples/s", rates[2], rates[0], rates[-1], cpu_rate))
    return lines


def wall_line() -> Line:
    """The app's board wall: pictures of 64 boards per second of one core."""
    from mlx_drmario.tui.bench import repaint

    rates = sorted(repaint()[0] for _ in range(3))
    return Line("board wall, 64 boards, 150x40", "pictures/s", rates[1], rates[0], rates[-1], rates[1])


def facts() -> dict[str, Any]:
    """What a rate means nothing without."""
    import numpy as np

    import mlx_drmario as dm
    from mlx_drmario.machine import processor

    return {
        "date": time.strftime("%Y-%m-%d"),
        "platform": platform.platform(),
        "cpu": processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": dm.blas_status(),
        "load": os.getloadavg()[0],
    }


def compare(before: Path, after: Path) -> str:
    """Two result files side by side, with the ratio of their rates. ValueError for a file that is none."""
    old, new = _read(before), _read(after)
    rates = {line["name"]: line["rate"] for line in old}
    rows = [f"{'':52} {before.stem:>14} {after.stem:>14}  ratio"]
    for line in new:
        if line["name"] in rates:
            ratio = line["rate"] / rates[line["name"]]
            rows.append(f"{line['name']:52} {rates[line['name']]:14,.0f} {line['rate']:14,.0f}  {ratio:5.2f}")
    return "\n".join(rows)


def _read(path: Path) -> list[dict[str, Any]]:
    """The lines of a result file."""
    try:
        lines: list[dict[str, Any]] = json.loads(path.read_text())["lines"]
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError):
        raise ValueError(f"{path} is no result file of `drmario bench --json`") from None
    return lines


def check(config: BenchConfig) -> None:
    """Refuse before the work what could only fail after it. ValueError or OSError."""
    if config.compare is not None and (config.against is not None or config.json is not None or config.learning):
        raise ValueError("--compare measures nothing, so neither --against nor --json nor --learning goes with it")
    if config.learning and config.against is not None:
        raise ValueError("--learning measures one build, so --against does not go with it")
    if config.level and not config.learning:
        raise ValueError("--level is that of --learning, which is not given")
    if config.json is not None:
        check_output("--json", config.json)


def run(config: BenchConfig) -> int:
    """Measures, prints, returns 0. ValueError or OSError for what cannot be measured, read or written."""
    check(config)
    if config.compare is not None:
        print(compare(*config.compare))
        return 0
    if config.json is None:
        measure_by(config)
        return 0
    from mlx_drmario.files import write_text

    with contextlib.redirect_stdout(Forsaken(sys.stdout)):
        results = measure_by(config)
    write_text(config.json, json.dumps(results, indent=2) + "\n")
    return 0


class Forsaken(io.TextIOBase):
    """A stream whose reader may go: what is written then is lost, and what is measured is not."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        try:
            self.stream.write(text)
            self.stream.flush()
        except OSError:
            discard_output()
        return len(text)

    def fileno(self) -> int:
        return self.stream.fileno()


def measure_by(config: BenchConfig) -> dict[str, Any]:
    """Measure and print what is asked for; what was found and on which machine, as plain JSON values."""
    machine = facts()
    print("  ".join(f"{key}: {value}" for key, value in machine.items()))
    if config.against is not None:
        from mlx_drmario.cli.bench import against

        results = against.run(config.against, config.seconds)
    elif config.learning:
        from mlx_drmario.cli.bench import learning

        results = {"learning": [asdict(reached) for reached in learning.run(config.level)], "level": config.level}
    else:
        results = {"lines": [asdict(line) for line in measure_all(config.seconds)]}
    return {"facts": machine, **results}


def measure_all(seconds: float) -> list[Line]:
    """Every line of the table, printed as it is measured; then how decisions scale and what one costs."""
    from mlx_drmario.cli.bench import instructions
    from mlx_drmario.cli.bench.cases import CASES

    lines = []
    for case in CASES:
        lines.append(measure(case.name, case.unit, seconds, case.make()))
        print(lines[-1], flush=True)
    for line in learning_lines(seconds):
        lines.append(line)
        print(line, flush=True)
    lines.append(wall_line())
    print(f"{lines[-1]}\n\n{scaling(lines)}")
    counted = instructions.per_decision(None)
    if counted is not None:
        print(f"\none decision: {counted[0]:,.0f} instructions (counted by {counted[1]})")
    return lines
