"""Several at once: shards in threads of one process, and processes of one run (`mlx.launch`).

What travels between processes is exact: arrays go as bytes in the order of the ranks, and a sum of two processes has
one order. So two processes with one shard each compute, bit for bit, what one process computes with two shards.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import pickle
import shutil
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic, Self, TypeVar

import mlx.core as mx
import numpy as np
from mlx.utils import tree_flatten, tree_map, tree_unflatten

Shard = TypeVar("Shard")
Result = TypeVar("Result")


class ShardThreads(Generic[Shard]):
    """The shards of this process; the first works in the caller's thread, every other one in a thread of its own.

    On a CPU the matrix products of one MLX stream use one core, and every thread has its own stream. A compiled
    function belongs to the thread that traced it, so a shard always works in the same one.
    """

    def __init__(self, shards: Sequence[Shard]) -> None:
        self.shards = list(shards)
        self._threads = [ThreadPoolExecutor(1, thread_name_prefix="shard") for _ in self.shards[1:]]

    def map(self, work: Callable[..., Result], *inputs: Sequence[Any]) -> list[Result]:
        """work(shard, *its inputs) for every shard, at the same time; MLX arrays that it returns must be evaluated."""
        first, *others = zip(self.shards, *inputs, strict=True)
        pending = [thread.submit(work, *given) for thread, given in zip(self._threads, others, strict=True)]
        return [work(*first), *(future.result() for future in pending)]

    def close(self) -> None:
        """End the threads. Without this MLX (0.32) may abort at exit, when their streams outlive them."""
        for thread in self._threads:
            thread.submit(mx.clear_streams).result()
            thread.shutdown()
        self._threads = []


class OwnsShards(Generic[Shard]):
    """A context manager whose `shards` end with it."""

    shards: ShardThreads[Shard]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.shards.close()


class ProcessGroup:
    """This process's place among the processes of a run. Every method must be called by all of them."""

    def __init__(self, group: mx.distributed.Group | None = None) -> None:
        """Join as `group` says; None is a process on its own."""
        self._group = group
        self.rank = group.rank() if group else 0
        self.size = group.size() if group else 1

    @classmethod
    def join(cls) -> ProcessGroup:
        """Find the other processes by what `mlx.launch` put into the environment."""
        group = cls(mx.distributed.init())
        if group.size > 1:
            use_private_temporary_directory()
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

    def gather_objects(self, objects: Sequence[Any]) -> list[Any]:
        """The objects of all processes, by rank; each gives as many. They are pickled only if they have to travel."""
        if self.size == 1:
            return list(objects)
        rows = [pickle.dumps(each) for each in objects]
        lengths = self.gather([np.array(len(row)) for row in rows])
        longest = int(lengths.max())
        padded = self.gather([np.frombuffer(row.ljust(longest, b"\0"), np.uint8) for row in rows])
        return [pickle.loads(row[:length].tobytes()) for row, length in zip(padded, lengths, strict=True)]

    def any(self, *flags: bool) -> tuple[bool, ...]:
        """For every flag, whether it is set in some process."""
        return tuple(bool(column.any()) for column in self.gather([np.array(flags)]).T)

    def sum(self, tree: Any) -> Any:
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
        (failed,) = self.any(failure is not None)
        if failure is not None:
            raise failure
        if failed:
            raise ValueError("the first process could not start the run; its message says why")


def use_private_temporary_directory() -> None:
    """Give this process a temporary directory of its own for as long as it lives.

    On a CPU MLX compiles kernels into the temporary directory, under names that processes would share, and one could
    load what another is still writing.
    """
    private = tempfile.mkdtemp(prefix="mlx_drmario-")
    atexit.register(shutil.rmtree, private, ignore_errors=True)
    os.environ["TMPDIR"] = private


def sum_in_pairs(parts: list[Any]) -> Any:
    """Sum of trees as (a + b) + (c + d): what two processes with half of them each add up to. Evaluated.

    The result lies row by row in memory, as sums over processes do: the order in which a norm is summed follows the
    layout.
    """
    while len(parts) > 1:
        pairs = [tree_map(lambda a, b: a + b, *parts[i : i + 2]) for i in range(0, len(parts) - 1, 2)]
        parts = pairs + parts[2 * len(pairs) :]
    total = tree_map(mx.contiguous, parts[0])
    mx.eval(total)
    return total
