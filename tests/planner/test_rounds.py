"""What a snapshot may hold can be played on, and what is played on, a snapshot may hold (fuzz_round.cpp)."""

import re
from pathlib import Path

import pytest

import mlx_drmario as dm

from ..cpp import run

ROUNDS = Path(__file__).parent / "rounds.txt"


def test_found_cases():
    lines = [line for line in ROUNDS.read_text().splitlines() if re.match("[0-9a-f]", line)]
    inputs, played = map(int, re.findall(r"\d+", run("run_rounds", ROUNDS)))
    assert inputs == len(lines) and played > 35


def test_random_damage():
    inputs, played = map(int, re.findall(r"\d+", run("run_rounds", 10_000)))
    assert inputs == 10_000 and played > 2_000


@pytest.mark.slow
def test_much_random_damage():
    run("run_rounds", 200_000, 2)


def test_a_capsule_just_thrown_is_where_capsules_are_thrown() -> None:
    games = dm.Decisions(num_envs=1, players=2, threads=1)
    games.reset(10, 2, 0x8988)
    state, reserve = games.state.copy(), games.state["reserve"].copy()
    state["p2_next_action"] = 3  # handed over in the next frame
    games.set_state(state, reserve)
    games.step(games.sample_legal(0))
    dm.Decisions(num_envs=1, players=2, threads=1).load(games.save())
    state["p2_pill_x"] = 5
    with pytest.raises(ValueError, match="player 2: pill_x, pill_y and pill_rotation must be 3, 15 and 0"):
        games.set_state(state, reserve)
