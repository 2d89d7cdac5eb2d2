"""Search as a policy: it can be interrupted, stopped, copied and pickled, and says what it cannot play."""

import copy
import dataclasses
import pickle
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import mlx_drmario as dm
from mlx_drmario import memory, search, seeds
from mlx_drmario.memory import MemoryPolicy
from mlx_drmario.ranges import ranges
from mlx_drmario.search import BUDGETS, Budget, Parts, SearchPolicy, decided, roots_of


def parked(count: int, players: int = 1) -> dm.Decisions:
    games = dm.Decisions(num_envs=count, players=players)
    games.reset(5, 2, seeds.seeds("training", count))
    return games


class Clock:
    """Tells the time that work took, a number of seconds a row."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.now = seconds, 0.0

    def perf_counter(self) -> float:
        return self.now

    def work(self, parts: Iterator[NDArray[np.intp]]) -> list[int]:
        """The sizes of the parts, which hold all rows in order."""
        sizes, rows = [], []
        for part in parts:
            sizes.append(len(part))
            rows += part.tolist()
            self.now += self.seconds * len(part)
        assert rows == list(range(len(rows)))
        return sizes


@pytest.mark.parametrize(("seconds", "longest"), [(1.0, 4.0), (0.01, 0.2), (1e-6, 0.2)])
def test_a_part_takes_a_fraction_of_a_second(monkeypatch: pytest.MonkeyPatch, seconds: float, longest: float) -> None:
    clock, parts = Clock(seconds), Parts(threads=2)
    monkeypatch.setattr(search, "time", clock)
    for _ in range(3):
        sizes = clock.work(parts(np.arange(1000)))
        assert sum(sizes) == 1000 and max(sizes) * seconds <= longest
    if seconds < 1e-3:
        assert len(sizes) == 1, "what takes no time is done at once"
    clock.seconds = 1.0  # it got slower
    for _ in range(10):
        sizes = clock.work(parts(np.arange(1000)))
    assert max(sizes) == 4


def test_a_step_of_many_games_is_many_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """For Ctrl-C is seen between two of them; and it is the same play."""
    games, asked = parked(9), []

    class Told:
        threads = 2

        def choose(self, **given: Any) -> Any:
            asked.append(len(given["bottle"]))
            return dm.Search(threads=2).choose(**given)

    at_once = dm.Search(threads=1).choose(**roots_of(games.view), plies=2, first=4)[0]
    monkeypatch.setattr(Parts, "SECONDS", 0.0)  # all take longer than that
    told: Any = Told()
    assert (SearchPolicy(Budget(plies=2, first=4), told).act(games.view) == at_once).all()
    assert asked == [4, 4, 1]


def test_who_was_stopped_says_so_and_plays_nothing() -> None:
    games = parked(2)
    players = [SearchPolicy(BUDGETS["1ply"]), MemoryPolicy(memory.parse("memory:boards=2,depth=1,width=1,sequences=2"))]
    for player in players:
        player.search.stop()
        with pytest.raises(RuntimeError, match="search was stopped before it had chosen for 2 of 2 games"):
            player.act(games.view)
        assert games.legal[np.arange(2), player.act(games.view)].all()
    assert decided(np.array([0, 3], np.int32)).tolist() == [0, 3]


def test_the_name_of_a_budget_is_none() -> None:
    with pytest.raises(TypeError, match=r"budget is '2ply'; it must be a Budget, as search.parse makes of a name"):
        SearchPolicy("2ply")  # type: ignore[arg-type]


def test_games_of_two_are_refused() -> None:
    view = parked(2, players=2).view
    for player in (SearchPolicy(BUDGETS["1ply"]), MemoryPolicy(memory.MEMORY)):
        with pytest.raises(ValueError, match="view has games of 2 players, a search plays games of one"):
            player.act(view)


def by_viruses(bottles: NDArray[np.uint8]) -> NDArray[np.float32]:
    return 100.0 * ((bottles & 0xF0) == 0xD0).sum(axis=1, dtype=np.float32)


def test_searches_and_policies_are_copied_and_pickled() -> None:
    games = parked(4)
    weights = np.arange(len(dm.feature_names()), dtype=np.int32)
    searches = [
        dm.Search(threads=3),
        dm.Search(weights, 1),
        dm.Search(weights=weights.tolist()),
        dm.Search(value=by_viruses),
    ]
    chosen = [each.choose(**roots_of(games.view), plies=2, first=4)[0] for each in searches]
    weights[:] = 0  # the search has its own
    for each, actions in zip(searches, chosen, strict=True):
        for other in (pickle.loads(pickle.dumps(each)), copy.copy(each), copy.deepcopy(each)):
            assert other is not each and other.threads == each.threads
            assert (other.choose(**roots_of(games.view), plies=2, first=4)[0] == actions).all()
    assert (chosen[0] != chosen[1]).any()
    for player in (SearchPolicy(BUDGETS["2ply"]), MemoryPolicy(memory.parse("memory:boards=2,beam=30"))):
        first, copied = player.act(games.view), pickle.loads(pickle.dumps(player))
        assert copied.budget == player.budget and (copied.act(games.view) == first).all()


def test_weights_and_values_that_cannot_be_are_named() -> None:
    names, weights = dm.feature_names(), np.zeros(len(dm.feature_names()), np.int32)
    for name, weight, most in ((names[3], 4096, 4095), (names[-1], -100_001, 100_000)):
        at = names.index(name)
        given = weights.copy()
        given[at] = weight
        said = rf"weights\[{at}\] \({name}\) is {weight}, allowed are -{most}..{most} quarters of a frame"
        with pytest.raises(ValueError, match=said):
            dm.Search(given)
    root = roots_of(parked(1).view)
    for answer, said in (
        (lambda bottles: ["long"] * len(bottles), r"got <U4"),
        (lambda bottles: np.ones(len(bottles), np.complex64), r"got complex64"),
        (lambda bottles: [[1], [1, 2]], r"got list that is no array"),
        (lambda bottles: None, r"got object"),
    ):
        with pytest.raises(ValueError, match=r"value must give frames f32\[n\] for bottles u8\[n, 128\], " + said):
            dm.Search(value=answer).choose(**root)


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Budget)])
def test_settings_are_those_of_the_core(name: str) -> None:
    """Defaults and ranges: what is beyond an end is refused by both, for the same reason."""
    games, core = dm.Decisions(num_envs=1, threads=1), dm.Search(threads=1)
    games.reset(0, 2, 0x8988)
    core.stop()  # it chooses nothing, but looks at its arguments
    limits, least = ranges(Budget)[name], {"plies": 3, "first": 1, "boards": 1}
    assert limits.range.without == ""
    for end, beyond in ((limits.range.low, -1), (limits.range.high, 1)):
        core.choose(**roots_of(games.view), **{**least, name: type(getattr(Budget(), name))(end)})
        for refused in (Budget, lambda **setting: core.choose(**roots_of(games.view), **setting)):
            with pytest.raises(ValueError, match=f"{name} "):
                refused(**{name: end + beyond})
    ((signature, _, defaults),) = dm.Search.choose.__nb_signature__
    assert defaults[int(re.search(rf"{name}: \w+ = \\(\d+)", signature)[1])] == getattr(Budget(), name)
