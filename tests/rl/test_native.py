"""The first block outside of MLX's graph, and the policy of one block, are those inside, forward and backward."""

from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlx_drmario import _core
from tests.training import on_cpu

# isort: split
import mlx.core as mx
from mlx.utils import tree_flatten, tree_map

from mlx_drmario.nets.config import NetConfig
from mlx_drmario.nets.encoder import AxialEncoder
from mlx_drmario.nets.heads import Afterstates
from mlx_drmario.nets.native import NATIVE_HEADS, NativeBlock, native
from mlx_drmario.nets.policy import make_policy
from mlx_drmario.rl.afterstates import padded
from mlx_drmario.rl.gradient import gradient_of
from mlx_drmario.rl.rollout import observation_layout


def planes_of(rng: np.random.Generator, batch: int, planes: int) -> np.ndarray:
    """u8[B, C, 16, 8], each plane with a density of its own, so that cells are of one kind or of thousands."""
    density = rng.choice([0.0, 0.05, 0.5, 0.95, 1.0], size=(batch, planes, 1, 1))
    return (rng.random((batch, planes, 16, 8)) < density).astype(np.uint8)


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 2**32 - 1),
    width=st.integers(1, 41),
    planes=st.integers(1, 13),
    batch=st.integers(0, 12),
    squeezed=st.sampled_from([0, 8]),
)
def test_the_block_and_its_gradients_are_those_of_products(seed, width, planes, batch, squeezed):
    rng = np.random.default_rng(seed)
    encoder = AxialEncoder(NetConfig(width=width, summary=4), planes, 2)
    shapes = [(31, planes, width), (15, planes, width), (16, 8, width), (batch, width), (width, width), (width,)]
    shapes += [(squeezed, width), (squeezed,)]
    weights = [rng.normal(size=shape).astype(np.float32) / (1 + width * (i == 4)) for i, shape in enumerate(shapes)]
    given_planes = planes_of(rng, batch, planes)
    source = rng.integers(0, planes, (batch, planes)).astype(np.int32)
    meant = np.take_along_axis(given_planes, source[:, :, None, None], axis=1)

    def block(*weights: mx.array) -> tuple[mx.array, mx.array]:
        encoder.stem_column.kernel, encoder.stem_row.kernel, encoder.position, shift, *mix, squeeze, bias = weights
        encoder.from_scalars.weight, encoder.from_scalars.bias = mx.eye(width, batch), mx.zeros(width)
        encoder.from_scalars.weight = shift.T  # every decision has a scalar of its own
        encoder.mix[0].weight, encoder.mix[0].bias = mix
        cells = encoder.see(mx.array(meant).astype(mx.float32), mx.eye(batch))
        return cells, mx.maximum(cells @ squeeze.T + bias, 0).reshape(batch, -1) if squeezed else mx.zeros((batch, 0))

    found = _core.FirstBlock(given_planes, source, *weights)
    outputs = found.cells, found.squeezed
    assert [output.shape for output in outputs] == [(batch, 16, 8, width), (batch, 128 * squeezed)]
    if batch == 0:
        return
    for one, other in zip(outputs, block(*map(mx.array, weights)), strict=True):
        np.testing.assert_allclose(one, np.asarray(other), atol=2e-3)

    pull = [rng.normal(size=output.shape).astype(np.float32) for output in outputs]

    def said(*given: mx.array) -> mx.array:
        return sum(((output * mx.array(weight)).sum() for output, weight in zip(block(*given), pull, strict=True)), 0)

    gradients = mx.grad(said, argnums=tuple(range(8)))(*map(mx.array, weights))
    for one, other in zip(found.gradient(*pull), gradients, strict=True):
        np.testing.assert_allclose(one, np.asarray(other), rtol=1e-3, atol=2e-2)


@on_cpu
@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 2**32 - 1),
    width=st.sampled_from([1, 7, 8, 24]),
    depth=st.integers(1, 2),
    head=st.sampled_from(["outcome", "shift_score", "features", "dense"]),
    hidden=st.sampled_from([5, 64]),
    canonical=st.booleans(),
)
def test_a_network_learns_the_same_either_way(seed, width, depth, head, hidden, canonical):
    """What is said and its gradient by every weight, of what the engine computes and of MLX's graph alone."""
    config = NetConfig(width=width, depth=depth, summary=8, head=head, hidden=hidden, canonical_colors=canonical)
    try:
        learn_either_way(np.random.default_rng(seed), config)
    except AssertionError:  # perhaps one of many thousand units is so near its kink that rounding decides its slope
        learn_either_way(np.random.default_rng([seed, 1]), config)


def learn_either_way(rng: np.random.Generator, config: NetConfig) -> None:
    layout, head, hidden, depth = observation_layout("bitplane"), config.head, config.hidden, config.depth
    model = make_policy(config, layout, 0)
    assert head != "features" or model.head.mix.weight.shape == (hidden, hidden)
    model.update(tree_map(lambda w: mx.array(rng.normal(0, 0.3, w.shape).astype(np.float32)), model.parameters()))
    outside = native(model)
    assert type(outside) is (NATIVE_HEADS.get(type(model.head), NativeBlock) if depth == 1 else NativeBlock)

    batch = 6
    planes = planes_of(rng, batch, layout.num_planes)
    scalars = rng.random((batch, layout.num_scalars), np.float32)
    for start in layout.scalar_colors[:4]:
        scalars[:, start : start + 3] = np.eye(3)[rng.integers(0, 3, batch)]
    legal = rng.random((batch, 512)) < rng.choice([0.02, 0.1, 0.5], (batch, 1))  # more and less than fit at once
    places = legal.reshape(batch, 4, 16, 8)
    places[:, 0, :, 7] = places[:, 2, :, 0] = False  # beside the bottle
    legal[2] = False  # a game that has ended
    decision, action = (each.astype(np.int32) for each in np.nonzero(legal))
    after = padded((decision, action, rng.random((len(action), len(model.facts)), np.float32)), batch)
    pull = [rng.normal(size=size).astype(np.float32) for size in (len(after[0]), batch)]
    pull[0][len(action) :] = 0  # nobody reads padding

    def loss(log_probs: mx.array, value: mx.array, after: Afterstates, *pull: mx.array) -> tuple[mx.array, mx.array]:
        said = (log_probs * pull[0]).sum() + (value * pull[1]).sum()
        return said, mx.concatenate([log_probs[: len(action)], value])

    said, found = gradient_of(model, loss, compile=False)(planes, scalars, after, *pull)
    with mock.patch("mlx_drmario.rl.gradient.native", return_value=None):
        meant, wanted = gradient_of(model, loss, compile=False)(planes, scalars, after, *pull)
    np.testing.assert_allclose(np.asarray(said), np.asarray(meant), rtol=1e-3, atol=1e-3)
    np.testing.assert_array_equal(np.asarray(outside.value(planes, scalars)), np.asarray(said)[len(action) :])
    for (name, one), (_, other) in zip(tree_flatten(found), tree_flatten(wanted), strict=True):
        scale = max(1.0, float(mx.abs(other).max()))
        np.testing.assert_allclose(np.asarray(one) / scale, np.asarray(other) / scale, atol=1e-3, err_msg=name)


def test_no_decisions_have_no_gradient():
    planes, source = np.zeros((0, 3, 16, 8), np.uint8), np.zeros((0, 3), np.int32)
    shapes = [(31, 3, 8), (15, 3, 8), (16, 8, 8), (0, 8), (8, 8), (8,), (8, 8), (8,)]
    weights = [np.ones(shape, np.float32) for shape in shapes]
    block = _core.FirstBlock(planes, source, *weights)
    assert (block.cells.shape, block.squeezed.shape) == ((0, 16, 8, 8), (0, 1024))
    gradients = block.gradient(block.cells, block.squeezed)
    assert [gradient.shape for gradient in gradients] == [weight.shape for weight in weights]
    assert not any(gradient.any() for gradient in gradients)


def test_arrays_of_other_integers_are_not_converted():
    planes, source = np.zeros((2, 3, 16, 8), np.uint8), np.zeros((2, 3), np.int32)
    shapes = [(31, 3, 4), (15, 3, 4), (16, 8, 4), (2, 4), (4, 4), (4,), (8, 4), (8,)]
    weights = [np.zeros(shape, np.float32) for shape in shapes]
    for wrong in ((planes.astype(np.int64) + 256, source), (planes, source.astype(np.int64) + 2**32)):
        with pytest.raises(TypeError):
            _core.FirstBlock(*wrong, *weights)


def test_wrong_arrays_are_refused():
    planes, source = np.zeros((2, 3, 16, 8), np.uint8), np.zeros((2, 3), np.int32)
    shapes = [(31, 3, 4), (15, 3, 4), (16, 8, 4), (2, 4), (4, 4), (4,), (8, 4), (8,)]
    names = ["column", "row", "position", "shift", "mix", None, "squeeze", "squeezing_bias"]  # bias measures the others
    weights = [np.zeros(shape, np.float32) for shape in shapes]
    with pytest.raises(ValueError, match=r"source must have shape \(2, 3\), got \(1, 3\)"):
        _core.FirstBlock(planes, source[:1], *weights)
    with pytest.raises(ValueError, match="source must hold planes 0 to 2, got 3"):
        _core.FirstBlock(planes, source + 3, *weights)
    with pytest.raises(ValueError, match="planes must hold 0 and 1"):
        _core.FirstBlock(planes + 2, source, *weights)
    for i, name in enumerate(names):
        if name is None:
            continue
        with pytest.raises(ValueError, match=rf"^{name} must have shape .*, got \(5, 4\)"):
            _core.FirstBlock(planes, source, *weights[:i], np.zeros((5, 4), np.float32), *weights[i + 1 :])
    many = np.zeros((1, 33, 16, 8), np.uint8)
    with pytest.raises(ValueError, match="planes must be at most 32, got 33"):
        _core.FirstBlock(many, np.zeros((1, 33), np.int32), *weights)
    block = _core.FirstBlock(planes, source, *weights)
    for i, name in enumerate(["of_cells", "of_squeezed"]):
        given_arrays = [block.cells, block.squeezed]
        given_arrays[i] = given_arrays[i][:1]
        with pytest.raises(ValueError, match=f"^{name} must have shape"):
            block.gradient(*given_arrays)


def judged_arrays(batch: int, rows: int) -> dict[str, np.ndarray]:
    """What `_core.Judged` takes: 3 channels, 5 hidden units, 2 facts."""
    shapes = {
        "cells": (batch, 16, 8, 3),
        "shift": (batch, 5),
        "decision": (rows,),
        "action": (rows,),
        "facts": (rows, 2),
        "halves": (10, 3),
        "told": (5, 2),
        "orientation": (4, 5),
        "mix": (5, 5),
        "bias": (5,),
        "score": (5,),
    }
    return {
        name: np.zeros(shape, np.int32 if name in ("decision", "action") else np.float32)
        for name, shape in shapes.items()
    }


@pytest.mark.parametrize("name", ["cells", "shift", "action", "facts", "halves", "told", "orientation", "mix", "score"])
def test_the_features_head_refuses_arrays_of_other_shapes(name):
    arrays = judged_arrays(2, 3)
    arrays[name] = np.zeros((7,) * arrays[name].ndim, arrays[name].dtype)
    with pytest.raises(ValueError, match=f"^{name} must have shape"):
        _core.Judged(**arrays)


def test_the_features_head_refuses_placements_and_gradients_that_cannot_be():
    arrays = judged_arrays(2, 3)
    for name, value in (("decision", 3), ("action", 512)):
        with pytest.raises(ValueError, match="decision and action must ascend from 0 to 2 and hold 0 to 511"):
            _core.Judged(**{**arrays, name: np.full(3, value, np.int32)})
    for name, axes in (("cells", 4), ("facts", 2)):
        with pytest.raises(ValueError, match=f"^{name} must have {axes} axes, got 1"):
            _core.Judged(**{**arrays, name: np.zeros(3, np.float32)})
    with pytest.raises(TypeError):
        _core.Judged(**{**arrays, "action": np.zeros(3, np.int64)})
    with pytest.raises(ValueError, match=r"^of_log_probs must have shape \(3\), got \(2\)"):
        _core.Judged(**arrays).gradient(np.zeros(2, np.float32))


@pytest.mark.parametrize(("batch", "rows"), [(0, 0), (2, 0), (0, 3)])
def test_the_features_head_says_nothing_of_no_placements(batch, rows):
    judged = _core.Judged(**judged_arrays(batch, rows))
    np.testing.assert_array_equal(judged.log_probs, np.zeros(rows))
    gradients = judged.gradient(np.ones(rows, np.float32))
    assert gradients[0].shape == (batch, 16, 8, 3)
    assert not any(gradient.any() for gradient in gradients)


def test_a_half_outside_of_the_bottle_scores_nothing():
    """Right of the last column, below the last row, left of the first and above the top; the others would score."""
    cells = np.random.default_rng(0).random((1, 16, 8, 3), np.float32)
    halves = np.zeros((1, 8, 3), np.float32)
    halves[:, 4:] = 1
    action = np.array([15, 128 + 121, 256 + 16, 384 + 5, 384 + 125], np.int32)
    given_arrays = (cells, np.zeros(5, np.int32), action, np.zeros((5, 0), np.float32), halves)
    log_probs = _core.Scored(*given_arrays, np.zeros(4, np.float32), np.zeros(0, np.float32)).log_probs
    assert (log_probs[:4] == log_probs[0]).all()
    np.testing.assert_allclose(log_probs[4] - log_probs[0], cells[0, 14, 5].sum(), rtol=1e-5)


def test_wrong_placements_are_refused():
    shapes = [(2, 16, 8, 3), (3,), (3,), (3, 5), (2, 8, 3), (4,), (5,)]
    names = ["cells", "decision", "action", "facts", "halves", "orientation", "gain"]
    arrays = [np.zeros(shape, np.int32 if i in (1, 2) else np.float32) for i, shape in enumerate(shapes)]
    scored = _core.Scored(*arrays)
    assert scored.log_probs.shape == (3,)
    for i, name in enumerate(names):
        if name in ("cells", "decision", "gain"):  # the others are measured by these
            continue
        wrong = [*arrays[:i], np.zeros((5,) * arrays[i].ndim, arrays[i].dtype), *arrays[i + 1 :]]
        if name == "orientation":
            wrong[i] = np.zeros(3, np.float32)
        with pytest.raises(ValueError, match=f"^{name} must have shape"):
            _core.Scored(*wrong)
    with pytest.raises(ValueError, match="cells must have 4 axes, got 1"):
        _core.Scored(arrays[0][0, 0, 0], *arrays[1:])
    for decision, action in (([1, 0, 0], [0] * 3), ([0, 0, 3], [0] * 3), ([-1, 0, 0], [0] * 3), ([0] * 3, [0, 0, 512])):
        given = [np.array(each, np.int32) for each in (decision, action)]
        with pytest.raises(ValueError, match="decision and action must ascend from 0 to 2 and hold 0 to 511"):
            _core.Scored(arrays[0], *given, *arrays[3:])
    with pytest.raises(ValueError, match=r"^of_log_probs must have shape \(3\), got \(1\)"):
        scored.gradient(np.zeros(1, np.float32))
