"""Infos of the native vectors are those of Gymnasium's vector of single environments."""

from typing import Any

import gymnasium as gym
import numpy as np

import mlx_drmario.envs as envs


def columns_of(info: dict[str, Any], rows: np.ndarray) -> dict[str, Any]:
    """What is there by name, of some rows; reward terms as columns of their own."""
    found: dict[str, Any] = {}
    for name, column in info.items():
        if isinstance(column, dict):
            found |= {f"{name}/{inner}": value for inner, value in columns_of(column, rows).items()}
        elif not name.startswith("_"):
            found[name] = column[rows]
    return found


def test_they_have_the_same_columns_types_and_values(family):
    modes = ("sync", "vector_entry_point")
    sync, native = (gym.make_vec(family.id, num_envs=3, vectorization_mode=mode, **family.settings) for mode in modes)
    rng, ends = np.random.default_rng(0), 0
    observation, _ = sync.reset(seed=5)
    native.reset(seed=5)
    for _ in range(60):
        actions = family.actions(observation, rng)
        observation, _, terminated, truncated, theirs = sync.step(actions)
        ours = native.step(actions)[-1]
        played = ours["_tau"]  # a game that began anew has told nothing, which the other vector leaves out
        expected, found = columns_of(theirs, played), columns_of(ours, played)
        assert set(expected) == set(found) or not played.any()
        for name in expected:
            types = not name.startswith("reward_terms")  # Python's own floats there
            np.testing.assert_array_equal(found[name], expected[name], err_msg=name, strict=types)
        ends += (terminated | truncated).sum()
    assert ends > 3


def test_what_is_told_stays_and_does_not_wrap(family):
    vector, rng = family.vector(4), np.random.default_rng(0)
    observation, first = vector.reset(seed=1)
    infos = []
    for _ in range(5):
        observation, *_, info = vector.step(family.actions(observation, rng))
        infos.append((info, columns_of(info, np.arange(4))))
    for info, before in infos:
        for name, column in columns_of(info, np.arange(4)).items():
            np.testing.assert_array_equal(column, before[name], err_msg=name)
    assert (infos[0][0]["viruses_left"] - first["viruses_left"] <= 0).all()
    easy = envs.PlacementVectorEnv(2, level=0).reset(seed=0)[1]
    assert (easy["viruses_left"] - 5 == -1).all()
