"""Generators of the vector environments, as Gymnasium's own vectors show them."""

import gymnasium as gym
import numpy as np


def test_generators_are_those_of_a_synchronous_vector(family):
    """reset(seed=s) seeds game i with s + i; a wrapper that draws from np_random is repeatable."""
    vector = family.vector(2)
    plain = gym.vector.SyncVectorEnv([lambda: gym.make(family.id, **family.settings)] * 2)
    for env in (vector, plain):
        env.reset(seed=3)
    assert vector.np_random_seed == plain.np_random_seed == (3, 4)
    other = family.vector(2)
    other.reset(seed=3)
    assert [a.random() for a in vector.np_random] == [b.random() for b in other.np_random]
    vector.reset(seed=[None, 9])
    assert vector.np_random_seed == (3, 9)


def test_generators_are_there_before_the_first_reset(family):
    vector = family.vector(2)
    first, second = vector.np_random
    assert len(set(vector.np_random_seed)) == 2 and min(vector.np_random_seed) >= 0
    assert vector.generators[0] is first and first.bit_generator.state != second.bit_generator.state
    vector.reset()
    assert vector.np_random[0] is first
    assert np.all(vector._used == 1)
