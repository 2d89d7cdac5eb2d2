"""A bottle and its mirror image: the same situation but for the ways to a place."""

import numpy as np
import pytest

import mlx_drmario as dm
from mlx_drmario.nets.features import FeaturesHead
from mlx_drmario.nets.layout import ObservationLayout
from mlx_drmario.nets.mirror import equal_colors, mirrored_actions, mirrored_planes
from mlx_drmario.rl.afterstates import AfterstateRows
from mlx_drmario.spec import ACTIONS, COLS, ROWS

LEFT, RIGHT = 0x60, 0x70


def facts_by_placement(games, image=False):
    """{(game, placement): facts} of the games, or with the placements of their mirror images."""
    rows = AfterstateRows.of(games, FeaturesHead.facts)
    game = np.repeat(np.arange(games.num_envs), np.diff(rows.first))
    action = (
        mirrored_actions(rows.action, equal_colors(games.scalars, layout_of(games))[game]) if image else rows.action
    )
    return {(int(g), int(a)): facts for g, a, facts in zip(game, action, rows.facts, strict=True)}


def layout_of(games):
    return ObservationLayout(games.plane_names, games.scalar_names)


@pytest.mark.parametrize("shown", ["bitplane", "extended"])
def test_a_placement_and_its_image_leave_boards_that_are_told_alike(shown):
    games = dm.Decisions(num_envs=64, planes=shown, threads=1)
    games.reset(np.arange(64) % 21, 2, 17 * np.arange(64) + 3)
    for number in range(12):
        games.step(games.sample_legal(number))
    running = ~games.ended
    expected = facts_by_placement(games, image=True)
    equal = equal_colors(games.scalars, layout_of(games))
    assert 10 < equal[running].sum() < 40
    planes = mirrored_planes(games.planes, equal, layout_of(games))
    bottles = games.state["p1_bottle"].reshape(64, ROWS, COLS)[:, :, ::-1].copy()
    kind = bottles & 0xF0
    bottles[kind == LEFT] += RIGHT - LEFT
    bottles[kind == RIGHT] -= RIGHT - LEFT
    games.set_bottles(bottles.reshape(64, -1), running)
    seen, found = games.planes, facts_by_placement(games)
    ways = [name.startswith("legal") for name in games.plane_names]
    assert (planes[running] == seen[running])[:, ~np.array(ways)].all()
    assert shown == "extended" or (planes[running] == seen[running])[:, ways].mean() > 0.98
    both = expected.keys() & found.keys()
    assert len(both) > 0.9 * len(found) > 500
    same = [name != "tau/256" for name in FeaturesHead.facts]  # it falls as far, but goes another way
    for placement in both:
        np.testing.assert_array_equal(expected[placement][same], found[placement][same])


def test_the_image_of_an_image():
    action, other = np.arange(ACTIONS), np.zeros(ACTIONS, bool)
    image = mirrored_actions(action, other)
    assert (mirrored_actions(image, other) == action).all() and sorted(image) == action.tolist()
    assert image[0] == 2 * ROWS * COLS + COLS - 1  # right of the leftmost column: left of the rightmost
    named = action[: 2 * ROWS * COLS].reshape(2, ROWS, COLS)
    named = np.concatenate([named[0, :, :-1].ravel(), named[1].ravel()])  # those of capsules of two equal colours
    equal = np.ones(len(named), bool)
    image = mirrored_actions(named, equal)
    assert (mirrored_actions(image, equal) == named).all() and (np.sort(image) == named).all()
    assert image[0] == COLS - 2  # on the two leftmost columns: on the two rightmost
