"""Whatever ends a recording, everything that was flushed can be read and replays, and nothing is there twice."""

import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import mlx_drmario as dm
from mlx_drmario.traces import journal, replay, schema, storage, writer
from mlx_drmario.traces.capture import Capture, FrameCapture
from mlx_drmario.traces.games import join, problems
from mlx_drmario.traces.schema import UNFINISHED
from mlx_drmario.traces.writer import TraceWriter, journal_of, recover
from tests.traces.crash_child import FILE_ROWS, GAMES

CHILD = Path(__file__).parent / "crash_child.py"
ROOT = Path(__file__).parents[2]


def spawn(folder: Path, at: int, part: int) -> "subprocess.Popen[bytes]":
    folder.mkdir()
    np.zeros(2, np.uint64).tofile(folder / "counts")
    command = [sys.executable, str(CHILD), str(folder / "traces"), str(at), str(part)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)


def traces_in(directory: Path) -> list[Path]:
    """What a reader sees: files whose names are not hidden."""
    return sorted(path for path in directory.glob("*.dmtrace.h5") if not path.name.startswith("."))


def check(folder: Path) -> int:
    """What a killed recording left; returns the rows."""
    produced, flushed = np.fromfile(folder / "counts", np.uint64).tolist()
    directory = folder / "traces"
    if not directory.exists() or not (traces_in(directory) or any(directory.glob("x*.journal"))):
        assert flushed == 0
        return 0
    for path in traces_in(directory):
        assert problems(storage.read(path)) == []  # a name never holds half a file
    for path in sorted(directory.glob("x*.journal")):
        recover(path)
    assert not any(directory.glob("x*.journal"))
    parts = [storage.read(path) for path in traces_in(directory)]
    if not parts:
        assert flushed == 0
        return 0
    games = join(parts)
    assert flushed <= games.rows <= produced
    assert problems(games) == [] and replay.verify(games) == []
    assert len(np.unique(games.episode["content"], axis=0)) == len(games)
    return games.rows


def killed_at(folder: Path, at: int, part: int) -> bool:
    """Run the child until its bomb goes off; False when it had ended before."""
    process = spawn(folder, at, part)
    process.communicate()
    return process.returncode == -signal.SIGKILL


@pytest.mark.parametrize(("at", "part"), [(1, 2), (6, 1), (14, 0), (80, 1), (105, 0), (150, 1)])
def test_kill_at_a_system_call(tmp_path: Path, at: int, part: int) -> None:
    assert killed_at(tmp_path / "run", at, part)
    check(tmp_path / "run")


@pytest.mark.slow
def test_kill_at_every_kind_of_moment(tmp_path: Path) -> None:
    """160 chosen system calls (before, in the middle, after), then 60 random instants, also inside the HDF5 library."""
    rng = np.random.default_rng(1)
    trials = lost = 0
    for at in range(1, 320, 2):
        folder = tmp_path / f"call{at}"
        if killed_at(folder, at, at // 2 % 3):
            check(folder)
            trials += 1
    for trial in range(60):
        folder = tmp_path / f"random{trial}"
        process = spawn(folder, 0, 0)
        assert process.stdout is not None and process.stdout.readline() == b"go\n"
        time.sleep(rng.random() * 0.6)
        process.kill()
        process.communicate()
        check(folder)
        trials += 1
        lost += process.returncode == -signal.SIGKILL
    assert trials >= 200 and lost >= 30  # most random kills came before the end


def test_an_undisturbed_child_loses_nothing(tmp_path: Path) -> None:
    assert not killed_at(tmp_path / "run", 0, 0)
    produced = np.fromfile(tmp_path / "run" / "counts", np.uint64)[0]
    assert check(tmp_path / "run") == produced and produced > 3 * FILE_ROWS


def test_ctrl_c_completes_the_file(tmp_path: Path) -> None:
    process = spawn(tmp_path / "run", 0, 0)
    assert process.stdout is not None and process.stdout.readline() == b"go\n"
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert not any((tmp_path / "run" / "traces").glob("*.journal"))
    check(tmp_path / "run")


@pytest.mark.parametrize("place", ["within a write", "after the record"])
def test_an_interrupted_record_is_made_good(tmp_path: Path, place: str) -> None:
    """Ctrl-C in the middle of a flush, as in games by hand, where no thread is between: no row is lost or repeated."""
    batch = dm.Batch(num_envs=2, threads=1)
    owner, name = (os, "pwrite") if place == "within a write" else (journal.Journal, "append")
    real, calls = getattr(owner, name), 0

    def interrupted(*args: object) -> object:
        nonlocal calls
        calls += 1
        result = real(*args)
        if calls % 5 == 0:
            raise KeyboardInterrupt
        return result

    interrupts = 0
    with pytest.MonkeyPatch.context() as patch, FrameCapture(tmp_path / "a.dmtrace.h5", batch) as capture:
        patch.setattr("mlx_drmario.traces.writer.FLUSH_SECONDS", 1e9)
        for _ in range(30):
            capture.run(np.zeros((10, 2, 1), np.uint8))
            patch.setattr(owner, name, interrupted)
            try:
                capture.writer.flush()
            except KeyboardInterrupt:
                interrupts += 1
            patch.setattr(owner, name, real)
    games = storage.read(tmp_path / "a.dmtrace.h5")
    assert interrupts > 3 and games.episode["buttons"].tolist() == [300, 300] and replay.verify(games) == []


def test_a_record_given_again_replaces_the_first(tmp_path: Path) -> None:
    """As after an interruption between a record and the note that it is there."""
    live = journal.Journal(tmp_path / "j", {}, 1, {})
    rows = np.zeros(5, journal.dtypes(1)["buttons"])
    rows["held"] = np.arange(5)
    live.append(2, {"buttons": rows[:2]})
    live.append(2, {"buttons": rows[:3]})
    assert journal.read(tmp_path / "j").buttons["held"].tolist() == [0, 1, 2]
    live.append(3, {"buttons": rows[3:]})
    live.close()
    content = journal.read(tmp_path / "j")
    assert content.buttons["held"].tolist() == [0, 1, 2, 3, 4] and content.lost == 0


def test_games_that_went_on_elsewhere_are_recovered_once(tmp_path: Path) -> None:
    """Killed when the next file had begun and the one before was not yet made, where its games still have no end."""
    play = dm.Decisions(num_envs=3, threads=1)
    play.reset(0, 2, np.array([40, 42, 44]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TraceWriter, "close", lambda _: 0)
        with Capture(tmp_path / "t", name="x", file_rows=30) as capture:
            play_on(capture, play, 15)
    names = [f"x-00-000{number}.dmtrace.h5" for number in (1, 2)]
    for left in ([0, 1], [1, 0], [0], [1]):  # which journals are there, and recovered in this order
        folder = tmp_path / str(left)
        folder.mkdir()
        for number in left:
            shutil.copy(tmp_path / "t" / f"{names[number]}.journal", folder)  # a copy has no living writer
        for number in left:
            recover(folder / f"{names[number]}.journal")
        games = join([storage.read(path) for path in traces_in(folder)])
        assert games.episode["decisions"].tolist() == [10 if left == [0] else 15] * 3
        assert replay.verify(games) == [] and problems(games) == []


def test_files_beside_a_journal_that_cannot_be_read(tmp_path: Path) -> None:
    """Also the next of its recording: the games are kept then. Its own file in the way keeps the journal."""
    play = dm.Decisions(num_envs=3, threads=1)
    play.reset(0, 2, np.array([40, 42, 44]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TraceWriter, "close", lambda _: 0)
        with Capture(tmp_path / "t", name="x") as capture:
            play_on(capture, play, 2)
    data = (tmp_path / "t" / "x-00-0001.dmtrace.h5.journal").read_bytes()
    for number, other in enumerate(("y", "x-00-0002", "x-00-0001")):
        folder = tmp_path / str(number)
        folder.mkdir()
        own = folder / "x-00-0001.dmtrace.h5.journal"
        own.write_bytes(data)
        with h5py.File(folder / f"{other}.dmtrace.h5", "w") as file:  # a trace without a table
            file.attrs.update(format=schema.FORMAT, version=schema.VERSION, players=1)
        if other == "x-00-0001":
            with pytest.raises(ValueError, match=r"x-00-0001\.dmtrace\.h5, a damaged trace: it has no column"):
                recover(own)
            assert own.read_bytes() == data
            continue
        (folder / f"{other}.dmtrace.h5.journal").write_text("no")
        assert recover(own).episodes == 3 and not own.exists()


def test_a_file_of_others_keeps_the_journal(tmp_path: Path) -> None:
    """Its name was taken while it was recorded, so the games are in the journal alone."""
    path = tmp_path / "a.dmtrace.h5"
    capture = FrameCapture(path, dm.Batch(num_envs=1))
    capture.run(np.zeros((400, 1, 1), np.uint8))
    with FrameCapture(tmp_path / "b.dmtrace.h5", dm.Batch(num_envs=1)) as other:
        other.run(np.zeros((300, 1, 1), np.uint8))
    (tmp_path / "b.dmtrace.h5").rename(path)
    with pytest.raises(FileExistsError, match="never overwritten"):
        capture.close()
    with pytest.raises(FileExistsError, match=r"a\.dmtrace\.h5, which holds other games than .*journal; rename one"):
        recover(journal_of(path))
    path.unlink()
    recover(journal_of(path))
    assert len(storage.read(path).buttons) == 400


def play_on(capture: Capture, play: dm.Decisions, steps: int) -> None:
    for step in range(steps):
        action = play.sample_legal(step)
        capture.before_step(play, action, None, None)
        play.step(action)
        capture.after_step(play)
        capture.flush()


def test_games_that_cannot_go_on_elsewhere_stay(tmp_path: Path) -> None:
    """The next file is due, and its journal cannot be made: every game is in the file there is, as unfinished."""
    play = dm.Decisions(num_envs=GAMES, threads=1)
    play.reset(20, 0, np.arange(6, 6 + 2 * GAMES, 2))
    real = os.open

    def full(path: str | Path, *args: int) -> int:
        if "-0002.dmtrace.h5.journal" in str(path):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return real(path, *args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "open", full)
        capture = Capture(tmp_path, name="x", file_rows=2 * GAMES)
        with pytest.raises(OSError, match="No space left"):
            play_on(capture, play, 4)
        capture.close()
    assert [path.name for path in tmp_path.iterdir()] == ["x-00-0001.dmtrace.h5"]
    games = storage.read(tmp_path / "x-00-0001.dmtrace.h5")
    assert len(games) == GAMES and (games.episode["outcome"] == UNFINISHED).sum() > GAMES // 2
    assert games.rows >= 2 * GAMES and problems(games) == [] and replay.verify(games) == []


def test_full_disk_keeps_what_was_written(tmp_path: Path) -> None:
    """The operating system refuses more than 60,000 bytes per file, as a full disk does."""
    play = dm.Decisions(num_envs=GAMES, threads=1)
    play.reset(0, 0, np.arange(6, 6 + 2 * GAMES, 2))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    capture = Capture(tmp_path, name="x")
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, before[1]))
        with pytest.raises(OSError, match=r"x-00-0001\.dmtrace\.h5\.journal, which cannot grow") as caught:
            play_on(capture, play, 60)
        assert caught.value.errno == errno.EFBIG
        with pytest.raises(OSError, match="cannot grow"):
            capture.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    made = recover(tmp_path / "x-00-0001.dmtrace.h5.journal")
    assert made.episodes == GAMES and made.lost == 0
    games = storage.read(made.path)
    assert games.rows > 3 * GAMES and problems(games) == [] and replay.verify(games) == []


def test_disk_full_while_the_file_is_made(tmp_path: Path) -> None:
    play = dm.Decisions(num_envs=GAMES, threads=1)
    play.reset(0, 0, np.arange(6, 6 + 2 * GAMES, 2))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    capture = Capture(tmp_path, name="x")
    play_on(capture, play, 10)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
        with pytest.raises(OSError):
            capture.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [path.name for path in tmp_path.iterdir()] == ["x-00-0001.dmtrace.h5.journal"]
    made = recover(tmp_path / "x-00-0001.dmtrace.h5.journal")
    assert made.episodes == GAMES and replay.verify(storage.read(made.path)) == []


def test_an_exception_keeps_what_was_played(tmp_path: Path) -> None:
    batch = dm.Batch(num_envs=1)
    with pytest.raises(RuntimeError), FrameCapture(tmp_path / "a.dmtrace.h5", batch) as capture:
        capture.run(np.zeros((400, 1, 1), np.uint8))
        raise RuntimeError
    games = storage.read(tmp_path / "a.dmtrace.h5")
    assert games.episode["buttons"].tolist() == [400] and replay.verify(games) == []


def test_a_living_journal_can_be_read_and_is_left_alone(tmp_path: Path) -> None:
    batch = dm.Batch(num_envs=1)
    with FrameCapture(tmp_path / "a.dmtrace.h5", batch) as capture:
        capture.run(np.zeros((400, 1, 1), np.uint8))
        capture.writer.flush()
        live = journal_of(tmp_path / "a.dmtrace.h5")
        assert len(journal.read(live).buttons) == 400
        with pytest.raises(BlockingIOError, match="a running process writes"):
            recover(live)
    assert not live.exists()


def test_a_journal_lives_until_its_file_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who looks for dead recordings while a living one makes its file leaves it alone."""
    live, seen = journal_of(tmp_path / "a.dmtrace.h5"), []

    def looked_at(*args: Any, **options: Any) -> int:
        monkeypatch.setattr(writer, "publish", publish)
        with pytest.raises(BlockingIOError, match="a running process writes"):
            recover(live)
        seen.append(journal.is_alive(live))
        return publish(*args, **options)

    publish = writer.publish
    monkeypatch.setattr(writer, "publish", looked_at)
    with FrameCapture(tmp_path / "a.dmtrace.h5", dm.Batch(num_envs=1)) as capture:
        capture.run(np.zeros((400, 1, 1), np.uint8))
    assert seen == [True] and not live.exists() and (tmp_path / "a.dmtrace.h5").exists()


def test_any_cut_of_a_journal_is_readable(tmp_path: Path) -> None:
    """A journal cut anywhere, or with any byte changed, still gives its first whole records."""
    batch = dm.Batch(num_envs=1)
    capture = FrameCapture(tmp_path / "a.dmtrace.h5", batch)
    for _ in range(4):
        capture.run(np.zeros((50, 1, 1), np.uint8))
        capture.writer.flush()
    live = journal_of(tmp_path / "a.dmtrace.h5")
    data = live.read_bytes()
    capture.close()
    copy, last = tmp_path / "copy.dmtrace.h5.journal", 0
    for size in range(len(journal.MAGIC), len(data) + 1, 97):
        copy.write_bytes(data[:size])
        try:
            rows = len(journal.read(copy).buttons)
        except ValueError:
            assert last == 0
            continue
        assert rows % 50 == 0 and rows >= last
        last = rows
    copy.write_bytes(data[:-30] + bytes([data[-30] ^ 1]) + data[-29:])
    assert len(journal.read(copy).buttons) == 150 and journal.read(copy).lost > 0
    copy.write_bytes(data[:100])
    with pytest.raises(ValueError, match="whose header is cut short or damaged"):
        journal.read(copy)
    copy.write_bytes(b"something else")
    with pytest.raises(ValueError, match="not a trace journal"):
        journal.read(copy)
