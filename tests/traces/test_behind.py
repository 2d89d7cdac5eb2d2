"""The threads behind a recording: their errors are raised in front, and the playing thread can be interrupted."""

import contextlib
import pickle
import threading
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import mlx_drmario as dm
from mlx_drmario._core import LogBlock
from mlx_drmario.traces import replay, storage
from mlx_drmario.traces.capture import QUEUE, Capture
from mlx_drmario.traces.games import problems
from mlx_drmario.traces.recorder import Recorder
from tests.interrupted import interrupted_at
from tests.traces.conftest import refused_in_a_fork
from tests.traces.crash_child import GAMES
from tests.traces.test_crash import play_on


@pytest.mark.parametrize("call", ["before_step", "after_step"])
def test_ctrl_c_anywhere_in_the_playing_thread(tmp_path: Path, call: str) -> None:
    """KeyboardInterrupt at each line of a recorder's call in turn: whole steps are kept, and nothing is there twice."""
    play = dm.Decisions(num_envs=GAMES, threads=1)
    play.reset(20, 2, np.arange(6, 6 + 2 * GAMES, 2))
    interrupts = lost = rows = 0
    with pytest.MonkeyPatch.context() as patch, Capture(tmp_path, name="x") as capture:
        patch.setattr("mlx_drmario.traces.capture.BLOCK_ROWS", 3 * GAMES)
        for line in range(1, 100):
            for step in range(2):  # one that may be interrupted, one that is not
                action, due, before = play.sample_legal(line), int(play.to_act.sum()), interrupts
                for name in ("before_step", "after_step"):
                    try:
                        with interrupted_at(line if call == name and step == 0 else 0):
                            getattr(capture, name)(play, *((action, None, None) if name == "before_step" else ()))
                    except KeyboardInterrupt:
                        interrupts += 1
                    if name == "before_step":
                        play.step(action)  # also after an interrupted call: its copy must not count
                rows += due
                lost += due * (interrupts > before)
            if play.ended.any():
                play.reset(20, 2, np.arange(6, 6 + 2 * GAMES, 2) + 2 * GAMES * line, 0, play.ended.copy())
    games = storage.read(tmp_path / "x-00-0001.dmtrace.h5")
    assert interrupts > 3 and problems(games) == [] and replay.verify(games) == []
    assert games.rows == len(np.unique(games.decision["digest"]))
    assert rows - lost <= games.rows <= rows  # no more is lost than the steps that were interrupted


@pytest.mark.parametrize("steps", [2, 4 + QUEUE])
def test_what_fails_behind_is_raised_in_front(tmp_path: Path, steps: int) -> None:
    """By one of the next calls, or by `close` after the last; a file in the way, which the thread meets alone."""
    play = dm.Decisions(num_envs=GAMES, threads=1)
    play.reset(20, 2, np.arange(6, 6 + 2 * GAMES, 2))
    (tmp_path / "x-00-0002.dmtrace.h5").write_text("mine")
    errors = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mlx_drmario.traces.capture.BLOCK_ROWS", 1)  # a step is a block
        capture = Capture(tmp_path, name="x", file_rows=2 * GAMES)
        for step in range(steps):
            action = play.sample_legal(step)
            try:
                capture.before_step(play, action, None, None)
            except FileExistsError as error:
                errors.append(error)
            else:
                play.step(action)
                capture.after_step(play)
    if steps > 2:
        assert errors
        with contextlib.suppress(FileExistsError):  # what was played after it may have failed the same way
            capture.close()
    else:
        with pytest.raises(FileExistsError) as caught:
            capture.close()
        errors.append(caught.value)
    assert all("x-00-0002.dmtrace.h5, which exists" in str(error) for error in errors)
    games = storage.read(tmp_path / "x-00-0001.dmtrace.h5")
    assert games.rows >= 2 * GAMES and replay.verify(games) == []


def test_a_slow_disk_makes_the_player_wait(tmp_path: Path) -> None:
    """No more blocks of steps wait than may; each is taken once, in order."""
    play = dm.Decisions(num_envs=GAMES, threads=1)
    play.reset(20, 2, np.arange(6, 6 + 2 * GAMES, 2))
    handed = taken = 0
    real, tired = Recorder._record, threading.Event()

    def slow(self: Recorder, block: LogBlock) -> None:
        nonlocal taken
        taken += 1
        tired.wait(0.002)
        real(self, block)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mlx_drmario.traces.capture.BLOCK_ROWS", 1)  # a step is a block
        patch.setattr(Recorder, "_record", slow)
        with Capture(tmp_path, name="x") as capture:
            for step in range(60):
                action = play.sample_legal(step)
                capture.before_step(play, action, None, None)
                assert handed - taken <= QUEUE
                play.step(action)
                capture.after_step(play)
                handed += 1
                if play.ended.any():
                    play.reset(20, 2, np.arange(6, 6 + 2 * GAMES, 2) + step, 0, play.ended.copy())
    games = storage.read(tmp_path / "x-00-0001.dmtrace.h5")
    assert taken == handed == 60 and games.rows == 60 * GAMES and replay.verify(games) == []


def test_a_recording_belongs_to_one_process(tmp_path: Path) -> None:
    play = dm.Decisions(num_envs=2, threads=1)
    play.reset(3, 2, 40)
    with Capture(tmp_path, name="x") as capture:
        play_on(capture, play, 3)
        with pytest.raises(TypeError, match="cannot be copied or pickled"):
            pickle.dumps(capture)
        asked = partial(capture.before_step, play, play.sample_legal(0), None, None)
        assert refused_in_a_fork(capture.close, capture.flush, asked) == 3
        play_on(capture, play, 3)
    capture.close()
    with pytest.raises(ValueError, match="the recording x is closed"):
        capture.before_step(play, play.sample_legal(0), None, None)
    games = storage.read(tmp_path / "x-00-0001.dmtrace.h5")
    assert games.rows == 12 and replay.verify(games) == []
