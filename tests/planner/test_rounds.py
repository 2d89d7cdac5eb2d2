"""What a snapshot may hold can be played on, and what is played on, a snapshot may hold (fuzz_round.cpp)."""

import re
from pathlib import Path

import pytest

from ..cpp import run

ROUNDS = Path(__file__).parent / "rounds.txt"


def test_found_cases():
    lines = [line for line in ROUNDS.read_text().splitlines() if re.match("[0-9a-f]", line)]
    inputs, played = map(int, re.findall(r"\d+", run("run_rounds", ROUNDS)))
    assert inputs == len(lines) and played > 60


def test_random_damage():
    inputs, played = map(int, re.findall(r"\d+", run("run_rounds", 10_000)))
    assert inputs == 10_000 and played > 2_000


@pytest.mark.slow
def test_much_random_damage():
    run("run_rounds", 200_000, 2)
