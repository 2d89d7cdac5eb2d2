"""However a recording is closed, it is whole: interrupted anywhere, by several threads, after a full disk."""

import resource
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import mlx_drmario as dm
from mlx_drmario.traces import replay, storage
from mlx_drmario.traces.capture import Capture
from mlx_drmario.traces.games import problems

INTERRUPTED = """
import faulthandler, linecache, sys
from pathlib import Path
import mlx_drmario as dm
from mlx_drmario.traces import storage
from mlx_drmario.traces.capture import Capture

OURS = ("traces/capture.py", "traces/behind.py")

def closed_with_interruption(folder, number):
    \"\"\"Record three steps, close, raise KeyboardInterrupt at the so manieth line of that, close again.\"\"\"
    games, lines = dm.Decisions(2, threads=1), []
    games.reset(0, 2, [2, 3])
    capture = Capture(folder)
    for turn in range(3):
        action = games.sample_legal(turn)
        capture.before_step(games, action, None, None)
        games.step(action)
        capture.after_step(games)
    def trace(frame, event, argument):
        def local(frame, event, argument):
            line = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
            if event == "line" and not line.startswith("with self._lock"):  # no signal comes where that is given back
                lines.append(line)
                if len(lines) == number:
                    raise KeyboardInterrupt
            return local
        return local if frame.f_code.co_filename.endswith(OURS) else None
    sys.settrace(trace)
    try:
        capture.close()
    except KeyboardInterrupt:
        pass
    sys.settrace(None)
    faulthandler.dump_traceback_later(20, exit=True)
    capture.close()
    faulthandler.cancel_dump_traceback_later()
    (file,) = Path(folder).iterdir()
    assert storage.read(file).rows == 6, (number, lines[-1])
    return len(lines)

number = 0
while closed_with_interruption(f"{sys.argv[1]}/{number}", number) >= number:
    number += 1
print("interrupted", number > 25)
"""


def test_an_interruption_anywhere_in_closing_loses_nothing(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", INTERRUPTED, tmp_path], capture_output=True, text=True, timeout=300)
    assert done.stdout == "interrupted True\n", done.stderr


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
