"""The seed split is frozen: these hashes may never change."""

import hashlib

import numpy as np
import pytest

from mlx_drmario import seeds


def sha(array):
    return hashlib.sha256(array.astype("<u2").tobytes()).hexdigest()[:16]


def test_orbit_is_one_cycle_of_the_generator():
    orbit = seeds.orbit()
    assert orbit.dtype == np.uint16 and orbit.shape == (32767,)
    assert orbit[0] == 0x8988 and 0 not in orbit
    assert len(np.unique(orbit)) == 32767
    high, low = orbit >> 8, orbit & 0xFF
    following = (orbit >> 1) | (((high >> 1 ^ low >> 1) & 1) << 15)
    assert np.array_equal(following, np.roll(orbit, -1))
    with pytest.raises(ValueError, match="read-only"):
        orbit[0] = 1


def test_splits_are_frozen_blocks_of_the_orbit():
    assert {name: (block.start, block.stop) for name, block in seeds.SPLITS.items()} == {
        "test": (0, 4096),
        "validation": (4608, 8192),
        "training": (8704, 32256),
    }
    for name, block in seeds.SPLITS.items():
        assert set(seeds.seeds(name).tolist()) == set(seeds.orbit()[block.start : block.stop].tolist())


@pytest.mark.parametrize(
    ("split", "expected"),
    [("test", "c5fb818511b4278e"), ("validation", "52591370a6fd928a"), ("training", "3b6fede1189bf4bd")],
)
def test_order_of_the_seeds_is_frozen(split, expected):
    assert sha(seeds.seeds(split)) == expected


@pytest.mark.parametrize("split", seeds.SPLITS)
@pytest.mark.parametrize("n", [2, 10, 100, 500, 1000])
def test_first_seeds_are_a_prefix_and_keep_their_distance(split, n):
    chosen = seeds.seeds(split, n)
    assert np.array_equal(chosen, seeds.seeds(split)[:n])
    positions = np.sort(np.flatnonzero(np.isin(seeds.orbit(), chosen)))
    even = len(seeds.SPLITS[split]) / n
    assert np.diff(positions).min() >= max(1, int(even / 2))


def test_sample_draws_from_the_split_only():
    drawn = seeds.sample("validation", np.random.default_rng(0), 5000)
    assert drawn.dtype == np.uint16 and drawn.shape == (5000,)
    assert np.isin(drawn, seeds.seeds("validation")).all()
    assert len(np.unique(drawn)) > 2000
    assert np.array_equal(drawn, seeds.sample("validation", np.random.default_rng(0), 5000))


def test_bad_input():
    with pytest.raises(ValueError, match="split is 'tests'"):
        seeds.seeds("tests")
    with pytest.raises(ValueError, match="split is 'x'"):
        seeds.sample("x", np.random.default_rng(0), 1)
    for n in (0, -1, 4097, 2.5, True, "3"):
        with pytest.raises(ValueError, match=rf"n is {n!r}; it must be a whole number in 1\.\.4096"):
            seeds.seeds("test", n)
    for games in ([65536 + 0x8988], [-30328], [35208.7]):
        with pytest.raises(ValueError, match=r"games must hold whole numbers in 0\.\.65535"):
            seeds.split_of(games)
    for reserve, words in (
        (np.full((1, 128), 9), r"whole numbers in 0\.\.8"),
        (np.zeros((1, 128)), "whole numbers"),
        (seeds.reserves()[0], r"reserve has shape \(128,\)"),
    ):
        with pytest.raises(ValueError, match=words):
            seeds.find(reserve)


def test_reserves_of_any_integer_type_are_found():
    assert (seeds.find(seeds.reserves()[:5].astype(np.int64)) == seeds.orbit()[:5]).all()


def test_every_seed_knows_its_split():
    for split, block in seeds.SPLITS.items():
        found = seeds.split_of(seeds.seeds(split))
        assert set(found) == {split} and len(found) == len(block)
    known = set().union(*(seeds.seeds(split).tolist() for split in seeds.SPLITS))
    others = np.setdiff1d(np.arange(1 << 16), list(known)).astype(np.uint16)
    assert set(seeds.split_of(others)) == {"none"}
