import numpy as np
import pytest

import mlx_drmario as dm
from mlx_drmario.baselines import Greedy
from mlx_drmario.envs import FrameEnv, FrameVectorEnv
from mlx_drmario.envs.frame import COUNTERS
from mlx_drmario.rewards import TERMS, RewardConfig, compute
from mlx_drmario.search import script_of
from mlx_drmario.spec import BUTTONS, DOWN

ONE_EACH = RewardConfig(**dict.fromkeys(TERMS, 1.0))


def test_button_table():
    assert len(BUTTONS) == len(set(BUTTONS)) == 16
    assert BUTTONS[:4] == (0, 0x02, 0x01, 0x04) and BUTTONS[4] == 0x80 and BUTTONS[15] == 0xC4


def scripts_of_a_game(seed, level):
    """(buttons, reward terms) of a greedy game: for every decision its script, and what the core says it earned."""
    d = dm.Decisions(num_envs=1)
    d.reset(level, 2, seed)
    while not d.ended[0]:
        state, action = d.state[0], Greedy().act(d.view)
        script = script_of(state, int(action[0]))
        d.step(action)
        yield script, {name: float(term[0]) for name, term in compute(ONE_EACH, d).items()}


def as_action(buttons):
    """The action of a scripted byte; down with left or right does nothing, so the table lacks it."""
    return BUTTONS.index(int(buttons) & ~4 if buttons & 3 else int(buttons))


@pytest.mark.parametrize(("seed", "level", "combos", "cascades"), [(4321, 0, 0, 0), (999, 0, 1, 1), (32, 5, 3, 3)])
def test_reward_terms_equal_those_of_the_placement_environment(seed, level, combos, cascades):
    """Playing the planner's scripts frame by frame earns, decision by decision, what the core reports."""
    env = FrameEnv(level=level, reward=ONE_EACH, max_frames=0)
    observation, _ = env.reset(options={"game_seed": seed})
    phase = COUNTERS.index("next_action")
    while observation["counters"][phase] != 0:
        observation, _, terminated, _, _ = env.step(0)
    seen = [0, 0]
    for script, expected in scripts_of_a_game(seed, level):
        earned = dict.fromkeys(TERMS, 0.0)
        buttons = iter(script)
        while True:
            observation, _, terminated, truncated, info = env.step(as_action(next(buttons, 0)))
            for name in TERMS:
                earned[name] += info["reward_terms"][name]
            if terminated or (observation["counters"][phase] == 0 and earned["decision"]):
                break
        assert {name: expected[name] for name in TERMS} == earned
        seen = [seen[0] + earned["combo"], seen[1] + earned["cascade"]]
    assert terminated and not truncated and seen == [combos, cascades]


@pytest.mark.parametrize("skip", [3, 60])
def test_frame_skip_is_as_many_single_frames(skip):
    """Same buttons, same game; terms add up, and nothing after the end of a game counts."""
    slow = FrameVectorEnv(3, level=0, reward=ONE_EACH, autoreset_mode="Disabled")
    fast = FrameVectorEnv(3, level=0, reward=ONE_EACH, autoreset_mode="Disabled", frame_skip=skip)
    rng = np.random.default_rng(0)
    for vector in (slow, fast):
        vector.reset(seed=1)
    while True:
        actions = rng.integers(0, 16, 3)
        observation, reward, terminated, _, info = fast.step(actions)
        total = np.zeros(3)
        for _ in range(skip):
            single, part, ended, _, last = slow.step(actions)
            total += part
            if ended.any():
                break
        if terminated.any():
            assert ended.any()
            index = np.flatnonzero(ended)
            np.testing.assert_allclose(total[index], reward[index])
            assert info["frames"][index].tolist() == last["frames"][index].tolist()
            return
        np.testing.assert_allclose(total, reward)
        assert all(np.array_equal(single[name], observation[name]) for name in single)


def test_truncation_after_max_frames():
    env = FrameEnv(level=0, frame_skip=7, max_frames=50)
    env.reset(seed=0)
    for step in range(1, 9):
        _, _, terminated, truncated, info = env.step(0)
        assert not terminated and info["frames"] == 7 * step and truncated == (7 * step >= 50)


def test_a_game_that_was_cut_short_is_not_played_on():
    """The ignored step after a truncation pays nothing and ends nothing, even where the game would have been lost."""
    down = BUTTONS.index(DOWN)
    game = FrameEnv(level=20, max_frames=0)
    game.reset(seed=3)
    lost = 0
    while not game.step(down)[2]:
        lost += 1
    assert lost > 60
    games = FrameVectorEnv(2, level=20, max_frames=lost)
    games.reset(seed=[3, None], options={"game_seed": [game.unwrapped.games._game_seeds[0], 0x8988]})
    for _ in range(lost):
        _, _, terminated, truncated, _ = games.step(np.array([down, 0]))
    assert not terminated.any() and truncated.all()
    _, total, terminated, truncated, info = games.step(np.array([down, down]))
    assert not total.any() and not terminated.any() and not truncated.any()
    assert not info["tau"].any() and not info["top_out"].any() and info["top_out"].dtype == np.bool_
    assert not info["frames"].any() and not info["decisions"].any() and not info["_tau"].any()


def test_bad_settings():
    for skip in (0, 61, 2.5, True, "2"):
        with pytest.raises(ValueError, match=f"frame_skip is {skip!r}; it must be a whole number in 1..60"):
            FrameEnv(frame_skip=skip)
    for limit in (-1, 2.5, float("nan")):
        with pytest.raises(ValueError, match=f"max_frames is {limit}"):
            FrameEnv(max_frames=limit)
    env = FrameEnv()
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"action 16 of game 0 must lie in 0\.\.15"):
        env.step(16)
