"""What the environments say of arguments that they cannot use."""

import re
import resource
import signal

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

import mlx_drmario as dm
from mlx_drmario import envs, evaluate, memory, search, seeds
from mlx_drmario.baselines import RandomLegal
from mlx_drmario.rewards import RewardConfig

VECTORS = (envs.PlacementVectorEnv, envs.FrameVectorEnv)


@pytest.mark.parametrize("kind", ["DrMarioPlacement-v0", "DrMario-v0"])
def test_what_only_a_vector_has_is_no_argument_of_a_game(kind):
    for name, value in (("num_envs", 2), ("threads", 2), ("autoreset_mode", "NEXT_STEP")):
        with pytest.raises(TypeError, match=f"{name} is {value!r}; a single game has none"):
            gym.make(kind, **{name: value})


@pytest.mark.parametrize("kind", VECTORS)
@pytest.mark.parametrize("mode", ["SAME_STEP", "SameStep", AutoresetMode.SAME_STEP])
def test_a_way_to_reset_has_the_name_that_gymnasium_gives_it(kind, mode):
    assert kind(2, autoreset_mode=mode).metadata["autoreset_mode"] is AutoresetMode.SAME_STEP


@pytest.mark.parametrize("kind", VECTORS)
@pytest.mark.parametrize(
    "argument, said",
    [
        ({"num_envs": 1.5}, "num_envs is 1.5, allowed are whole numbers in 1.."),
        ({"num_envs": True}, "num_envs is True, "),
        ({"threads": None}, "threads is None, allowed are whole numbers in 0..1024"),
        ({"planes": None}, "planes is None, allowed are 'bitplane' and 'extended'"),
        ({"reward": 3}, "reward is 3; it must be a RewardConfig, a mapping of terms, a JSON file or None"),
        ({"reward": {1: 2, "a": 3}}, "unknown reward 1; the rewards are"),
        ({"autoreset_mode": "never"}, "autoreset_mode is 'never'; it must be NEXT_STEP, SAME_STEP, DISABLED"),
    ],
)
def test_arguments_that_are_none_of_a_vector(kind, argument, said):
    with pytest.raises((ValueError, TypeError), match=f"^{re.escape(said)}"):
        kind(**argument)


@pytest.mark.parametrize(
    "call, said",
    [
        (lambda: dm.Decisions(2.5), "num_envs is 2.5, allowed are whole numbers in 1..1048576"),
        (lambda: dm.Decisions(1, max_decisions=2**70), f"max_decisions is {2**70}, allowed are 0..1073741824"),
        (lambda: dm.Batch(np.int64(0)), "num_envs is 0, allowed are 1..4194304"),
        (lambda: dm.Search(threads="a"), "threads is 'a', allowed are whole numbers in 0..1024"),
        (lambda: dm.Search().solve(dm.Decisions(1), width=1.0), "width is 1.0, allowed are whole numbers in 1.."),
        (lambda: dm.Search().solve(dm.Decisions(1), alpha="x"), "alpha is 'x', allowed are numbers in 0.0..100.0"),
        (lambda: dm.Search().solve(dm.Decisions(1), alpha=np.nan), "alpha is nan, allowed are 0.0..100.0"),
        (lambda: dm.Decisions(1).perft(1.5), "depth is 1.5, allowed are whole numbers in 1..8"),
        (lambda: dm.plane_names(3), "planes is 3, allowed are 'bitplane' and 'extended'"),
        (lambda: dm.Batch(1).reset(0, 2, 9, start=1), "start is 1, allowed are 'play' and 'init'"),
    ],
)
def test_the_core_says_in_one_sentence_what_a_number_must_be(call, said):
    with pytest.raises((ValueError, TypeError), match=f"^{re.escape(said)}"):
        call()


def test_any_whole_number_is_one():
    assert dm.Decisions(np.uint8(3), threads=np.int64(1)).num_envs == 3
    assert envs.FrameVectorEnv(np.int16(2)).num_envs == 2


@pytest.mark.parametrize("kind", VECTORS)
def test_a_reset_says_what_it_cannot_use(kind):
    vector = kind(2)
    with pytest.raises(TypeError, match="options is 5; it must be a dictionary or None"):
        vector.reset(options=5)
    seeded = vector.reset(seed=np.array(3))[1]["game_seed"]  # as NumPy's own scalars are
    assert (seeded == vector.reset(seed=3)[1]["game_seed"]).all()


def test_an_observer_is_one():
    with pytest.raises(TypeError, match="observer is 'mine'; it must be an Observer or None"):
        envs.PlacementEnv(observer="mine")


def test_whether_to_copy_is_yes_or_no():
    with pytest.raises(TypeError, match="copy is 'no', allowed are True and False"):
        envs.PlacementVectorEnv(2, copy="no")


@pytest.mark.parametrize("seed", [-1, 2**64, 1.5, None, "3"])
def test_a_seed_of_random_placements_is_a_word(seed):
    games = dm.Decisions(num_envs=2)
    games.reset(0, 2, 77)
    for draw in (games.sample_legal, games.view.sample_legal, RandomLegal):
        with pytest.raises((ValueError, TypeError), match=f"^seed is {re.escape(repr(seed))}"):
            draw(seed)
    assert (games.sample_legal(np.uint64(2**64 - 1)) == games.sample_legal(2**64 - 1)).all()


def test_a_policy_that_chooses_nothing_is_told_so():
    class Idle:
        def act(self, view):
            return None

    with pytest.raises(TypeError, match=r"^action must be integers, not object"):
        evaluate.evaluate(Idle(), level=0, speed=2, seeds=[77])


def test_there_is_no_negative_number_of_seeds():
    with pytest.raises(ValueError, match="n is -1; it must be a whole number in 0"):
        seeds.sample("test", np.random.default_rng(0), -1)


def test_what_is_given_twice_is_refused(tmp_path):
    with pytest.raises(ValueError, match="first is given twice"):
        search.parse("2ply,first=3,first=4")
    file = tmp_path / "reward.json"
    file.write_text('{"virus": 2, "clear": 1, "virus": 3}')
    with pytest.raises(ValueError, match=r"reward\.json: 'virus' is given twice"):
        RewardConfig.from_json(file)


def test_a_name_that_begins_like_the_player_with_a_memory_is_another():
    with pytest.raises(ValueError, match="no player 'memoryx'"):
        memory.parse("memoryx")


def test_rewards_that_cannot_be_written_leave_what_was_there(tmp_path):
    file = tmp_path / "reward.json"
    RewardConfig(virus=5).to_json(file)
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20, before[1]))
    try:
        with pytest.raises(OSError):
            RewardConfig(virus=7).to_json(file)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert RewardConfig.from_json(file) == RewardConfig(virus=5) and list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(("name", "options"), [("DrMarioPlacement-v0", {}), ("DrMario-v0", {"frame_skip": 3})])
def test_games_of_a_vector_may_be_cut_as_gymnasium_cuts_them(name, options):
    """make_vec hands max_episode_steps on to an environment that is a vector itself."""
    for steps, most in ((5, {}), (5, {"max_decisions": 9} if "Placement" in name else {"max_frames": 27})):
        vector = gym.make_vec(name, num_envs=2, max_episode_steps=steps, **options, **most)
        vector.reset(seed=0)
        cut = [vector.step(np.array([env_action(vector)] * 2))[3].tolist() for _ in range(steps)]
        assert cut == [[False, False]] * (steps - 1) + [[True, True]]
    with pytest.raises(ValueError, match="max_episode_steps is 0"):
        gym.make_vec(name, num_envs=2, max_episode_steps=0)


def env_action(vector):
    """One that is legal in both games, whose capsules fall beside the first: some upright one in its column."""
    if not hasattr(vector.unwrapped, "action_masks"):
        return 0
    return int(np.flatnonzero(vector.unwrapped.action_masks().all(axis=0))[0])


@pytest.mark.parametrize("kind", VECTORS)
def test_level_and_speed_are_set_by_a_reset_for_the_games_that_follow(kind):
    vector = kind(num_envs=3, level=1, speed="low", autoreset_mode="SAME_STEP")
    games = vector._d if isinstance(vector, envs.PlacementVectorEnv) else vector._batch

    def settings():
        return games.state["p1_level"].tolist(), games.state["p1_speed_setting"].tolist()

    vector.reset(seed=0)
    assert settings() == ([1, 1, 1], [0, 0, 0])
    mask = np.array([True, False, True])
    vector.reset(options={"reset_mask": mask, "level": np.array([3, 4, 5]), "speed": "hi"})
    assert settings() == ([3, 1, 5], [2, 0, 2])
    vector.reset()
    assert settings() == ([3, 1, 5], [2, 0, 2])
    for options, said in (
        ({"level": 25}, "level is 25; it must lie in 0..24"),
        ({"level": [1, 2]}, r"level is \[1, 2\]; give one integer or one for each of 3 games"),
        ({"speed": "fast"}, "speed is 'fast'"),
        ({"speed": 3}, "speed is 3; it must lie in 0..2"),
        ({"size": 3}, "unknown reset option 'size'; known are 'reset_mask', 'game_seed', 'level' and 'speed'"),
    ):
        with pytest.raises(ValueError, match=said):
            vector.reset(options={**options, "reset_mask": np.array([True, False, False])})
    vector.reset()
    assert settings() == ([3, 1, 5], [2, 0, 2])


def test_the_level_of_one_game_is_set_by_its_reset():
    env = gym.make("DrMarioPlacement-v0", level=0)
    env.reset(seed=0, options={"level": 7, "speed": 1})
    assert env.unwrapped.games._d.state["p1_level"].tolist() == [7]
    assert env.reset()[1]["viruses_left"] == 32
