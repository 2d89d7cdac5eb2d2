"""The first block outside of MLX's graph is the one inside, forward and backward."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlx_drmario import _core

# isort: split
import mlx.core as mx
from mlx.utils import tree_flatten

from mlx_drmario.nets.config import NetConfig
from mlx_drmario.nets.encoder import AxialEncoder
from mlx_drmario.nets.policy import make_policy
from mlx_drmario.nets.sparse import SparseSight
from mlx_drmario.rl.rollout import observation_layout


def planes_of(rng: np.random.Generator, batch: int, planes: int) -> np.ndarray:
    """u8[B, C, 16, 8], each plane with a density of its own, so that cells are of one kind or of thousands."""
    density = rng.choice([0.0, 0.05, 0.5, 0.95, 1.0], size=(batch, planes, 1, 1))
    return (rng.random((batch, planes, 16, 8)) < density).astype(np.uint8)


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), width=st.integers(1, 41), planes=st.integers(1, 13), batch=st.integers(0, 12))
def test_the_block_and_its_gradients_are_those_of_products(seed, width, planes, batch):
    rng = np.random.default_rng(seed)
    encoder = AxialEncoder(NetConfig(width=width, summary=4), planes, 2)
    shapes = [(31, planes, width), (15, planes, width), (16, 8, width), (batch, width), (width, width), (width,)]
    weights = [rng.normal(size=shape).astype(np.float32) / (1 + width * (i == 4)) for i, shape in enumerate(shapes)]
    given_planes = planes_of(rng, batch, planes)
    source = rng.integers(0, planes, (batch, planes)).astype(np.int32)
    meant = np.take_along_axis(given_planes, source[:, :, None, None], axis=1)

    def block(*weights: mx.array) -> mx.array:
        encoder.stem_column.kernel, encoder.stem_row.kernel, encoder.position, shift, *mix = weights
        encoder.from_scalars.weight, encoder.from_scalars.bias = mx.eye(width, batch), mx.zeros(width)
        encoder.from_scalars.weight = shift.T  # every decision has a scalar of its own
        encoder.mix[0].weight, encoder.mix[0].bias = mix
        return encoder.see(mx.array(meant).astype(mx.float32), mx.eye(batch))

    seen, out = _core.first_block(given_planes, source, *weights)
    if batch == 0:
        assert out.shape == (0, 16, 8, width)
        return
    np.testing.assert_allclose(out, np.asarray(block(*map(mx.array, weights))), atol=5e-4)

    weight = rng.normal(size=out.shape).astype(np.float32)
    gradients = mx.grad(lambda *given: (block(*given) * mx.array(weight)).sum(), argnums=tuple(range(6)))(
        *map(mx.array, weights)
    )
    found = _core.first_block_gradient(given_planes, source, weights[4], seen, out, weight)
    for one, other in zip(found, gradients, strict=True):
        np.testing.assert_allclose(one, np.asarray(other), rtol=1e-3, atol=2e-2)


def network(canonical: bool) -> tuple[SparseSight, np.ndarray, np.ndarray]:
    """A network outside of MLX's graph, and planes and scalars of 20 decisions."""
    layout = observation_layout("bitplane")
    model = make_policy(NetConfig(width=24, summary=8, canonical_colors=canonical), layout, 0)
    rng = np.random.default_rng(1)
    planes = planes_of(rng, 20, layout.num_planes)
    scalars = rng.random((20, layout.num_scalars), np.float32)
    for start in layout.scalar_colors[:4]:
        scalars[:, start : start + 3] = np.eye(3)[rng.integers(0, 3, 20)]
    return SparseSight(model), planes, scalars


@pytest.mark.parametrize("canonical", [True, False])
def test_a_network_sees_the_same_either_way(canonical):
    sight, planes, scalars = network(canonical)
    model = sight.model
    looked = sight.see(planes, scalars)
    assert looked.seen.abs().max() > 1
    np.testing.assert_allclose(
        np.asarray(looked.seen), np.asarray(model.see(mx.array(planes), mx.array(scalars))), atol=1e-4
    )

    def total(weights) -> mx.array:
        model.update(weights)
        return mx.square(model.see(mx.array(planes), mx.array(scalars))).sum()

    weights = model.trainable_parameters()
    wanted = mx.grad(total)(weights)
    model.update(weights)
    found = mx.grad(lambda weights: mx.array(0.0))(weights)
    sight.complete(found, looked, 2 * looked.seen)
    for (name, one), (_, other) in zip(tree_flatten(found), tree_flatten(wanted), strict=True):
        np.testing.assert_allclose(np.asarray(one), np.asarray(other), rtol=1e-3, atol=1e-2, err_msg=name)


def test_wrong_arrays_are_refused():
    planes, source = np.zeros((2, 3, 16, 8), np.uint8), np.zeros((2, 3), np.int32)
    shapes = [(31, 3, 4), (15, 3, 4), (16, 8, 4), (2, 4), (4, 4), (4,)]
    names = ["column", "row", "position", "shift", "mix"]
    weights = [np.zeros(shape, np.float32) for shape in shapes]
    with pytest.raises(ValueError, match=r"source must have shape \(2, 3\), got \(1, 3\)"):
        _core.first_block(planes, source[:1], *weights)
    with pytest.raises(ValueError, match="source must hold planes 0 to 2, got 3"):
        _core.first_block(planes, source + 3, *weights)
    with pytest.raises(ValueError, match="planes must hold 0 and 1"):
        _core.first_block(planes + 2, source, *weights)
    for i, name in enumerate(names):
        with pytest.raises(ValueError, match=rf"{name} must have shape .*, got \(5, 4\)"):
            _core.first_block(planes, source, *weights[:i], np.zeros((5, 4), np.float32), *weights[i + 1 :])
    many = np.zeros((1, 33, 16, 8), np.uint8)
    with pytest.raises(ValueError, match="planes must be at most 32, got 33"):
        _core.first_block(many, np.zeros((1, 33), np.int32), *weights)
    seen, out = _core.first_block(planes, source, *weights)
    for i, name in enumerate(["seen", "out", "gradient"]):
        given_arrays = [seen, out, out]
        given_arrays[i] = given_arrays[i][:1]
        with pytest.raises(ValueError, match=f"{name} must have shape"):
            _core.first_block_gradient(planes, source, weights[4], *given_arrays)
