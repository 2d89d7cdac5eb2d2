"""A recording that dies: started by test_crash.py, which then looks at what is left.

    python crash_child.py DIRECTORY KILL_AT PART

Plays random games into small files. DIRECTORY/.. /counts holds two u64: rows handed to the recorder, rows flushed. The
process kills itself at system call number KILL_AT of those that change files (0: never), before it if PART is 0, after
half of its bytes if it is a write and PART is 1, after it if PART is 2.
"""

import os
import signal
import sys
from pathlib import Path

import numpy as np

import mlx_drmario as dm
from mlx_drmario.traces.capture import Capture

GAMES, STEPS, FILE_ROWS = 16, 120, 300


class Bomb:
    """Counts calls and kills the process at one of them."""

    def __init__(self, at: int, part: int) -> None:
        self.left, self.part = at, part

    def arm(self, name: str) -> None:
        real = getattr(os, name)

        def call(*args: object) -> object:
            self.left -= 1
            if self.left == 0 and self.part == 1 and name == "pwrite":
                data = memoryview(args[1])  # type: ignore[arg-type]
                real(args[0], data[: len(data) // 2], args[2])
            if self.left == 0 and self.part < 2:
                os.kill(os.getpid(), signal.SIGKILL)
            result = real(*args)
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        setattr(os, name, call)


def main(directory: Path, at: int, part: int) -> None:
    counts = np.memmap(directory.parent / "counts", np.uint64, "r+", shape=2)
    bomb = Bomb(at, part)
    for name in ("pwrite", "link", "unlink", "replace", "fsync"):
        bomb.arm(name)
    play = dm.Decisions(num_envs=GAMES, threads=1)
    rng = np.random.default_rng(0)
    play.reset(rng.integers(0, 21, GAMES), 2, rng.integers(2, 65536, GAMES))
    print("go", flush=True)
    with Capture(directory, name="x", file_rows=FILE_ROWS) as capture:
        for step in range(STEPS):
            if play.ended.any():
                play.reset(rng.integers(0, 21, GAMES), 2, rng.integers(2, 65536, GAMES), 0, play.ended.copy())
            action = play.sample_legal(step)
            capture.before_step(play, action, None, None)
            play.step(action)
            counts[0] += GAMES
            capture.after_step(play)
            next(iter(capture._parts.values())).writer.flush()
            counts[1] = counts[0]


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
