"""Games of Gymnasium's environments, recorded."""

from pathlib import Path

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
@pytest.mark.parametrize("copy", [True, False])
def test_a_vector_records_what_it_plays(mode: AutoresetMode, copy: bool, tmp_path: Path) -> None:
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
            copy=copy,
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
