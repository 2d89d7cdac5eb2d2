import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

import mlx_drmario as dm
from mlx_drmario.baselines import Greedy
from mlx_drmario.envs import PlacementEnv, PlacementVectorEnv
from mlx_drmario.observer import Observer


def test_a_step_is_a_decision_of_the_core():
    env = PlacementEnv(level=4, speed="med", max_decisions=0)
    d = dm.Decisions(num_envs=1)
    observation, info = env.reset(options={"game_seed": 1234})
    d.reset(4, 1, 1234)
    while not d.ended[0]:
        assert np.array_equal(observation["planes"], d.planes[0])
        assert np.array_equal(observation["scalars"], d.scalars[0])
        assert np.array_equal(observation["legal"], d.legal[0]) and np.array_equal(info["legal"], d.legal[0])
        assert np.array_equal(env.action_masks(), d.legal[0])
        assert np.array_equal(observation["frames_to_lock"], d.frames_to_lock[0])
        assert info["decisions"] == d.decisions[0] and info["frames"] == d.frames[0]
        action = Greedy().act(d.view)
        d.step(action)
        observation, reward, terminated, truncated, info = env.step(int(action[0]))
        assert info["tau"] == d.tau[0] and info["cleared"] == d.cleared[0] and info["top_out"] == d.top_out[0]
        assert info["viruses_cleared"] == d.viruses_cleared[0] and info["cascade"] == d.cascade[0]
        assert reward == pytest.approx(sum(info["reward_terms"].values()), abs=1e-6)
    assert terminated and not truncated


def test_truncation_after_max_decisions():
    env = PlacementEnv(level=0, max_decisions=3)
    observation, _ = env.reset(seed=0)
    ends = []
    for _ in range(3):
        observation, _, terminated, truncated, info = env.step(int(observation["legal"].argmax()))
        ends.append((terminated, truncated))
    assert ends == [(False, False), (False, False), (False, True)]
    assert info["decisions"] == 3


def illegal(observation):
    return int(np.flatnonzero(observation["legal"] == 0)[0])


def test_illegal_action_forfeits_the_game():
    env = PlacementEnv(level=0, reward={"top_out": -2.0}, render_mode="ansi")
    env.reset(seed=0)
    observation, _ = env.reset(seed=0)
    observation, _, _, _, info = env.step(int(observation["legal"].argmax()))
    picture = env.render()
    after, reward, terminated, truncated, end = env.step(illegal(observation))
    assert terminated and not truncated and reward == -2.0 and end["forfeit"]
    assert end["tau"] == 0 and not end["top_out"] and end["viruses_cleared"] == 0
    for name in observation:
        assert np.array_equal(after[name], observation[name])
    for name in ("frames", "decisions", "viruses_left"):
        assert end[name] == info[name]
    assert env.render() == picture


def test_illegal_action_of_one_game_leaves_the_others_alone():
    both = PlacementVectorEnv(2, level=0)
    alone = PlacementVectorEnv(1, level=0)
    observation, _ = both.reset(seed=[5, 6])
    other, _ = alone.reset(seed=[6])
    for turn in range(12):
        actions = observation["legal"].argmax(axis=1)
        if turn == 4:
            actions[0] = illegal({"legal": observation["legal"][0]})
        observation, reward, terminated, _, info = both.step(actions)
        assert info["forfeit"].tolist() == [turn == 4, False]
        assert terminated[0] == (turn == 4)
        assert reward[0] == 0 if turn == 5 else True
        other, other_reward, *_ = alone.step(other["legal"].argmax(axis=1))
        assert np.array_equal(observation["planes"][1], other["planes"][0]) and reward[1] == other_reward[0]
        assert info["_tau"].tolist() == [turn != 5, True]
    assert info["decisions"].tolist() == [6, 12]


def test_illegal_raise_moves_nothing():
    vector = PlacementVectorEnv(2, illegal="raise")
    observation, _ = vector.reset(seed=0)
    actions = observation["legal"].argmax(axis=1)
    wrong = actions.copy()
    wrong[1] = illegal({"legal": observation["legal"][1]})
    with pytest.raises(ValueError, match=f"action {wrong[1]} of game 1 is not legal"):
        vector.step(wrong)
    after, *_ = vector.step(actions)
    again = PlacementVectorEnv(2)
    again.reset(seed=0)
    assert np.array_equal(after["planes"], again.step(actions)[0]["planes"])
    with pytest.raises(ValueError, match="illegal is 'ignore'"):
        PlacementVectorEnv(2, illegal="ignore")


def test_legal_observation_is_a_gymnasium_mask():
    env = PlacementEnv(level=0, illegal="raise")
    observation, _ = env.reset(seed=0)
    for _ in range(20):
        observation, _, terminated, _, _ = env.step(env.action_space.sample(mask=observation["legal"]))
        if terminated:
            break
    vector = PlacementVectorEnv(3, illegal="raise")
    observation, _ = vector.reset(seed=0)
    for _ in range(5):
        observation, *_ = vector.step(vector.action_space.sample(mask=tuple(observation["legal"])))


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def test_observations_that_are_not_copied_show_the_same(mode):
    kept, viewed = (PlacementVectorEnv(8, level=1, copy=copy, autoreset_mode=mode) for copy in (True, False))
    rng = np.random.default_rng(0)
    first, second = (env.reset(seed=5)[0] for env in (kept, viewed))
    forfeits = 0
    for step in range(60):
        for name, column in first.items():
            assert np.array_equal(column, second[name]), (step, name)
        actions = rng.integers(0, 512, 8)  # most of them legal, some forfeit
        actions[:6] = np.argmax(first["legal"][:6] * rng.random((6, 512)), axis=1)
        first, *_, told = kept.step(actions)
        second, *_, also = viewed.step(actions)
        assert np.array_equal(told["legal"], also["legal"])
        assert [name for name, column in first.items() if not column.flags.writeable] == ["frames_to_lock"]
        assert not any(column.flags.writeable for column in second.values())  # a game forfeited or not
        assert not also["legal"].flags.writeable and not also["action_mask"].flags.writeable
        forfeits += told["forfeit"].any()
    assert forfeits


def test_the_last_observation_of_a_forfeited_game_is_what_it_saw():
    games = PlacementVectorEnv(2, level=5, threads=1, autoreset_mode=AutoresetMode.SAME_STEP)
    before, _ = games.reset(seed=0)
    before = {name: column.copy() for name, column in before.items()}
    _, _, terminated, _, info = games.step(np.array([before["legal"][0].argmin(), before["legal"][1].argmax()]))
    assert terminated.tolist() == [True, False]
    assert info["final_obs"][1] is None
    for name, column in info["final_obs"][0].items():
        np.testing.assert_array_equal(column, before[name][0])
    for name in ("legal", "frames_to_lock"):
        np.testing.assert_array_equal(info["final_info"][name][0], before[name][0])


def test_masks_are_of_the_game_whatever_is_written_to_an_observation():
    env = PlacementVectorEnv(3, level=2)
    observation, _ = env.reset(seed=0)
    masks = env.action_masks()
    assert np.array_equal(masks, observation["legal"]) and masks.flags.writeable
    observation["legal"][...] = 0
    observation["planes"] *= 2
    assert np.array_equal(env.action_masks(), masks)
    assert not env.step(masks.argmax(axis=1))[4]["forfeit"].any()


class Failing(Observer):
    """Nobody is there to be counted yet, and the third step cannot be written."""

    steps = 0

    def __len__(self):
        return self.steps

    def after_step(self, games, part=0):
        self.steps += 1
        if self.steps == 3:
            raise OSError("the disk is full")


def test_games_that_ended_while_an_observer_failed_begin_anew():
    failing = Failing()
    env = PlacementVectorEnv(2, max_decisions=3, observer=failing)
    env.reset(seed=0)
    failures, ended = 0, []
    for _ in range(8):
        try:
            _, _, terminated, truncated, _ = env.step(env.action_masks().argmax(axis=1))
        except OSError:
            failures += 1
            continue
        ended.append((terminated | truncated).tolist())
    assert failures == 1 and ended[:2] == [[False, False]] * 2
    assert ended[2:] == [[False, False], [False, False], [False, False], [True, True], [False, False]]


def test_a_forfeited_game_begins_anew_also_after_an_interruption(monkeypatch):
    env = PlacementVectorEnv(2, level=0)
    observation, info = env.reset(seed=0)
    seed, draw = info["game_seed"][0], env._draw
    legal = observation["legal"]
    observation, _, terminated, *_ = env.step(np.array([legal[0].argmin(), legal[1].argmax()]))
    assert terminated.tolist() == [True, False]

    def interrupted(mask):
        monkeypatch.setattr(env, "_draw", draw)
        raise KeyboardInterrupt

    monkeypatch.setattr(env, "_draw", interrupted)
    with pytest.raises(KeyboardInterrupt):
        env.step(observation["legal"].argmax(axis=1))
    *_, info = env.step(env.action_masks().argmax(axis=1))
    assert info["game_seed"][0] != seed and info["decisions"].tolist() == [0, 3]
    assert info["_tau"].tolist() == [False, True]
