"""What a recording costs: the same games with and without `Capture`, in turns, in one process.

    python scripts/capture_cost.py [--pairs 7]

Random legal placements of 64 and of 256 games, and an untrained default network. Prints processor time per decision:
of the playing thread without a recording; what a recording adds to it, which the games wait for; what the thread behind
it takes beside that, and `close`, which makes the file. Games with and without take turns of ten steps, which evens out
what else the machine does. The ratio of wall times is that of whole games, for an idle machine.
"""

import argparse
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import mlx_drmario as dm
from mlx_drmario.evaluate import Policy, choose
from mlx_drmario.traces.capture import Capture


class RandomLegal:
    """The policy that costs least."""

    def act(self, view: dm.PublicView) -> np.ndarray:
        return view.sample_legal(0)


def play(policy: Policy, games: int, steps: int, seed: int, capture: Capture | None) -> Iterator[None]:
    """Level 5, HI, ended games restarted; one engine thread. Yields after every ten steps."""
    rng = np.random.default_rng(seed)
    batch = dm.Decisions(num_envs=games, threads=1)
    batch.reset(5, 2, rng.integers(2, 65536, games))
    for step in range(steps):
        if batch.ended.any():
            batch.reset(5, 2, rng.integers(2, 65536, games), 0, batch.ended.copy())
        action, log_prob, value = choose(policy, batch.view)
        if capture is not None:
            capture.before_step(batch, action, log_prob, value)
        batch.step(action)
        if capture is not None:
            capture.after_step(batch)
        if step % 10 == 9:
            yield


def in_turns(policy: Policy, games: int, steps: int, seed: int) -> tuple[float, float, float, float]:
    """Processor seconds: of the player alone and recorded, of the thread behind, of all threads in `close`."""
    spent = [0.0, 0.0]
    with tempfile.TemporaryDirectory() as folder:
        capture = Capture(Path(folder))
        players = play(policy, games, steps, seed, None), play(policy, games, steps, seed, capture)
        for turn in range(steps // 10):
            for which in (0, 1) if turn % 2 else (1, 0):
                begin = time.thread_time()
                next(players[which])
                spent[which] += time.thread_time() - begin
        capture.flush()
        behind, end = capture.rows_thread.submit(time.thread_time).result(), time.process_time()
        capture.close()
        return spent[0], spent[1], behind, time.process_time() - end


def wall_ratio(policy: Policy, games: int, steps: int, seed: int) -> float:
    """Whole games, one after the other."""
    seconds = []
    with tempfile.TemporaryDirectory() as folder, Capture(Path(folder)) as capture:
        for recorder in (None, capture):
            begin = time.perf_counter()
            deque(play(policy, games, steps, seed, recorder), maxlen=0)
            seconds.append(time.perf_counter() - begin)
    return seconds[1] / seconds[0]


def compare(name: str, policy: Policy, games: int, steps: int, pairs: int) -> None:
    """Print the medians over the pairs."""
    deque(play(policy, games, 10, 0, None), maxlen=0)  # warm up
    measured = np.array([in_turns(policy, games, steps, seed) for seed in range(pairs)])
    alone, player, behind, close = np.median(measured, axis=0) / (games * steps) * 1e6
    added = np.median(measured[:, 1] / measured[:, 0]) - 1
    wall = np.median([wall_ratio(policy, games, steps, seed) for seed in range(pairs)])
    print(
        f"{name}, {games} games: {alone:.2f} us; recorded {player - alone:+.2f} us ({added:+.1%}), "
        f"{behind:.2f} us behind, {close:.2f} us to close; "
        f"{1e6 / (behind + close):,.0f} decisions per CPU second written; wall x {wall:.3f}",
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
