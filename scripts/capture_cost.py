"""What a recording costs: the same games with and without `Capture`, in turns, in one process.

    python scripts/capture_cost.py [--pairs 7]

Prints wall and processor time per decision without a recording, and the ratios with one: playing alone, and with
`close`, which makes the file, included. Random legal placements of 64 and of 256 games, and an untrained default
network. Processor time is that of all threads, and of the playing thread alone: what the games wait for where another
core is idle.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import mlx_drmario as dm
from mlx_drmario.evaluate import Policy, choose
from mlx_drmario.traces.capture import Capture

Clock = tuple[float, float, float]
"""wall seconds, processor seconds, and those of this thread"""


def clocked(work: Callable[[], object]) -> Clock:
    """How long it takes."""
    clocks = time.perf_counter, time.process_time, time.thread_time
    start = [clock() for clock in clocks]
    work()
    wall, processor, thread = (clock() - before for clock, before in zip(clocks, start, strict=True))
    return wall, processor, thread


class RandomLegal:
    """The policy that costs least."""

    def act(self, view: dm.PublicView) -> np.ndarray:
        return view.sample_legal(0)


def play(policy: Policy, games: int, steps: int, seed: int, capture: Capture | None) -> None:
    """Level 5, HI, ended games restarted; one engine thread."""
    rng = np.random.default_rng(seed)
    batch = dm.Decisions(num_envs=games, threads=1)
    batch.reset(5, 2, rng.integers(2, 65536, games))
    for _ in range(steps):
        if batch.ended.any():
            batch.reset(5, 2, rng.integers(2, 65536, games), 0, batch.ended.copy())
        action, log_prob, value = choose(policy, batch.view)
        if capture is not None:
            capture.before_step(batch, action, log_prob, value)
        batch.step(action)
        if capture is not None:
            capture.after_step(batch)


def compare(name: str, policy: Policy, games: int, steps: int, pairs: int) -> None:
    """Print the medians over the pairs."""
    rows = []
    play(policy, games, 3, 0, None)  # warm up
    for seed in range(pairs):
        with tempfile.TemporaryDirectory() as folder:
            alone = clocked(lambda seed=seed: play(policy, games, steps, seed, None))  # type: ignore[misc]
            capture = Capture(Path(folder), policy=name)
            kept = clocked(lambda seed=seed, capture=capture: play(policy, games, steps, seed, capture))  # type: ignore[misc]
            rows.append((alone, kept, clocked(capture.close)))
    alone, kept, close = np.moveaxis(np.array(rows), 1, 0)
    per = np.median(alone, axis=0) / (games * steps) * 1e6
    ratio, whole = np.median(kept / alone, axis=0), np.median((kept + close) / alone, axis=0)
    rate = games * steps / np.median(close[:, 1])
    print(
        f"{name}, {games} games: {per[0]:.2f} us wall, {per[1]:.2f} us CPU per decision; "
        f"recorded: wall x {ratio[0]:.3f}, CPU x {ratio[1]:.3f}, of the player x {ratio[2]:.3f}; "
        f"file included: wall x {whole[0]:.3f}, CPU x {whole[1]:.3f}; close {rate:,.0f} decisions per CPU second",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=7)
    pairs = parser.parse_args().pairs
    from mlx_drmario.rl.player import NetworkPolicy
    from mlx_drmario.rl.ppo.config import PPORunConfig
    from mlx_drmario.rl.ppo.learner import Learner
    from mlx_drmario.rl.ppo.train import resolve

    compare("random legal", RandomLegal(), 64, 800, pairs)
    compare("random legal", RandomLegal(), 256, 200, pairs)
    with Learner(resolve(PPORunConfig())) as learner:
        compare("default network", NetworkPolicy(learner.model), 64, 150, pairs)


if __name__ == "__main__":
    main()
