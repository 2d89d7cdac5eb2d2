"""The evaluator: its games, its targets, its losses, and a run on disk."""

import dataclasses

import mlx.core as mx
import numpy as np
import pytest

from mlx_drmario import Decisions, seeds
from mlx_drmario.baselines import Greedy
from mlx_drmario.nets.config import QuantileNetConfig
from mlx_drmario.nets.heads import Afterstates, halves
from mlx_drmario.nets.outcome import FACTS
from mlx_drmario.nets.quantile import Outlook, frames_of, make_quantile_net, quantile_levels, scaled
from mlx_drmario.rl.afterstates import AfterstateRows, facts_of
from mlx_drmario.rl.callback import Callback
from mlx_drmario.rl.evaluator import data
from mlx_drmario.rl.evaluator.config import EvaluatorConfig, FitConfig, GamesConfig
from mlx_drmario.rl.evaluator.losses import cross_entropy, outlook_loss, quantile_huber
from mlx_drmario.rl.evaluator.train import DATA, Fit, train
from mlx_drmario.rl.rollout import observation_layout
from mlx_drmario.rl.runs import checkpoint, listing, settings
from mlx_drmario.search import SearchPolicy, parse
from tests.recolor import recolored
from tests.training import StopAfter, content, on_cpu, timeless

PLANES = "bitplane"
GAMES = GamesConfig(levels="0,2", games=40, rows=6, max_decisions=60)
TINY = EvaluatorConfig(
    name="tiny",
    compile=False,
    data=GAMES,
    net=QuantileNetConfig(width=8, summary=16, quantiles=5, hidden=8),
    fit=FitConfig(epochs=40, minibatch=32, target_every=20, learning_rate=0.005),
)


def player() -> tuple[SearchPolicy, str]:
    return search(), PLANES


def search() -> SearchPolicy:
    return SearchPolicy(parse("1ply"))


@pytest.fixture(scope="module")
def rows():
    return data.play(GAMES, search(), PLANES, "training", [3, 1], steps=4)


def test_the_rest_of_a_game_is_the_policys(rows):
    """Played on from a start by the policy, a game takes the frames and ends as its rows say, wherever they stand."""
    whole = np.flatnonzero((rows.decision == 0) & rows.own)
    assert len(whole) > 5 and np.isin(seeds.split_of(rows.seed), ["training"]).all()
    for row in whole:
        games = Decisions(1, PLANES, threads=1, max_decisions=GAMES.max_decisions)
        mine = np.flatnonzero(rows.game == rows.game[row])
        found = []
        for clock in (0, 1):  # the phase of the clock is not kept, but its parity is seen
            games.reset(int(rows.level[row]), int(rows.speed[row]), int(rows.seed[row]), clock)
            same = (games.planes[0] == rows.observations(np.array([row]))[0][0]).all()
            if not same or (games.scalars[0] != rows.scalars[row]).any():
                continue
            before = [0]
            while not games.ended[0]:
                games.step(search().act(games.view))
                before.append(int(games.frames[0]))
            left = before[-1] - np.array(before)[rows.decision[mine]]
            found.append((left == rows.frames[mine]).all() and bool(games.cleared[0]) == rows.cleared[row])
        assert any(found)


def test_facts_of_a_step_are_those_of_its_afterstate():
    games = Decisions(32, PLANES, threads=1)
    games.reset(0, 2, seeds.seeds("training", 32))
    met = 0
    for number in range(60):
        after = AfterstateRows.of(games, FACTS)
        running = np.flatnonzero(~games.ended)
        action = games.sample_legal(number)
        games.step(action)
        made = facts_of(games, np.empty((32, len(FACTS)), np.float32))
        for place in running:
            mine = slice(after.first[place], after.first[place + 1])
            row = np.flatnonzero(after.action[mine] == action[place])[0]
            np.testing.assert_array_equal(made[place], after.facts[mine][row])
            met += 1
    assert met > 500 and games.ended.any()


def test_later_rows_are_the_same_game(rows):
    """Frames to the later situation and from there on add up to all of them."""
    linked = np.flatnonzero(rows.later >= 0)
    later = rows.later[linked]
    assert len(linked) > 50
    assert (rows.game[later] == rows.game[linked]).all()
    assert (rows.decision[later] == rows.decision[linked] + 4).all()
    assert (rows.between[linked] + rows.frames[later] == rows.frames[linked]).all()
    without = np.flatnonzero(rows.target & (rows.later < 0))
    last = {game: rows.decision[rows.game == game].max() for game in np.unique(rows.game)}
    assert all(last[rows.game[row]] < rows.decision[row] + 4 for row in without)


def test_games_are_drawn_from_the_seed_and_none_is_left_out_for_being_long(rows):
    again = data.play(GAMES, search(), PLANES, "training", [3, 1], steps=4)
    for name, column in vars(rows).items():
        np.testing.assert_array_equal(column, getattr(again, name), err_msg=name)
    few = data.play(dataclasses.replace(GAMES, games=600, rows=1, disturbed=0), search(), PLANES, "training", [3])
    assert len(few) == 600  # of two levels, one much longer than the other
    assert (few.level == 0).sum() == 300


def test_losing_games_are_among_the_data():
    lost = data.play(dataclasses.replace(GAMES, policy="greedy"), Greedy(), PLANES, "training", [3, 1])
    assert 0 < lost.cleared.mean() < 1


def test_quantile_loss_is_least_at_the_quantiles():
    """Gradient descent on samples ends at their quantiles, whatever the order they come in."""
    rng = np.random.default_rng(1)
    samples = rng.gamma(2.0, 1.0, 4_000)
    target = mx.array(samples.astype(np.float32))[None]
    gradient = mx.grad(lambda q: quantile_huber(q, target, 0.002).sum())
    quantiles = mx.zeros((1, 8))
    for step in range(600):
        quantiles = quantiles - 20.0 / (1 + step / 30) * gradient(quantiles)
    np.testing.assert_allclose(np.asarray(quantiles)[0], np.quantile(samples, quantile_levels(8)), rtol=0.03, atol=0.02)


def test_quantile_loss_by_hand():
    """kappa 1: errors 2 and -0.5 of one quantile at level 0.5."""
    loss = quantile_huber(mx.array([[0.0]]), mx.array([[2.0, -0.5]]), 1.0)
    assert np.asarray(loss)[0] == pytest.approx((0.5 * 1.5 + 0.5 * 0.125) / 2)
    low = quantile_huber(mx.array([[0.0, 0.0]]), mx.array([[2.0]]), 1.0)  # levels 0.25 and 0.75
    assert np.asarray(low)[0] == pytest.approx((0.25 * 1.5 + 0.75 * 1.5) / 2)


def test_lost_games_teach_chances_but_no_times():
    outlook = Outlook(mx.array([0.3, -1.0]), mx.array([[1.0, 2.0], [3.0, 4.0]]))
    times = mx.array([[1.5], [9.0]])
    arguments = (mx.array([1.0, 0.0]), mx.array([True, True]), mx.array([True, False]), 0.1)
    loss = np.asarray(outlook_loss(outlook, times, *arguments))
    alone = np.asarray(quantile_huber(outlook.quantiles[:1], times[:1], 0.1))[0]
    chances = 1 / (1 + np.exp(-np.array([0.3, -1.0])))
    assert loss[0] == pytest.approx(alone)
    assert loss[1] == pytest.approx(-(np.log(chances[0]) + np.log(1 - chances[1])) / 2, rel=1e-5)
    np.testing.assert_allclose(np.asarray(cross_entropy(mx.array([40.0]), mx.array([0.0]))), [40.0])


def network(quantiles: int = 7):
    return make_quantile_net(dataclasses.replace(TINY.net, quantiles=quantiles), observation_layout(PLANES), seed=5)


def situation(number: int = 6) -> Decisions:
    games = Decisions(number, PLANES, threads=1)
    games.reset(5, 2, seeds.seeds("training", number))
    for step in range(8):
        games.step(games.sample_legal(step))
    return games


def test_quantiles_never_cross_and_scales_undo_each_other(rows):
    model = network()
    for outlook in both(model, situation()):
        assert (np.diff(np.asarray(outlook.quantiles), axis=1) > 0).all()
    frames = mx.array([0.0, 60.0, 13_000.0])
    np.testing.assert_allclose(np.asarray(frames_of(scaled(frames))), np.asarray(frames), rtol=1e-5)
    assert quantile_levels(4).tolist() == [0.125, 0.375, 0.625, 0.875]


def both(model, games: Decisions, order=None, rename=(0, 1, 2)) -> list[Outlook]:
    """The outlooks of N running games, their colours renamed, and of all their placements in `order`."""
    planes = recolored(games.planes, games.plane_names, rename)
    features = model.encode(mx.array(planes), mx.array(recolored(games.scalars, games.scalar_names, rename)))
    after = AfterstateRows.of(games, FACTS).take(np.arange(games.num_envs))
    if order is not None:
        after = tuple(column[order] for column in after)
    return [model.of_state(features), model.of_placements(features, Afterstates(*map(mx.array, after)))]


def test_placements_are_judged_each_by_itself():
    """In another order, or among others, a placement has the same outlook; and different ones have different."""
    model, games = network(), situation()
    _, outlook = both(model, games)
    order = np.random.default_rng(0).permutation(len(outlook.clear))
    _, shuffled = both(model, games, order)
    np.testing.assert_allclose(np.asarray(outlook.quantiles)[order], np.asarray(shuffled.quantiles), rtol=1e-5)
    assert len(np.unique(np.asarray(outlook.quantiles)[:, 0])) > len(order) / 2


def test_every_orientation_has_weights_of_its_own():
    """What the cells say to placements of one orientation moves the outlooks of no other."""
    model, games = network(), situation()
    action = AfterstateRows.of(games, FACTS).action
    before = np.asarray(both(model, games)[1].quantiles)
    weight = np.array(model.from_cells.weight)
    weight.reshape(len(weight), 4, -1)[:, 1] = 0
    model.from_cells.weight = mx.array(weight)
    moved = (np.asarray(both(model, games)[1].quantiles) != before).any(axis=1)
    assert moved[action // 128 == 1].mean() > 0.9 and not moved[action // 128 != 1].any()


def test_renamed_colours_change_nothing():
    model, games = network(), situation()
    for mine, theirs in zip(both(model, games), both(model, games, rename=(1, 2, 0)), strict=True):
        np.testing.assert_allclose(np.asarray(mine.quantiles), np.asarray(theirs.quantiles), rtol=1e-4, atol=1e-5)


def test_cells_of_a_placement():
    """Halves lie where the numbering says (docs/environments.md); above the bottle is nowhere."""
    actions = mx.array(
        [0 * 128 + 5 * 8 + 2, 1 * 128 + 5 * 8 + 2, 2 * 128 + 5 * 8 + 2, 3 * 128 + 5 * 8 + 2, 3 * 128 + 4]
    )
    orientation, first, second = map(np.asarray, halves(actions))
    assert orientation.tolist() == [0, 1, 2, 3, 3]
    assert first.tolist() == [42, 42, 42, 42, 4]
    assert second.tolist() == [43, 50, 41, 34, 128]


@pytest.fixture(scope="module", params=[0, 3])
def config(request):
    return dataclasses.replace(TINY, checkpoint_every=2, fit=dataclasses.replace(TINY.fit, steps=request.param))


@pytest.fixture(scope="module")
def run(config, tmp_path_factory):
    place = tmp_path_factory.mktemp("fit") / "run"
    result = train(config, place, player)
    assert result.finished
    return place


def test_a_run_learns(run, config):
    """Its medians are far nearer to what happened than one number for all would be."""
    rows, saved = data.Rows.load(run / DATA), checkpoint.load(run)
    fit = Fit(config, rows, PLANES, saved)
    at = np.flatnonzero(rows.own & rows.cleared)
    outlook = fit.model.of_state(fit.model.encode(*map(mx.array, rows.observations(at))))
    median = np.asarray(frames_of(outlook.quantiles))[:, 2]
    truth = rows.frames[at].astype(float)
    assert np.abs(median - truth).mean() < 0.8 * np.abs(np.median(truth) - truth).mean()


@on_cpu
def test_an_interrupted_run_goes_on_bit_for_bit(run, config, tmp_path):
    for _ in range(2):
        resume = (tmp_path / "run").exists()
        assert not train(config, tmp_path / "run", player, StopAfter(1), resume=resume).finished
    train(config, tmp_path / "run", player, resume=True)
    assert timeless(tmp_path / "run") == timeless(run)
    assert content(tmp_path / "run") == content(run)
    assert (tmp_path / "run" / DATA).read_bytes() == (run / DATA).read_bytes()


def test_games_that_are_there_need_their_player_no_more(run, config, tmp_path):
    """Whoever played them may be gone, as when a run was moved."""

    def nobody() -> tuple[SearchPolicy, str]:
        raise AssertionError

    assert not train(config, tmp_path / "run", player, StopAfter(1)).finished
    assert train(config, tmp_path / "run", nobody, resume=True).finished
    assert content(tmp_path / "run") == content(run)
    for planes in ("bitplane", "extended"):
        rows = data.play(dataclasses.replace(config.data, games=2), search(), planes, "training", [1])
        assert rows.plane_set == planes


def test_runs_are_listed_and_known_as_what_they_are(run, config):
    summary = listing.summarize(run)
    assert summary.problems == [] and summary.progress == 1.0
    assert settings.kind_of(run) is EvaluatorConfig
    assert settings.read_config(run, EvaluatorConfig) == config
    saved = checkpoint.load_weights(run)
    assert saved.net == config.net and type(saved.net) is QuantileNetConfig


def test_n_step_targets_are_forecasts_with_the_frames_until_there(rows):
    """What the network is asked to say of a row whose later situation is known: its own forecast there, moved."""
    config = dataclasses.replace(TINY, fit=dataclasses.replace(TINY.fit, steps=4))
    fit = Fit(config, rows, PLANES)
    at = np.flatnonzero(rows.target)[:64]
    *_, frames, rest, chance, cleared, _ = fit.batch(at, steps=4)
    frames, rest, chance = np.asarray(frames_of(frames)), np.asarray(frames_of(rest)), np.asarray(chance)
    linked = rows.later[at] >= 0
    ahead = fit.forecaster.of_state(fit.forecaster.encode(*map(mx.array, rows.observations(rows.later[at[linked]]))))
    expected = np.asarray(frames_of(ahead.quantiles)) + rows.between[at[linked], None]
    np.testing.assert_allclose(frames[linked], expected, rtol=1e-3)
    np.testing.assert_allclose(rest[linked], expected - rows.tau[at[linked], None], rtol=1e-3)
    np.testing.assert_allclose(chance[linked], np.asarray(mx.sigmoid(ahead.clear)), rtol=1e-4)
    np.testing.assert_allclose(frames[~linked], np.repeat(rows.frames[at[~linked], None], 5, axis=1), rtol=1e-4)
    assert (chance[~linked] == rows.cleared[at[~linked]]).all() and 0 < linked.mean() < 1
    assert (np.asarray(cleared) == rows.cleared[at]).all()


def test_every_level_is_learnt_and_held_out_and_no_seed_is_both(rows):
    """Whatever the number of levels has to do with the share of games held out; a seed met again is played the same."""
    count, levels = 4000, 20
    seed = np.random.default_rng(0).integers(2, 900, count).astype(np.uint16)
    game, one = np.arange(count), np.zeros(count, np.int64)
    every = data.Rows(**{name: column[one] for name, column in vars(rows).items()})
    every = dataclasses.replace(
        every, game=game, seed=seed, level=(game % levels).astype(np.uint8), target=np.ones(count, bool)
    )
    fit = Fit(dataclasses.replace(TINY, data=dataclasses.replace(GAMES, games=count)), every, PLANES)
    for part, share in ((fit.learnt, 0.95), (fit.held_out, 0.05)):
        assert set(every.level[part]) == set(range(levels)) and abs(len(part) / count - share) < 0.03
    assert not set(seed[fit.learnt]) & set(seed[fit.held_out])


def test_losses_of_held_out_games_are_means_over_all_their_rows(rows):
    fit = Fit(TINY, rows, PLANES)
    every = np.flatnonzero(rows.target)
    every = np.tile(every, -(-2500 // len(every)))  # several parts
    fit.held_out = every[np.argsort(rows.cleared[every], kind="stable")]  # lost games first
    expected = np.asarray(fit._losses(*fit.batch(fit.held_out, steps=0)))
    np.testing.assert_allclose(list(fit.held_out_losses().values()), expected, rtol=1e-4)
    forecasting = Fit(dataclasses.replace(TINY, fit=dataclasses.replace(TINY.fit, steps=4)), rows, PLANES)
    forecasting.held_out = fit.held_out  # against what happened, not against its own forecast
    np.testing.assert_allclose(list(forecasting.held_out_losses().values()), expected, rtol=1e-4)


def test_stopped_while_games_are_played_it_plays_them_again(tmp_path):
    run, config = tmp_path / "run", dataclasses.replace(TINY, fit=dataclasses.replace(TINY.fit, epochs=1))

    class AtOnce(Callback):
        def should_stop(self):
            return True

    with pytest.raises(KeyboardInterrupt, match=f"stopped while games were played; `drmario train resume {run}`"):
        train(config, run, player, AtOnce())
    assert not (run / DATA).exists()
    assert train(config, run, player, resume=True).finished


def test_games_that_tell_nothing_and_damaged_files_are_named(rows, tmp_path):
    config = dataclasses.replace(GAMES, levels="20", games=1, disturbed=1.0, max_decisions=2)
    with pytest.raises(ValueError, match="games is 1, and none of them got as far"):
        data.play(config, search(), PLANES, "training", [1, 1])
    rows.save(tmp_path / "games.npz")
    whole = (tmp_path / "games.npz").read_bytes()
    for part in (b"", whole[: len(whole) // 2], b"x" * 100):
        (tmp_path / "games.npz").write_bytes(part)
        with pytest.raises(ValueError, match=r"games\.npz is damaged"):
            data.Rows.load(tmp_path / "games.npz")


def test_a_minibatch_is_no_larger_than_what_the_games_gave(rows):
    fit = Fit(dataclasses.replace(TINY, fit=FitConfig(minibatch=100_000, epochs=3)), rows, PLANES)
    assert (fit.per_epoch, fit.steps) == (1, 3)
    metrics = fit.iterate()
    assert fit.progress == 1 and fit.decisions == 3 * len(fit.learnt) and metrics["stats/param_norm"] > 0
    nothing = dataclasses.replace(rows, **{name: column[:0] for name, column in vars(rows).items()})
    with pytest.raises(ValueError, match=r"data\.games is 40, and they gave no rows to learn from"):
        Fit(TINY, nothing, PLANES)


def test_settings_of_games_that_cannot_be():
    for wrong, sentence in (({"levels": "25"}, "data.levels is '25'"), ({"speeds": "hi,hi"}, "data.speeds must be")):
        with pytest.raises(ValueError, match=sentence):
            GamesConfig(**wrong)
