"""`drmario records` where its options choose little or nothing."""

import errno
import json
from pathlib import Path

import pytest

import mlx_drmario as dm
from mlx_drmario.cli import main
from mlx_drmario.traces import record_files, replay, storage
from mlx_drmario.traces.capture import FrameCapture
from mlx_drmario.traces.records import Records
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
    games.decision["action"][games.decisions_of(1)] = -1
    storage.save(tmp_path / "nameless.dmtrace.h5", [games], 1)
    assert main(["records", "add", "nameless.dmtrace.h5", "--db", "new.sqlite"]) == 0
    why = "it cannot be a line: actions must be between 0 and 511, got -1"
    assert f"  episode 1 is not admitted: {why}\n" in capsys.readouterr().out


def test_lines_in_json_go_in_and_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `solve` writes and what another database exports; what does not clear is refused with the reason."""
    monkeypatch.chdir(tmp_path)
    solve = ["solve", "--level", "0", "--seed", "0x0022", "--width", "20", "--frame-counter", "3"]
    assert main([*solve, "--json", "line.json"]) == 0
    found = json.loads(Path("line.json").read_text())
    capsys.readouterr()
    assert main(["records", "add", "line.json"]) == 0
    assert capsys.readouterr().out == "line.json: 1 line, 1 new line admitted\n"
    with Records(Path("records.sqlite")) as records:
        (line,) = records.lines()
    assert (line.level, line.speed, line.seed, line.frame_counter) == (0, 2, 0x22, 3)
    assert (line.frames, list(line.actions), line.solver) == (found["frames"], found["actions"], "solve")

    assert main(["records", "export", "--out", "all.json"]) == 0
    short = found | {"actions": found["actions"][:-1], "speed": "HI"}
    Path("all.json").write_text(json.dumps([*json.loads(Path("all.json").read_text()), short]))
    capsys.readouterr()
    assert main(["records", "add", "all.json", "--db", "other.sqlite"]) == 0
    why = f"with the planner's buttons the game is not cleared after {len(found['actions']) - 1} placements"
    assert capsys.readouterr().out == (f"all.json: 2 lines, 1 new line admitted\n  line 1 is not admitted: {why}\n")
    with Records(Path("other.sqlite")) as records:
        assert records.lines()[0].actions == line.actions and records.count() == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[{", "which is not JSON: "),
        pytest.param("[" * 200_000, "which is not JSON: ", id="deep"),
        pytest.param("[" * 400 + "]" * 400, "line 0 of it: ", id="half as deep as can be read"),
        ("[]", ""),
        ("3", "line 0 of it: it must be an object with level, speed, seed and actions, got 3"),
        ("[null]", "line 0 of it: it must be an object with level, speed, seed and actions, got null"),
        (
            '{"level": 25, "speed": 2, "seed": 8, "actions": [1]}',
            "line 0 of it: level must be between 0 and 24, got 25",
        ),
        ('{"level": 0, "speed": "fast", "seed": 8, "actions": [1]}', "line 0 of it: speed is 'fast'; it must be 0, 1"),
        ('{"level": 0, "speed": 2, "seed": 1, "actions": [1]}', "seed must be between 2 and 65,535, got 1"),
        ('{"level": 0, "speed": 2, "seed": 8, "actions": [512]}', "actions must be between 0 and 511, got 512"),
        ('{"level": 0, "speed": 2, "seed": 8, "actions": [1.5]}', "actions.0 should be a valid integer"),
        ('{"level": 0, "speed": 2, "seed": 8, "actions": []}', "actions is empty"),
        ('{"level": 0, "speed": 2, "seed": 8}', "actions field required"),
    ],
)
def test_json_that_is_no_line(
    text: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("x.json").write_text(text)
    assert main(["records", "add", "x.json"]) == (1 if said else 0)
    told = capsys.readouterr()
    if said:
        assert told.err.startswith("drmario records: path is x.json, ") and said in told.err
        assert told.err.count("\n") == 1
    else:
        assert told.out == "x.json: 0 lines, 0 new lines admitted\n"


def test_a_file_that_cannot_be_read_stops_no_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (good,) = capture_greedy(tmp_path / "t", levels=(0, 0), seed=34)
    bad, db = tmp_path / "bad.dmtrace.h5", tmp_path / "r.sqlite"
    bad.write_bytes(good.read_bytes()[:1000])
    assert main(["records", "add", str(bad), str(good), "--db", str(db)]) == 1
    out, error = capsys.readouterr()
    assert f"{good}: " in out and db.exists() and f"path is {bad}, a damaged" in error


def test_a_file_that_may_not_be_read_stops_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (good,) = capture_greedy(tmp_path / "t", levels=(0, 0), seed=34)
    locked, db, read = tmp_path / "locked.json", tmp_path / "r.sqlite", record_files.read
    locked.write_text("{}")

    def refusing(path: Path) -> record_files.Found:
        if path == locked:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))  # root may read everything
        return read(path)

    monkeypatch.setattr(record_files, "read", refusing)
    assert main(["records", "add", str(locked), str(good), "--db", str(db)]) == 1
    out, error = capsys.readouterr()
    assert f"{good}: " in out and db.exists()
    assert error == f"drmario records: path is {locked}, which cannot be read: Permission denied\n"


def test_a_database_is_not_replaced_by_what_is_exported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    db, link = tmp_path / "r.json", tmp_path / "link.json"
    capture_greedy(tmp_path / "t", levels=(0, 0), seed=34)
    assert main(["records", "add", str(tmp_path / "t"), "--db", str(db)]) == 0
    link.symlink_to(db)
    capsys.readouterr()
    for out in (db, link):
        assert main(["records", "export", "--db", str(db), "--out", str(out)]) == 2
        assert capsys.readouterr().err == f"drmario records: --out is {out}, which is the database; name another file\n"
    with Records(db) as records:
        assert records.count() == 1
