"""Where recordings begin, whose they are, and what their files are called."""

import copy
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import mlx_drmario as dm
from mlx_drmario.cli import main
from mlx_drmario.traces import replay, storage
from mlx_drmario.traces.capture import Capture, FrameCapture
from mlx_drmario.traces.games import problems
from tests.traces.conftest import refused_in_a_fork


def leave_alone(games: dm.Decisions) -> None:
    pass


def go_back(games: dm.Decisions) -> None:
    games.load(games.save())


def go_on(games: dm.Decisions) -> None:
    games.step(games.sample_legal(99))


@pytest.mark.parametrize("meanwhile", [leave_alone, go_back, go_on])
def test_rounds_that_are_under_way_replay(meanwhile: Callable[[dm.Decisions], None], tmp_path: Path) -> None:
    """A recording that begins between a player's decision and its lock does not know that decision."""
    games = dm.Decisions(num_envs=8, players=2, threads=1)
    games.reset(5, 2, 40 + 2 * np.arange(8))
    for step in range(7):
        games.step(games.sample_legal(step))
    with Capture(tmp_path, name="m") as capture:
        for step in range(100, 160):
            if step == 130:
                meanwhile(games)
            action = games.sample_legal(step)
            capture.before_step(games, action, None, None)
            games.step(action)
            capture.after_step(games)
    (path,) = capture.files()
    recorded = storage.read(path)
    assert problems(recorded) == [] and replay.verify(recorded) == []
    assert len(recorded) >= 8 and recorded.episode["custom"].all()


def frame_capture(path: Path) -> tuple[dm.Batch, FrameCapture]:
    batch = dm.Batch(num_envs=1, threads=1)
    batch.reset(0, 2, 9)
    return batch, FrameCapture(path, batch)


FRAMES = np.zeros((600, 1, 1), np.uint8)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_leaves_a_recording_of_frames_alone(tmp_path: Path) -> None:
    path = tmp_path / "game.dmtrace.h5"
    _, capture = frame_capture(path)
    capture.run(FRAMES)
    assert refused_in_a_fork(lambda: capture.run(FRAMES), capture.close, capture.writer.close) == 3
    capture.run(FRAMES)
    assert capture.close() == 1 and len(storage.read(path).buttons) == 1200


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda made: pickle.loads(pickle.dumps(made))])
def test_a_recording_of_frames_has_no_copies(copied: Callable[[object], object], tmp_path: Path) -> None:
    _, capture = frame_capture(tmp_path / "game.dmtrace.h5")
    with pytest.raises(TypeError, match="cannot be copied or pickled"):
        copied(capture)
    capture.run(FRAMES)
    assert capture.close() == 1


def test_files_of_any_name_are_found_in_order(tmp_path: Path) -> None:
    name = "run[1]"
    for part in ("00-0002", "00-0001", "00.10-0001", "00.2-0001"):
        (tmp_path / f"{name}-{part}.dmtrace.h5").touch()
    (tmp_path / "run1-00-0001.dmtrace.h5").touch()  # what [1] would match
    with Capture(tmp_path, name=name) as capture:
        pass
    found = [path.name.removeprefix(f"{name}-").removesuffix(".dmtrace.h5") for path in capture.files()]
    assert found == ["00-0001", "00-0002", "00.2-0001", "00.10-0001"]


def test_a_run_may_hold_its_own_recording(tmp_path: Path) -> None:
    """And one that takes its place."""
    small = (
        "--env.num-envs 8 --ppo.horizon 4 --ppo.minibatch 16 --ppo.epochs 1 --net.width 8 --best.games 0 --no-compile"
    )
    run = tmp_path / "run"
    for more in ((), ("--overwrite",)):
        arguments = ["train", "level0", *small.split(), "--no-compile", "--decisions", "64", "--out", str(run), *more]
        assert main([*arguments, "--capture", str(run / "traces")]) == 0
        assert sum(storage.read(path).rows for path in (run / "traces").iterdir()) == 64


def test_a_capture_directory_that_cannot_be_made_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"directory is .*file/traces"):
        Capture(tmp_path / "file" / "traces")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
