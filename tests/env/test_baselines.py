import numpy as np
import pytest

import mlx_drmario as dm
from mlx_drmario import seeds
from mlx_drmario.baselines import Greedy, RandomLegal, landing_row


@pytest.fixture
def games():
    """Games of several levels and speeds, some capsules into play."""
    d = dm.Decisions(num_envs=24)
    d.reset(np.arange(24, dtype=np.uint8) % 21, np.arange(24, dtype=np.uint8) % 3, seeds.seeds("training", 24))
    for turn in range(12):
        d.step(RandomLegal(turn).act(d.view))
    return d


def greedy_reference(d, index):
    """The definition, one placement at a time: play each in a copy of the games and look what it cleared."""
    blob = d.save()
    copy = dm.Decisions(num_envs=d.num_envs)
    best = None
    for action in np.flatnonzero(d.legal[index]):
        copy.load(blob)
        others = copy.legal.argmax(axis=1).astype(np.int32)
        others[index] = action
        copy.step(others)
        frames = int(d.frames_to_lock[index, action])
        orientation, row = action // 128, action // 8 % 16
        lower = row + 1 if orientation == 1 else row
        wish = (0, frames, 0, action) if copy.viruses_cleared[index] else (1, -lower, frames, action)
        best = wish if best is None or wish < best else best
    return best[-1]


def test_greedy_follows_its_definition(games):
    clears = 0
    for turn in range(6):
        actions = Greedy().act(games.view)
        assert actions.dtype == np.int32 and actions.shape == (games.num_envs,)
        for index in np.flatnonzero(~games.ended)[turn::6]:
            assert actions[index] == greedy_reference(games, index)
        games.step(actions)
        clears += int(games.viruses_cleared.sum())
    assert clears > 0


def test_greedy_of_ended_games_is_action_zero(games):
    while not games.ended.all():
        running = ~games.ended
        actions = Greedy().act(games.view)
        assert (actions[~running] == 0).all()
        assert games.legal[np.flatnonzero(running), actions[running]].all()
        games.step(actions)
    assert (Greedy().act(games.view) == 0).all()


def test_landing_row():
    rows = {(0, 5): 5, (1, 5): 6, (2, 5): 5, (3, 5): 5}
    for (orientation, row), expected in rows.items():
        assert landing_row(np.array([orientation * 128 + row * 8 + 3])) == [expected]


def test_random_is_legal_and_uniform(games):
    index = int(np.flatnonzero(~games.ended)[0])
    legal = np.flatnonzero(games.legal[index])
    draws = 200 * len(legal)
    counts = np.zeros(512, int)
    for seed in range(draws):
        counts[RandomLegal(seed).act(games.view)[index]] += 1
    assert counts[legal].sum() == draws
    chi_square = ((counts[legal] - 200) ** 2 / 200).sum()
    freedom = len(legal) - 1
    assert chi_square < freedom + 5 * (2 * freedom) ** 0.5


def test_random_does_not_depend_on_the_rest_of_the_batch():
    games = seeds.seeds("training", 8)
    alone = dm.Decisions(num_envs=1)
    batch = dm.Decisions(num_envs=8)
    batch.reset(3, 2, games)
    paths = []
    for _ in range(10):
        actions = RandomLegal(5).act(batch.view)
        paths.append(actions)
        batch.step(actions)
    for index, seed in enumerate(games):
        alone.reset(3, 2, int(seed))
        for actions in paths:
            action = RandomLegal(5).act(alone.view)
            assert alone.ended[0] or action[0] == actions[index]
            alone.step(action)


def test_random_seeds_differ(games):
    assert not np.array_equal(RandomLegal(0).act(games.view), RandomLegal(1).act(games))
