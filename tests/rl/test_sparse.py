"""The first layer outside of MLX's graph is the one inside, forward and backward."""

import mlx.core as mx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlx.utils import tree_flatten

from mlx_drmario import _core
from mlx_drmario.nets.config import NetConfig
from mlx_drmario.nets.encoder import AxialEncoder
from mlx_drmario.nets.policy import make_policy
from mlx_drmario.nets.sparse import SparseSight
from mlx_drmario.rl.rollout import observation_layout


def planes_of(rng: np.random.Generator, batch: int, planes: int) -> np.ndarray:
    """u8[B, C, 16, 8], each plane with a density of its own: empty, sparse, dense (inverted inside) and full ones."""
    density = rng.choice([0.0, 0.05, 0.5, 0.62, 0.65, 0.95, 1.0], size=(batch, planes, 1, 1))
    return (rng.random((batch, planes, 16, 8)) < density).astype(np.uint8)


def by_product(encoder: AxialEncoder, column: mx.array, row: mx.array, planes: np.ndarray) -> mx.array:
    encoder.stem_column.kernel, encoder.stem_row.kernel = column, row
    return encoder.see(mx.array(planes).astype(mx.float32))


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), width=st.integers(1, 33), planes=st.integers(1, 13), batch=st.integers(1, 5))
def test_sums_and_gradients_are_those_of_the_products(seed, width, planes, batch):
    rng = np.random.default_rng(seed)
    encoder = AxialEncoder(NetConfig(width=width, summary=4), planes, 23)
    kernels = [rng.normal(size=(offsets, planes, width)).astype(np.float32) for offsets in (31, 15)]
    given_planes = planes_of(rng, batch, planes)
    source = rng.integers(0, planes, (batch, planes)).astype(np.int32)
    meant = np.take_along_axis(given_planes, source[:, :, None, None], axis=1)
    found = _core.plane_sums(given_planes, source, *kernels)
    wanted = by_product(encoder, *map(mx.array, kernels), meant)
    np.testing.assert_allclose(found, np.asarray(wanted), atol=2e-4)

    weight = rng.normal(size=found.shape).astype(np.float32)

    def total(column: mx.array, row: mx.array) -> mx.array:
        return (by_product(encoder, column, row, meant) * mx.array(weight)).sum()

    gradients = mx.grad(total, argnums=(0, 1))(*map(mx.array, kernels))
    for one, other in zip(_core.plane_sums_gradient(given_planes, source, weight), gradients, strict=True):
        np.testing.assert_allclose(one, np.asarray(other), atol=5e-4)


@pytest.mark.parametrize("canonical", [True, False])
def test_a_network_sees_the_same_either_way(canonical):
    layout = observation_layout("bitplane")
    model = make_policy(NetConfig(width=24, summary=8, canonical_colors=canonical), layout, 0)
    rng = np.random.default_rng(1)
    planes = planes_of(rng, 20, layout.num_planes)
    scalars = np.zeros((20, layout.num_scalars), np.float32)
    for start in layout.scalar_colors[:4]:
        scalars[np.arange(20), start + rng.integers(0, 3, 20)] = 1
    sight = SparseSight(model)
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
    column, row = np.zeros((31, 3, 4), np.float32), np.zeros((15, 3, 4), np.float32)
    with pytest.raises(ValueError, match=r"source must have shape \(2, 3\), got \(1, 3\)"):
        _core.plane_sums(planes, source[:1], column, row)
    with pytest.raises(ValueError, match="source must hold planes 0 to 2, got 3"):
        _core.plane_sums(planes, source + 3, column, row)
    wrong = planes.copy()
    wrong[-1, -1, -1, -1] = 2
    with pytest.raises(ValueError, match="planes must hold 0 and 1"):
        _core.plane_sums(wrong, source, column, row)
    with pytest.raises(ValueError, match=r"row must have shape \(15, 3, 4\), got \(31, 3, 4\)"):
        _core.plane_sums(planes, source, column, column)
    with pytest.raises(ValueError, match="gradient must be of 2 decisions, got 1"):
        _core.plane_sums_gradient(planes, source, np.zeros((1, 16, 8, 4), np.float32))
