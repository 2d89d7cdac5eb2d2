"""Frame traces: the first state of N games and every button since, with digests to prove a replay.

File layout (HDF5): attributes `format`, `version`, `players`; `start` u8[N, S], the bytes of the first states;
`buttons` u8[T, N, P], chunked and compressed; `digest` u64[T / interval, N], the states' hashes after every `interval`
frames. A file is written under a temporary name and renamed when it is complete, so a name never holds half a trace.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import h5py
import numpy as np

from mlx_drmario._core import Batch

FORMAT, VERSION = "mlx_drmario.frames", 1
CHUNK_FRAMES = 4096
"""frames buffered before they are written; small writes are ten times slower"""


@dataclass(frozen=True)
class FrameTrace:
    """A trace in memory."""

    players: int
    interval: int
    """frames between two digests"""
    start: bytes
    """a snapshot of the batch before the first frame, as `Batch.save` returns it"""
    buttons: np.ndarray
    """u8[T, N, P]"""
    digest: np.ndarray
    """u64[T // interval, N]"""


class TraceWriter:
    """Records what is played on a batch; use as a context manager.

    >>> with TraceWriter(Path("game.h5"), batch) as trace:
    ...     trace.run(buttons)  # plays the frames on the batch and records them
    """

    def __init__(self, path: Path, batch: Batch, interval: int = 64) -> None:
        """Raises FileExistsError rather than replacing a trace, ValueError for an interval below 1."""
        if interval < 1:
            raise ValueError(f"interval is {interval}, allowed is 1 or more")
        if path.exists():
            raise FileExistsError(f"path is {path}, which exists; traces are never overwritten")
        self._path, self._batch, self._interval = path, batch, interval
        self._partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
        self._file = h5py.File(self._partial, "w")
        n, p = batch.num_envs, batch.players
        self._file.attrs.update(format=FORMAT, version=VERSION, players=p, interval=interval)
        self._file["start"] = np.frombuffer(batch.save(), np.uint8)
        options = {"chunks": (CHUNK_FRAMES, n, p), "compression": "lzf", "shuffle": True}
        self._file.create_dataset("buttons", (0, n, p), np.uint8, maxshape=(None, n, p), **options)
        self._file.create_dataset("digest", (0, n), np.uint64, maxshape=(None, n), chunks=(256, n))
        self._pending: list[np.ndarray] = []
        self._digests: list[np.ndarray] = []
        self._frames = 0

    def run(self, buttons: np.ndarray) -> None:
        """Plays u8[T, N, P] on the batch and records it. Raises as `Batch.run` does."""
        at = 0
        while at < len(buttons):
            until = at + self._interval - self._frames % self._interval
            part = np.ascontiguousarray(buttons[at:until])
            self._batch.run(part)
            self._pending.append(part.copy())
            self._frames += len(part)
            if self._frames % self._interval == 0:
                self._digests.append(self._batch.digest())
            at += len(part)
            if sum(map(len, self._pending)) >= CHUNK_FRAMES:
                self._flush()

    def _flush(self) -> None:
        for name, rows in (("buttons", self._pending), ("digest", [d[None] for d in self._digests])):
            if rows:
                block = np.concatenate(rows)
                dataset = self._file[name]
                dataset.resize(len(dataset) + len(block), axis=0)
                dataset[-len(block) :] = block
        self._pending.clear()
        self._digests.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Completes the file; after an exception too, for what was played up to it is a valid trace."""
        self._flush()
        self._file.flush()
        self._file.close()
        with open(self._partial, "rb") as file:
            os.fsync(file.fileno())
        self._partial.rename(self._path)


def read(path: Path) -> FrameTrace:
    """Loads a trace. Raises FileNotFoundError, or ValueError when the file is not one."""
    if not path.is_file():
        raise FileNotFoundError(f"path is {path}, which does not exist")
    if not h5py.is_hdf5(path):
        raise ValueError(f"path is {path}, which is not an HDF5 file")
    with h5py.File(path, "r") as file:
        if file.attrs.get("format") != FORMAT or file.attrs.get("version") != VERSION:
            raise ValueError(f"path is {path}, which is not a {FORMAT} file of version {VERSION}")
        return FrameTrace(
            int(file.attrs["players"]),
            int(file.attrs["interval"]),
            file["start"][:].tobytes(),
            file["buttons"][:],
            file["digest"][:],
        )


def replay(trace: FrameTrace) -> Batch:
    """Plays a trace again and returns the batch at its end. ValueError at the first state that differs."""
    batch = Batch(num_envs=trace.buttons.shape[1], players=trace.players)
    batch.load(trace.start)
    for i in range(0, len(trace.buttons), trace.interval):
        part = trace.buttons[i : i + trace.interval]
        batch.run(part)
        if len(part) == trace.interval:
            differs = np.flatnonzero(batch.digest() != trace.digest[i // trace.interval])
            if len(differs):
                raise ValueError(f"game {differs[0]} differs after frame {i + trace.interval}: not the same engine")
    return batch
