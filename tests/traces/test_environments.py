"""Games of Gymnasium's environments, recorded."""

import copy
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from hypothesis import given, settings
from hypothesis import strategies as st

import mlx_drmario as dm
import mlx_drmario.envs
from mlx_drmario.traces import replay, storage
from mlx_drmario.traces.capture import Capture
from mlx_drmario.traces.games import Games, problems
from mlx_drmario.traces.schema import TRUNCATED, UNFINISHED

MODES = (AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP)


def recorded(capture: Capture) -> Games:
    (file,) = capture.files()
    games = storage.read(file)
    assert problems(games) == [] and replay.verify(games) == []
    return games


def played(games: Games) -> list[tuple[int, list[int]]]:
    """Seed and actions of every game, sorted."""
    rows = (games.decision["action"][games.decisions_of(n)].tolist() for n in range(len(games)))
    return sorted(zip(games.episode["seed"].tolist(), rows, strict=True))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("keeps", [True, False])
def test_a_vector_records_what_it_plays(mode: AutoresetMode, keeps: bool, tmp_path: Path) -> None:
    """Also where games begin anew, and where some are lost by an action that is not legal."""
    rng, lines, made = np.random.default_rng(0), [], [[] for _ in range(4)]
    with Capture(tmp_path, policy="mine") as capture:
        games = gym.make_vec(
            "DrMarioPlacement-v0",
            num_envs=4,
            level=3,
            max_decisions=9,
            observer=capture,
            autoreset_mode=mode,
            copy=keeps,
        )
        observation, info = games.reset(seed=1)
        ended = np.zeros(4, bool)
        for step in range(30):
            seeds = info["game_seed"].copy()
            actions = np.argmax(observation["legal"] * rng.random((4, 512)), axis=1)
            if step % 7 == 3:
                actions[step % 4] = observation["legal"][step % 4].argmin()
            waits = ended if mode == AutoresetMode.NEXT_STEP else np.zeros(4, bool)
            observation, _, terminated, truncated, info = games.step(actions)
            ended = terminated | truncated
            forfeit = (info["final_info"] if mode == AutoresetMode.SAME_STEP and ended.any() else info)["forfeit"]
            for n in np.flatnonzero(~waits):
                made[n] += [] if forfeit[n] else [int(actions[n])]
                if ended[n]:
                    lines.append((int(seeds[n]), made[n]))
                    made[n] = []
        lines += [(int(seed), actions) for seed, actions in zip(info["game_seed"], made, strict=True)]
    found = recorded(capture)
    assert played(found) == sorted((seed, actions) for seed, actions in lines if actions)
    assert {TRUNCATED, UNFINISHED} <= set(found.episode["outcome"])
    assert found.episode["policy"].tolist() == [b"mine"] * len(found)


def test_one_game_is_recorded(tmp_path: Path) -> None:
    with Capture(tmp_path) as capture:
        game = gym.make("DrMarioPlacement-v0", level=0, observer=capture)
        observation, _ = game.reset(seed=0, options={"game_seed": 1234})
        for _ in range(5):
            observation, *_ = game.step(int(observation["legal"].argmax()))
    (line,) = played(recorded(capture))
    assert line[0] == 1234 and len(line[1]) == 5


@given(st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=1, max_size=12), st.sampled_from([1, 2]))
@settings(deadline=None, max_examples=25)
def test_games_that_wait_go_on(tmp_path_factory: pytest.TempPathFactory, steps: list[list[bool]], players: int) -> None:
    """A recorded game in which nothing happened for a while is one game, and holds what was made."""
    games = dm.Decisions(3, players=players)
    games.reset(2, 2, [5, 7, 9])
    made = np.zeros(3, int)
    with Capture(tmp_path_factory.mktemp("waits")) as capture:
        for number, mask in enumerate(steps):
            due = games.to_act.reshape(3, players).sum(axis=1) * mask
            action = games.sample_legal(number)
            action[~np.array(mask)] = -1
            capture.before_step(games, action, None, None)
            games.step(action, mask=np.array(mask))
            capture.after_step(games)
            made += due
    if not made.any():
        assert capture.files() == [] or len(recorded(capture)) == 0
        return
    lines = played(recorded(capture))
    assert [len(actions) for _, actions in lines] == [each for each in made.tolist() if each]


def test_a_recording_is_an_argument_like_others(tmp_path: Path) -> None:
    with Capture(tmp_path) as capture:
        game = gym.make("DrMarioPlacement-v0", level=0, observer=capture)
        assert game.spec is not None and game.spec.kwargs["observer"] is capture
        twin = copy.deepcopy(game)
        for each, seed in ((game, 1234), (twin, 1236)):
            observation, _ = each.reset(options={"game_seed": seed})
            each.step(int(observation["legal"].argmax()))
    games = [game for file in capture.files() for game in played(storage.read(file))]
    assert sorted(seed for seed, _ in games) == [1234, 1236]


def test_a_game_that_does_not_wait_as_it_said_leaves_the_step_out(tmp_path: Path) -> None:
    games = dm.Decisions(2)
    games.reset(2, 2, [5, 7])
    with Capture(tmp_path) as capture:
        for turn in range(4):
            action, mask = games.sample_legal(turn), np.array([True, turn % 2 == 0])
            action[~mask] = -1
            capture.before_step(games, action, None, None)
            games.step(action, mask=mask)
            if turn == 1:
                games.reset(2, 2, [5, 9], mask=~mask)
            capture.after_step(games)
    assert recorded(capture)


LEFT_OPEN = """
import sys
import gymnasium as gym
import mlx_drmario.envs
from mlx_drmario.traces.capture import Capture

def make():
    return gym.make("DrMarioPlacement-v0", observer=Capture(sys.argv[1]))

def play(games, mask):
    for _ in range(6):
        observation, *_ = games.step(mask(observation if "observation" in locals() else games.reset(seed=0)[0]))
    games.close()

if sys.argv[2] == "one":
    play(make(), lambda seen: int(seen["legal"].argmax()))
else:
    play(gym.vector.AsyncVectorEnv([make] * 2, context=sys.argv[2]), lambda seen: seen["legal"].argmax(axis=1))
"""


@pytest.mark.parametrize("kind", ["one", "fork"])
def test_a_recording_that_nobody_closes_is_whole_at_the_end(kind: str, tmp_path: Path) -> None:
    """Also in the processes of Gymnasium's asynchronous vectors."""
    subprocess.run([sys.executable, "-c", LEFT_OPEN, tmp_path, kind], check=True, timeout=120)
    files = sorted(tmp_path.iterdir())
    assert [file.suffixes[-2:] for file in files] == [[".dmtrace", ".h5"]] * (1 if kind == "one" else 2)
    for file in files:
        games = storage.read(file)
        assert replay.verify(games) == [] and [len(actions) for _, actions in played(games)] == [6]


def test_threads_may_share_a_recording(tmp_path: Path) -> None:
    """Every environment has a file of its own, whoever comes first."""
    together = threading.Barrier(8)

    def play(capture: Capture) -> None:
        game = gym.make("DrMarioPlacement-v0", observer=capture)
        observation, _ = game.reset(seed=0)
        together.wait()
        for _ in range(3):
            observation, *_ = game.step(int(observation["legal"].argmax()))

    with Capture(tmp_path) as capture, ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(play, capture) for _ in range(8)]:
            done.result()
    assert len(capture.files()) == 8
    assert all([len(actions) for _, actions in played(storage.read(file))] == [3] for file in capture.files())


INTERRUPTED = """
import faulthandler, sys, threading
import mlx_drmario as dm
from mlx_drmario.traces.capture import Capture

faulthandler.dump_traceback_later(60, exit=True)
games, seen = dm.Decisions(256), []
games.reset(0, 2, range(2, 258))

def trace(frame, event, argument):
    def local(frame, event, argument):
        if event == "return" and not seen:
            seen.append(frame)
            raise KeyboardInterrupt
        return local
    # where a thread has taken a lock in Python and is about to enter the block that gives it back
    return local if frame.f_code.co_name == "__enter__" and frame.f_code.co_filename.endswith("threading.py") else None

with Capture(sys.argv[1]) as capture:
    for turn in range(60):
        action = games.sample_legal(turn)
        sys.settrace(trace)
        try:
            capture.before_step(games, action, None, None)
            games.step(action)
            capture.after_step(games)
        except KeyboardInterrupt:
            pass
        sys.settrace(None)
        games.reset(0, 2, range(2, 258), mask=games.ended)
    sys.settrace(trace)
    try:
        capture.flush()
    except KeyboardInterrupt:
        pass
    sys.settrace(None)
print("closed", len(capture.files()))
"""


def test_an_interruption_leaves_nothing_locked(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", INTERRUPTED, tmp_path], capture_output=True, text=True, timeout=120)
    assert done.stdout == "closed 1\n", done.stderr
    (file,) = tmp_path.glob("*.h5")
    assert replay.verify(storage.read(file)) == []


def test_a_part_that_could_not_begin_gives_way_to_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its journal may be there: what was to be recorded goes to another file."""
    games = dm.Decisions(2)
    with Capture(tmp_path) as capture:
        with monkeypatch.context() as patch:
            patch.setattr("mlx_drmario.traces.capture.Recorder.__init__", begun_in_vain)
            with pytest.raises(KeyboardInterrupt):
                capture.before_step(games, games.sample_legal(0), None, None)
        for turn in range(3):
            action = games.sample_legal(turn)
            capture.before_step(games, action, None, None)
            games.step(action)
            capture.after_step(games)
    assert sum(len(actions) for _, actions in played(recorded(capture))) == 6


def begun_in_vain(self: Any, games: Any, log: Any, policy: str, open_next: Any, maker: Any) -> None:
    open_next(1, None)
    raise KeyboardInterrupt
