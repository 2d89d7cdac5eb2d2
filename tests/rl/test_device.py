"""Where networks compute, which a user may choose."""

import pytest

import mlx_drmario  # noqa: F401  (before MLX)

# isort: split
import mlx.core as mx

from mlx_drmario.nets import device
from mlx_drmario.nets.config import NetConfig
from mlx_drmario.nets.policy import make_policy
from mlx_drmario.rl.rollout import observation_layout


@pytest.fixture(autouse=True)
def anew():
    device.obey.cache_clear()
    yield
    device.obey.cache_clear()


@pytest.mark.parametrize("wanted", [None, "cpu"])
def test_networks_are_made_where_the_environment_says(wanted, monkeypatch):
    """Once: who chooses another device later gets that."""
    chosen = []
    monkeypatch.setattr(device.mx, "set_default_device", chosen.append)
    if wanted is None:
        monkeypatch.delenv(device.VARIABLE, raising=False)
    else:
        monkeypatch.setenv(device.VARIABLE, wanted)
    for seed in range(2):
        make_policy(NetConfig(width=8, depth=1, summary=16), observation_layout("bitplane"), seed)
    assert chosen == ([] if wanted is None else [mx.cpu])


@pytest.mark.parametrize("wanted", ["", "metal", "gpu:0"])
def test_a_device_that_is_none_is_refused(wanted, monkeypatch):
    monkeypatch.setenv(device.VARIABLE, wanted)
    with pytest.raises(ValueError, match=f"^MLX_DRMARIO_DEVICE is {wanted!r}, allowed are 'cpu' and 'gpu'$"):
        device.default_device()


@pytest.mark.skipif(mx.is_available(mx.gpu), reason="it is there")
def test_a_device_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setenv(device.VARIABLE, "gpu")
    with pytest.raises(ValueError, match=r"^MLX_DRMARIO_DEVICE is 'gpu', which MLX does not have here$"):
        device.default_device()
