"""Whoever waits for a thread of its own can be interrupted anywhere: nothing hangs, and what is there is whole."""

import contextlib
import signal
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

import mlx_drmario as dm
from mlx_drmario.cli.solve import SolveConfig, solve
from mlx_drmario.rl.config import DirectoryConfig
from mlx_drmario.rl.runs import checkpoint
from mlx_drmario.rl.runs.recorder import Recorder
from tests.interrupted import interrupted_at
from tests.rl.test_checkpoint import check, content

WAITING = ("recorder.py", "behind.py")


@pytest.fixture(autouse=True)
def limit() -> Iterator[None]:
    """Ends a test that hangs."""

    def end(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def test_a_recorder_that_is_interrupted_leaves_whole_checkpoints(tmp_path: Path) -> None:
    contents = [content(number) for number in (10, 20)]
    for line in count():
        run, interrupted = tmp_path / str(line), False
        run.mkdir()
        (run / "config.json").write_text("{}")
        try:
            with Recorder(run, DirectoryConfig(), offset=0, step=0) as recorder, interrupted_at(line, WAITING):
                for each in contents:
                    recorder.save(each)
        except KeyboardInterrupt:
            interrupted = True
        saved = checkpoint.available(run)
        for path in saved:
            check(checkpoint.load(path))
        assert len(saved) == 2 or interrupted, "closed, and yet not all was written"
        if line and not interrupted:
            break
    assert line > 25


def test_a_search_for_a_line_that_is_interrupted_ends() -> None:
    """With its best line so far, if it had begun. It would take minutes."""
    games, search, lines = dm.Decisions(1, threads=1), dm.Search(threads=1), []
    games.reset(20, 2, 0x8988)
    for line in range(1, 60):
        with contextlib.suppress(KeyboardInterrupt), interrupted_at(line, ("solve.py", "behind.py")):
            lines.append(solve(search, games, SolveConfig(level=20, width=50_000)))
    assert lines and not any(line.cleared for line in lines)
