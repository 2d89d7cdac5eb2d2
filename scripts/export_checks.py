"""Writes what this machine computes for the golden recordings and the perft positions to one binary file, which
tests/engine/replay.cpp checks on another platform (cross-compiled, under an emulator, with another compiler).

    python scripts/export_checks.py build/checks.bin

Layout, little-endian: u32 games, then per game: state bytes, u32 frames, u8[frames][2] buttons, u64 digest of the last
state; then u32 positions, per position: state bytes, u32 depth, u64 nodes, u64 frames.
"""

import argparse
import struct
import sys
from pathlib import Path

import numpy as np

import mlx_drmario as dm
from mlx_drmario import positions

sys.path.insert(0, str(Path(__file__).parent.parent))
from tests.golden.recordings import recordings


def raw(snapshot: bytes) -> bytes:
    """The state bytes of a snapshot of one game, without its header line and its checksum."""
    return snapshot[snapshot.index(b"\n") + 1 : -8]


def golden(folder: Path) -> bytes:
    """Every recorded game: first state, buttons, digest of the last state."""
    games = []
    for path in sorted(folder.glob("*.npz")):
        if path.stem in ("level_init", "demo"):
            continue
        for recording in recordings(path):
            batch = dm.Batch(num_envs=1, players=recording.players, threads=1)
            batch.set_state(recording.initial_state(batch), recording.reserve[None])
            start = raw(batch.save())
            buttons = recording.buttons()
            batch.run(buttons)
            pads = np.zeros((len(buttons), 2), np.uint8)
            pads[:, : recording.players] = buttons[:, 0]
            games.append(start + struct.pack("<I", len(pads)) + pads.tobytes() + struct.pack("<Q", batch.digest()[0]))
    return struct.pack("<I", len(games)) + b"".join(games)


def perft(depth: int) -> bytes:
    """Every named position: state, depth, nodes, frames."""
    decisions = dm.Decisions(num_envs=1, threads=1)
    rows = []
    for position in positions.POSITIONS:
        decisions.reset(0, 2, 0x8988)
        state = decisions.state.copy()
        position.fill(state[0])
        decisions.set_state(state)
        nodes, frames = decisions.perft(depth)
        batch = dm.Batch(num_envs=1, threads=1)
        batch.set_state(state)
        rows.append(raw(batch.save()) + struct.pack("<IQQ", depth, nodes[0], frames[0]))
    return struct.pack("<I", len(rows)) + b"".join(rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("file", type=Path, help="binary file to write")
    parser.add_argument("recordings", type=Path, nargs="?", default=Path(__file__).parent.parent / "tests" / "golden")
    arguments = parser.parse_args()
    data = golden(arguments.recordings) + perft(3)
    arguments.file.write_bytes(data)
    print(f"{len(data):,} bytes")
