"""Which mirror symmetry holds: what a placement does is mirror-symmetric, which placements can be reached is not.

So no left-right mirroring is used as augmentation: a mirrored decision has other legal placements and other times.
"""

import numpy as np
import pytest

import mlx_drmario as dm
from mlx_drmario import seeds
from mlx_drmario.spec import LEFT_HALF, RIGHT_HALF


def mirrored_bottles(bottles: np.ndarray) -> np.ndarray:
    """u8[..., 128] with columns reversed; left halves become right halves."""
    flipped = bottles.reshape(*bottles.shape[:-1], 16, 8)[..., ::-1].reshape(bottles.shape).copy()
    kind = flipped & 0xF0
    swap = (kind == LEFT_HALF) | (kind == RIGHT_HALF)
    flipped[swap] ^= LEFT_HALF ^ RIGHT_HALF
    return flipped


def mirrored_actions() -> np.ndarray:
    """i64[512]: the placement that covers the mirrored cells, -1 where its first half would lie outside.

    The halves change places, because left and right of the capsule do: the first half of the mirrored capsule is the
    image of the second, and lies above it if the second lay below.
    """
    orientation, row, column = np.unravel_index(np.arange(512), (4, 16, 8))
    row_of_second = row + np.array([0, 1, 0, -1])[orientation]
    column_of_second = column + np.array([1, 0, -1, 0])[orientation]
    inside = (row_of_second >= 0) & (row_of_second < 16) & (column_of_second >= 0) & (column_of_second < 8)
    image = np.array([0, 3, 2, 1])[orientation] * 128 + row_of_second * 8 + (7 - column_of_second)
    return np.where(inside, image, -1)


@pytest.fixture(scope="module")
def pair() -> tuple[dm.Decisions, dm.Decisions]:
    """Games in the middle of play with two-coloured capsules, and their mirror images."""
    games = dm.Decisions(num_envs=256, threads=1)
    games.reset(8, 2, seeds.seeds("training", 256))
    for turn in range(14):
        games.step(games.sample_legal(turn))
    state = games.state[~games.ended & (games.state["p1_pill_color_l"] != games.state["p1_pill_color_r"])]
    count = len(state)
    reserve = np.zeros((count, 128), np.uint8)
    image = state.copy()
    image["p1_bottle"] = mirrored_bottles(state["p1_bottle"])
    for left, right in (("p1_pill_color_l", "p1_pill_color_r"), ("p1_next_color_l", "p1_next_color_r")):
        image[left], image[right] = state[right], state[left]
    plain, mirror = (dm.Decisions(num_envs=count, threads=1) for _ in range(2))
    plain.set_state(state, reserve)
    mirror.set_state(image, reserve)
    return plain, mirror


def test_what_a_placement_does_is_symmetric(pair):
    """Cells, clears and time after the lock are mirror images, for every placement that both can reach."""
    plain, mirror = pair
    image_of = mirrored_actions()
    after, reflected = plain.afterstates(), mirror.afterstates()
    row_of = {(env, action): row for row, (env, action) in enumerate(zip(reflected.env, reflected.action, strict=True))}
    compared, cleared = 0, 0
    for row, (env, action) in enumerate(zip(after.env, after.action, strict=True)):
        other = row_of.get((env, image_of[action]))
        if other is None:
            continue
        compared += 1
        cleared += int(after.combos[row] > 0)
        np.testing.assert_array_equal(mirrored_bottles(after.bottle[row]), reflected.bottle[other])
        for column in ("viruses_cleared", "halves_cleared", "combos", "cascade", "cleared", "top_out"):
            assert getattr(after, column)[row] == getattr(reflected, column)[other]
    assert compared > 2000 and cleared > 50


def test_what_can_be_reached_is_not(pair):
    """Rotation kicks to the left and the second left shift of a blocked rotation have no mirror image."""
    plain, mirror = pair
    image_of = mirrored_actions()
    inside = image_of >= 0
    legal, reflected = plain.legal[:, inside], mirror.legal[:, image_of[inside]]
    frames, times = plain.frames_to_lock[:, inside], mirror.frames_to_lock[:, image_of[inside]]
    assert 0 < (legal != reflected).sum() < 0.1 * legal.sum()
    assert ((frames != times) & legal & reflected).sum() > 0
