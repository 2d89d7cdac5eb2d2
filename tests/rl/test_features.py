"""The features head: it is told the right board, looks under the right cells, and knows colours by their roles."""

import mlx.core as mx
import numpy as np
import pytest
from mlx.utils import tree_flatten

import mlx_drmario as dm
from mlx_drmario.nets.config import NetConfig
from mlx_drmario.nets.encoder import Features
from mlx_drmario.nets.features import FEATURES, PREVIEW, PREVIEW_UNIT, UNIT, FeaturesHead
from mlx_drmario.nets.heads import Afterstates, halves
from mlx_drmario.nets.layout import ObservationLayout
from mlx_drmario.nets.outcome import FACTS
from mlx_drmario.nets.policy import ActorCritic, make_policy
from mlx_drmario.rl.afterstates import AfterstateRows, padded
from mlx_drmario.rl.player import load_policy
from mlx_drmario.rl.runs import checkpoint
from tests.recolor import one_colored, recolored

NET = NetConfig(head="features", width=8, depth=2, summary=16)


@pytest.fixture(scope="module")
def policy(games) -> ActorCritic:
    """A network with opinions: fresh ones are almost uniform."""
    model = make_policy(NET, ObservationLayout(games.plane_names, games.scalar_names), seed=3)
    model.head.score.weight = 100 * model.head.score.weight
    return model


def log_probs(policy, planes, scalars, legal, rows) -> np.ndarray:
    return np.asarray(
        policy(mx.array(planes), mx.array(scalars), mx.array(legal), Afterstates(*map(mx.array, rows)))[0]
    )


def test_facts_are_of_the_board_that_a_placement_leaves(games):
    rows, after = AfterstateRows.of(games, FeaturesHead.facts), games.afterstates()
    way, board, offer = np.split(rows.facts, [len(FACTS), len(FACTS) + len(FEATURES)], axis=1)
    assert offer.shape == (len(after.env), len(PREVIEW))
    np.testing.assert_array_equal(way, AfterstateRows.of(games, FACTS).facts)
    np.testing.assert_array_equal(board * UNIT, dm.features(after.bottle))
    preview = games.public["preview"][after.env]
    np.testing.assert_array_equal(offer * PREVIEW_UNIT, dm.preview_features(after.bottle, preview))
    assert (board.std(axis=0) > 0).sum() > 30 and (offer.std(axis=0) > 0).sum() > 8


def test_second_half_by_the_definition():
    """Against the definition of the action space (spec.ACTIONS), placement by placement."""
    action = np.arange(512)
    orientation, first, second = (np.asarray(x) for x in halves(mx.array(action)))
    for a in action:
        assert (orientation[a], first[a]) == divmod(a, 128)
        dr, dc = ((0, 1), (1, 0), (0, -1), (-1, 0))[a // 128]
        row, col = a % 128 // 8 + dr, a % 8 + dc
        if 0 <= col < 8:  # no placement lies outside the columns
            assert second[a] == (row * 8 + col if 0 <= row < 16 else 128)


@pytest.mark.parametrize("half", [0, 1])
def test_a_placement_is_judged_by_the_cells_of_its_halves(games, policy, half):
    """A change of the grid in one cell moves the scores of placements with that half there, and of no others."""
    after = Afterstates(*map(mx.array, AfterstateRows.of(games, policy.facts).take(np.arange(48))))
    at, decision = np.asarray(halves(after.action)[1 + half]), np.asarray(after.decision)
    cell = np.bincount(at[at < 128]).argmax()
    touched = (at == cell) & (decision % 2 == 0)
    assert 3 < touched.sum() < len(touched) / 2
    grid = np.random.default_rng(0).normal(size=(48, 16, 8, 8)).astype(np.float32)
    changed = grid.copy()
    changed[::2, cell // 8, cell % 8] += 3
    head = FeaturesHead(NET, policy.encoder, policy.layout)
    head.halves.weight = head.halves.weight * (mx.arange(128) // 64 == half)[:, None]  # read this half's part alone
    scalars = mx.zeros((48, policy.layout.num_scalars))
    seen = [Features(mx.zeros((48, 16)), mx.array(g)) for g in (grid, changed)]
    before, later = (np.asarray(head.scores_of_rows(features, scalars, after)) for features in seen)
    np.testing.assert_array_equal(before != later, touched)


def test_a_half_above_the_bottle_reads_nothing(games, policy):
    after = Afterstates(mx.array([0]), mx.array([3 * 128 + 4]), mx.zeros((1, len(policy.facts))))
    head = FeaturesHead(NET, policy.encoder, policy.layout)
    head.halves.weight = head.halves.weight * (mx.arange(128) // 64 == 1)[:, None]  # of second halves alone
    scalars = mx.zeros((1, policy.layout.num_scalars))
    seen = [Features(mx.zeros((1, 16)), mx.full((1, 16, 8, 8), fill)) for fill in (0, 5)]
    scores = [head.scores_of_rows(features, scalars, after).item() for features in seen]
    assert scores[0] == scores[1]


def test_padding_changes_nothing(games, policy):
    rows = AfterstateRows.of(games, policy.facts).take(np.arange(48))
    inputs = (games.planes, games.scalars, games.legal)
    more = padded(rows, 48)
    assert len(more[0]) > len(rows[0])
    np.testing.assert_allclose(log_probs(policy, *inputs, rows), log_probs(policy, *inputs, more), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("rename", [(1, 0, 2), (2, 1, 0), (1, 2, 0)])
def test_recoloring_changes_nothing(games, policy, rename):
    planes = recolored(games.planes, games.plane_names, rename)
    scalars = recolored(games.scalars, games.scalar_names, rename)
    rows = AfterstateRows.of(games, policy.facts).take(np.arange(48))
    before = log_probs(policy, games.planes, games.scalars, games.legal, rows)
    after = log_probs(policy, planes, scalars, games.legal, rows)
    ordered = ~one_colored(games) | (rename == (1, 2, 0))
    assert before[games.legal].std() > 0.3
    assert (before == after)[ordered].all()


def test_without_afterstates_it_says_so(games, policy):
    with pytest.raises(ValueError, match="after must hold"):
        policy(mx.array(games.planes), mx.array(games.scalars), mx.array(games.legal))


@pytest.mark.parametrize("missing", ["summary", "preview"])
def test_a_network_of_before_it_was_told_so_much_plays_as_it_did(games, policy, tmp_path, missing):
    """Its file has no weights for the summary, or for the next capsule: the same as weights of zero."""
    weights = dict(tree_flatten(policy.parameters()))
    older = dict(weights)
    if missing == "summary":
        weights["head.summary.weight"] = mx.zeros_like(weights["head.summary.weight"])
        del older["head.summary.weight"]
    else:
        older["head.told.weight"] = weights["head.told.weight"][:, : -len(PREVIEW)]
        weights["head.told.weight"] = mx.pad(older["head.told.weight"], [(0, 0), (0, len(PREVIEW))])
    chosen = []
    for number, kept in enumerate([weights, older]):
        checkpoint.save(
            tmp_path / str(number), checkpoint.Content(1, kept, NET, policy.layout, optimizer={}, state={}), keep=1
        )
        chosen.append(load_policy(tmp_path / str(number)).act(games.view))
    assert (chosen[0] == chosen[1]).all()
