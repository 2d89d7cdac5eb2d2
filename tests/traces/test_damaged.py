"""Damaged columns are named by every command that comes upon them, with their file."""

import json
import re
from pathlib import Path

import h5py
import pytest

from mlx_drmario.cli import main
from mlx_drmario.traces import storage
from mlx_drmario.traces.games import Games


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
