"""Networks: the colour symmetry holds exactly, heads respect the mask, second halves are looked up where they lie."""

import itertools

import mlx.core as mx
import numpy as np
import pytest
from mlx.utils import tree_map

import mlx_drmario as dm
from mlx_drmario import seeds
from mlx_drmario.baselines import RandomLegal
from mlx_drmario.nets.config import NetConfig
from mlx_drmario.nets.heads import ILLEGAL, Afterstates, shift_to_first
from mlx_drmario.nets.layout import ObservationLayout
from mlx_drmario.nets.policy import ActorCritic, make_policy
from mlx_drmario.nets.symmetry import canonicalize
from mlx_drmario.rl.afterstates import AfterstateRows, padded
from tests.recolor import one_colored, recolored

ENCODERS = ("mlp", "axial")
HEADS = ("dense", "shift_score", "outcome", "factorized")


@pytest.fixture(scope="module", params=["bitplane", "extended"])
def games(request) -> dm.Decisions:
    """64 games in the middle of play."""
    games = dm.Decisions(num_envs=64, planes=request.param)
    games.reset(5, 2, seeds.seeds("training", 64))
    player = RandomLegal(0)
    for _ in range(8):
        games.step(player.act(games.view))
    return games


def layout_of(games: dm.Decisions) -> ObservationLayout:
    return ObservationLayout(games.plane_names, games.scalar_names)


def outputs(policy: ActorCritic, games: dm.Decisions) -> tuple[np.ndarray, np.ndarray]:
    after = AfterstateRows.of(games, policy.facts).take(np.arange(games.num_envs)) if policy.facts else None
    inputs = (mx.array(games.planes), mx.array(games.scalars), mx.array(games.legal))
    log_probs, value = policy(*inputs, Afterstates(*map(mx.array, after)) if after else None)
    return np.asarray(log_probs), np.asarray(value)


@pytest.mark.parametrize("rename", list(itertools.permutations(range(3))))
def test_recoloring_changes_nothing(games, rename):
    """Bit for bit: the network sees the same numbers whatever the colours are called."""
    layout = layout_of(games)
    policy = make_policy(NetConfig(encoder="mlp", head="dense", width=16, depth=1), layout, seed=1)
    planes = recolored(games.planes, games.plane_names, rename)
    scalars = recolored(games.scalars, games.scalar_names, rename)
    if rename != (0, 1, 2):
        assert (planes != games.planes).any()
    legal = mx.array(games.legal)
    before = policy(mx.array(games.planes), mx.array(games.scalars), legal)
    after = policy(mx.array(planes), mx.array(scalars), legal)
    cyclic = rename in ((0, 1, 2), (1, 2, 0), (2, 0, 1))
    rows = np.ones(games.num_envs, bool) if cyclic else ~one_colored(games)
    assert rows.sum() > 32
    for a, b in zip(before, after, strict=True):
        assert (np.asarray(a)[rows] == np.asarray(b)[rows]).all()


def test_canonical_labels(games):
    """The first half is always colour 0, the second 0 or 1, and every colour keeps its cells."""
    layout = layout_of(games)
    planes, scalars = canonicalize(mx.array(games.planes), mx.array(games.scalars), layout)
    first, second = (np.asarray(scalars)[:, s : s + 3].argmax(axis=1) for s in layout.scalar_colors[:2])
    assert (first == 0).all()
    assert set(second) == {0, 1}
    assert planes.dtype == mx.uint8
    for start in layout.plane_colors:
        before = np.sort(games.planes[:, start : start + 3].sum(axis=(2, 3)), axis=1)
        after = np.sort(np.asarray(planes)[:, start : start + 3].sum(axis=(2, 3)), axis=1)
        assert (before == after).all()


@pytest.mark.parametrize(("encoder", "head"), itertools.product(ENCODERS, HEADS))
def test_every_encoder_with_every_head(games, encoder, head):
    policy = make_policy(NetConfig(encoder=encoder, head=head, width=8, depth=2, summary=16), layout_of(games), seed=0)
    log_probs, value = outputs(policy, games)
    assert log_probs.shape == (64, 512) and value.shape == (64,)
    assert (log_probs[~games.legal] == ILLEGAL).all()
    running = ~games.ended
    np.testing.assert_allclose(np.exp(log_probs[running]).sum(axis=1), 1.0, rtol=1e-4)
    choices = np.maximum(games.legal.sum(axis=1, keepdims=True), 1)  # ended games have none
    uniform = -np.log(choices) * np.ones((1, 512))
    np.testing.assert_allclose(log_probs[games.legal], uniform[games.legal], atol=0.5)  # it has no opinion yet


@pytest.mark.parametrize("head", (*HEADS, "features"))
def test_rows_are_the_legal_entries_of_the_whole(games, head):
    """`judge`, which learning and rollouts go by, says what the network says of all 512; padding changes nothing."""
    config = NetConfig(head=head, width=8, summary=16)
    policy = make_policy(config, layout_of(games), seed=0)
    rng = np.random.default_rng(0)
    policy.update(tree_map(lambda w: w + mx.array(rng.normal(0, 0.2, w.shape).astype(np.float32)), policy.parameters()))
    whole, value = outputs(policy, games)
    assert whole[games.legal].std() > 0.1
    rows = AfterstateRows.of(games, policy.facts) if policy.facts else AfterstateRows.of_legal(games.legal)
    decision, action, facts = rows.take(np.arange(64))
    given = padded((decision, action, facts), 64)
    assert len(given[0]) > len(decision)
    planes, scalars = mx.array(games.planes), mx.array(games.scalars)
    found, same_value = policy.judge(policy.see(planes, scalars), scalars, Afterstates(*map(mx.array, given)))
    np.testing.assert_allclose(np.asarray(found)[: len(decision)], whole[decision, action], rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(np.asarray(same_value), value)


def test_weights_depend_on_the_seed_alone(games):
    layout = layout_of(games)
    inputs = [mx.array(x) for x in (games.planes, games.scalars)]
    one, same, other = (
        np.asarray(make_policy(NetConfig(width=8), layout, seed).value_of(*inputs)) for seed in (1, 1, 2)
    )
    assert (one == same).all()
    assert (one != other).any()


def test_building_a_network_leaves_the_global_generator_alone(games):
    mx.random.seed(7)
    before = mx.random.normal((4,)).tolist()
    mx.random.seed(7)
    make_policy(NetConfig(width=8), layout_of(games), 1)
    assert mx.random.normal((4,)).tolist() == before


def test_second_half_is_scored_where_it_lies():
    """Against the definition of the action space (docs/design.md), cell by cell."""
    second = np.random.default_rng(0).normal(size=(2, 16, 8, 4)).astype(np.float32)
    shifted = np.asarray(shift_to_first(mx.array(second)))
    offsets = [(0, 1), (1, 0), (0, -1), (-1, 0)]
    for o, (dr, dc) in enumerate(offsets):
        for row, col in itertools.product(range(16), range(8)):
            r, c = row + dr, col + dc
            expected = second[:, r, c, o] if 0 <= r < 16 and 0 <= c < 8 else 0.0
            assert (shifted[:, o, row, col] == expected).all()


def test_bad_settings():
    with pytest.raises(ValueError, match="width"):
        NetConfig(width=0)
    names = ("virus_yellow", "virus_blue", "virus_red")
    with pytest.raises(ValueError, match="side by side"):
        _ = ObservationLayout(names, names)
