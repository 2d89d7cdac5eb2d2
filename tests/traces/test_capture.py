"""What is played through an observer or a frame recorder is in the file, and replays bit for bit."""

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mlx_drmario as dm
from mlx_drmario.traces import journal, replay, storage
from mlx_drmario.traces.capture import Capture, FrameCapture
from mlx_drmario.traces.games import Games, problems
from mlx_drmario.traces.schema import CLEARED, OUTCOMES, TOP_OUT, TRUNCATED, UNFINISHED
from mlx_drmario.traces.writer import journal_of
from tests import strategies as sts
from tests.traces.conftest import capture_random, capture_rounds


def test_rows_are_what_the_games_showed(tmp_path: Path) -> None:
    play = dm.Decisions(num_envs=3, threads=1)
    play.reset(np.array([0, 7, 20]), np.array([0, 1, 2]), np.array([0x8988, 6, 7]), np.array([2, 2, 3]))
    seen: list[dict[str, np.ndarray]] = []
    with Capture(tmp_path, name="x", policy="p") as capture:
        for step in range(6):
            action, state = play.sample_legal(step), play.state.copy()
            legal, digest = play.legal.copy(), play.digest()
            capture.before_step(play, action, np.full(3, -0.5, np.float32), np.arange(3, dtype=np.float32))
            play.step(action)
            capture.after_step(play)
            seen.append({"state": state, "legal": legal, "digest": digest, "action": action, "tau": play.tau.copy()})
    games = storage.read(tmp_path / "x-00-0001.dmtrace.h5")
    assert problems(games) == [] and len(games) == 3
    assert games.episode["seed"][0] == 0x8988 and set(games.episode["seed"][1:] ^ [6, 7]) <= {0, 1}
    assert games.episode["level"].tolist() == [0, 7, 20] and games.episode["speed"].tolist() == [0, 1, 2]
    assert games.episode["frame_counter"].tolist() == [2, 2, 3] and not games.episode["custom"].any()
    assert games.episode["policy"].tolist() == [b"p"] * 3
    for n in range(3):
        rows = games.decisions_of(n)
        for step, row in enumerate(range(rows.start, rows.stop)):
            shown = {name: column[n] for name, column in seen[step].items()}
            assert (games.decision["bottle"][row] == shown["state"]["p1_bottle"]).all()
            assert (games.legal()[row] == shown["legal"]).all()
            assert games.decision["digest"][row] == shown["digest"]
            assert games.decision["action"][row] == shown["action"] and games.decision["tau"][row] == shown["tau"]
            assert games.decision["log_prob"][row] == -0.5 and games.decision["value"][row] == n
        assert games.episode["frames"][n] == games.decision["tau"][rows].sum()


RACE = """
import sys, threading
import numpy as np
import mlx_drmario as dm
from mlx_drmario import _core

games = dm.Decisions(256, threads=1)
games.reset(0, 2, np.arange(2, 258))
log = _core.StepLog(games, 4096, 1e9, 1 << 20)
sys.setswitchinterval(1e-5)
playing = True

def seal():
    while playing:
        log.seal(), log.take()

threads = [threading.Thread(target=seal) for _ in range(2)]
for thread in threads:
    thread.start()
for seed in range(1000):
    action = games.sample_legal(seed)
    log.before(action), games.step(action), log.after()
    games.reset(0, 2, np.arange(2, 258), mask=games.ended)
playing = False
for thread in threads:
    thread.join()
assert log.step > 0
"""


def test_a_log_may_be_sealed_by_another_thread() -> None:
    subprocess.run([sys.executable, "-c", RACE], check=True, timeout=60)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=5)
def test_random_games_replay(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    for path in capture_random(tmp_path_factory.mktemp("r"), games=6, steps=30, seed=seed):
        games = storage.read(path)
        assert problems(games) == [] and replay.verify(games) == []
        assert games.rows == 6 * 30


def test_every_outcome_is_told(tmp_path: Path, greedy_games: Games) -> None:
    assert CLEARED in greedy_games.episode["outcome"] and replay.verify(greedy_games) == []
    play = dm.Decisions(num_envs=2, threads=1, max_decisions=4)
    play.reset(0, 2, 77)
    state = play.state[:2].copy()
    row, column = np.divmod(np.arange(8, 128), 8)
    state["p1_bottle"][0, 8:] = 0xD0 + (row // 2 + column) % 3  # no way down: tops out at once
    state["p1_virus_left_bcd"][0] = 0x99
    play.set_state(state)
    with Capture(tmp_path, name="x") as capture:
        for step in range(4):
            action = play.sample_legal(step)
            capture.before_step(play, action, None, None)
            play.step(action)
            capture.after_step(play)
        play.reset(0, 2, 78)
        capture.before_step(play, play.sample_legal(0), None, None)
        play.step(play.sample_legal(0))
        capture.after_step(play)
    games = storage.read(tmp_path / "x-00-0001.dmtrace.h5")
    named = [OUTCOMES[outcome] for outcome in games.episode["outcome"]]
    assert named == [OUTCOMES[TOP_OUT], OUTCOMES[TRUNCATED], OUTCOMES[UNFINISHED], OUTCOMES[UNFINISHED]]
    assert games.episode["custom"].tolist() == [1, 0, 0, 0]
    assert replay.verify(games) == []


def test_a_game_changed_between_steps_goes_on_as_another(tmp_path: Path) -> None:
    play = dm.Decisions(num_envs=2, threads=1)
    play.reset(3, 2, np.array([40, 41]))
    with Capture(tmp_path, name="x") as capture:
        for step in range(6):
            action = play.sample_legal(step)
            capture.before_step(play, action, None, None)
            play.step(action)
            capture.after_step(play)
            if step == 2:
                play.step(play.sample_legal(9))  # past the recorder
            if step == 3:
                play.set_bottles(changed(play), np.array([False, True]))
    games = storage.read(tmp_path / "x-00-0001.dmtrace.h5")
    assert games.episode["decisions"].tolist() == [3, 3, 3, 1, 2]
    assert games.episode["custom"].tolist() == [0, 0, 1, 1, 1]
    assert games.episode["seed"][0] == games.episode["seed"][2]  # the capsules still tell it
    assert replay.verify(games) == [] and problems(games) == []


def changed(play: dm.Decisions) -> np.ndarray:
    """Bottles u8[N, 128] with a single virus."""
    bottle = np.full((play.num_envs, 128), 0xFF, np.uint8)
    bottle[:, 127] = 0xD1
    return bottle


def test_a_step_that_was_not_one_is_not_recorded(tmp_path: Path) -> None:
    """Between `before_step` and `after_step` the games made no step, or two: an interruption, or somebody else."""
    play = dm.Decisions(num_envs=2, threads=1)
    play.reset(3, 2, np.array([40, 41]))
    with Capture(tmp_path, name="x") as capture:
        for steps in (1, 2, 1, 0, 1):
            action = play.sample_legal(steps)
            capture.before_step(play, action, None, None)
            for extra in range(steps):
                play.step(play.sample_legal(9) if extra else action)
            capture.after_step(play)
        capture.after_step(play)
        play.set_bottles(changed(play), np.array([True, False]))
        capture.before_step(play, play.sample_legal(0), None, None)  # interrupted, and then again
        action = play.sample_legal(1)
        capture.before_step(play, action, None, None)
        play.step(action)
        capture.after_step(play)
    games = storage.read(tmp_path / "x-00-0001.dmtrace.h5")
    assert games.episode["decisions"].tolist() == [1, 1, 2, 3, 1]
    assert replay.verify(games) == [] and problems(games) == []


@pytest.mark.parametrize("seed", range(3))
def test_rounds_of_two_players_replay(tmp_path: Path, seed: int) -> None:
    (path,) = capture_rounds(tmp_path, seed=seed)
    games = storage.read(path)
    assert problems(games) == [] and replay.verify(games) == []
    assert games.players == 2 and not games.episode["custom"].any()
    ended = games.episode["outcome"] != UNFINISHED
    assert ended.any() and (games.episode["winner"][ended] > 0).all() and (games.episode["end_digest"][ended] > 0).all()
    assert set(games.decision["player"]) == {0, 1} and (games.decision["tau"][:-20] > 0).mean() > 0.9
    games.decision["digest"][40] ^= 1
    found = replay.by_frame(games, int(np.searchsorted(games.episode["first_decision"], 40, side="right")) - 1)
    assert found is not None and "digest" in found.text and "frame by frame" in found.text
    games.decision["digest"][40] ^= 1
    games.decision["tau"][3] += 1
    (found,) = replay.verify(games)
    assert found.row == 3 - games.decisions_of(found.episode).start and "tau is" in found.text


def test_rounds_go_on_in_the_next_file(tmp_path: Path) -> None:
    paths = capture_rounds(tmp_path, file_rows=200)
    parts = [storage.read(path) for path in paths]
    assert len(paths) > 2 and all(replay.verify(part) == [] and problems(part) == [] for part in parts)
    keys = np.concatenate([part.episode["content"] for part in parts])
    assert len(np.unique(keys, axis=0)) == len(keys)


def test_a_shard_may_play_two_batches(tmp_path: Path) -> None:
    """As a curriculum does: a step of the one, a step of the other, under one part number."""
    batches = [dm.Decisions(num_envs=3, threads=1) for _ in range(2)]
    with Capture(tmp_path, name="x") as capture:
        for number, play in enumerate(batches):
            play.reset(number, 2, np.arange(100, 106, 2))
        for step in range(20):
            play = batches[step % 2]
            action = play.sample_legal(step)
            capture.before_step(play, action, None, None)
            play.step(action)
            capture.after_step(play)
    parts = [storage.read(tmp_path / f"x-{name}-0001.dmtrace.h5") for name in ("00", "00.1")]
    assert [part.episode["decisions"].tolist() for part in parts] == [[10] * 3] * 2
    assert all(replay.verify(part) == [] for part in parts)


@pytest.mark.parametrize("record", [capture_random, capture_rounds])
def test_rows_do_not_depend_on_how_many_steps_come_together(
    tmp_path: Path, record: Callable[..., list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks of steps are handed over by size and by time; the files are the same, and begin at the same games."""
    found = []
    for rows in (1, 40, 4096):
        monkeypatch.setattr("mlx_drmario.traces.capture.BLOCK_ROWS", rows)
        found.append([storage.read(path) for path in record(tmp_path / str(rows), steps=150, file_rows=400)])
    for parts in zip(*found, strict=True):
        for part in parts[1:]:
            for name, column in parts[0].decision.items():
                np.testing.assert_array_equal(part.decision[name], column, name)
            for name, column in parts[0].episode.items():
                np.testing.assert_array_equal(part.episode[name], column, name)
            np.testing.assert_array_equal(part.start, parts[0].start)
    assert len(found[0]) > 2


@pytest.mark.parametrize(("seconds", "handed"), [(0.0, 8), (1e9, 0)])
def test_steps_that_are_old_are_handed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, handed: int
) -> None:
    """A slow player's rows do not wait for a full block."""
    monkeypatch.setattr("mlx_drmario.traces.capture.BLOCK_SECONDS", seconds)
    play = dm.Decisions(num_envs=2, threads=1)
    play.reset(3, 2, 40)
    with Capture(tmp_path, name="x") as recording:
        for step in range(4):
            action = play.sample_legal(step)
            recording.before_step(play, action, None, None)
            play.step(action)
            recording.after_step(play)
        recording.rows_thread.submit(int).result()  # what was handed over before has been taken then
        live = journal_of(tmp_path / "x-00-0001.dmtrace.h5")
        assert len(journal.read(live).decision) == handed


def test_files_follow_each_other_and_games_go_on(tmp_path: Path) -> None:
    paths = capture_random(tmp_path, games=5, steps=60, file_rows=100, level=20)
    assert len(paths) > 2
    parts = [storage.read(path) for path in paths]
    assert sum(part.rows for part in parts) == 5 * 60
    assert all(UNFINISHED not in part.episode["outcome"] for part in parts[:-1])
    assert all(replay.verify(part) == [] for part in parts)
    assert {path.suffix for path in tmp_path.iterdir()} == {".h5"}


def test_shards_record_side_by_side(tmp_path: Path) -> None:
    def shard(part: int) -> None:
        play = dm.Decisions(num_envs=4, threads=1)
        play.reset(2, 2, np.arange(100 + 10 * part, 104 + 10 * part))
        for step in range(20):
            action = play.sample_legal(step)
            capture.before_step(play, action, None, None, part)
            play.step(action)
            capture.after_step(play, part)

    with Capture(tmp_path, name="x") as capture:
        threads = [threading.Thread(target=shard, args=(part,)) for part in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    paths = sorted(tmp_path.iterdir())
    assert [path.name for path in paths] == [f"x-0{part}-0001.dmtrace.h5" for part in range(3)]
    assert all(replay.verify(storage.read(path)) == [] for path in paths)


@given(sts.generators, st.integers(1, 2), st.lists(st.integers(1, 900), min_size=1, max_size=5))
@settings(max_examples=12)
def test_games_of_buttons_replay(
    tmp_path_factory: pytest.TempPathFactory, rng: np.random.Generator, players: int, lengths: list[int]
) -> None:
    path = tmp_path_factory.mktemp("f") / "a.dmtrace.h5"
    batch = dm.Batch(num_envs=3, players=players, threads=1)
    batch.reset(5, 2, rng.integers(2, 65536, 3), start=str(rng.choice(["play", "init"])))
    played = []
    with FrameCapture(path, batch, policy="human") as capture:
        for length in lengths:
            played.append(sts.human_buttons(rng, length, 3, players))
            capture.run(played[-1])
            if length % 2:
                capture.run(np.zeros((1, 3, players), int).tolist())  # as `Batch.run` takes them
                played.append(np.zeros((1, 3, players), np.uint8))
    games = storage.read(path)
    assert problems(games) == [] and replay.verify(games) == []
    assert (games.episode["end_digest"] == batch.digest()).all() and not games.episode["custom"].any()
    for n in range(3):
        np.testing.assert_array_equal(games.buttons_of(n), np.concatenate(played)[:, n])


def test_a_game_of_buttons_that_was_touched_goes_on_as_another(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    batch = dm.Batch(num_envs=2, threads=1)
    with FrameCapture(tmp_path / "a.dmtrace.h5", batch) as capture:
        capture.run(sts.human_buttons(rng, 300, 2))
        batch.step(np.zeros((2, 1), np.uint8))
        capture.run(sts.human_buttons(rng, 200, 2))
        batch.reset(0, 0, 99, mask=np.array([True, False]))
        capture.run(sts.human_buttons(rng, 100, 2))
    games = storage.read(tmp_path / "a.dmtrace.h5")
    assert games.episode["buttons"].tolist() == [300, 300, 200, 300, 100]
    assert replay.verify(games) == []


def test_placements_played_by_buttons_give_the_same_rows(tmp_path: Path, greedy_games: Games) -> None:
    """The decisions found in frames are the ones that `Decisions` made of the same game, column by column."""
    for e in range(len(greedy_games)):
        batch = dm.Batch(num_envs=1, threads=1)
        batch.set_state(greedy_games.start[e : e + 1])
        path = tmp_path / f"{e}.dmtrace.h5"
        with FrameCapture(path, batch) as capture:
            capture.run(replay.buttons_of(greedy_games, e)[:, None, :])
        again = storage.read(path)
        rows = greedy_games.decisions_of(e)
        for name, column in again.decision.items():
            if name not in ("digest", "log_prob", "value", "value_band", "top_log_prob"):
                np.testing.assert_array_equal(column, greedy_games.decision[name][rows], name)
        for name in ("outcome", "frames", "seed", "level", "viruses_left"):
            assert again.episode[name][0] == greedy_games.episode[name][e], name


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a.dmtrace.h5").write_text("mine")
    with pytest.raises(FileExistsError, match=r"a\.dmtrace\.h5, which exists"):
        FrameCapture(tmp_path / "a.dmtrace.h5", dm.Batch(num_envs=1))
    capture = FrameCapture(tmp_path / "b.dmtrace.h5", dm.Batch(num_envs=1))
    with pytest.raises(FileExistsError, match="journal of another recording"):
        FrameCapture(tmp_path / "b.dmtrace.h5", dm.Batch(num_envs=1))
    capture.run(np.zeros((50, 1, 1), np.uint8))
    (tmp_path / "b.dmtrace.h5").write_text("mine")  # made meanwhile by somebody else
    with pytest.raises(FileExistsError, match=r"b\.dmtrace\.h5, which exists"):
        capture.close()
    assert (tmp_path / "b.dmtrace.h5").read_text() == "mine"
    assert (tmp_path / "b.dmtrace.h5.journal").exists()
