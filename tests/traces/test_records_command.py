"""`drmario records` where its options choose little or nothing."""

from pathlib import Path

import pytest

import mlx_drmario as dm
from mlx_drmario.cli import main
from mlx_drmario.traces import replay, storage
from mlx_drmario.traces.capture import FrameCapture
from tests.traces.conftest import capture_greedy


def test_options_that_choose_little(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    capture_greedy(tmp_path / "t", levels=(0, 0), seed=34)
    assert main(["records", "add", "t"]) == 0
    capsys.readouterr()
    assert main(["records", "list", "--top", "1"]) == 0  # lines, not the table of quantiles
    shown = capsys.readouterr().out
    assert "greedy" in shown and " 0x0022 " in shown  # as --seed reads it
    assert main(["records", "export", "--level", "7", "--out", "e.csv"]) == 0
    assert capsys.readouterr().out == "e.csv: 0 lines\n"
    assert main(["records", "export", "--level", "7", "--out", "e.dmtrace.h5"]) == 2
    sentence = "drmario records: --out is e.dmtrace.h5, and no line was chosen for it; a trace holds one at least\n"
    assert capsys.readouterr().err == sentence
    assert sorted(path.name for path in tmp_path.iterdir()) == ["e.csv", "records.sqlite", "t"]


def test_games_by_buttons_are_timed_again_and_others_are_refused_with_a_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (path,) = capture_greedy(tmp_path / "t", levels=(0, 0), seed=34)
    games = storage.read(path)
    batch = dm.Batch(num_envs=1, threads=1)
    batch.set_state(games.start[:1])
    with FrameCapture(tmp_path / "hands.dmtrace.h5", batch, policy="hands") as capture:
        capture.run(replay.buttons_of(games, 0)[:, None])
    assert main(["records", "add", "hands.dmtrace.h5"]) == 0
    hands = (
        "1 cleared game, 1 new line admitted; 1 of them played by buttons: their placements, in the planner's time\n"
    )
    assert capsys.readouterr().out.endswith(hands)
    games.episode["custom"][0] = 1
    games.decision["action"][games.decisions_of(1)] = 248
    storage.save(tmp_path / "bad.dmtrace.h5", [games], 1)
    assert main(["records", "add", "bad.dmtrace.h5", "--db", "new.sqlite"]) == 0
    assert capsys.readouterr().out == (
        "bad.dmtrace.h5: 2 cleared games, 0 new lines admitted\n"
        "  episode 0 is not admitted: it does not start as its level, speed and seed do\n"
        "  episode 1 is not admitted: with the planner's buttons placement 0, action 248, cannot be reached\n"
    )
