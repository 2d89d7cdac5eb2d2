"""Objects survive what Python users do: several threads on one, fork, pickle, any integer array, a refused thread.

A storm cannot know who goes first, so what it checks is what must hold whoever does: no crash, no hang, and a state
that a fresh object accepts and plays on from.
"""

import copy
import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import mlx_drmario as dm

from ..cpp import run

LIMIT = 60.0
"""Seconds after which something hangs: fifty times what is needed."""


def storm(work: Callable[[int], None], threads: int) -> None:
    """Let `threads` threads do work(index) at the same time; raises what the first of them raised."""
    errors: list[BaseException] = []
    barrier = threading.Barrier(threads)

    def run(index: int) -> None:
        try:
            barrier.wait()
            work(index)
        except Exception as error:
            errors.append(error)

    crew = [threading.Thread(target=run, args=(index,), daemon=True) for index in range(threads)]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join(LIMIT)
        assert not thread.is_alive(), "a thread hangs"
    if errors:
        raise errors[0]


@pytest.mark.parametrize("threads", [2, 6])
@pytest.mark.parametrize("players", [1, 2])
def test_a_batch_in_several_threads(threads: int, players: int) -> None:
    batch = dm.Batch(num_envs=33, players=players, threads=2)
    snapshot = batch.save()

    def work(index: int) -> None:
        rng = np.random.default_rng(index)
        for _ in range(15):
            batch.run(rng.integers(0, 16, (40, 33, players)), record=("p1_bottle",))
            batch.step(rng.integers(0, 16, (33, players)))
            batch.observe(), batch.digest(), batch.events.copy()
            if index == 0:
                batch.load(snapshot)
            batch.reset(3, 2, rng.integers(2, 65536, 33), mask=rng.random(33) < 0.2)

    storm(work, threads)
    other = dm.Batch(num_envs=33, players=players)
    other.load(batch.save())
    buttons = np.zeros((100, 33, players), np.uint8)
    batch.run(buttons)
    other.run(buttons)
    assert batch.save() == other.save()


@pytest.mark.parametrize("threads", [2, 6])
@pytest.mark.parametrize("players", [1, 2])
def test_decisions_in_several_threads(threads: int, players: int) -> None:
    games = dm.Decisions(num_envs=9, players=players, threads=2, max_decisions=30)
    snapshot = games.save()

    def work(index: int) -> None:
        rng = np.random.default_rng(index)
        for turn in range(20):
            try:
                games.step(games.sample_legal(turn))
            except ValueError as error:  # another thread moved the games in between
                assert "allowed are the legal actions" in str(error)
            games.afterstates(), games.digest(), games.planes.copy()
            if turn % 7 == index:
                games.load(snapshot)
            games.reset(3, 2, rng.integers(2, 65536, 9), mask=games.ended.copy())

    storm(work, threads)
    other = dm.Decisions(num_envs=9, players=players, max_decisions=30)
    other.load(games.save())
    for turn in range(5):
        action = games.sample_legal(turn)
        games.step(action)
        other.step(action)
    assert games.save() == other.save()


def test_actions_rewritten_during_a_step_are_the_ones_checked() -> None:
    """The array is copied before it is checked, so whoever rewrites it meanwhile cannot smuggle in an illegal one."""
    games = dm.Decisions(num_envs=64, threads=2)
    actions = np.zeros(64, np.int32)
    stop = threading.Event()

    def scribble() -> None:
        while not stop.is_set():
            actions[:] = 10_000
            actions[:] = games.sample_legal(1)

    scribbler = threading.Thread(target=scribble, daemon=True)
    scribbler.start()
    for _ in range(200):
        try:
            games.step(actions)
        except ValueError as error:
            assert "allowed are the legal actions" in str(error)
        if games.ended.any():
            games.reset(0, 2, 0x8988, mask=games.ended.copy())
    stop.set()
    scribbler.join(LIMIT)
    dm.Decisions(num_envs=64).load(games.save())


def _child(games: Any, queue: Any) -> None:
    games.step(games.sample_legal(0)) if isinstance(games, dm.Decisions) else games.run(np.zeros((9, 64, 1), int))
    queue.put(games.digest().tolist())


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
@pytest.mark.parametrize("kind", [dm.Batch, dm.Decisions])
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # Python 3.12 warns about every fork with threads
def test_a_forked_child_uses_an_inherited_object(kind: type) -> None:
    games = kind(num_envs=64, threads=4)
    parent_first = copy.deepcopy(games)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_child, args=(games, queue))
    child.start()
    try:
        digest = queue.get(timeout=LIMIT)
        child.join(LIMIT)
        assert child.exitcode == 0
    finally:
        child.kill()  # one that hangs would be waited for at exit
    expected: Any = queue_of_one()
    _child(parent_first, expected)
    assert digest == expected.value
    _child(games, expected)  # and the parent still works
    assert digest == expected.value


class queue_of_one:
    def put(self, value: list[int]) -> None:
        self.value = value


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs RLIMIT_NPROC or RLIMIT_AS to bite")
def test_threads_that_cannot_be_started_are_an_error() -> None:
    """Under a limit on memory the stacks of a thousand threads do not fit: RuntimeError, and the process goes on."""
    program = (
        "import resource, mlx_drmario as dm\n"
        "resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))\n"
        "try:\n"
        "    dm.Batch(num_envs=1, threads=1024)\n"
        "except RuntimeError as error:\n"
        "    print('refused:', error)\n"
        "dm.Batch(num_envs=8, threads=2).run([[[0]] * 8])\n"
        "print('alive')\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=LIMIT, env=os.environ, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("refused:") and result.stdout.endswith("alive\n")


@pytest.mark.parametrize("players", [1, 2])
def test_pickle_and_deepcopy(players: int) -> None:
    games = dm.Decisions(num_envs=3, planes="extended", max_decisions=9, players=players, threads=1)
    games.reset(4, 1, [5, 6, 7])
    games.step(games.sample_legal(3))
    batch = dm.Batch(num_envs=3, players=players)
    batch.run(np.full((50, 3, players), 4))
    for original in (games, batch):
        for twin in (pickle.loads(pickle.dumps(original)), copy.deepcopy(original)):
            assert twin.save() == original.save() and twin.threads == original.threads
    twin = copy.deepcopy(games)
    for turn in range(9):
        for each in (games, twin):
            each.step(each.sample_legal(turn))
    assert games.save() == twin.save() and games.truncated.tolist() == twin.truncated.tolist()
    np.testing.assert_array_equal(games.planes, twin.planes)


@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="counts threads as Linux tells them")
@pytest.mark.parametrize("kind", [dm.Batch, dm.Decisions])
def test_what_could_not_be_unpickled_leaves_no_threads(kind: type) -> None:
    state = list(kind(num_envs=2, threads=1).__getstate__())
    state[2], blob = 8, state[-1]
    state[-1] = blob[:-1] + bytes([blob[-1] ^ 1])
    before = len(os.listdir("/proc/self/task"))
    for _ in range(3):
        games = kind.__new__(kind)
        with pytest.raises(ValueError, match="damaged"):
            games.__setstate__(tuple(state))
    del games
    assert len(os.listdir("/proc/self/task")) == before


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.int32, np.int64, np.uint64, list])
def test_integers_of_every_width(dtype: Any) -> None:
    def cast(values: np.ndarray) -> Any:
        return values.tolist() if dtype is list else values.astype(dtype)

    batch, twin = dm.Batch(num_envs=2), dm.Batch(num_envs=2)
    buttons = np.array([[4], [65]])
    batch.step(cast(buttons))
    twin.step(buttons.astype(np.uint8))
    assert batch.save() == twin.save()
    bottle = np.full((1, 16, 8), 0xFF)
    if dtype is not np.int8:
        frames = dm.reach(cast(bottle), cast(np.array([[0, 1]])), 0, 2, 0)
        np.testing.assert_array_equal(frames, dm.reach(bottle.reshape(1, 128), [[0, 1]], [0], [2], [0]))
        action = int(np.argmin(frames[0]))
        script = dm.script(cast(bottle[0]), [0, 1], 0, 2, 0, action)
        assert len(script) == frames[0, action]
    games = dm.Decisions(num_envs=2)
    legal = [int(np.argmax(row[:100])) for row in games.legal]
    games.step(cast(np.array(legal)))
    assert games.tau.all()


def test_snapshots_load_from_any_buffer() -> None:
    games = dm.Decisions(num_envs=2)
    blob = games.save()
    for buffer in (bytearray(blob), memoryview(blob), np.frombuffer(blob, np.uint8)):
        games.load(buffer)
        assert games.save() == blob


@pytest.mark.parametrize("callers", [2, 6])
def test_threads_of_the_core_take_turns(callers: int) -> None:
    """The storm that `make tsan` runs under ThreadSanitizer."""
    assert run("threads", callers, 400) == f"{callers} callers, 400 calls each\n"
