"""Batches hold every recorded decision once, as the policy saw it, in any colours."""

import os
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest

import mlx_drmario as dm
from mlx_drmario.traces import dataset, storage
from mlx_drmario.traces.dataset import PERMUTATIONS, Dataset, observations, recolor
from mlx_drmario.traces.games import Games, join
from mlx_drmario.traces.tools import Choice
from tests.traces.conftest import capture_greedy, capture_random


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("data")
    greedy = capture_greedy(folder / "c", levels=(0, 1, 20, 5))
    return [*capture_random(folder / "a", steps=60), *capture_random(folder / "b", steps=60, seed=2), *greedy]


@pytest.fixture
def data(files: list[Path], tmp_path: Path) -> Dataset:
    return Dataset(files, tmp_path / "cache")


def key(rows: dict[str, np.ndarray]) -> list[bytes]:
    columns = [rows[name].reshape(len(rows["action"]), -1) for name in ("bottle", "capsule", "preview", "legal")]
    return [a.tobytes() for a in np.concatenate([*columns, rows["action"][:, None].view(np.uint8)], axis=1)]


def test_an_epoch_shows_every_row_once(data: Dataset, files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "BLOCK", 64)
    monkeypatch.setattr(dataset, "BUFFER", 256)
    recorded = join([storage.read(path) for path in files])
    batches = list(data.batches(50, seed=3, drop_last=False))
    assert {len(batch["action"]) for batch in batches[:-1]} == {50} and sum(len(b["action"]) for b in batches) == len(
        data
    )
    seen = {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
    whole = {**recorded.decision, "legal": recorded.legal(), "action": recorded.decision["action"].astype(np.int32)}
    assert sorted(key(seen)) == sorted(key(whole)) and key(seen) != key(whole)
    assert seen["legal"][np.arange(len(seen["action"])), seen["action"]].all()
    again = list(data.batches(50, seed=3, drop_last=False))
    assert all((a[name] == b[name]).all() for a, b in zip(batches, again, strict=True) for name in ("bottle", "action"))
    other = next(data.batches(50, seed=4))
    assert (other["bottle"] != batches[0]["bottle"]).any()
    assert sum(len(b["action"]) for b in data.batches(50, epochs=3)) == 3 * len(data) // 50 * 50


@pytest.mark.parametrize("planes", ["bitplane", "extended"])
def test_observations_are_what_decisions_showed(planes: str, tmp_path: Path) -> None:
    play = dm.Decisions(num_envs=4, planes=planes, threads=1)
    from mlx_drmario.traces.capture import Capture

    rng = np.random.default_rng(1)
    play.reset(rng.integers(0, 21, 4), rng.integers(0, 3, 4), rng.integers(2, 65536, 4), rng.integers(0, 256, 4))
    shown: dict[bytes, tuple[np.ndarray, np.ndarray]] = {}
    with Capture(tmp_path, name="x") as capture:
        for step in range(30):
            for n in np.flatnonzero(~play.ended):
                shown[play.state["p1_bottle"][n].tobytes()] = play.planes[n].copy(), play.scalars[n].copy()
            action = play.sample_legal(step)
            capture.before_step(play, action, None, None)
            play.step(action)
            capture.after_step(play)
    (rows,) = Dataset([tmp_path / "x-00-0001.dmtrace.h5"], tmp_path / "cache").batches(10_000, drop_last=False)
    made, scalars = observations(rows, planes)
    assert len(rows["action"]) == len(shown)
    for n, bottle in enumerate(rows["bottle"]):
        np.testing.assert_array_equal(made[n], shown[bottle.tobytes()][0])
        np.testing.assert_array_equal(scalars[n], shown[bottle.tobytes()][1])


def test_derived_columns(files: list[Path], tmp_path: Path) -> None:
    games = storage.read(files[2])
    (rows,) = Dataset(files[2:], tmp_path / "cache").batches(9999, drop_last=False)

    def name(table: dict[str, np.ndarray], n: int) -> bytes:
        return b"".join(table[column][n].tobytes() for column in ("bottle", "capsule", "preview", "frame_counter"))

    found = {name(rows, n): n for n in range(len(rows["action"]))}
    assert len(found) == games.rows
    for e in range(len(games)):
        at = games.decisions_of(e)
        left = games.episode["frames"][e] - np.concatenate([[0], np.cumsum(games.decision["tau"][at])[:-1]])
        for i, row in enumerate(range(at.start, at.stop)):
            n = found[name(games.decision, row)]
            assert rows["frames_left"][n] == left[i] and rows["outcome"][n] == games.episode["outcome"][e]
            assert rows["viruses_left"][n] == (games.decision["bottle"][row] & 0xF0 == 0xD0).sum()
            assert rows["level"][n] == games.episode["level"][e] and rows["capsules"][n] == i + 2


def test_recoloured_rows_are_recoloured_games(data: Dataset) -> None:
    """Play commutes with the permutation: the recoloured position offers the same placements."""
    rows = next(data.batches(200, seed=1))
    plain = {name: column.copy() for name, column in rows.items()}
    numbers = np.arange(200) % 6
    recolor(rows, numbers)
    assert (rows["bottle"][numbers == 0] == plain["bottle"][numbers == 0]).all()
    for n in range(200):
        permutation = PERMUTATIONS[numbers[n]]
        assert (rows["capsule"][n] == permutation[plain["capsule"][n]]).all()
        cells = [byte if byte == 0xFF else byte & 0xF0 | permutation[byte & 0x0F] for byte in plain["bottle"][n]]
        assert rows["bottle"][n].tolist() == cells
        assert (rows["viruses_by_color"][n, permutation] == plain["viruses_by_color"][n]).all()
    assert (rows["viruses_by_color"] != plain["viruses_by_color"]).any()
    legal = dm.reach(rows["bottle"], rows["capsule"], rows["frame_counter"], rows["speed"], rows["speed_ups"]) < 65535
    assert (legal == rows["legal"]).all()
    augmented = [next(data.batches(200, seed=1, augment=flag)) for flag in (False, True)]
    assert (augmented[0]["action"] == augmented[1]["action"]).all()
    assert (augmented[0]["bottle"] != augmented[1]["bottle"]).any()


@pytest.mark.parametrize("balance", dataset.BALANCES)
def test_classes_are_balanced(data: Dataset, balance: str) -> None:
    drawn = []
    for batch in data.batches(64, seed=5, epochs=40, balance=balance):
        drawn.append(dataset._classes(batch, balance))
    _, counts = np.unique(np.concatenate(drawn), return_counts=True)
    share = counts / counts.sum()
    total = counts.sum()
    expected = 1 / len(counts)
    assert np.abs(share - expected).max() < 5 * np.sqrt(expected / total) + 1e-9


def test_the_cache_is_keyed_by_content(files: list[Path], tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    Dataset(files[:1], cache)
    copy = tmp_path / "copy.dmtrace.h5"
    copy.write_bytes(files[0].read_bytes())
    Dataset([copy], cache)
    assert len(list(cache.iterdir())) == 1  # the same games under another name
    Dataset(files[1], cache)  # one path is as good as a list of one
    some = Dataset(files[:1], cache, Choice(speeds=(2,)))
    assert len(list(cache.iterdir())) == 3
    assert all((batch["speed"] == 2).all() for batch in some.batches(8))
    with pytest.raises(ValueError, match="no decision to learn from"):
        Dataset(files[:1], cache, Choice(policy="nobody"))
    with pytest.raises(ValueError, match="balance is 'x'"):
        next(some.batches(4, balance="x"))
    with pytest.raises(ValueError, match="size is 0"):
        next(some.batches(0))


@pytest.mark.parametrize("name", dataset.NOT_IN_CONTENT)
def test_an_annotated_copy_has_its_own_entry(name: str, files: list[Path], tmp_path: Path) -> None:
    """What a policy says is not part of the content of a game, but of what is learned from."""
    cache, other = tmp_path / "cache", tmp_path / "other.dmtrace.h5"
    plain = Dataset(files[:1], cache)
    games = storage.read(files[0])
    column = games.decision[name]
    column[:] = np.where(np.isnan(column), 0, column) if column.dtype.kind == "f" else column
    column.reshape(len(column), -1)[:, 0] += 1
    storage.save(other, [games], 1)
    (batch,) = Dataset([other], cache).batches(len(plain), drop_last=False)
    assert len(list(cache.iterdir())) == 2
    if name in batch:
        assert sorted(batch[name].reshape(len(column), -1)[:, 0]) == sorted(column.reshape(len(column), -1)[:, 0])
    Dataset(files[:1], cache)
    assert len(list(cache.iterdir())) == 2


def test_what_a_killed_decode_left_blocks_nobody(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a container every process may have the number of the one that was killed."""
    cache, made = tmp_path / "cache", []
    real = dataset._save
    monkeypatch.setattr(dataset, "_save", lambda path, column: (made.append(path), real(path, column)))
    Dataset(files[:1], cache)
    (entry,) = cache.iterdir()
    left = made[0].relative_to(cache).parts[0]
    assert left.startswith(".")
    shutil.rmtree(entry)
    for name in (left, f".{entry.name}.{os.getpid()}.tmp"):
        (cache / name / "columns").mkdir(parents=True)
    Dataset(files[:1], cache)
    assert entry.is_dir()


@pytest.mark.parametrize("damage", ["missing", "empty", "zeros", "cut off"])
def test_a_damaged_entry_is_decoded_again(damage: str, files: list[Path], tmp_path: Path) -> None:
    """By a failing disk, or a power failure."""
    cache = tmp_path / "cache"
    (before,) = Dataset(files[:1], cache).batches(9999, drop_last=False)
    (entry,) = cache.iterdir()
    column = entry / "bottle.npy"
    whole = column.read_bytes()
    column.write_bytes({"zeros": bytes(5000), "cut off": whole[:-128]}.get(damage, b""))
    if damage == "missing":
        column.unlink()
    (after,) = Dataset(files[:1], cache).batches(9999, drop_last=False)
    assert all((before[name] == after[name]).all() for name in ("bottle", "action")) and column.read_bytes() == whole
    assert list(cache.iterdir()) == [entry]


def test_an_entry_is_on_disk_before_it_has_its_name(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: set[int] = set()
    fsync, rename = os.fsync, os.rename

    def kept(descriptor: int) -> None:
        fsync(descriptor)
        synced.add(os.fstat(descriptor).st_ino)

    def named(old: Path, new: Path) -> None:
        assert {path.stat().st_ino for path in (old, *old.iterdir())} <= synced
        rename(old, new)

    monkeypatch.setattr(os, "fsync", kept)
    monkeypatch.setattr(os, "rename", named)
    Dataset(files[:1], tmp_path / "cache")
    assert synced


def test_threads_and_processes_decode_the_same_file_at_once(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, waiting = tmp_path / "cache", threading.Barrier(3)
    real = storage.blocks

    def together(path: Path) -> Iterator[Games]:
        waiting.wait(60)
        yield from real(path)

    monkeypatch.setattr(dataset.storage, "blocks", together)
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda _: Dataset(files[:1], cache), range(3)))
    assert len(list(cache.iterdir())) == 1 and len({len(data) for data in found}) == 1


def test_mlx_arrays(data: Dataset) -> None:
    rows = next(data.batches(16))
    arrays = {name: mx.array(column) for name, column in rows.items()}  # as docs/traces.md says
    assert set(arrays) == set(rows) and arrays["bottle"].shape == (16, 128)
    np.testing.assert_array_equal(np.array(arrays["legal"]), rows["legal"])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no disk that is always full")
def test_a_full_disk_is_named() -> None:
    with pytest.raises(OSError, match="No space left on device: '/dev/full'"):
        dataset._save(Path("/dev/full"), np.zeros((1000, 8), np.float32))
