"""However a recording is closed, it is whole: interrupted anywhere, by several threads, after a full disk."""

import resource
import sys
import threading
from itertools import count
from pathlib import Path

import numpy as np
import pytest

import mlx_drmario as dm
from mlx_drmario.traces import replay, storage
from mlx_drmario.traces.capture import Capture
from mlx_drmario.traces.games import problems
from tests.interrupted import interrupted_at


def play(capture: Capture, games: dm.Decisions, turn: int) -> int:
    """One step and what follows; the decisions made."""
    action, due = games.sample_legal(turn), int(games.to_act.sum())
    capture.before_step(games, action, None, None)
    games.step(action)
    capture.after_step(games)
    games.reset(5, 2, np.arange(2, 2 + games.num_envs), mask=games.ended)
    return due


def started(players: int = 1) -> dm.Decisions:
    games = dm.Decisions(64, players=players, threads=1)
    games.reset(5, 2, np.arange(2, 66))
    return games


def whole(capture: Capture, folder: Path) -> int:
    """Decisions on record; all that is in the folder are files that replay."""
    files = capture.files()
    assert sorted(files) == sorted(folder.iterdir())
    read = [storage.read(file) for file in files]
    assert all(problems(games) == [] and replay.verify(games) == [] for games in read)
    return sum(games.rows for games in read)


def test_an_interruption_anywhere_in_closing_loses_nothing(tmp_path: Path) -> None:
    """Closed again, a recording is whole. No signal comes where a lock is given back."""
    for line in count():
        games, folder = dm.Decisions(2, threads=1), tmp_path / str(line)
        games.reset(0, 2, [2, 3])
        capture, interrupted = Capture(folder), False
        made = sum(play(capture, games, turn) for turn in range(3))
        try:
            with interrupted_at(line, ("capture.py", "behind.py"), but="with self._lock"):
                capture.close()
        except KeyboardInterrupt:
            interrupted = True
        again = threading.Thread(target=capture.close, daemon=True)
        again.start()
        again.join(20)
        assert not again.is_alive(), line
        assert whole(capture, folder) == made == 6, line
        if line and not interrupted:
            break
    assert line > 25


@pytest.mark.parametrize("players", [1, 2])
def test_a_disk_that_was_full_for_a_while_leaves_no_holes(players: int, tmp_path: Path) -> None:
    games, made, failures = started(players), 0, 0
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    capture = Capture(tmp_path)
    try:
        for turn in range(330):
            if turn == 80:
                resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, before[1]))
            if turn == 240:
                resource.setrlimit(resource.RLIMIT_FSIZE, before)
            try:
                made += play(capture, games, turn)
            except OSError:
                failures += 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    capture.close()
    assert failures > 0 and whole(capture, tmp_path) == made


def test_several_threads_may_close(tmp_path: Path) -> None:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for turn in range(20):
            games, folder = started(), tmp_path / str(turn)
            capture = Capture(folder)
            made = sum(play(capture, games, step) for step in range(4))
            threads = [threading.Thread(target=capture.close) for _ in range(3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
            assert not any(thread.is_alive() for thread in threads)
            assert whole(capture, folder) == made
    finally:
        sys.setswitchinterval(before)


def test_who_plays_while_another_thread_closes_is_told(tmp_path: Path) -> None:
    games, told, begun = started(), [], threading.Event()
    capture = Capture(tmp_path, file_rows=2000)

    def player() -> None:
        for turn in range(100_000):
            try:
                play(capture, games, turn)
            except ValueError as error:
                told.append(str(error))
                return
            if turn == 60:
                begun.set()

    thread = threading.Thread(target=player)
    thread.start()
    begun.wait()
    capture.close()
    thread.join(60)
    assert not thread.is_alive() and len(told) == 1
    assert "is closed" in told[0] or "has ended" in told[0]
    assert whole(capture, tmp_path) > 2000
