"""Damaged columns are named by every command that comes upon them, with their file."""

import json
import re
from pathlib import Path

import h5py
import numpy as np
import pytest

import mlx_drmario as dm
from mlx_drmario.cli import main
from mlx_drmario.traces import journal, replay, storage
from mlx_drmario.traces.capture import Capture
from mlx_drmario.traces.games import Games
from mlx_drmario.tui.recorded import Recording


def damaged(path: Path, games: Games, name: str, value: int, row: int = 1) -> Path:
    """A file of games in which one value is another."""
    storage.save(path, [games], 1)
    with h5py.File(path, "r+") as file:
        column = file[name][:]
        column[row] = value
        file[name][:] = column
    return path


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("episode/speed", 7, "speed[1] is 7, allowed are 0..2"),
        ("episode/first_decision", 2**63, "first_decision is"),
        ("decision/player", 1, "player[1] is 1, allowed are 0..0"),
        ("decision/action", -5, "action[1] is -5, allowed are -1..511"),
    ],
)
def test_a_value_that_cannot_be_is_named_with_its_file(
    name: str, value: int, sentence: str, tmp_path: Path, greedy_games: Games, capsys: pytest.CaptureFixture[str]
) -> None:
    path = damaged(tmp_path / "a.dmtrace.h5", greedy_games, name, value)
    out = str(tmp_path / "out")
    for words in (
        ["movie", "--out", f"{out}.fm2"],
        ["html", "--out", f"{out}.html"],
        ["merge", "--out", out],
        ["info"],
    ):
        if words == ["info"] and name.startswith("decision"):
            continue  # it reads the table of games only
        words = [f"{out}.dmtrace.h5" if word == out else word for word in words]
        assert main(["trace", words[0], str(path), *words[1:]]) in (1, 2)
        said = capsys.readouterr().err
        assert "a.dmtrace.h5, a damaged trace: " in said and sentence in said
    assert sorted(tmp_path.iterdir()) == [path]


def test_a_placement_that_cannot_be_is_named_with_its_game(
    tmp_path: Path, greedy_games: Games, capsys: pytest.CaptureFixture[str]
) -> None:
    path = damaged(tmp_path / "a.dmtrace.h5", greedy_games, "decision/action", -1)
    for command, end in (("movie", "fm2"), ("html", "html")):
        assert main(["trace", command, str(path), "--out", str(tmp_path / f"x.{end}")]) in (1, 2)
        assert re.search(r"a\.dmtrace\.h5(, |: )episode 0: action is -1", capsys.readouterr().err)


def test_a_damaged_file_hides_no_summary_of_a_good_one(
    tmp_path: Path, greedy_games: Games, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = tmp_path / "a.dmtrace.h5", tmp_path / "b.dmtrace.h5"
    storage.save(good, [greedy_games], 1)
    damaged(bad, greedy_games, "episode/speed", 7)
    assert main(["trace", "info", str(bad), str(good)]) == 1
    assert "greedy: 3" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["engine", "created", "mlx_drmario"])
def test_a_source_that_lacks_something_is_named(
    name: str, tmp_path: Path, greedy_games: Games, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.dmtrace.h5"
    storage.save(path, [greedy_games], 1)
    with h5py.File(path, "r+") as file:
        source = json.loads(file["source"].asstr()[0])
        del source[name]
        file["source"][0] = json.dumps(source)
    for command in ("info", "verify"):
        assert main(["trace", command, str(path)]) == 1
        told = capsys.readouterr()
        assert f"a.dmtrace.h5, a damaged trace: /source[0] has no text '{name}'" in told.out + told.err


def journal_of_a_killed_recording(folder: Path) -> tuple[Path, list[int]]:
    """The journal of games that nobody closed, and where its records end."""
    folder.mkdir()
    play = dm.Decisions(num_envs=3, threads=1)
    play.reset(0, 2, np.array([40, 42, 44]))
    capture = Capture(folder, name="x")
    for step in range(6):
        action = play.sample_legal(step)
        capture.before_step(play, action, None, None)
        play.step(action)
        capture.after_step(play)
        capture.flush()
    data = (folder / "x-00-0001.dmtrace.h5.journal").read_bytes()
    capture.close()
    for path in folder.iterdir():
        path.unlink()
    made = folder / "mine.dmtrace.h5.journal"
    made.write_bytes(data)
    ends = [len(journal.MAGIC)]
    while (record := journal._record(data, ends[-1]))[0] is not None:
        ends.append(record[1])
    assert ends[-1] == len(data) and len(ends) > 6
    return made, ends[1:]


def test_a_journal_that_is_damaged_inside_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, ends = journal_of_a_killed_recording(tmp_path / "t")
    data = bytearray(path.read_bytes())
    data[ends[2] + 100] ^= 1  # in the fourth record
    path.write_bytes(data)
    assert main(["trace", "recover", str(path)]) == 1
    kept = path.with_name("mine.dmtrace.h5.journal.damaged")
    lost = f"its last {len(data) - ends[2]:,} bytes are only in {kept}"
    assert f"mine.dmtrace.h5: 3 games; the journal is damaged: {lost}" in capsys.readouterr().out
    assert kept.read_bytes() == data and not path.exists()
    games = storage.read(tmp_path / "t" / "mine.dmtrace.h5")
    assert games.rows > 0 and replay.verify(games) == []
    (tmp_path / "t" / "mine.dmtrace.h5").unlink()
    path.write_bytes(data)  # of another recording, for all that anybody knows
    assert main(["trace", "recover", str(path)]) == 1
    assert f"a damaged journal, and {kept} is there already" in capsys.readouterr().err and path.exists()


def test_a_journal_that_was_cut_short_is_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, ends = journal_of_a_killed_recording(tmp_path / "t")
    path.write_bytes(path.read_bytes()[: ends[4] - 50])
    assert main(["trace", "recover", str(path)]) == 0
    assert "mine.dmtrace.h5: 3 games" in capsys.readouterr().out
    assert [each.name for each in path.parent.iterdir()] == ["mine.dmtrace.h5"]


def test_a_game_that_is_not_as_it_was_recorded_is_not_shown(
    tmp_path: Path, greedy_games: Games, capsys: pytest.CaptureFixture[str]
) -> None:
    """One placement is another legal one: what follows would be a game that nobody played."""
    legal = np.unpackbits(greedy_games.decision["legal"][0], bitorder="little")
    other = next(a for a in np.flatnonzero(legal) if a != greedy_games.decision["action"][0])
    path = damaged(tmp_path / "a.dmtrace.h5", greedy_games, "decision/action", int(other), row=0)
    for command, end in (("movie", "fm2"), ("html", "html")):
        assert main(["trace", command, str(path), "--out", str(tmp_path / f"x.{end}")]) in (1, 2)
        assert "episode 0: its content hash is not that of its rows" in capsys.readouterr().err
    with pytest.raises(ValueError, match=f"path is {path}, a damaged trace: episode 0: its content hash"):
        Recording(path).line(0)
    assert Recording(path).line(1).states.size > 1 and list(tmp_path.iterdir()) == [path]
