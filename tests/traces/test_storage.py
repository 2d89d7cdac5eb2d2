"""The file format: readable with plain h5py, versioned, and laws of taking and joining games."""

import errno
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mlx_drmario as dm
from mlx_drmario.traces import replay, schema, storage, tools
from mlx_drmario.traces.capture import FrameCapture
from mlx_drmario.traces.games import Games, content_hashes, join, problems
from tests import strategies as sts
from tests.traces.conftest import capture_random


def equal(first: Games, second: Games) -> bool:
    tables = ((first.episode, second.episode), (first.decision, second.decision))
    same = all(np.array_equal(a[n], b[n], equal_nan=a[n].dtype.kind == "f") for a, b in tables for n in a)
    return same and (first.start == second.start).all() and np.array_equal(first.buttons, second.buttons)


def test_no_text_is_in_a_heap(tmp_path: Path) -> None:
    """One changed byte in that heap, and HDF5 never comes back."""
    (path,) = capture_random(tmp_path)
    assert b"GCOL" not in path.read_bytes()


def test_plain_h5py_sees_documented_columns(tmp_path: Path) -> None:
    (path,) = capture_random(tmp_path)
    with h5py.File(path, "r") as file:
        assert file.attrs["format"] == b"mlx_drmario.trace" and file.attrs["version"] == file.attrs["players"] == 1
        rows = file["decision/action"].shape[0]
        for name, column in schema.DECISION.items():
            assert file[f"decision/{name}"].shape == (rows, *column.shape), name
            assert file[f"decision/{name}"].attrs["text"].decode() == column.text
        first, count = file["episode/first_decision"][:], file["episode/decisions"][:]
        assert (first == np.cumsum(count) - count).all() and count.sum() == rows
        assert file["episode/start"][0]["p1_level"] == file["episode/level"][0]
        source = json.loads(file["source"].asstr()[0])
    assert source["config"] == {"seed": 0} and source["engine"] == schema.engine_signature()
    assert {"mlx_drmario", "numpy", "python", "platform", "commit", "command", "created"} <= set(source)


def test_write_and_read_in_blocks(tmp_path: Path, random_games: Games) -> None:
    storage.save(tmp_path / "a.dmtrace.h5", [random_games], 1)
    assert equal(storage.read(tmp_path / "a.dmtrace.h5"), random_games)
    parts = list(storage.blocks(tmp_path / "a.dmtrace.h5", rows=50))
    assert len(parts) > 3 and equal(join(parts), random_games)
    assert all(problems(part) == [] for part in parts)
    storage.save(tmp_path / "b.dmtrace.h5", parts, 1)
    assert equal(storage.read(tmp_path / "b.dmtrace.h5"), random_games)
    table = storage.episodes(tmp_path / "b.dmtrace.h5")
    assert (table.episode["frames"] == random_games.episode["frames"]).all() and table.rows == 0


@pytest.mark.parametrize("filters", [{}, {"compression": "lzf"}, {"compression": "gzip", "shuffle": True}])
def test_files_of_other_writers_are_read(tmp_path: Path, random_games: Games, filters: dict[str, object]) -> None:
    """Compression is a column's own affair: files of earlier releases, and of h5repack, hold the same games."""
    storage.save(tmp_path / "a.dmtrace.h5", [random_games], 1)
    with h5py.File(tmp_path / "a.dmtrace.h5") as source, h5py.File(tmp_path / "b.dmtrace.h5", "w") as target:
        target.attrs.update(source.attrs)
        target["source"] = source["source"][:]
        for group in ("episode", "decision", "frame"):
            for name, column in source[group].items():
                target.create_dataset(f"{group}/{name}", data=column[:], chunks=(100, *column.shape[1:]), maxshape=(
                    None, *column.shape[1:]), **filters)  # fmt: skip
    again = storage.read(tmp_path / "b.dmtrace.h5")
    assert equal(again, random_games) and again.sources == random_games.sources


@given(st.data())
def test_taken_episodes_keep_their_rows(random_games: Games, data: st.DataObject) -> None:
    chosen = np.array(data.draw(st.lists(st.integers(0, len(random_games) - 1), max_size=9)), np.int64)
    taken = random_games.take(chosen)
    assert problems(taken) == []
    for i, e in enumerate(chosen):
        for name, column in taken.decision.items():
            original = random_games.decision[name][random_games.decisions_of(int(e))]
            np.testing.assert_array_equal(column[taken.decisions_of(i)], original)
    parts = [random_games.take(np.array([e])) for e in chosen]
    assert not parts or equal(join(parts), taken)


def test_equal_games_have_equal_content(tmp_path: Path, random_games: Games) -> None:
    again = storage.read(capture_random(tmp_path)[0])
    assert (again.episode["content"] == random_games.episode["content"]).all()
    other = storage.read(capture_random(tmp_path / "other", seed=1)[0])
    assert len(np.unique(np.concatenate([again.episode["content"], other.episode["content"]]), axis=0)) == len(
        again
    ) + len(other)
    changed = again.take(np.arange(len(again)))
    changed.decision["action"][3] ^= 1
    assert (content_hashes(changed) != again.episode["content"]).any(axis=1).sum() == 1


def test_threads_and_processes_make_no_difference(tmp_path: Path) -> None:
    """Recorded with one thread and with four; replayed here, and in processes of their own."""
    paths = [capture_random(tmp_path / str(threads), threads=threads)[0] for threads in (1, 4)]
    first, second = (storage.read(path) for path in paths)
    assert equal(first, second) and replay.verify(first) == replay.verify(second) == []
    arguments = [sys.executable, "-m", "mlx_drmario", "trace", "verify", str(tmp_path), "--jobs", "2"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert f"2 files, {2 * len(first)} games, {2 * first.rows} decisions" in done.stdout


def test_two_players(tmp_path: Path, random_games: Games) -> None:
    rng = np.random.default_rng(5)
    batch = dm.Batch(num_envs=2, players=2, threads=1)
    batch.reset([[3, 5], [2, 2]], [[1, 2], [0, 0]], [500, 600])
    with FrameCapture(tmp_path / "two.dmtrace.h5", batch, policy=("one", "two")) as capture:
        capture.run(sts.human_buttons(rng, 5000, 2, 2))
    games = storage.read(tmp_path / "two.dmtrace.h5")
    assert games.episode["level"].tolist() == [[3, 5], [2, 2]] and games.episode["policy"].tolist()[0] == [
        b"one",
        b"two",
    ]
    assert set(games.decision["player"]) == {0, 1} and (games.episode["winner"] > 0).any()
    assert not games.episode["custom"].any() and replay.verify(games) == [] and problems(games) == []
    with pytest.raises(ValueError, match=r"players is \[1, 2\]"):
        join([games, random_games])


def test_what_is_no_trace_is_refused(tmp_path: Path, random_games: Games) -> None:
    path = tmp_path / "a.dmtrace.h5"
    with pytest.raises(FileNotFoundError, match=r"a\.dmtrace\.h5, which does not exist"):
        storage.read(path)
    path.write_text("no")
    with pytest.raises(ValueError, match="not an HDF5 file"):
        storage.read(path)
    for attributes, message in (
        ({"format": "x"}, r"not a mlx_drmario\.trace file"),
        ({"format": "mlx_drmario.frames", "version": 1}, r"a frame trace of release 0\.1\.0"),
        ({"format": "mlx_drmario.trace", "version": 9}, "of trace version 9; this release reads version 1"),
    ):
        with h5py.File(path, "w") as file:
            file.attrs.update(attributes)
        with pytest.raises(ValueError, match=message):
            storage.read(path)
    path.unlink()
    storage.save(path, [random_games], 1)
    with pytest.raises(FileExistsError, match="never overwritten"):
        storage.save(path, [random_games], 1)
    with h5py.File(path, "r+") as file:
        del file["decision/tau"]
    with pytest.raises(ValueError, match=r"a\.dmtrace\.h5, a damaged trace: it has no column /decision/tau"):
        storage.read(path)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(ValueError, match="damaged HDF5 file"):
        storage.read(path)


def without_links(*_: object) -> None:
    raise PermissionError(errno.EPERM, "Operation not permitted")  # as of FAT


@pytest.mark.parametrize("links", [True, False])
def test_of_two_writers_of_one_name_one_is_refused(
    links: bool, tmp_path: Path, random_games: Games, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of two that began when nothing was there yet."""
    path, few = tmp_path / "a.dmtrace.h5", random_games.take(np.arange(2))
    if not links:
        monkeypatch.setattr(os, "link", without_links)

    def parts() -> Iterator[Games]:
        assert storage.save(path, [few], 1) == 2
        yield random_games

    sentence = re.escape(f"path is {path}, which exists; traces are never overwritten")
    for written in (parts(), [random_games]):
        with pytest.raises(FileExistsError, match=f"^{sentence}$"):
            storage.save(path, written, 1)
    assert equal(storage.read(path), few) and list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_get_its_name_leaves_nothing(
    tmp_path: Path, random_games: Games, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", without_links)
    monkeypatch.setattr(os, "replace", without_links)
    with pytest.raises(PermissionError, match="not permitted"):
        storage.save(tmp_path / "a.dmtrace.h5", [random_games], 1)
    assert list(tmp_path.iterdir()) == []


def test_what_a_trace_lacks_is_named(tmp_path: Path, random_games: Games) -> None:
    """By a sentence of `validate`, which raises nothing, and by an error of the command that looks at the file."""
    path = tmp_path / "a.dmtrace.h5"
    for name in ("episode/seed", "episode", "decision/action", "frame/buttons", "episode/start", "source"):
        storage.save(path, [random_games], 1)
        with h5py.File(path, "r+") as file:
            del file[name]
        (found,) = tools.validate(path)
        assert re.search(f"a.dmtrace.h5, a damaged trace: it has no column /{name}", found)
        path.unlink()
    for name in ("episode/seed", "episode/start", "decision/tau"):
        storage.save(path, [random_games], 1)
        with h5py.File(path, "r+") as file:
            column = file[name][:-1]
            del file[name]
            file[name] = column
        (found,) = tools.validate(path)
        assert f"the columns of /{name.partition('/')[0]} have different lengths" in found
        path.unlink()
    storage.save(path, [random_games], 1)
    with h5py.File(path, "r+") as file:
        del file.attrs["players"], file["source"]
        file["source"] = np.arange(3)
    with pytest.raises(ValueError, match="its attribute players is None, not 1 or 2"):
        storage.check(path)
    with h5py.File(path, "r+") as file:
        file.attrs["players"] = 1
    with pytest.raises(ValueError, match="/source is not a column of JSON objects"):
        storage.episodes(path)


@pytest.mark.parametrize(
    ("table", "name", "value", "message"),
    [
        ("episode", "first_decision", 3, "first_decision"),
        ("episode", "decisions", 999, "first_decision|rows"),
        ("episode", "outcome", 9, r"outcome\[2\] is 9"),
        ("episode", "source", 5, r"source\[2\] is 5"),
        ("episode", "level", 25, r"level\[2\] is 25, allowed are 0\.\.24"),
        ("episode", "speed", 7, r"speed\[2\] is 7, allowed are 0\.\.2"),
        ("episode", "custom", 2, r"custom\[2\] is 2, allowed are 0\.\.1"),
        ("decision", "action", -5, r"action\[2\] is -5, allowed are -1\.\.511"),
        ("decision", "player", 1, r"player\[2\] is 1"),
        ("decision", "action", 512, r"action\[2\] is 512"),
        ("decision", "capsule", 3, r"capsule\[2\]"),
        ("decision", "legal", 0, "legal mask excludes"),
        ("episode", "content", 0, "content hash"),
    ],
)
def test_inconsistent_tables_are_named(random_games: Games, table: str, name: str, value: int, message: str) -> None:
    games = random_games.take(np.arange(5))
    getattr(games, table)[name][2] = value
    assert any(re.search(message, text) for text in problems(games))
    assert problems(random_games) == []


@pytest.mark.parametrize("name", ["action", "tau", "digest", "bottle", "combos", "legal", "preview", "speed_ups"])
def test_a_changed_row_is_named_by_the_replay(random_games: Games, name: str) -> None:
    games = random_games.take(np.arange(6))
    row = games.decisions_of(4).start + 2
    column = games.decision[name].reshape(games.rows, -1)
    column[row, 0] ^= 1
    (found,) = replay.verify(games)
    assert found.episode == 4 and found.row in (2, 3)
    if name not in ("action", "bottle", "speed_ups"):  # from these the frames are made
        assert name in found.text and found.row == 2


def test_changed_episodes_are_named_by_the_replay(greedy_games: Games, tmp_path: Path) -> None:
    for name in ("seed", "level", "speed", "frame_counter", "custom", "viruses", "viruses_left"):
        games = greedy_games.take(np.arange(3))
        right = games.episode[name][1].item()
        games.episode[name][1] = wrong = right - 1 if right else 1
        (found,) = replay.verify(games)
        assert str(found) == f"episode 1, decision 83: {name} is {right} in the replay, {wrong} in the file"
    for name, value, message in (
        ("outcome", 2, "the game is cleared in the replay, top_out in the file"),
        ("frames", 7, "frames is .* in the replay, 7 in the file"),
        ("end_digest", 5, "end_digest is .* in the replay, 0000000000000005"),
    ):
        games = greedy_games.take(np.arange(1))
        games.episode[name][0] = value
        (found,) = replay.verify(games)
        assert re.search(message, found.text), found.text
    batch = dm.Batch(num_envs=1)
    with FrameCapture(tmp_path / "f.dmtrace.h5", batch) as capture:
        capture.run(sts.human_buttons(np.random.default_rng(0), 2000, 1))
    games = storage.read(tmp_path / "f.dmtrace.h5")
    games.buttons[300:420] ^= 0x03
    assert len(replay.verify(games)) == 1


def test_a_game_that_ends_before_its_last_rows_is_named_by_the_replay(greedy_games: Games) -> None:
    whole = greedy_games.take(np.arange(1))
    decision = {name: np.concatenate([column, column[-1:]]) for name, column in whole.decision.items()}
    games = Games(1, whole.episode, whole.start, decision, whole.buttons, whole.sources)
    games.episode["decisions"][0] += 1
    (found,) = replay.verify(games)
    assert found.row == whole.rows and found.text == f"{whole.rows} decisions frame by frame, {games.rows} in the file"


def test_other_engines_are_compared_without_digests(random_games: Games) -> None:
    games = random_games.take(np.arange(3))
    games.decision["digest"][:] = 1
    games.episode["end_digest"][:] = 1
    assert len(replay.verify(games)) == 3
    other = Games(1, games.episode, games.start, games.decision, games.buttons, ({**games.sources[0], "engine": "x"},))
    assert replay.verify(other) == []
    other.decision["tau"][0] += 1
    assert len(replay.verify(other)) == 1
