"""The fast planner equals the literal search, and a second one that moves capsules with the engine's own frames."""

import pytest

from tests import cpp


def test_equals_the_reference() -> None:
    cpp.run("test_reach", 600, 1)


def test_equals_a_search_in_the_engine() -> None:
    assert cpp.run("engine_search", 40, 1).endswith(" 0 differ\n")


def test_every_script_replays_in_the_engine() -> None:
    cpp.run("test_script", 2000, 1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_equals_the_reference_on_100_000_cases(seed: int) -> None:
    cpp.run("test_reach", 10_000, 1000 + seed)


@pytest.mark.slow
def test_every_script_of_100_000_cases_replays_in_the_engine() -> None:
    cpp.run("test_script", 100_000, 2)


@pytest.mark.slow
def test_equals_a_search_in_the_engine_on_many_boards() -> None:
    assert cpp.run("engine_search", 5000, 2).endswith(" 0 differ\n")
