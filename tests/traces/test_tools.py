"""Tools make the files they say, and checks name what is wrong, from the command line too."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

import mlx_drmario as dm
from mlx_drmario import seeds
from mlx_drmario.cli import main
from mlx_drmario.traces import html, journal, movie, record_files, replay, storage, tools, writer
from mlx_drmario.traces.capture import Capture, FrameCapture, capture_line
from mlx_drmario.traces.dataset import Dataset
from mlx_drmario.traces.games import Games, problems
from mlx_drmario.traces.records import Records
from mlx_drmario.traces.schema import CLEARED
from mlx_drmario.traces.tools import Choice
from tests.traces.conftest import capture_greedy, capture_random

SEEDS = (40, 42)  # of captured greedy games


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    capture_random(tmp_path / "a", steps=25)
    capture_random(tmp_path / "b" / "deep", steps=25, seed=1)
    capture_greedy(tmp_path / "c")
    return tmp_path


def table(games: Games, *names: str) -> list[tuple[int, ...]]:
    return list(zip(*(games.episode[name].tolist() for name in names), strict=True))


def test_find(folder: Path) -> None:
    assert [path.parent.name for path in tools.find([folder])] == ["a", "deep", "c"]
    (empty := folder / "empty").mkdir()
    with pytest.raises(ValueError, match=r"empty, which hold no \*\.dmtrace\.h5$"):
        tools.find([empty])
    with pytest.raises(ValueError, match=r"which hold no \*\.dmtrace\.h5 or \*\.dmtrace\.h5\.journal$"):
        tools.find([empty], tools.ALSO_JOURNALS)
    with pytest.raises(FileNotFoundError, match="nothing, which does not exist"):
        tools.find([folder / "nothing"])


def test_merge_dedup_and_split(folder: Path) -> None:
    paths = tools.find([folder])
    total = sum(len(storage.episodes(path)) for path in paths)
    with pytest.raises(ValueError, match="paths is empty"):
        tools.merge([], folder / "none.dmtrace.h5")
    assert tools.merge([*paths, paths[0]], folder / "all.dmtrace.h5") == total + len(storage.episodes(paths[0]))
    kept, left_out = tools.dedup([folder / "all.dmtrace.h5"], folder / "once.dmtrace.h5")
    assert (kept, left_out) == (total, len(storage.episodes(paths[0])))
    once = storage.read(folder / "once.dmtrace.h5")
    assert problems(once) == [] and replay.verify(once) == []
    assert {source["file"] for source in once.sources} == {path.name for path in paths}
    written = tools.split(folder / "once.dmtrace.h5", folder / "parts", 10)
    assert [path.name for path in written][:2] == ["once-0001.dmtrace.h5", "once-0002.dmtrace.h5"]
    parts = [storage.read(path) for path in written]
    assert [len(part) for part in parts[:-1]] == [10] * (len(parts) - 1) and sum(map(len, parts)) == total
    assert all(problems(part) == [] for part in parts)
    with pytest.raises(ValueError, match="episodes is 0"):
        tools.split(folder / "once.dmtrace.h5", folder / "parts", 0)


def test_split_writes_all_parts_or_none(folder: Path) -> None:
    taken = folder / "parts" / "greedy-00-0001-0002.dmtrace.h5"
    taken.parent.mkdir()
    taken.touch()
    with pytest.raises(FileExistsError, match=r"greedy-00-0001-0002\.dmtrace\.h5, which exists"):
        tools.split(tools.find([folder / "c"])[0], folder / "parts", 1)
    assert list(taken.parent.iterdir()) == [taken]


@pytest.mark.parametrize(
    ("choice", "rule"),
    [
        (Choice(levels=(0, 3, 4, 5)), lambda e: np.isin(e["level"], (0, 3, 4, 5))),
        (Choice(speeds=(2,)), lambda e: e["speed"] == 2),
        (Choice(outcomes=("cleared", "unfinished")), lambda e: np.isin(e["outcome"], (0, 1))),
        (Choice(min_frames=2000, max_frames=5000), lambda e: (e["frames"] >= 2000) & (e["frames"] <= 5000)),
        (Choice(policy="gree"), lambda e: e["policy"] == b"greedy"),
        (Choice(seed_split="training"), lambda e: np.isin(e["seed"], seeds.seeds("training"))),
        (Choice(seeds=SEEDS), lambda e: np.isin(e["seed"], SEEDS)),
        (Choice(levels=(20,), speeds=(2,)), lambda e: (e["level"] == 20) & (e["speed"] == 2)),
    ],
)
def test_filter(folder: Path, choice: Choice, rule: object) -> None:
    paths = tools.find([folder])
    count = tools.filtered(paths, folder / "out.dmtrace.h5", choice)
    expected = [part.take(np.flatnonzero(rule(part.episode))) for part in map(storage.read, paths)]  # type: ignore[operator]
    made = storage.read(folder / "out.dmtrace.h5")
    assert count == len(made) == sum(map(len, expected)) > 0
    assert table(made, "seed", "frames") == [row for part in expected for row in table(part, "seed", "frames")]
    assert problems(made) == []


def test_half_a_frame_is_not_cut_off() -> None:
    assert tools._range(np.array([10, 11, 14, 20])) == [10, 12, 20]
    assert tools._range(np.array([11, 12, 13, 13])) == [11, 12, 13], "12.5, to the even one as numbers are printed"
    assert tools._range(np.array([12, 13, 14, 15])) == [12, 14, 15], "13.5"


def test_summary(folder: Path) -> None:
    found = tools.summary(tools.find([folder / "c"])[0])
    assert found["episodes"] == 3 and found["levels"] == {0: 1, 1: 1, 20: 1} and found["policies"] == {"greedy": 3}
    assert found["outcomes"]["cleared"] == 1 and len(found["frames to clear"]) == 3
    play = dm.Decisions(num_envs=1)
    with Capture(folder / "live", name="x", policy="p") as capture:
        capture.before_step(play, play.sample_legal(0), None, None)
        play.step(play.sample_legal(0))
        capture.after_step(play)
        capture.flush()
        live = tools.summary(folder / "live" / "x-00-0001.dmtrace.h5.journal")  # while it is written
    assert live["episodes"] == 1 and live["decisions"] == 1


def test_games_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str], greedy_games: Games) -> None:
    path, e = tmp_path / "a.dmtrace.h5", greedy_games.episode
    storage.save(path, [greedy_games], 1)
    assert main(["trace", "info", str(path), "--games"]) == 0
    listed = [line.split() for line in capsys.readouterr().out.splitlines()[-4:]]
    assert listed[0] == ["game", "level", "speed", "seed", "counter", "outcome", "frames", "policy"]
    assert listed[1][:3] == ["0", "0", "hi"] and listed[1][5:] == ["cleared", f"{e['frames'][0]:,}", "greedy"]
    assert [int(words[3], 16) for words in listed[1:]] == e["seed"].tolist()


def damage(path: Path, name: str, row: int, change: int = 1) -> None:
    with h5py.File(path, "r+") as file:
        column = file[name][:]
        column[row] ^= change
        file[name][:] = column


def test_damage_is_named_by_the_commands(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tools.find([folder / "c"])[0]
    assert main(["trace", "validate", str(folder), "--jobs", "2"]) == 0
    assert main(["trace", "verify", str(folder), "--jobs", "2"]) == 0
    out = capsys.readouterr().out
    assert "3 files, 0 with problems" in out and "no differences" in out
    damage(path, "decision/tau", 50)
    assert main(["trace", "validate", str(folder)]) == 0  # consistent, but not what was played
    assert main(["trace", "verify", str(folder), "--jobs", "1"]) == 1
    assert "episode 1, decision 13: tau is" in capsys.readouterr().out
    damage(path, "decision/tau", 5)
    assert main(["trace", "replay", str(folder), "--jobs", "1"]) == 1
    out = capsys.readouterr().out
    assert "episode 0, decision 5: tau is" in out and "episode 1, decision 13: tau is" in out and "2 differences" in out
    damage(path, "decision/action", 7)
    assert main(["trace", "validate", str(folder)]) == 1
    assert "greedy-00-0001.dmtrace.h5: episodes 0 to 2: " in capsys.readouterr().out
    path.write_bytes(path.read_bytes()[:5000])
    assert main(["trace", "validate", str(path)]) == 1
    assert main(["trace", "verify", str(path)]) == 1
    capsys.readouterr()
    assert main(["trace", "info", str(folder)]) == 1
    said = capsys.readouterr()
    assert str(path) in said.err and "2 files, " in said.out  # the others are told all the same
    assert main(["trace", "replay", str(folder), "--jobs", "1"]) == 1
    assert "1 difference\n" in capsys.readouterr().out


def test_recover_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = (
        "import sys, os, numpy as np, mlx_drmario as dm; from pathlib import Path\n"
        "from mlx_drmario.traces.capture import FrameCapture\n"
        "capture = FrameCapture(Path(sys.argv[1]), dm.Batch(num_envs=4))\n"
        "capture.run(np.zeros((1000, 4, 1), np.uint8)); capture.writer.flush(); os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.dmtrace.h5")], check=False, env=os.environ)
    shutil.copy(tmp_path / "a.dmtrace.h5.journal", tmp_path / "kept")
    assert main(["trace", "info", str(tmp_path)]) == 0
    assert "its recording was killed" in capsys.readouterr().out
    assert main(["trace", "recover", str(tmp_path)]) == 0
    assert "a.dmtrace.h5: 4 games" in capsys.readouterr().out
    assert main(["trace", "recover", str(tmp_path)]) == 0
    assert "nothing to recover" in capsys.readouterr().out
    assert main(["trace", "verify", str(tmp_path), "--jobs", "1"]) == 0
    (tmp_path / "b.dmtrace.h5.journal").write_text("no")
    assert main(["trace", "recover", str(tmp_path)]) == 1
    assert "not a trace journal" in capsys.readouterr().err
    shutil.copy(tmp_path / "kept", tmp_path / "c.dmtrace.h5.journal")
    (tmp_path / "b.dmtrace.h5.journal").unlink()
    (tmp_path / "b.dmtrace.h5.journal").mkdir()  # an error of the system
    (tmp_path / "d.dmtrace.h5").write_text("no")
    assert main(["trace", "recover", str(tmp_path)]) == 1
    told = capsys.readouterr()
    assert "c.dmtrace.h5: 4 games" in told.out and "b.dmtrace.h5.journal" in told.err


def test_making_commands(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def trace(*words: object) -> str:
        assert main(["trace", *map(str, words)]) == 0
        return capsys.readouterr().out

    out = folder / "cleared.dmtrace.h5"
    trace(
        "filter", folder, "--out", out, "--outcomes", "cleared", "--levels", "0-3", "--speeds", "hi", "--split", "test"
    )
    assert len(storage.read(out)) == 0  # 40 lies elsewhere on the orbit
    trace("filter", folder, "--out", folder / "x.dmtrace.h5", "--outcomes", "cleared")
    assert storage.read(folder / "x.dmtrace.h5").episode["outcome"].tolist() == [CLEARED]
    trace("filter", folder / "c", "--out", folder / "w.dmtrace.h5", "--seeds", "0x0029")  # 41 is 40
    assert storage.read(folder / "w.dmtrace.h5").episode["seed"].tolist() == [40, 40]
    assert "games" in trace("merge", folder / "a", folder / "c", "--out", folder / "y.dmtrace.h5")
    assert "0 left out" in trace("dedup", folder / "y.dmtrace.h5", "--out", folder / "z.dmtrace.h5")
    assert "files in" in trace("split", folder / "z.dmtrace.h5", "--out", folder / "s", "--episodes", "7")
    assert "greedy: 3" in trace("info", folder / "c", "--sources")
    assert "frames to clear" in trace("info", folder / "c")
    made = trace("movie", folder / "c" / "greedy-00-0001.dmtrace.h5", "--out", folder / "m.fm2")
    assert "level 0 HI, seed 0x002" in made
    assert trace("import", folder / "m.fm2", "--out", folder / "back.dmtrace.h5").endswith(": 1 game\n")
    assert trace("verify", folder / "back.dmtrace.h5").startswith("1 file, 1 game, ")
    back = storage.read(folder / "back.dmtrace.h5")
    original = storage.read(folder / "c" / "greedy-00-0001.dmtrace.h5")
    assert back.episode["frames"][0] == original.episode["frames"][0] and back.episode["outcome"][0] == CLEARED
    assert (
        main(["trace", "movie", str(folder / "c" / "greedy-00-0001.dmtrace.h5"), "--episode", "3", "--out", "x.fm2"])
        == 2
    )
    assert "holds the games 0..2" in capsys.readouterr().err
    empty = folder / "empty.dmtrace.h5"
    trace("filter", folder / "c", "--out", empty, "--levels", "24")
    assert main(["trace", "movie", str(empty), "--out", str(folder / "empty.fm2")]) == 1
    assert capsys.readouterr().err == f"drmario trace: path is {empty}, which holds no game\n"
    assert main(["trace", "merge", str(folder / "a"), "--out", str(folder / "y.dmtrace.h5")]) == 2
    assert "never overwritten" in capsys.readouterr().err


INTERRUPTED = """
import os, signal, sys, time
from mlx_drmario.traces.tools import parallel

def press():
    # The others first, so that they have time to say something.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    os.killpg(0, signal.SIGINT)
    time.sleep(1)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)

class Tasks(list):
    def __iter__(self):
        yield 0
        if sys.argv[1] == "starting":
            time.sleep(0.2)
            press()
        yield 100

try:
    for _ in parallel(time.sleep, Tasks([0, 100]), 2):
        press()
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.parametrize("when", ["starting", "working"])
def test_ctrl_c_ends_all_processes_without_a_word(when: str) -> None:
    """And at once: their stderr is read until its end, so that none of them is left."""
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, when], capture_output=True, text=True, timeout=80, start_new_session=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_paths_may_be_text(tmp_path: Path, greedy_games: Games, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever one is taken."""
    monkeypatch.chdir(tmp_path)
    play, batch, made = dm.Decisions(num_envs=1), dm.Batch(num_envs=1), "c/x-00-0001.dmtrace.h5"
    with Capture("c", name="x") as recording:
        capture_line(recording, play, play.sample_legal(0))
    with FrameCapture("f.dmtrace.h5", batch) as frames:
        frames.run(np.zeros((300, 1, 1), np.uint8))
    with FrameCapture.in_directory("g", batch) as frames:
        frames.run(np.zeros((300, 1, 1), np.uint8))
    assert recording.files() == tools.find(["c"]) == [Path(made)] and len(tools.find(["g"])) == 1
    for path in (made, "f.dmtrace.h5"):
        assert len(storage.read(path)) == len(tools.load(path)) == tools.summary(path)["episodes"] == 1
        assert len(list(tools.list_games(path))) == 2 and tools.validate(path) == []
        assert [verdict.problems for verdict in tools.verify_all([path])] == [()]
    storage.save("all.dmtrace.h5", [greedy_games], 1)
    assert tools.merge([made, "all.dmtrace.h5"], "merged.dmtrace.h5") == 1 + len(greedy_games)
    assert len(tools.split("merged.dmtrace.h5", "s", 1)) == 1 + len(greedy_games)
    assert len(Dataset([made], "cache")) == 1
    with Records("r.sqlite") as records:
        assert record_files.add(records, record_files.read("all.dmtrace.h5")).admitted == 1
        assert record_files.export(records.lines(), "lines.json") == 1
        assert record_files.add(records, record_files.read("lines.json")).found == 1
    movie.write("a.fm2", movie.Movie(np.zeros((9, 2), np.uint8), np.zeros(9, np.uint8), {}, ()))
    assert len(movie.read("a.fm2").buttons) == 9
    assert html.write("a.html", greedy_games, [0], "a game") == Path("a.html").stat().st_size
    for reading in (writer.recover, journal.read):
        with pytest.raises(FileNotFoundError):
            reading("none.dmtrace.h5.journal")
