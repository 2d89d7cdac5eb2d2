"""The signature of the engine: perft counts of the named positions and one digest of a long trajectory.

A change that alters any of these numbers alters the game, the planner or the decision loop, and must say why; the
committed values are in tests/signature.json.
"""

import math
from typing import Any

import numpy as np

from mlx_drmario import seeds
from mlx_drmario._core import Batch, Decisions
from mlx_drmario.positions import POSITIONS

TRAJECTORY_FRAMES = 1_000_000


def perft(depth: int, threads: int = 0) -> dict[str, list[int]]:
    """Name -> [nodes, sum of frames_to_lock] of every named position at `depth` (1 to 8) placements."""
    decisions = Decisions(num_envs=len(POSITIONS), threads=threads)
    decisions.reset(0, 2, 0x8988)
    state = decisions.state.copy()
    for record, position in zip(state, POSITIONS, strict=True):
        position.fill(record)
    decisions.set_state(state)
    nodes, frames = decisions.perft(depth)
    return {p.name: [int(n), int(f)] for p, n, f in zip(POSITIONS, nodes, frames, strict=True)}


def trajectory() -> str:
    """Hash of the states after a million frames: 200 games of 5,000 frames, one- and two-player, all levels and speeds.

    The buttons come from the game's own RNG, held for four frames at a time, so that no library's generator matters.
    """
    frames, games = TRAJECTORY_FRAMES // 200, 100
    digests = []
    drawn = 0
    for players in (1, 2):
        batch = Batch(num_envs=games, players=players)
        index = np.arange(games)
        batch.reset(index % 21, index % 3, 0x1000 + 37 * index, index)
        shape = (frames // 4, games, players)
        words = seeds.orbit()[(drawn + 1 + np.arange(math.prod(shape))) % seeds.PERIOD]
        drawn += len(words)
        held = np.array((0, 1, 2, 4, 4, 0x40, 0x80, 0x82), np.uint8)[words >> 5 & 7].reshape(shape)
        batch.run(held.repeat(4, axis=0))
        digests.append(batch.digest())
    total = 0
    for digest in np.concatenate(digests).tolist():
        total = (total * 0x100000001B3 ^ digest) % 2**64
    return f"{total:016x}"


def signature(depth: int) -> dict[str, Any]:
    """Everything: {"depth", "perft", "nodes", "frames", "trajectory"}."""
    counts = perft(depth)
    return {
        "depth": depth,
        "perft": counts,
        "nodes": sum(nodes for nodes, _ in counts.values()),
        "frames": sum(frames for _, frames in counts.values()),
        "trajectory": trajectory(),
    }
