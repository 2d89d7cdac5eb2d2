"""Learning from search: what is learnt of a judgement, whose games are judged, and runs that go on bit for bit."""

import dataclasses
import json
import time

import mlx.core as mx
import numpy as np
import pytest

import mlx_drmario as dm
from mlx_drmario.cli import main
from mlx_drmario.nets.config import NetConfig
from mlx_drmario.nets.heads import Afterstates
from mlx_drmario.nets.mirror import equal_colors, mirrored_actions, mirrored_planes
from mlx_drmario.rl.afterstates import AfterstateRows
from mlx_drmario.rl.clone.config import CloneConfig, CloneRunConfig
from mlx_drmario.rl.clone.losses import judgement_loss, targets, weights_of
from mlx_drmario.rl.clone.shard import Shard, progress_scalars
from mlx_drmario.rl.clone.train import Learner, resolve, train
from mlx_drmario.rl.config import EnvConfig
from mlx_drmario.rl.player import load_policy
from mlx_drmario.rl.rollout import observation_layout
from mlx_drmario.rl.runs import checkpoint, settings
from mlx_drmario.rl.runs.metrics import read_metrics
from mlx_drmario.search import roots_of
from tests.training import Diary, HeldBetween, Holding, StopAfter, content, legal_of, on_cpu, timeless

TINY = CloneRunConfig(
    name="tiny",
    compile=False,
    decisions=5 * 192,
    checkpoint_every=1,
    keep=9,
    env=EnvConfig(num_envs=16, last_level=3, max_decisions=10),
    net=NetConfig(head="features", width=8, depth=1, summary=16),
    clone=CloneConfig(teacher="2ply,first=4", horizon=8, retries=4, minibatch=64, weaning=0.5),
)


def only_shard(config: CloneRunConfig) -> Shard:
    """All of a run's games in one shard."""
    return Shard(dataclasses.replace(config, shards=1), 0, observation_layout(config.env.planes))


def test_targets_by_the_definition():
    decision = np.array([0, 0, 0, 1, 1], np.int32)
    frames, least = np.array([100, 120, np.inf, 7, 7], np.float32), np.array([100, 7], np.float32)
    soft = targets(CloneConfig(temperature=20), decision, frames, least)
    np.testing.assert_allclose(soft, [1 / (1 + np.exp(-1)), 1 / (1 + np.exp(1)), 0, 0.5, 0.5], rtol=1e-6)
    hard = targets(CloneConfig(temperature=0), decision, frames, least)
    np.testing.assert_array_equal(hard, [1, 0, 0, 0.5, 0.5])
    smooth = targets(CloneConfig(temperature=0, smoothing=0.3), decision, frames, least)
    np.testing.assert_allclose(smooth, [0.8, 0.1, 0.1, 0.5, 0.5], rtol=1e-6)


def test_quarters_of_a_bottle_count_the_same():
    viruses, levels = np.array([84, 80, 70, 70, 10, 1, 4]), np.array([20, 20, 20, 20, 20, 20, 0])
    weight = weights_of(CloneConfig(balance=True), viruses, levels)
    np.testing.assert_allclose(weight, [7 / 10] * 4 + [7 / 4] * 2 + [7 / 10])
    assert weight[:4].sum() + weight[6] == pytest.approx(weight[4:6].sum())
    assert (weights_of(CloneConfig(), viruses, levels) == 1).all()


def test_loss_is_the_distance_to_the_target():
    rng = np.random.default_rng(0)
    log_probs = np.log(rng.dirichlet(np.ones(9))[:4]).astype(np.float32)
    decision = np.array([0, 0, 1, 2], np.int32)
    target = np.array([0.25, 0.75, 1.0, 0.0], np.float32)  # the last row is padding
    weight = np.array([1.0, 0.5], np.float32)

    def loss(config: CloneConfig, said: np.ndarray) -> float:
        return judgement_loss(config, *map(mx.array, (said, decision, target, weight))).item()

    said = log_probs[:3]
    terms = target[:3] * (np.log(target[:3]) - said) * weight[decision[:3]]
    assert loss(CloneConfig(), log_probs) == pytest.approx(terms.sum() / 2, rel=1e-5)
    focal = terms * (1 - np.exp(said)) ** 2
    assert loss(CloneConfig(focal=2), log_probs) == pytest.approx(focal.sum() / 2, rel=1e-5)
    known = np.append(np.log(target[:3]), np.float32(-1e9))
    assert loss(CloneConfig(), known) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("focal", [0.0, 0.5, 1.0, 2.0])
def test_the_focal_loss_has_a_slope_where_the_network_is_certain(focal):
    """A decision with one placement, or a row of padding, is certain: log-probability 0."""
    said, decision = mx.array([0.0, -0.7, -0.7, 0.0]), mx.array([0, 1, 1, 2])
    target, weight = mx.array([1.0, 0.5, 0.5, 0.0]), mx.ones(2)
    slope = mx.grad(lambda x: judgement_loss(CloneConfig(focal=focal), x, decision, target, weight))(said)
    assert np.isfinite(np.asarray(slope)).all()


def test_what_is_learnt_is_the_judgement_of_the_same_decision():
    """Row by row: judging the observed situation, or that of the mirror, again gives the stored target and value."""
    shard = only_shard(TINY)
    seen, act = [], shard.act

    def remember(planes, scalars, after):
        judged = shard.teacher.judge(**roots_of(shard.games.view), **shard.budget)[1]
        seen.append((planes.copy(), judged))
        return act(planes, scalars, after)

    shard.act = remember
    rollouts = shard.collect(shard.playing.parameters(), followed=0.5)
    frames = np.concatenate([judged for _, judged in seen])
    soft = np.exp(-(frames - frames.min(axis=1, keepdims=True)) / TINY.clone.temperature)
    planes = np.concatenate([planes for planes, _ in seen])
    allowed = np.concatenate([legal_of(rollout.after).reshape(-1, 512) for rollout in rollouts])
    scalars = np.concatenate([rollout.scalars.reshape(-1, rollout.scalars.shape[2]) for rollout in rollouts])
    equal = equal_colors(scalars, shard.layout)
    images = mirrored_planes(planes, equal, shard.layout)
    rows = turned = 0
    for batch in shard.minibatches:
        shown, _, (decision, action, _), target, weight, value = batch
        for b, board in enumerate(shown):
            candidates = np.flatnonzero((planes == board).all(axis=(1, 2, 3)))
            mine, turns = decision == b, len(candidates) == 0
            if turns:
                candidates = np.flatnonzero((images == board).all(axis=(1, 2, 3)))
            played = mirrored_actions(action[mine], np.resize(equal[candidates[0]], mine.sum()))
            played = played if turns else action[mine]
            expected = [soft[c] / soft[c].sum() for c in candidates]
            assert any(np.allclose(target[mine], e[played], atol=1e-5) for e in expected)
            assert any(value[b] == pytest.approx(-min(frames[c].min(), 30_000) / 1000) for c in candidates)
            assert any(set(played) == set(np.flatnonzero(allowed[c])) for c in candidates)
            rows += 1
            turned += turns
        assert (weight == 1).all()
    assert rows == TINY.clone.epochs * 192
    assert 0.4 * rows < turned < 0.6 * rows


def test_shares_of_the_teacher_the_network_and_chance():
    config = dataclasses.replace(
        TINY, clone=dataclasses.replace(TINY.clone, follow=0.25, weaning=0.0, random_moves=0.1)
    )
    shard = only_shard(config)
    games = shard.collector.games
    after = AfterstateRows.of(games, shard.learning.facts)
    with Learner(dataclasses.replace(config, shards=1)) as learner:
        shard.followed = learner.followed
    log_share, _ = shard.act(games.planes, games.scalars, after)
    columns = Afterstates(*map(mx.array, after.take(np.arange(16))))
    own, _ = shard.playing(*map(mx.array, (games.planes, games.scalars, games.legal)), columns)
    choice = shard.teacher.judge(**roots_of(games.view), **shard.budget)[0]
    expected = 0.1 * games.legal / games.legal.sum(axis=1, keepdims=True)
    expected[np.arange(16), np.argmax(own, axis=1)] += 0.9 * 0.75
    expected[np.arange(16), choice] += 0.9 * 0.25
    assert (np.exp(log_share)[~games.legal] == 0).all()
    np.testing.assert_allclose(np.exp(log_share), expected, atol=1e-5)
    with Learner(resolve(TINY)) as learner:
        assert learner.followed == 1.0


def test_two_shards_learn_what_one_would_of_both_their_games():
    """Other games in each, and a step along the mean of both gradients."""
    config = dataclasses.replace(TINY, shards=2)
    with Learner(config) as learner:
        weights = learner.learning.parameters()
        rollouts = [shard.collect(weights, 1.0)[0] for shard in learner.shards.shards]
        assert (rollouts[0].planes[0] != rollouts[1].planes[0]).any()
        halves = [next(shard.minibatches) for shard in learner.shards.shards]
        first, second = ([*half] for half in halves)
        columns = [np.concatenate(pair) for pair in zip(first, second, strict=True) if not isinstance(pair[0], tuple)]
        kept = [columns_of[0] < 32 for columns_of in (first[2], second[2])]
        rows = [tuple(c[k] for c in half[2]) for half, k in zip((first, second), kept, strict=True)]
        joined = tuple(np.concatenate(pair) for pair in zip(*rows, strict=True))
        joined[0][kept[0].sum() :] += 32
        target = np.concatenate([half[3][k] for half, k in zip((first, second), kept, strict=True)])
        whole = learner.shards.shards[0]
        metrics, _ = whole.gradient(columns[0], columns[1], joined, target, columns[3], columns[4])
        for shard, half in zip(learner.shards.shards, halves, strict=True):
            shard.minibatches = iter([half])
        found = learner._step()
    np.testing.assert_allclose(found[:2], np.asarray(metrics), rtol=1e-4)


@on_cpu
def test_shards_divide_what_they_can():
    odd = dataclasses.replace(TINY, env=EnvConfig(num_envs=3), clone=CloneConfig(teacher="1ply", minibatch=64))
    assert resolve(odd).shards == 1 and resolve(TINY).shards == 2
    with pytest.raises(ValueError, match=r"shards must be 0 or divide env\.num_envs = 3, got 2"):
        dataclasses.replace(odd, shards=2)
    single = dataclasses.replace(TINY, clone=dataclasses.replace(TINY.clone, retries=1, minibatch=16))
    assert resolve(single).shards == 1
    with pytest.raises(ValueError, match=r"shards must be 0 or divide clone\.retries = 1, got 2"):
        dataclasses.replace(single, shards=2)
    with pytest.raises(ValueError, match=r"env\.num_envs \* clone\.horizon must be at most 16,777,216 decisions"):
        dataclasses.replace(TINY, env=EnvConfig(num_envs=65_536), clone=CloneConfig(horizon=65_536))


def test_a_teacher_does_not_think_by_the_clock():
    with pytest.raises(ValueError, match=r"clone\.teacher is '3ply,ms=5'; what it thinks must not depend on the time"):
        CloneConfig(teacher="3ply,ms=5")


def test_scalars_that_weigh_decisions():
    shard = only_shard(TINY)
    (viruses, unit), (level, most) = progress_scalars(shard.layout)
    games = shard.collector.games
    np.testing.assert_allclose(games.scalars[:, viruses] * unit, games.viruses_left, rtol=1e-5)
    np.testing.assert_allclose(games.scalars[:, level] * most, games.view.public["level"], rtol=1e-5)


@on_cpu
def test_callbacks_are_told_everything_and_change_nothing(tmp_path):
    config = dataclasses.replace(TINY, checkpoint_every=99, shards=2)
    train(config, tmp_path / "plain")
    diary = Diary(checkpoint_after=1)
    result = train(config, tmp_path / "told", diary)
    assert content(tmp_path / "plain") == content(tmp_path / "told")
    assert [{"step": s.decisions, **s.metrics} for s in diary.snapshots] == read_metrics(tmp_path / "told")
    last = diary.snapshots[-1]
    assert last == result.last and last.progress == 1.0 and last.stage == config.env.stage
    assert last.frames > 960 and last.games == last.metrics["episode/count"] > 0
    assert [checkpoint.number(path) for path in diary.checkpoints] == [192, 960]
    assert diary.steps == {0: 5 * 8, 1: 5 * 8}  # games that are tried again are nobody's


def test_time_that_a_callback_holds_the_run_up_is_not_counted():
    holding = Holding()
    with Learner(resolve(TINY), callback=holding) as learner:
        start = time.perf_counter()
        metrics = learner.iterate()
        wall = time.perf_counter() - start
        assert 0 < learner.counters.seconds <= wall - holding.whole < wall
    assert metrics["perf/rollout_seconds"] + metrics["perf/update_seconds"] == pytest.approx(learner.counters.seconds)


def test_time_between_two_iterations_is_not_taken_off():
    with Learner(resolve(TINY), callback=HeldBetween()) as learner:
        for _ in range(2):
            assert learner.iterate()["perf/rollout_seconds"] > 0
        assert 0 < learner.counters.seconds < 900


@on_cpu
def test_runs_repeat_and_go_on_bit_for_bit(tmp_path):
    whole = train(TINY, tmp_path / "whole")
    assert whole.finished and settings.kind_of(tmp_path / "whole") is CloneRunConfig
    assert not train(TINY, tmp_path / "parts", StopAfter(2)).finished
    train(TINY, tmp_path / "parts", resume=True)
    for number in (2, 5):
        first, second = (checkpoint.directory(tmp_path / name, number * 192) for name in ("whole", "parts"))
        assert content(first) == content(second)
    rows = [timeless(tmp_path / name) for name in ("whole", "parts")]
    assert rows[0] == rows[1] and len(rows[0]) == 5
    policy = load_policy(tmp_path / "whole")
    games = dm.Decisions(num_envs=8)
    games.reset(1, 2, 0x8988)
    assert games.legal[np.arange(8), policy.act(games.view)].all()


def test_the_network_comes_to_agree_with_its_teacher():
    """It starts by chance (one of some 30 placements) and learns; the average follows the network that learns."""
    config = dataclasses.replace(
        TINY,
        decisions=12 * 576,
        env=dataclasses.replace(TINY.env, num_envs=64),
        clone=dataclasses.replace(TINY.clone, teacher="1ply", average=0.9, learning_rate=0.005),
    )
    with Learner(resolve(config)) as learner:
        metrics = [learner.iterate() for _ in range(12)]
    assert metrics[0]["stats/agreement"] < 0.15 < 0.25 < metrics[-1]["stats/agreement"]
    assert metrics[-1]["loss/judgement"] < 0.75 * metrics[0]["loss/judgement"]


def test_from_the_command_line(tmp_path, capsys):
    run = tmp_path / "run"
    small = ["--net.width", "8", "--net.depth", "1", "--env.num-envs", "32", "--no-compile"]
    small += ["--clone.teacher", "1ply", "--clone.minibatch", "128"]
    assert main(["train", "clone", "--out", str(run), "--decisions", "1000", *small]) == 0
    assert "· 1ply · level 0-20 hi" in capsys.readouterr().out
    assert json.loads((run / "config.json").read_text())["clone"]["teacher"] == "1ply"
    assert main(["runs", "info", str(run)]) == 0
    assert main(["eval", "--policy", str(run), "--levels", "0", "--seeds", "4", "--out", str(tmp_path / "e")]) == 0
    for wrong, said in (
        (["--clone.teacher", "4ply"], "clone.teacher is '4ply': no search '4ply'; choose one of"),
        (["--clone.minibatch", "100"], "clone.minibatch must divide env.num_envs * clone.horizon = 16384, got 100"),
        (["--clone.retries", "3"], "clone.minibatch must divide 16 * clone.retries = 48, got 512"),
        (["--clone.temperature", "-1"], "must be between 0 and 10,000"),
    ):
        assert main(["train", "clone", "--out", str(tmp_path / "no"), *wrong]) == 2
        assert said in capsys.readouterr().err
