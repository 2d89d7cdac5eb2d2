"""Optimiser options do what their help says: against formulas, and against the plain run they must reduce to."""

import dataclasses

import mlx.core as mx
import numpy as np
import pytest
from mlx.utils import tree_flatten

from mlx_drmario.rl import checkpoint
from mlx_drmario.rl.config import OptimizerConfig, PPOConfig, TrainConfig
from mlx_drmario.rl.optimizer import average, learning_rate, make_optimizer
from mlx_drmario.rl.train import Trainer, train


def with_options(config: TrainConfig, minibatch: int | None = None, **options) -> TrainConfig:
    ppo = dataclasses.replace(config.ppo, minibatch=minibatch or config.ppo.minibatch)
    return dataclasses.replace(config, ppo=ppo, optimizer=OptimizerConfig(**options))


def weights_after(config: TrainConfig, iterations: int = 1) -> np.ndarray:
    """All weights in one vector."""
    with Trainer(config) as trainer:
        for _ in range(iterations):
            trainer.iterate(0.0)
        return np.concatenate([np.asarray(value).ravel() for _, value in tree_flatten(trainer.model.parameters())])


@pytest.mark.parametrize("shards", [1, 2])
def test_accumulation_is_a_larger_minibatch(tiny, shards):
    """Four minibatches of 32 in one step = one of 128, up to rounding; taking four steps is something else."""
    tiny = dataclasses.replace(tiny, shards=shards)
    whole = weights_after(tiny)
    accumulated = weights_after(with_options(tiny, minibatch=32, accumulate=4))
    separate = weights_after(with_options(tiny, minibatch=32))
    np.testing.assert_allclose(accumulated, whole, atol=2e-4)
    assert np.abs(separate - whole).max() > 2e-3


@pytest.mark.parametrize(("kind", "weight_decay"), [("adam", 0.0), ("adamw", 0.0), ("adamw", 0.3)])
def test_adam_and_adamw_by_the_formula(kind, weight_decay):
    optimizer = make_optimizer(OptimizerConfig(kind=kind, weight_decay=weight_decay), learning_rate=0.1)
    rng = np.random.default_rng(0)
    weights, m, v = rng.normal(size=5), np.zeros(5), np.zeros(5)
    parameters = {"w": mx.array(weights.astype(np.float32))}
    for step in range(1, 6):
        gradient = rng.normal(size=5).astype(np.float32)
        parameters = optimizer.apply_gradients({"w": mx.array(gradient)}, parameters)
        m = 0.9 * m + 0.1 * gradient
        v = 0.999 * v + 0.001 * gradient.astype(float) ** 2
        moved = 0.1 * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-5)
        weights = weights * (1 - 0.1 * weight_decay) - moved
        np.testing.assert_allclose(np.asarray(parameters["w"]), weights, rtol=1e-4, atol=1e-5)


def test_schedules():
    ppo = PPOConfig(learning_rate=1.0, final_learning_rate=0.2)
    points = (0.0, 0.25, 0.5, 1.0)
    expected = {
        "constant": [1.0, 1.0, 1.0, 1.0],
        "linear": [1.0, 0.8, 0.6, 0.2],
        "cosine": [1.0, 0.6 + 0.4 * 0.5**0.5, 0.6, 0.2],
    }
    for schedule, rates in expected.items():
        config = OptimizerConfig(schedule=schedule)
        assert [learning_rate(config, ppo, progress, 0) for progress in points] == pytest.approx(rates)
    warm = OptimizerConfig(schedule="linear", warmup=4)
    assert [learning_rate(warm, ppo, 0.5, i) / 0.6 for i in range(6)] == pytest.approx([0.25, 0.5, 0.75, 1, 1, 1])


def test_the_schedule_reaches_the_optimiser(tiny):
    with Trainer(with_options(tiny, schedule="cosine", warmup=2)) as trainer:
        for iteration, progress in enumerate((0.0, 0.5)):
            metrics = trainer.iterate(progress)
            expected = learning_rate(trainer.config.optimizer, tiny.ppo, progress, iteration)
            assert metrics["stats/learning_rate"] == expected
            assert trainer.optimizer.learning_rate.item() == pytest.approx(expected)


def test_average_by_the_formula():
    """Over many steps the average is the weighted sum of the definition; a constant is its own average at once."""
    rng = np.random.default_rng(1)
    values = rng.normal(size=(300, 3)).astype(np.float32)
    mean, expected = {"a": mx.array(values[0])}, values[0].astype(float)
    for step, value in enumerate(values[1:], start=1):
        mean = average(mean, {"a": mx.array(value)}, 0.9, step)
        decay = min(0.9, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * value
    np.testing.assert_allclose(np.asarray(mean["a"]), expected, rtol=1e-4, atol=1e-5)


def test_evaluation_plays_the_averaged_weights(tiny, tmp_path):
    """Averaging does not touch training, and what is loaded lies between the start and the end of training."""
    train(tiny, tmp_path / "plain")
    train(with_options(tiny, ema=0.9), tmp_path / "averaged")
    plain, averaged = checkpoint.load(tmp_path / "plain"), checkpoint.load(tmp_path / "averaged")
    assert plain.ema is None
    assert not list(plain.path.glob("ema*"))
    for name, value in plain.model.items():
        assert (np.asarray(value) == np.asarray(averaged.model[name])).all()
    played = dict(tree_flatten(checkpoint.load_policy(tmp_path / "averaged").model.parameters()))
    assert played.keys() == averaged.ema.keys()
    assert all((np.asarray(value) == np.asarray(averaged.ema[name])).all() for name, value in played.items())
    assert any((np.asarray(value) != np.asarray(averaged.model[name])).any() for name, value in played.items())
    with Trainer(tiny) as fresh:
        start = np.asarray(fresh.model.value.weight)
    end, mean = (np.asarray(tree["value.weight"]) for tree in (averaged.model, averaged.ema))
    assert np.abs(mean - end).max() < np.abs(start - end).max()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "sgd"}, "kind must be adam or adamw"),
        ({"schedule": "step"}, "schedule must be"),
        ({"weight_decay": 0.1}, "needs optimizer.kind adamw"),
        ({"kind": "adamw", "weight_decay": -1.0}, "must not be negative"),
        ({"warmup": -1}, "warmup"),
        ({"accumulate": 0}, "accumulate"),
        ({"ema": 1.0}, "ema"),
    ],
)
def test_bad_settings(options, message):
    with pytest.raises(ValueError, match=message):
        OptimizerConfig(**options)
