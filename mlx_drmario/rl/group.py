"""The processes that train one run together (`mlx.launch`); a run started plainly is a group of one.

What travels is exact: arrays go as bytes in the order of the ranks, and a sum of two processes has one order. So two
processes with one shard each compute, bit for bit, what one process computes with two shards.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
from mlx.utils import tree_flatten, tree_unflatten


class Group:
    """This process's place among the processes of a run. Every method must be called by all of them."""

    def __init__(self, group: mx.distributed.Group | None = None) -> None:
        """Join as `group` says; None is a process on its own."""
        self._group = group
        self.rank = group.rank() if group else 0
        self.size = group.size() if group else 1

    @classmethod
    def join(cls) -> Group:
        """Find the other processes by what `mlx.launch` put into the environment.

        Each gets a temporary directory of its own: on a CPU MLX compiles kernels into it, under names that processes
        would share, and one could load what another is still writing.
        """
        group = cls(mx.distributed.init())
        if group.size > 1:
            scratch = Path(tempfile.gettempdir()) / f"mlx_drmario-rank{group.rank}"
            scratch.mkdir(exist_ok=True)
            os.environ["TMPDIR"] = str(scratch)
        return group

    @property
    def first(self) -> bool:
        """True in the one process that writes files and shows progress."""
        return self.rank == 0

    def gather(self, rows: Sequence[np.ndarray]) -> np.ndarray:
        """Stack the equally shaped `rows` of all processes, by rank: [size * len(rows), ...], any dtype."""
        mine = np.stack(rows)
        if self.size == 1:
            return mine
        sent = mx.array(np.frombuffer(mine.tobytes(), np.uint8))
        received = mx.distributed.all_gather(sent, group=self._group, stream=mx.cpu)
        everything = np.frombuffer(np.asarray(received).tobytes(), mine.dtype)
        return everything.reshape(self.size * len(rows), *mine.shape[1:]).copy()

    def gather_bytes(self, rows: Sequence[bytes]) -> list[bytes]:
        """The byte strings of all processes, by rank; lengths may differ, every process gives as many."""
        if self.size == 1:
            return list(rows)
        lengths = self.gather([np.array(len(row)) for row in rows])
        longest = int(lengths.max())
        padded = self.gather([np.frombuffer(row.ljust(longest, b"\0"), np.uint8) for row in rows])
        return [row[:length].tobytes() for row, length in zip(padded, lengths, strict=True)]

    def add(self, tree: Any) -> Any:
        """The sum over all processes of a tree of evaluated f32 arrays, evaluated; sent as one message."""
        if self.size == 1:
            return tree
        leaves: list[tuple[str, Any]] = list(tree_flatten(tree))  # type: ignore[arg-type]
        flat = mx.concatenate([leaf.reshape(-1) for _, leaf in leaves])
        total = mx.distributed.all_sum(flat, group=self._group, stream=mx.cpu)
        parts = mx.split(total, np.cumsum([leaf.size for _, leaf in leaves])[:-1].tolist())
        summed = [(name, part.reshape(leaf.shape)) for (name, leaf), part in zip(leaves, parts, strict=True)]
        mx.eval([part for _, part in summed])
        return tree_unflatten(summed)

    def agree(self, *facts: object) -> None:
        """Raise ValueError in every process unless all call this with the same facts (compared by their text)."""
        digest = np.frombuffer(hashlib.sha256(repr(facts).encode()).digest(), np.uint8)
        if (self.gather([digest]) != digest).any():
            raise ValueError("the processes must train the same run: settings, checkpoint or weights differ among them")

    def on_first(self, action: Callable[[], object]) -> None:
        """Let the first process do something; when that fails, raise its error there and ValueError elsewhere."""
        failure: ValueError | OSError | None = None
        if self.first:
            try:
                action()
            except (ValueError, OSError) as error:
                failure = error
        failed = self.gather([np.array(failure is not None)])[0]
        if failure is not None:
            raise failure
        if failed:
            raise ValueError("the first process could not start the run; its message says why")
