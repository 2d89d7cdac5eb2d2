"""Only lines that clear their game from reset are in the database, and it says so again and again."""

import contextlib
import csv
import errno
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mlx_drmario as dm
from mlx_drmario import seeds
from mlx_drmario.cli import main
from mlx_drmario.traces import database, record_files, replay, schema, storage
from mlx_drmario.traces import records as lines
from mlx_drmario.traces.games import Games
from mlx_drmario.traces.records import Claim, Records
from tests.traces.conftest import capture_greedy


@pytest.fixture
def cleared(greedy_games: Games) -> Claim:
    actions = greedy_games.decision["action"][greedy_games.decisions_of(0)].tolist()
    return Claim(0, 2, int(greedy_games.episode["seed"][0]), actions)


def test_a_line_is_admitted_and_found(tmp_path: Path, cleared: Claim, greedy_games: Games) -> None:
    with Records(tmp_path / "r.sqlite") as records:
        assert records.add([cleared, cleared], "greedy") == [True, False]
        (line,) = records.lines()
        assert line.frames == greedy_games.episode["frames"][0] and line.capsules == len(cleared.actions)
        assert line.actions == tuple(cleared.actions) and line.verified and line.solver == "greedy"
        assert line.layout == seeds.layout_hash(0, cleared.seed)
        other = Claim(0, 2, cleared.seed ^ 1, cleared.actions)  # the same game under its other name
        assert (
            records.add([other], "x") == [False]
            and records.holds(other)
            and len(records.lines(seed=cleared.seed ^ 1)) == 1
        )
        assert records.lines(level=1) == [] and records.lines(speed=1) == [] and records.verify() == []
    with Records(tmp_path / "r.sqlite") as again:
        assert again.lines() == [line]


def test_what_does_not_clear_is_refused(tmp_path: Path, cleared: Claim) -> None:
    seed, actions = cleared.seed, list(cleared.actions)
    with Records(tmp_path / "r.sqlite") as records:
        for claim, message in (
            (Claim(0, 2, seed, actions[:-1]), "the game is not cleared after 36 placements"),
            (Claim(0, 2, seed, [*actions, 0]), "the game ends after 37 of 38 placements"),
            (Claim(0, 2, seed, [*actions[:5], 248, *actions[6:]]), "placement 5, action 248, cannot be reached"),
            (Claim(1, 2, seed, actions), r"claim 1 \(level 1"),
            (Claim(0, 2, seed, []), "not cleared after 0 placements"),
        ):
            with pytest.raises(ValueError, match=message):
                records.add([cleared, claim], "x")
        assert records.lines() == []


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ((25, 2, 9, [1]), "level must be between 0 and 24, got 25"),
        (("x", 2, 9, [1]), "level must be a whole number between 0 and 24, got 'x'"),
        ((0, "hi", 9, [1]), "speed must be a whole number between 0 and 2, got 'hi'"),
        ((0, 2, 1, [1]), "seed must be between 2 and 65,535, got 1"),
        ((0, 2, 9, [1.5]), "actions must be a whole number between 0 and 511, got 1.5"),
        ((0, 2, 9, np.array([1, 70_000])), "actions must be between 0 and 511, got "),
        ((0, 2, 9, [-1]), "actions must be between 0 and 511, got -1"),
        ((0, 2, 9, 7), "actions must be a sequence of placements, got 7"),
        ((0, 2, 9, [1], 256), "frame_counter must be between 0 and 255, got 256"),
    ],
)
def test_what_no_line_can_be_is_no_claim(values: tuple[Any, ...], said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        Claim(*values)


@pytest.mark.parametrize(("name", "value"), [("level", "x"), ("speed", 3), ("seed", 1), ("top", 0), ("top", 1.5)])
def test_lines_that_cannot_be_asked_for(name: str, value: Any, tmp_path: Path) -> None:
    said = f"{name} must be .*, got {value!r}"
    with Records(tmp_path / "r.sqlite") as records, pytest.raises(ValueError, match=said):
        records.lines(**{name: value})


def at(claim: Claim, counter: int) -> Claim:
    return Claim(claim.level, claim.speed, claim.seed, claim.actions, counter)


@pytest.fixture(scope="module")
def solved(greedy_games: Games) -> list[Claim]:
    """Several lines of one game: the last capsules elsewhere."""
    actions, seed = greedy_games.decision["action"][:37].tolist(), int(greedy_games.episode["seed"][0])
    rng = np.random.default_rng(0)
    tries = [[*actions[:k], int(rng.integers(512)), *actions[k + 1 :]] for k in range(37) for _ in range(40)]
    claims = [Claim(0, 2, seed, each, counter) for each in tries for counter in (0, 1)]
    good = [each for each, proof in zip(claims, lines.prove(claims), strict=True) if not proof.problem]
    return list({(each.frame_counter, *each.actions): each for each in good}.values())


def test_of_the_frame_counter_only_the_parity_counts(
    tmp_path: Path, cleared: Claim, capsys: pytest.CaptureFixture[str]
) -> None:
    claims = [at(cleared, counter) for counter in range(10)]
    frames = [proof.frames for proof in lines.prove(claims)]
    assert frames == frames[:2] * 5
    path = tmp_path / "r.sqlite"
    with Records(path) as records:
        assert records.add(claims[5:], "x") == [True, True, False, False, False]
        assert {line.frame_counter for line in records.lines()} == {5, 6}
        with contextlib.closing(sqlite3.connect(path)) as db, db:  # as earlier releases kept them
            db.execute(
                "INSERT INTO line SELECT NULL, level, speed, seed, 250, frames, capsules, actions, solver, layout,"
                " engine, verified, added FROM line WHERE frame_counter = 6"
            )
        assert len(records.lines()) == 3
        assert records.add(claims[:1], "x") == [False] and {line.frame_counter for line in records.lines()} == {5, 6}
    assert main(["records", "list", "--level", "0", "--db", str(path)]) == 0
    assert re.search("x  frame counter 5\n", capsys.readouterr().out)


def test_at_low_the_frame_counter_does_not_count(tmp_path: Path) -> None:
    games = dm.Decisions(num_envs=256)
    games.reset(3, 0, 0x8988, np.arange(256))
    assert not (games.view.public["frame_counter"] % 2).any(), "the first capsule comes at an even one"
    line = dm.Search().solve(games, width=2)[1]
    claims = [Claim(3, 0, 0x8988, line.actions.tolist(), counter) for counter in range(8)]
    assert {proof.frames for proof in lines.prove(claims)} == {line.frames}
    path = tmp_path / "r.sqlite"
    with Records(path) as records:
        assert records.add(claims[3:], "x") == [True, False, False, False, False] and records.holds(claims[0])
        with contextlib.closing(sqlite3.connect(path)) as db, db:  # as earlier releases kept them
            db.execute(
                "INSERT INTO line SELECT NULL, level, speed, seed, 8, frames, capsules, actions, solver, layout,"
                " engine, verified, added FROM line"
            )
        assert records.add(claims[:3], "x") == [False] * 3 and [each.frame_counter for each in records.lines()] == [3]


def test_numbers_of_numpy_are_numbers(tmp_path: Path, cleared: Claim) -> None:
    claim = Claim(np.uint8(0), np.int64(2), np.uint16(cleared.seed), np.array(cleared.actions), np.uint8(0))  # type: ignore[arg-type]
    with Records(tmp_path / "r.sqlite") as records:
        assert records.add([claim], "x") == [True] and records.add([cleared], "x") == [False]
        assert records.lines(np.int64(0), np.int64(2), np.uint16(cleared.seed)) == records.lines()  # type: ignore[arg-type]


def test_each_claim_is_proven_once_and_so_many_at_a_time(
    tmp_path: Path, solved: list[Claim], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a file with several solvers too."""
    told = [asdict(claim) | {"solver": "ab"[n % 2]} for n, claim in enumerate(solved[:5])]
    (tmp_path / "lines.json").write_text(json.dumps(told))
    played: list[int] = []
    monkeypatch.setattr(lines, "AT_ONCE", 2)
    real = lines.dm.Decisions
    monkeypatch.setattr(lines.dm, "Decisions", lambda num_envs: played.append(num_envs) or real(num_envs=num_envs))
    with Records(tmp_path / "r.sqlite") as records:
        assert record_files.add(records, record_files.read(tmp_path / "lines.json")).admitted == 5
        assert played == [2, 2, 1]
        assert records.verify() == [] and played == [2, 2, 1] * 2
        assert {(line.actions, line.frame_counter, line.solver) for line in records.lines()} == {
            (claim.actions, claim.frame_counter, "ab"[n % 2]) for n, claim in enumerate(solved[:5])
        }


def test_the_best_are_kept(tmp_path: Path, solved: list[Claim]) -> None:
    claims = solved
    frames = [proof.frames for proof in lines.prove(claims)]
    assert len(claims) > 6 and len(set(frames)) > 1
    with Records(tmp_path / "r.sqlite", top_k=4) as records:
        for claim in claims:
            records.add([claim], "x")
        found = records.lines()
        assert [line.frames for line in found] == sorted(frames)[:4]
        worst = claims[int(np.argmax(frames))]
        assert not records.holds(worst) and records.add([worst], "x") == [False]
        assert len(records.lines(top=2)) == 2
        (row,) = records.quantiles()
        assert row["games"] == 1 and row["best"] == row["median"] == min(frames)
    with pytest.raises(ValueError, match="top_k is 0"):
        Records(tmp_path / "r.sqlite", top_k=0)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("actions = x'00'", "line 1: actions is b'\\x00', it must be two bytes for each capsule"),
        ("frames = 'abc'", "line 1: frames is 'abc', it must be a whole number"),
        ("actions = x'e703'", "line 1: actions must be between 0 and 511, got 999"),
    ],
)
def test_a_damaged_line_is_named(
    change: str, sentence: str, tmp_path: Path, cleared: Claim, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the lines after it are looked at all the same."""
    path = tmp_path / "r.sqlite"
    with Records(path) as records:
        records.add([cleared, at(cleared, 1)], "x")
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute(f"UPDATE line SET {change} WHERE id = 1")
        db.execute("UPDATE line SET layout = 'x' WHERE id = 2")
    for words in (["list", "--top", "9"], ["export", "--out", str(tmp_path / "x.csv")]):
        assert main(["records", *words, "--db", str(path)]) in (1, 2)
        said = capsys.readouterr().err
        assert f"{path}, {sentence}" in said and said.count("\n") == 1
    assert main(["records", "verify", "--db", str(path)]) == 1
    out = capsys.readouterr().out
    assert sentence in out and "the layout of the game is" in out and "2 lines, 2 of them wrong" in out


def test_top_lists_so_many_lines_of_every_game(
    tmp_path: Path, solved: list[Claim], capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "r.sqlite"
    with Records(path) as records:
        assert records.add(solved[:3], "x") == [True] * 3
        frames = [str(line.frames) for line in records.lines()]
    for words, shown in ((["--top", "1"], frames[:1]), (["--top", "2"], frames[:2]), (["--level", "0"], frames)):
        assert main(["records", "list", *words, "--db", str(path)]) == 0
        _, *rows = capsys.readouterr().out.splitlines()
        assert [row.split()[3] for row in rows] == shown


def test_tampering_is_found(tmp_path: Path, cleared: Claim, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "r.sqlite"
    with Records(path) as records:
        records.add([cleared], "greedy")
    for change, message in (
        ("frames = frames - 1", "frames, the database says"),
        ("frames = frames + 1, seed = 35208", "cannot be reached|not cleared|ends after"),
        ("layout = 'x'", ""),
    ):
        with contextlib.closing(sqlite3.connect(path)) as db, db:
            db.execute(f"UPDATE line SET {change}")
        assert main(["records", "verify", "--db", str(path)]) == 1
        out = capsys.readouterr().out
        assert "1 line, 1 of them wrong" in out and (not message or re.search(message, out))
        with Records(path) as records:
            assert not records.lines()[0].verified and records.quantiles() == []


def test_a_line_names_the_engine_that_last_proved_it(tmp_path: Path, solved: list[Claim]) -> None:
    path = tmp_path / "r.sqlite"
    with Records(path) as records:
        records.add(solved[:2], "x")
        with contextlib.closing(sqlite3.connect(path)) as db, db:
            db.execute("UPDATE line SET engine = 'older'")
            db.execute("UPDATE line SET layout = 'x' WHERE id = 1")
        assert len(records.verify()) == 1
        engines = {line.verified: line.engine for line in records.lines()}
    assert engines == {False: "older", True: schema.engine_signature()}


def test_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    capture_greedy(tmp_path / "t", levels=(0, 0), seed=34)
    assert main(["records", "list"]) == 0
    assert capsys.readouterr().out.startswith("no records yet: `drmario records add TRACES`")
    for words in (["list", "--db", "mine.sqlite"], ["verify"]):
        assert main(["records", *words]) in (1, 2)
        assert "`drmario records add` makes one" in capsys.readouterr().err
    assert main(["records", "add", "t"]) == 0
    assert "2 cleared games, 1 new line admitted\n" in capsys.readouterr().out  # of one game
    assert main(["records", "add", "t"]) == 0
    again = "  episode {} is not admitted: its line is in the database already\n"
    assert capsys.readouterr().out.endswith(f"0 new lines admitted\n{again.format(0)}{again.format(1)}")
    assert main(["records", "list"]) == 0
    assert "    0    hi" in capsys.readouterr().out
    assert main(["records", "list", "--level", "0", "--top", "1"]) == 0
    assert "greedy" in capsys.readouterr().out
    assert main(["records", "verify"]) == 0
    with Records(Path("records.sqlite")) as records:
        found = records.lines()
    for suffix in ("csv", "json", "dmtrace.h5"):
        assert main(["records", "export", "--out", f"out.{suffix}"]) == 0
    rows = list(csv.DictReader(Path("out.csv").read_text().splitlines()))
    assert [int(row["frames"]) for row in rows] == [line.frames for line in found]
    assert [tuple(row["actions"]) for row in json.loads(Path("out.json").read_text())] == [
        line.actions for line in found
    ]
    games = storage.read(Path("out.dmtrace.h5"))
    assert sorted(games.episode["frames"]) == sorted(line.frames for line in found) and replay.verify(games) == []
    assert main(["records", "export", "--out", "out.txt"]) == 2
    Path("no.sqlite").write_text("this is not a database, and long enough to be looked at" * 10)
    assert main(["records", "list", "--db", "no.sqlite"]) == 1
    assert "not a database of records" in capsys.readouterr().err


def test_looking_writes_nothing(tmp_path: Path, cleared: Claim) -> None:
    """Nor does it wait for those who write."""
    path = tmp_path / "r.sqlite"
    with Records(path) as records:
        records.add([cleared], "x")
        with database.transaction(records._db), Records(path) as other:
            assert len(other.lines()) == 1


def unprivileged(code: str, *arguments: object) -> "subprocess.CompletedProcess[str]":
    """Run Python where permissions count, which mean nothing to root."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root may write everywhere, and there is no setpriv to give that up")
        rights = "-dac_override,-dac_read_search"
        command = ["setpriv", "--bounding-set", rights, "--inh-caps", rights, *command]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("mode", [0o444, 0o644])
def test_a_directory_that_is_read_only(mode: int, tmp_path: Path, cleared: Claim) -> None:
    """SQLite makes files beside a database to read it; where it cannot, one that nobody writes is read as it is."""
    folder = tmp_path / "50% of #1? é"
    folder.mkdir()
    path = folder / "r.sqlite"
    with Records(path) as records:
        records.add([cleared], "x")
    code = (
        "import sys; from pathlib import Path; from mlx_drmario.traces.records import Records\n"
        "with Records(Path(sys.argv[1])) as records: print([line.solver for line in records.lines()])\n"
    )
    path.chmod(mode)
    folder.chmod(0o555)
    try:
        done = unprivileged(code, path)
        wrong = unprivileged(code + "with Records(Path(sys.argv[1])) as records: records.verify()", path)
        folder.chmod(0o755)
        (folder / "r.sqlite-wal").write_bytes(b"lines that are not yet in the database")
        folder.chmod(0o555)
        refused = unprivileged(code, path)
    finally:
        folder.chmod(0o755)
    assert (done.returncode, done.stdout, done.stderr) == (0, "['x']\n", "")
    assert f"OSError: [Errno 5] attempt to write a readonly database: '{path}'" in wrong.stderr
    assert re.search("OSError: .Errno 5. (unable to open database file|attempt to write a readonly)", refused.stderr)


def test_a_full_disk_is_named(tmp_path: Path, solved: list[Claim]) -> None:
    """SQLite has rolled back by itself then; what was there stays, and the next line fits again."""
    path = tmp_path / "r.sqlite"
    claims = solved
    with Records(path, top_k=len(claims)) as records:
        records.add(claims[:1], "x")
        records._db.execute(f"PRAGMA max_page_count = {records._db.execute('PRAGMA page_count').fetchone()[0]}")
        with pytest.raises(OSError, match="full") as caught:
            records.add(claims[1:], "x" * 10_000)
        assert len(records.lines()) == 1
        records._db.execute("PRAGMA max_page_count = 1000000")
        assert records.add(claims[1:2], "x") == [True] and len(records.lines()) == 2
    assert caught.value.errno == errno.ENOSPC and caught.value.filename == str(path)


def test_several_processes_write_at_once(tmp_path: Path, cleared: Claim) -> None:
    code = (
        "import sys, json; from pathlib import Path\n"
        "from mlx_drmario.traces.records import Records, Claim\n"
        "level, speed, seed, actions, first = json.loads(sys.argv[2])\n"
        "with Records(Path(sys.argv[1]), top_k=100) as records:\n"
        "    for counter in range(first, 24, 3):\n"
        "        records.add([Claim(level, speed, seed, actions, counter)], str(first))\n"
    )
    path = tmp_path / "r.sqlite"
    processes = []
    for first in range(3):
        game = json.dumps([0, 2, cleared.seed, list(cleared.actions), first])
        processes.append(subprocess.Popen([sys.executable, "-c", code, str(path), game], stderr=subprocess.PIPE))
    errors = [process.communicate()[1] for process in processes]
    assert errors == [b"", b"", b""]
    with Records(path) as records:
        assert records.verify() == [] and len(records.lines()) == 2  # one of each parity


def test_the_seed_registry_is_computed() -> None:
    assert seeds.split_of(0x8988) == "test" and seeds.split_of(1) == "none"
    assert set(seeds.split_of(seeds.seeds("training", 50))) == {"training"}
    assert seeds.capsules(0x8988)[:3].tolist() == [[1, 2], [2, 2], [1, 0]]  # docs/rules.md 19: 5, 8, 3
    assert (seeds.capsules(0x8989) == seeds.capsules(0x8988)).all()
    assert seeds.layout_hash(0, 0x8988) != seeds.layout_hash(1, 0x8988)
    assert len({seeds.layout_hash(5, int(seed)) for seed in seeds.seeds("test", 100)}) == 100
    layout = seeds.layout(0, 0x8988)
    assert {int(cell): int(layout[cell]) for cell in np.flatnonzero(layout != 255)} == {
        54: 0xD2, 67: 0xD1, 80: 0xD2, 82: 0xD0,
    }  # fmt: skip
    with pytest.raises(ValueError, match="seed is 1"):
        seeds.capsules(1)
