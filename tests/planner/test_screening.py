"""Boards that are chosen by every capsule that may come third, each tried in the engine."""

import itertools

import numpy as np
import pytest

import mlx_drmario as dm
from mlx_drmario.search import roots_of
from tests.planner.test_search import WELL, best_by_trying, copy_of, positioned, random_weights, show


def mean_over_third(games: dm.Decisions, action: int, weights: np.ndarray, law: np.ndarray) -> float:
    """Frames of a placement and of the best one after it, in the mean over the capsule that is seen after it."""
    total = 0.0
    for third in law:
        known = dm.Decisions(num_envs=1, threads=1)
        known.load(games.save())
        show(known, int(third))
        after = copy_of(known, action)
        total += float(after.tau[0])
        if after.top_out[0]:
            total += 60_000
        elif not after.cleared[0]:
            total += best_by_trying(after, 1, weights)
    return total / len(law)


@pytest.mark.parametrize("preview", ["BR", "YR"])
def test_screening_follows_what_is_best_in_the_mean_over_the_third_capsule(preview: str) -> None:
    """Of all boards after two capsules, each tried in the engine with all that may come third."""
    weights = random_weights(4)
    games = positioned(WELL, preview=preview)
    root = roots_of(games.view)
    law = dm.next_capsules(root["capsule"][0], root["preview"][0], int(root["capsules_thrown"][0]))
    means, firsts = [], []
    for action in np.flatnonzero(games.legal[0]):
        one = copy_of(games, int(action))
        for second in [] if one.ended[0] else np.flatnonzero(one.legal[0]):
            means.append(float(one.tau[0]) + mean_over_third(one, int(second), weights, law))
            firsts.append(action)
    every = dict(plies=3, first=256, screened=256)
    search = dm.Search(weights=weights, threads=1)
    action, frames, _ = search.choose(**root, **every, boards=1)
    assert frames[0] == pytest.approx(min(means), abs=1)
    assert action[0] == firsts[int(np.argmin(means))]
    without = search.choose(**root, **{**every, "screened": 0}, boards=1)[1][0]  # the best board before a third shows
    assert (without > frames[0] + 1) == (preview == "BR")


def test_screening_goes_by_how_often_a_capsule_comes_third() -> None:
    """Of told futures 15 begin with one capsule and the last with another; one board is followed, through four."""
    weights = random_weights(4)
    games = positioned(WELL)
    search = dm.Search(weights=weights, threads=1)
    boards = []
    for action in np.flatnonzero(games.legal[0]):
        one = copy_of(games, int(action))
        for second in [] if one.ended[0] else np.flatnonzero(one.legal[0]):
            after = [mean_over_third(one, int(second), weights, np.array([third])) for third in range(9)]
            boards.append(float(one.tau[0]) + np.array(after))
    frames = np.array(boards)  # [board, third capsule]
    differ = 0
    for often, seldom in itertools.permutations(range(9), 2):
        futures = np.array([often] * 15 + [seldom]).reshape(1, 16, 1)
        options = dict(plies=3, first=256, boards=1, screened=256, sequences=16, futures=futures)
        _, found, _ = search.choose(**roots_of(games.view), **options)
        best = np.argmin(15 * frames[:, often] + frames[:, seldom])
        assert found[0] == pytest.approx(frames[best, often], abs=0.3)
        alike = np.argmin(frames[:, often] + frames[:, seldom])
        differ += abs(frames[alike, often] - frames[best, often]) > 1
    assert differ > 3
