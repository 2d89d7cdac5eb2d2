"""Laws of values that Python computes: the same search as by the built-in kind, and nothing breaks when they do."""

import gc
import threading
import weakref
from collections.abc import Callable
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from numpy.typing import NDArray

import mlx_drmario as dm
from mlx_drmario.search import Budget, SearchPolicy, roots_of
from tests.planner.test_search import positioned, random_weights

SEARCHES: list[dict[str, int]] = [
    {"plies": 1},
    {"plies": 2, "first": 16},
    {"plies": 3, "first": 8, "boards": 8},
    {"plies": 3, "first": 8, "boards": 8, "depth": 3, "width": 2, "sequences": 8},
]


def three_games() -> dm.Decisions:
    games = dm.Decisions(num_envs=3, threads=1)
    games.reset(10, 2, np.array([5, 6, 7]), np.array([0, 1, 0]))
    return games


def linear(weights: NDArray[np.int32]) -> Callable[[NDArray[np.uint8]], Any]:
    """The built-in kind of value as a function that answers in MLX."""
    return lambda bottles: mx.array(dm.features(bottles).astype(np.float32)) @ mx.array(weights / 4, mx.float32)


@pytest.mark.parametrize("budget", SEARCHES)
def test_a_function_of_the_features_searches_as_the_weights_do(budget: dict[str, int]) -> None:
    weights, root = random_weights(1), roots_of(three_games().view)
    built_in, foreign = dm.Search(weights=weights, threads=1), dm.Search(value=linear(weights))
    for method in ("choose", "judge"):
        expected, got = getattr(built_in, method)(**root, **budget), getattr(foreign, method)(**root, **budget)
        for one, other in zip(expected, got, strict=True):
            assert np.array_equal(one, other)


def test_known_games_and_whole_games_too() -> None:
    weights, games = random_weights(2), three_games()
    built_in, foreign = dm.Search(weights=weights, threads=1), dm.Search(value=linear(weights))
    alone = dm.Decisions(num_envs=1, threads=1)
    alone.reset(3, 2, 0x8988, 0)
    for each in (games, alone):
        for line, other in zip(built_in.solve(each, 6, 1.0, 20), foreign.solve(each, 6, 1.0, 20), strict=True):
            assert line.frames == other.frames and np.array_equal(line.actions, other.actions)
    seeds = np.array([0x8988, 9])
    for one, two in zip(built_in.play(3, 2, seeds, 0, 12), foreign.play(3, 2, seeds, 0, 12), strict=True):
        assert np.array_equal(one, two)


def test_ends_are_not_asked_about() -> None:
    """Nor cleared bottles, in which halves may still hang; so a function need not know them."""

    def by_viruses(bottles: NDArray[np.uint8]) -> NDArray[np.float64]:
        for bottle in bottles:
            assert at_rest(bottle.reshape(16, 8))
        return 100 * np.log(((bottles & 0xF0) == 0xD0).sum(axis=1))

    games = positioned("r....... r....... R.......", capsule="RB")
    search = dm.Search(value=by_viruses)
    action = search.choose(**roots_of(games.view))[0]
    assert search.solve(games, width=20)[0].cleared
    games.step(action)
    assert games.cleared.all()


def at_rest(bottle: NDArray[np.uint8]) -> bool:
    """No single half without anything below it."""
    single = (bottle & 0xF0) == 0x80
    return not (single[:-1] & (bottle[1:] == 0xFF)).any()


def test_a_wish_to_stop_ends_with_the_call_that_raised() -> None:
    def stop_and_fail(_: NDArray[np.uint8]) -> Any:
        if not failed:
            failed.append(True)
            search.stop()
            raise KeyError("no frames today")
        return np.zeros(len(_), np.float32)

    failed: list[bool] = []
    search = dm.Search(value=stop_and_fail)
    root = roots_of(three_games().view)
    with pytest.raises(KeyError):
        search.choose(**root)
    assert (search.choose(**root)[0] >= 0).all() and search.done == 3


def test_it_sees_bottles_at_rest_once_per_board_expanded() -> None:
    seen: list[NDArray[np.uint8]] = []

    def count(bottles: NDArray[np.uint8]) -> NDArray[np.float32]:
        seen.append(bottles.copy())
        return np.zeros(len(bottles), np.float32)

    games = three_games()
    _, _, nodes = dm.Search(value=count).choose(**roots_of(games.view), plies=2, first=4)
    assert len(seen) == nodes.sum()
    assert all(bottles.dtype == np.uint8 and bottles.shape[1:] == (128,) for bottles in seen)
    other = dm.Decisions(num_envs=1, threads=1)
    other.reset(10, 2, 5, 0)
    after = other.afterstates()
    assert {bytes(bottle) for bottle in after.bottle} == {bytes(bottle) for bottle in seen[0]}


def test_a_policy_by_a_function() -> None:
    weights, games = random_weights(3), three_games()
    policy = SearchPolicy(Budget(plies=2, first=8), dm.Search(value=linear(weights)))
    expected = SearchPolicy(Budget(plies=2, first=8), dm.Search(weights=weights))
    assert np.array_equal(policy.act(games.view), expected.act(games.view))


def no_frames(_: NDArray[np.uint8]) -> Any:
    raise KeyError("no frames today")


@pytest.mark.parametrize(
    ("function", "error", "sentence"),
    [
        (no_frames, KeyError, "no frames today"),
        (lambda bottles: np.zeros(3), ValueError, r"value must give frames f32\[n\].*got shape \(3,\)"),
        (lambda bottles: np.zeros((len(bottles), 1)), ValueError, r"got shape \(\d+, 1\)"),
        (lambda bottles: np.full(len(bottles), np.nan), ValueError, "value gave nan"),
        (lambda bottles: np.full(len(bottles), 2e6), ValueError, "value gave 2000000"),
    ],
)
def test_what_it_raises_the_call_raises_and_the_search_lives_on(
    function: Callable[[NDArray[np.uint8]], Any], error: type[Exception], sentence: str
) -> None:
    broken = True
    right = linear(random_weights(4))
    search = dm.Search(value=lambda bottles: function(bottles) if broken else right(bottles))
    games = three_games()
    root = roots_of(games.view)
    for call in (lambda: search.choose(**root, **SEARCHES[3]), lambda: search.solve(games, 3)):
        with pytest.raises(error, match=sentence):
            call()
    broken = False
    expected = dm.Search(weights=random_weights(4), threads=1).choose(**root, **SEARCHES[3])
    assert np.array_equal(search.choose(**root, **SEARCHES[3])[0], expected[0])


@pytest.mark.parametrize("itself", [True, False])
def test_it_must_not_use_a_search_that_asks_python(itself: bool) -> None:
    root = roots_of(three_games().view)
    other, foreign = dm.Search(threads=1), dm.Search(value=linear(random_weights(6)))

    def deeper(bottles: NDArray[np.uint8]) -> NDArray[np.float32]:
        other.choose(**root)  # one with the built-in value may be used
        (search if itself else foreign).choose(**root)
        return np.zeros(len(bottles), np.float32)

    search = dm.Search(value=deeper)
    with pytest.raises(ValueError, match="must not use a Search that has a value of Python"):
        search.choose(**root)


def test_two_threads_take_turns() -> None:
    root = roots_of(three_games().view)
    weights = random_weights(5)
    search = dm.Search(value=linear(weights))
    expected = dm.Search(weights=weights, threads=1).choose(**root, plies=2)[0]
    found: list[NDArray[np.int32]] = []
    threads = [threading.Thread(target=lambda: found.append(search.choose(**root, plies=2)[0])) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert len(found) == 2 and all(np.array_equal(actions, expected) for actions in found)


def test_a_search_that_its_function_leads_to_is_collected() -> None:
    class Owner:
        search: dm.Search

        def value(self, bottles: NDArray[np.uint8]) -> NDArray[np.float32]:
            return np.zeros(len(bottles), np.float32)

    owner = Owner()
    owner.search = dm.Search(value=owner.value)
    gone = weakref.ref(owner)
    del owner
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        ({"value": 3}, TypeError, "value must be a function of bottles"),
        ({"value": no_frames, "threads": 2}, ValueError, "threads is 2, allowed is 1 when a value is given"),
        ({"value": no_frames, "weights": random_weights(0)}, ValueError, "weights must be None when a value is given"),
    ],
)
def test_arguments(arguments: dict[str, Any], error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        dm.Search(**arguments)
