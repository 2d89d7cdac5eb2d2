"""What holds for both environments: Gymnasium's checkers, one game = one row, autoreset, determinism.

Warnings are errors in this project's tests, so a checker that warns fails.
"""

import copy
import pickle
import subprocess
import sys
from itertools import pairwise

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env, data_equivalence
from gymnasium.utils.passive_env_checker import data_shares_objects
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers.vector import RecordEpisodeStatistics

import mlx_drmario.envs as envs
from mlx_drmario import seeds
from mlx_drmario.envs.vector import AHEAD

from ..conftest import ROOT

MODES = (AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP)


def rollout(vector, family, steps, seed=0):
    """Observation, reward, terminated, truncated, info of each step, after the reset's observation and info."""
    rng = np.random.default_rng(seed)
    observation, info = vector.reset(seed=seed)
    yield observation, None, None, None, info
    for _ in range(steps):
        result = vector.step(family.actions(observation, rng))
        observation = result[0]
        yield result


def test_registration(family):
    assert gym.spec(family.id).vector_entry_point is not None
    envs.register()  # again
    assert isinstance(gym.make(family.id).unwrapped, envs.PlacementEnv | envs.FrameEnv)


def test_id_with_module_needs_no_import(family):
    code = f"import gymnasium; print(gymnasium.make('mlx_drmario.envs:{family.id}').reset(seed=0)[1]['frames'])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert result.stdout.strip() == "0"


def test_example_of_the_documentation():
    text = (ROOT / "docs" / "environments.md").read_text()
    names: dict = {}
    exec(text.split("```python\n")[1].split("```")[0], names)
    assert not names["truncated"] and names["envs"].num_envs == 256
    assert names["envs"].metadata["autoreset_mode"] == AutoresetMode.SAME_STEP


@pytest.mark.parametrize("planes", ["bitplane", "extended"])
@pytest.mark.parametrize("render_mode", [None, "ansi", "rgb_array"])
def test_check_env(family, planes, render_mode):
    for _ in range(3):  # the checker plays random actions
        check_env(gym.make(family.id, planes=planes, render_mode=render_mode, **family.settings).unwrapped)


@pytest.mark.parametrize("mode", [*AutoresetMode, "SameStep"])
def test_make_vec(family, mode):
    vector = gym.make_vec(family.id, num_envs=3, vectorization_mode="vector_entry_point", autoreset_mode=mode)
    assert vector.num_envs == 3 and vector.metadata["autoreset_mode"] == AutoresetMode(mode)
    assert vector.single_action_space == gym.make(family.id).action_space
    default = gym.make_vec(family.id, num_envs=2)
    assert default.metadata["autoreset_mode"] == AutoresetMode.NEXT_STEP
    assert isinstance(default.unwrapped, envs.PlacementVectorEnv | envs.FrameVectorEnv)
    assert np.isfinite(default.reset(seed=1)[0]["scalars"]).all()


@pytest.mark.parametrize("mode", MODES)
def test_vector_observations_are_in_the_space_and_never_reused(family, mode):
    vector = family.vector(4, autoreset_mode=mode)
    results = list(rollout(vector, family, 60))
    ends = 0
    for observation, reward, terminated, truncated, _ in results:
        assert observation in vector.observation_space
        for name, space in vector.observation_space.items():
            assert observation[name].dtype == space.dtype and observation[name].shape == space.shape
        if reward is not None:
            assert reward.shape == terminated.shape == truncated.shape == (4,)
            assert reward.dtype == np.float64 and terminated.dtype == truncated.dtype == np.bool_
            assert not (terminated & truncated).any()
            ends += (terminated | truncated).sum()
    assert ends > 4
    for before, after in pairwise(results):
        assert not data_shares_objects(before[0], after[0])
        assert not data_shares_objects(before[4], after[4])


def reported(info, name, mask=None):
    """An info column and where it means something; terms of the reward as 'reward_terms/virus'."""
    for part in name.split("/")[:-1]:
        info = info[part]
    name = name.split("/")[-1]
    mask = info["_" + name] if mask is None else mask
    return info[name][mask].tolist(), np.flatnonzero(mask).tolist()


@pytest.mark.parametrize("mode", MODES)
def test_n_games_in_one_vector_are_n_single_environments(family, mode):
    """Against Gymnasium's own vector of single environments: observations, rewards, ends, infos."""
    native = family.vector(5, autoreset_mode=mode)
    single = SyncVectorEnv([family.single] * 5, autoreset_mode=mode)
    ends = 0
    for ours, theirs in zip(rollout(native, family, 50), rollout(single, family, 50), strict=True):
        assert data_equivalence(ours[0]["planes"].astype(np.uint8), theirs[0]["planes"].astype(np.uint8), exact=True)
        for name in ours[0]:
            assert np.array_equal(ours[0][name], theirs[0][name])
        if ours[1] is not None:
            for mine, other in zip(ours[1:4], theirs[1:4], strict=True):
                assert np.array_equal(mine, other)
            ends += int((ours[2] | ours[3]).sum())
        names = [name for name in theirs[4] if not name.startswith(("_", "final", "reward_terms"))]
        names += [f"reward_terms/{term}" for term in theirs[4].get("reward_terms", {}) if not term.startswith("_")]
        for name in names:
            # In SAME_STEP mode ours also reports the events of ended games here; theirs has them in final_info alone.
            mask = theirs[4]["_" + name] if "/" not in name else theirs[4]["reward_terms"]["_" + name.split("/")[1]]
            assert reported(ours[4], name, mask) == reported(theirs[4], name, mask)
        if "final_obs" in theirs[4]:
            assert ours[4]["_final_obs"].tolist() == theirs[4]["_final_obs"].tolist()
            for index in np.flatnonzero(theirs[4]["_final_obs"]):
                for name, value in theirs[4]["final_obs"][index].items():
                    assert np.array_equal(ours[4]["final_obs"][index][name], value)
            for name in theirs[4]["final_info"]:
                if not name.startswith("_") and name != "reward_terms":
                    assert reported(ours[4]["final_info"], name) == reported(theirs[4]["final_info"], name)
    assert ends > 5


def test_same_seed_same_trajectory_and_threads_do_not_matter(family):
    runs = [list(rollout(family.vector(4, threads=threads), family, 40, seed=3)) for threads in (1, 2, 0)]
    for run in runs[1:]:
        for one, other in zip(runs[0], run, strict=True):
            assert data_equivalence(one, other, exact=True)
    different = list(rollout(family.vector(4), family, 1, seed=4))
    assert not data_equivalence(runs[0][0][0], different[0][0], exact=True)


def test_games_come_from_the_split(family):
    from mlx_drmario import seeds

    vector = family.vector(16, split="validation")
    used = {int(seed) for *_, info in rollout(vector, family, 40) for seed in info["game_seed"]}
    assert len(used) > 16 and used <= set(seeds.seeds("validation").tolist())


def test_next_step_autoreset_ignores_the_action_and_starts_the_next_game(family):
    vector = family.vector(4)
    waiting = np.zeros(4, bool)
    met = 0
    for observation, reward, terminated, truncated, info in rollout(vector, family, 60):
        if reward is None:
            continue
        events = [info["_tau"], info["_cleared"], info["_reward_terms"], info["reward_terms"]["_virus"]]
        assert all(np.array_equal(mask, ~waiting) for mask in events)
        assert (reward[waiting] == 0).all() and not (terminated | truncated)[waiting].any()
        assert (info["frames"][waiting] == 0).all() and (info["tau"][waiting] == 0).all()
        assert (info["tau"][~waiting] > 0).all()
        fresh = family.vector(4)
        first, _ = fresh.reset(options={"game_seed": info["game_seed"]})
        for name in observation:
            assert np.array_equal(observation[name][waiting], first[name][waiting])
        met += waiting.sum()
        waiting = terminated | truncated
    assert met > 4


def test_same_step_autoreset_reports_the_last_observation(family):
    """The same seed in both modes: SAME_STEP's final_obs is what NEXT_STEP returns when a game ends."""
    both = [family.vector(1, autoreset_mode=mode) for mode in MODES]
    observations = [vector.reset(seed=9)[0] for vector in both]
    rng = np.random.default_rng(0)
    ends = 0
    while ends < 3:
        action = family.actions(observations[0], rng)
        next_step, same_step = (vector.step(action) for vector in both)
        ended = bool((next_step[2] | next_step[3])[0])
        assert data_equivalence(next_step[1:4], same_step[1:4], exact=True)
        assert ("final_obs" in same_step[4]) == ended
        for name in ("tau", "reward_terms"):
            assert data_equivalence(next_step[4][name], same_step[4][name], exact=True)
        if ended:
            final = same_step[4]["final_obs"][0]
            assert all(np.array_equal(final[name], next_step[0][name][0]) for name in final)
            assert reported(same_step[4]["final_info"], "frames") == reported(next_step[4], "frames")
            next_step = both[0].step(action)  # the action is ignored
            ends += 1
        assert data_equivalence(next_step[0], same_step[0], exact=True)
        observations = [next_step[0], same_step[0]]


def test_disabled_autoreset_waits_for_a_reset_mask(family):
    vector = family.vector(4, autoreset_mode=AutoresetMode.DISABLED)
    rng = np.random.default_rng(0)
    observation, _ = vector.reset(seed=0)
    ended = np.zeros(4, bool)
    while not ended.any():
        observation, _, terminated, truncated, _ = vector.step(family.actions(observation, rng))
        ended = terminated | truncated
    with pytest.raises(ResetNeeded, match=str(int(np.flatnonzero(ended)[0]))):
        vector.step(family.actions(observation, rng))
    after, info = vector.reset(options={"reset_mask": ended})
    for name in after:
        assert np.array_equal(after[name][~ended], observation[name][~ended])
    assert (info["frames"][ended] == 0).all() and (info["frames"][~ended] > 0).all()
    assert np.array_equal(info["_frames"], ended)
    vector.step(family.actions(after, rng))


def test_reward_terms_sum_to_the_reward(family):
    reward = {"virus": 1.0, "half": 0.5, "combo": 2.0, "cascade": 3.0, "top_out": -4.0, "time": -0.01, "decision": 0.1}
    total = 0.0
    for _, reward_of_step, _, _, info in rollout(family.vector(4, reward=reward), family, 80):
        if reward_of_step is not None:
            terms = [term for name, term in info["reward_terms"].items() if not name.startswith("_")]
            np.testing.assert_allclose(np.sum(terms, axis=0), reward_of_step, rtol=1e-5, atol=1e-6)
            total += np.abs(reward_of_step).sum()
    assert total > 0


def test_reward_may_be_a_file(family, tmp_path):
    path = tmp_path / "reward.json"
    path.write_text('{"time": -1.0, "virus": 0}')
    vector = family.vector(2, reward=path)
    vector.reset(seed=0)
    observation, _ = vector.reset(seed=0)
    _, _, _, _, info = vector.step(family.actions(observation, np.random.default_rng(0)))
    assert np.array_equal(info["reward_terms"]["time"], -info["tau"].astype(np.float32))
    path.write_text('{"tim": 1}')
    with pytest.raises(ValueError, match="unknown reward 'tim'"):
        family.vector(2, reward=path)


def test_episode_statistics_wrapper_works(family):
    vector = RecordEpisodeStatistics(family.vector(3))
    lengths = []
    for _, reward, _, _, info in rollout(vector, family, 60):
        if reward is not None and "episode" in info:
            lengths += info["episode"]["l"][info["_episode"]].tolist()
    assert len(lengths) > 3


def test_game_seeds_are_drawn_one_by_one_from_each_games_generator(family):
    """However many a vector draws ahead: through several refills, and anew from where a game is seeded again."""
    vector = family.vector(3)
    generators = [np.random.default_rng(7 + i) for i in range(3)]
    block = seeds.SPLITS["training"]

    def expected(games):
        return [seeds.orbit()[generators[i].integers(block.start, block.stop)] for i in games]

    assert vector.reset(seed=7)[1]["game_seed"].tolist() == expected(range(3))
    for number in range(2 * AHEAD + 5):
        mask = np.array([True, number % 3 == 0, number % 2 == 0])
        drawn = vector.reset(options={"reset_mask": mask})[1]["game_seed"]
        assert drawn[mask].tolist() == expected(np.flatnonzero(mask))
    generators[1] = np.random.default_rng(5)
    assert vector.reset(seed=[None, 5, None])[1]["game_seed"].tolist() == expected(range(3))


def test_game_seed_option_and_single_reset(family):
    env = family.single()
    first, info = env.reset(options={"game_seed": 0x8988})
    assert info["game_seed"] == 0x8988
    again, _ = env.reset(options={"game_seed": 0x8988})
    assert data_equivalence(first, again, exact=True)
    assert not data_equivalence(first, env.reset(options={"game_seed": 77})[0], exact=True)
    with pytest.raises(ValueError, match="unknown reset option 'gameseed'"):
        env.reset(options={"gameseed": 1})


@pytest.mark.parametrize("seed", [-1, 0, 1, 65536, 1.5, [1, 2, 3]])
def test_bad_game_seed(family, seed):
    vector = family.vector(2)
    with pytest.raises(ValueError, match="game_seed is"):
        vector.reset(options={"game_seed": seed})


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"level": 25}, "level is 25"),
        ({"level": -1}, "level is -1"),
        ({"speed": "fast"}, "speed is 'fast'"),
        ({"speed": 3}, "speed is 3"),
        ({"speed": True}, "speed is True"),
        ({"speed": 1.0}, r"speed is 1\.0"),
        ({"level": "3"}, "level is '3'; it must be a whole number in 0..24"),
        ({"level": 3.5}, r"level is 3\.5"),
        ({"split": ["training"]}, r"split is \['training'\]"),
        ({"split": "all"}, "split is 'all'"),
        ({"planes": "all"}, "planes"),
        ({"render_mode": "human"}, "render_mode is 'human'"),
        ({"reward": {"win": 1}}, "unknown reward 'win'"),
        ({"autoreset_mode": "Sometimes"}, "Sometimes"),
    ],
)
def test_bad_settings(family, setting, message):
    with pytest.raises(ValueError, match=message):
        family.vector(2, **setting)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
def test_a_copy_goes_on_as_the_original_and_by_itself(family, copied):
    env, rng = family.vector(2), np.random.default_rng(0)
    observation, _ = env.reset(seed=3)
    other = copied(env)
    for _ in range(60):  # games end
        actions = family.actions(observation, rng)
        first, second = env.step(actions), other.step(actions)
        observation = first[0]
        assert data_equivalence(first[0], second[0], exact=True) and (first[1] == second[1]).all()
        assert data_equivalence(first[4], second[4], exact=True)


def test_seeds_of_any_integer_type_and_refused_ones_change_nothing(family):
    env = family.vector(2)
    first = env.reset(seed=5)[1]["game_seed"]
    for same in (np.int64(5), np.uint16(5), [np.int64(5), 6], np.array([5, 6])):
        assert (env.reset(seed=same)[1]["game_seed"] == first).all()
    following = env.reset()[1]["game_seed"]
    env.reset(seed=5)
    for wrong in (-3, 1.5, True, [9, -3], [1, 2, 3]):
        with pytest.raises(ValueError, match="seed"):
            env.reset(seed=wrong)
    with pytest.raises(ValueError, match="game_seed is"):
        env.reset(seed=9, options={"game_seed": 1})
    assert (env.reset()[1]["game_seed"] == following).all()


def test_a_refused_reset_of_one_game_changes_nothing(family):
    env = gym.make(family.id).unwrapped
    env.reset(seed=5)
    following = env.reset()[1]["game_seed"]
    env.reset(seed=5)
    for wrong in ({"x": 1}, {"game_seed": 1}, {"reset_mask": [True]}):
        with pytest.raises(ValueError, match=rf"{next(iter(wrong))}"):
            env.reset(seed=9, options=wrong)
    for seed in (-1, True, 2**63, 1.0):
        with pytest.raises(ValueError, match=r"seed is .*; it must be a whole number in 0"):
            env.reset(seed=seed, options={"game_seed": 7})
    assert env.np_random_seed == 5 and env.reset()[1]["game_seed"] == following


def test_bad_calls(family):
    vector = family.vector(2)
    with pytest.raises(ResetNeeded):
        vector.step(np.zeros(2, int))
    with pytest.raises(ResetNeeded, match="reset_mask"):
        vector.reset(options={"reset_mask": np.array([True, False])})
    with pytest.raises(ValueError, match="seed has 3 entries"):
        vector.reset(seed=[1, 2, 3])
    vector.reset(seed=0)
    for wrong in (np.zeros(3, int), np.zeros(2), np.zeros((2, 1), int)):
        with pytest.raises(ValueError, match="actions are"):
            vector.step(wrong)
    for wrong in (-1, 512):
        with pytest.raises(ValueError, match=f"action {wrong} of game 1"):
            vector.step(np.array([0, wrong]))
    for mask in ([True, False], np.ones(3, bool), np.ones(2, int)):
        with pytest.raises(ValueError, match="reset_mask is"):
            vector.reset(options={"reset_mask": mask})


def test_render(family):
    text = family.vector(2, render_mode="ansi")
    text.reset(seed=0)
    frames = text.render()
    assert len(frames) == 2 and all(isinstance(frame, str) and "viruses" in frame for frame in frames)
    pixels = family.vector(2, render_mode="rgb_array")
    pixels.reset(seed=0)
    assert [frame.dtype for frame in pixels.render()] == [np.uint8] * 2
    silent = family.vector(2)
    silent.reset(seed=0)
    assert silent.render() is None


@pytest.mark.parametrize("copy", [True, False])
def test_what_same_step_says_of_ended_games_is_theirs(copy):
    """Not of the games that begin in their place, whatever arrays the environment lends."""
    games = envs.PlacementVectorEnv(3, level=5, max_decisions=3, copy=copy, autoreset_mode=AutoresetMode.SAME_STEP)
    games.reset(seed=1)
    for _ in range(3):
        info = games.step(games.action_masks().argmax(axis=1))[4]
    for game in range(3):
        last = info["final_obs"][game]
        assert np.array_equal(last["legal"], info["final_info"]["legal"][game])
        assert np.array_equal(last["frames_to_lock"], info["final_info"]["frames_to_lock"][game])
