"""Laws of search: transitions are the engine's, lines replay frame by frame, choices are the best there are."""

import dataclasses
import threading
import time

import numpy as np
import pytest

import mlx_drmario as dm
from mlx_drmario import seeds
from mlx_drmario.positions import Position
from mlx_drmario.search import (
    BUDGETS,
    Budget,
    SearchPolicy,
    chosen_rows,
    parse,
    replay_line,
    roots_of,
    verify_line,
)
from mlx_drmario.spec import placement_words
from tests import cpp

WELL = " ".join(["RYB..BYR", "BRY..YRB"] * 8)
"""a bottle in which a capsule has few placements, so that everything can be tried"""


def parked(level: int, seed: int, speed: int = 2, frame_counter: int = 0) -> dm.Decisions:
    games = dm.Decisions(num_envs=1, threads=1)
    games.reset(level, speed, seed, frame_counter)
    return games


def positioned(bottle: str, capsule: str = "YR", preview: str = "BB", frame_counter: int = 0) -> dm.Decisions:
    games = parked(0, 0x8988)
    state = games.state.copy()
    Position("drawn", bottle, capsule=capsule, preview=preview, frame_counter=frame_counter).fill(state[0])
    games.set_state(state)
    return games


def copy_of(games: dm.Decisions, action: int) -> dm.Decisions:
    other = dm.Decisions(num_envs=1, threads=1)
    other.load(games.save())
    other.step(np.array([action], np.int32))
    return other


def show(games: dm.Decisions, preview: int) -> None:
    """Put a capsule, by its number, into the preview of a parked game."""
    state = games.state.copy()
    state["p1_next_color_l"], state["p1_next_color_r"] = divmod(preview, 3)
    games.set_state(state)


def value(games: dm.Decisions, weights: np.ndarray) -> float:
    """Frames to go of a parked game as the linear value sees them."""
    return float(dm.features(roots_of(games.view)["bottle"])[0] @ weights) / 4


def best_by_trying(games: dm.Decisions, plies: int, weights: np.ndarray) -> float:
    """Least frames plus value after so many capsules, every placement tried in the engine."""
    best = np.inf
    for action in np.flatnonzero(games.legal[0]):
        after = copy_of(games, int(action))
        frames = float(after.tau[0])
        if after.top_out[0]:
            frames += 60_000
        elif not after.cleared[0]:
            frames += best_by_trying(after, plies - 1, weights) if plies > 1 else value(after, weights)
        best = min(best, frames)
    return best


def random_weights(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-40, 80, len(dm.feature_names())).astype(np.int32)


def test_transitions_equal_the_engine() -> None:
    assert "equal" in cpp.run("search_moves", 100_000, 1)


@pytest.mark.slow
def test_transitions_equal_the_engine_at_length() -> None:
    assert "equal" in cpp.run("search_moves", 5_000_000, 2)


@pytest.mark.parametrize("plies", [1, 2])
@pytest.mark.parametrize("frame_counter", [0, 1])
def test_one_and_two_plies_are_the_best_of_all(plies: int, frame_counter: int) -> None:
    weights = random_weights(plies)
    games = positioned(WELL, frame_counter=frame_counter)
    search = dm.Search(weights=weights, threads=1)
    action, frames, _ = search.choose(**roots_of(games.view), plies=plies)
    assert frames[0] == pytest.approx(best_by_trying(games, plies, weights), abs=0.3)
    after = copy_of(games, int(action[0]))
    rest = value(after, weights) if plies == 1 else best_by_trying(after, 1, weights)
    assert after.tau[0] + rest == pytest.approx(frames[0], abs=0.3)


def test_three_plies_are_the_mean_over_the_law_of_the_third_capsule() -> None:
    """The second placement is chosen when the third capsule shows: a mean of minima, not a minimum of means."""
    weights = random_weights(3)
    games = positioned(WELL, capsule="YR", preview="BR")
    root = roots_of(games.view)
    law = dm.next_capsules(root["capsule"][0], root["preview"][0], int(root["capsules_thrown"][0]))
    assert len(law) == 4
    expected = []
    for action in np.flatnonzero(games.legal[0]):
        total = 0.0
        for third in law:
            known = copy_of(games, int(action))
            if not known.ended[0]:
                show(known, int(third))
            total += float(copy_of(games, int(action)).tau[0]) + (
                60_000 if known.ended[0] else best_by_trying(known, 2, weights)
            )
        expected.append(total / len(law))
    choice, frames, _ = dm.Search(weights=weights, threads=1).choose(**root, plies=3, boards=256)
    assert frames[0] == pytest.approx(min(expected), abs=1)
    assert expected[list(np.flatnonzero(games.legal[0])).index(choice[0])] == pytest.approx(min(expected), abs=1)


def test_law_of_the_reserve() -> None:
    """What may follow two capsules is what follows them in the training games, in the same shares."""
    counts: dict[tuple[int, int], np.ndarray] = {}
    batch = dm.Batch(num_envs=1_000, threads=1)
    batch.reset(0, 2, seeds.seeds("training", 1_000))
    reserve = batch.state["reserve"].astype(int)
    for n in range(1, 125):
        for first, second, third in reserve[:, n : n + 3]:
            counts.setdefault((first, second), np.zeros(9, int))[third] += 1
    assert len(counts) == 81
    for (first, second), seen in counts.items():
        law = dm.next_capsules(np.array(divmod(first, 3)), np.array(divmod(second, 3)), 5)
        expected = np.bincount(law, minlength=9) / len(law)
        assert np.all((expected > 0) == (seen > 0))
        assert np.abs(seen / seen.sum() - expected).max() < 0.07


@pytest.mark.parametrize(("level", "speed", "frame_counter"), [(0, 2, 0), (3, 0, 1), (9, 1, 3)])
def test_lines_replay_frame_by_frame_from_reset(level: int, speed: int, frame_counter: int) -> None:
    seed = int(seeds.seeds("training", 1)[0])
    games = parked(level, seed, speed, frame_counter)
    line = dm.Search(threads=1).solve(games, width=30)[0]
    assert line.cleared
    assert verify_line(level, speed, seed, frame_counter, line.actions) == line.frames
    assert verify_line(level, speed, seed, frame_counter, line.actions[:-1]) is None
    steps = list(replay_line(games, line.actions))
    assert steps[-1].clock == line.frames and games.cleared[0]
    more = np.append(line.actions, line.actions[-1])
    with pytest.raises(ValueError, match=f"actions has {len(more)} entries, and the level is cleared after"):
        verify_line(level, speed, seed, frame_counter, more)
    with pytest.raises(ValueError, match=f"actions has {len(more)} entries, and the game is over after"):
        list(replay_line(parked(level, seed, speed, frame_counter), more))


def test_a_line_may_be_a_list_and_holds_whole_numbers() -> None:
    """What `solve --json` writes."""
    actions = dm.Search(threads=1).solve(parked(0, 0x8988), width=1)[0].actions
    assert verify_line(0, 2, 0x8988, 0, actions.tolist()) == verify_line(0, 2, 0x8988, 0, actions)
    assert verify_line(0, 2, 0x8988, 0, []) is None
    assert len(list(replay_line(parked(0, 0x8988), actions.tolist()))) == len(actions)
    for wrong, what in (([3.0], r"float64 of shape \[1\]"), ([[3]], r"int64 of shape \[1, 1\]")):
        with pytest.raises(ValueError, match=rf"^actions must be a list or an array \[N\] of whole .*, got {what}$"):
            verify_line(0, 2, 0x8988, 0, wrong)  # type: ignore[arg-type]


def test_a_wide_beam_finds_the_fastest_clear() -> None:
    games = parked(0, 0x8988)
    state = games.state.copy()
    bottle = Position("drawn", "r....... r....... R......b", capsule="RR", preview="BR").cells()
    state["p1_bottle"], state["p1_virus_left_bcd"] = bottle, 1
    games.set_state(state)
    least = np.inf
    for first in np.flatnonzero(games.legal[0]):
        after = copy_of(games, int(first))
        if after.cleared[0]:
            least = min(least, after.frames[0])
            continue
        for second in np.flatnonzero(after.legal[0]):
            least = min(least, *(x.frames[0] for x in [copy_of(after, int(second))] if x.cleared[0]), np.inf)
    line = dm.Search(threads=1).solve(games, width=20_000, max_capsules=2)[0]
    assert line.cleared and line.frames == least


def test_results_do_not_depend_on_threads_or_company() -> None:
    games = dm.Decisions(num_envs=5, threads=1)
    games.reset(np.arange(5), 2, seeds.seeds("training", 5))
    for name in ("1ply", "3ply", "sampled", "deep"):
        budget = dataclasses.asdict(dataclasses.replace(BUDGETS[name], boards=3, sequences=4))
        roots = roots_of(games.view)
        alone = [dm.Search(threads=1).choose(**chosen_rows(roots, np.array([n])), **budget) for n in range(5)]
        together = dm.Search(threads=3).choose(**roots, **budget)
        for parts, whole in zip(zip(*alone, strict=True), together, strict=True):
            assert np.array_equal(np.concatenate(parts), whole)
    one = dm.Search(threads=1).solve(parked(1, 0x1234), width=70)[0]
    three = dm.Search(threads=3).solve(parked(1, 0x1234), width=70)[0]
    assert one.frames == three.frames and np.array_equal(one.actions, three.actions) and one.nodes == three.nodes
    many = dm.Search(threads=3).solve(games, width=10)
    alone = [parked(n, int(seeds.seeds("training", 5)[n])) for n in range(5)]
    assert [line.frames for line in many] == [dm.Search(threads=1).solve(one, width=10)[0].frames for one in alone]


def test_given_futures_take_the_place_of_their_law() -> None:
    """The third capsule is told, so the choice is the best of all triples of placements, tried in the engine."""
    weights = np.arange(len(dm.feature_names()), dtype=np.int32) * 7 % 50
    search = dm.Search(weights, threads=1)
    options = dict(plies=3, first=256, boards=256, sequences=1)
    for preview in ("BB", "YR"):
        games = positioned(WELL, preview=preview)
        third = games.state["reserve"][0, games.state["p1_reserve_index"][0]]
        told = np.full((1, 1, 1), third)
        _, found, _ = search.choose(**roots_of(games.view), **options, futures=told)
        assert found[0] == best_by_trying(games, 3, weights)
        values = [search.choose(**roots_of(games.view), **options, futures=told * 0 + c)[1][0] for c in range(9)]
        assert len(set(values)) > 2
        one = dict(plies=3, boards=1)  # board, so that it is followed through two of eight futures, and all is said
        alone = [search.choose(**roots_of(games.view), **one, sequences=1, futures=told * 0 + c)[1][0] for c in (0, 4)]
        pair = np.array([0, 4] * 4).reshape(1, 8, 1)
        _, mean, _ = search.choose(**roots_of(games.view), **one, sequences=8, futures=pair)
        assert alone[0] != alone[1] and mean[0] == pytest.approx(np.mean(alone), abs=0.25)
    root = roots_of(games.view)
    for wrong, said in (
        (np.zeros((1, 2, 1), np.uint8), r"futures has shape \(1, 2, 1\), allowed is \(1, 1, 1\)"),
        (np.full((1, 1, 1), 9), r"futures\[0, 0, 0\] is 9, allowed are 0\.\.8"),
    ):
        with pytest.raises(ValueError, match=said):
            search.choose(**root, **options, futures=wrong)
    with pytest.raises(ValueError, match="futures needs plies = 3 and sequences of 1 or more"):
        search.choose(**root, plies=2, futures=np.zeros((1, 1, 1), np.uint8))


def test_a_plan_of_what_is_believed_is_the_line_of_the_game_that_believes_it() -> None:
    games = dm.Decisions(num_envs=4, threads=1)
    games.reset(np.arange(4), 2, seeds.seeds("training", 4))
    search = dm.Search(threads=1)
    state, lines = games.state, search.solve(games, width=30)
    after = (state["p1_reserve_index"][:, None] + np.arange(128)) % 128
    plans = search.plan(**roots_of(games.view), to_come=np.take_along_axis(state["reserve"], after, 1), width=30)
    for line, plan in zip(lines, plans, strict=True):
        assert line.cleared and plan.frames == line.frames and np.array_equal(plan.actions, line.actions)
    other = search.plan(**roots_of(games.view), to_come=np.zeros((4, 128), np.uint8), width=30)
    assert any(plan.frames != line.frames for line, plan in zip(lines, other, strict=True))


def test_boards_that_fell_behind_are_dropped() -> None:
    """Sequential halving: with three futures, the first of which decides which half of the boards sees the second."""
    games = dm.Decisions(num_envs=40, threads=1)
    games.reset(np.arange(40) % 21, 2, seeds.seeds("training", 40))
    root = roots_of(games.view)
    search = dm.Search(threads=1)
    deep = dict(plies=3, depth=3, width=2)

    action, pair = search.judge(**root, **deep, boards=2, sequences=3)
    alone, first = search.judge(**root, **deep, boards=2, sequences=1)
    two = np.isfinite(first).sum(axis=1) == 2  # of different first moves: one is left, and nothing to decide
    assert two.sum() > 3
    assert np.array_equal(pair[two], first[two]) and np.array_equal(action[two], alone[two])

    action, judged = search.judge(**root, **deep, boards=16, sequences=3)
    _, first = search.judge(**root, **deep, boards=16, sequences=1)
    rows = np.arange(40)
    assert np.array_equal(np.isfinite(judged), np.isfinite(first))
    assert np.array_equal(judged[rows, action], judged.min(axis=1))
    nodes = [search.choose(**root, **deep, boards=16, sequences=s)[2].astype(int) for s in (1, 3)]
    rollouts = (nodes[1] - nodes[0]) / (2 * deep["depth"] - 1)  # boards expanded after the first future, of two each
    assert (rollouts <= 8 + 4).all() and rollouts.max() > 2


def test_policies_play_and_know_only_what_is_public() -> None:
    games = parked(1, 0x8988)
    state = games.state.copy()
    policy = SearchPolicy(Budget(plies=3, boards=4, depth=3, sequences=4), dm.Search(threads=1))
    first = policy.act(games.view)
    other = parked(1, 0x8988)
    other.set_state(state, np.zeros((1, 128), np.uint8))
    assert np.array_equal(policy.act(other.view), first)
    while not games.ended[0]:
        games.step(policy.act(games.view))
    assert games.cleared[0] or games.top_out[0]


def test_whole_games_are_played_as_by_choosing() -> None:
    search = dm.Search(threads=1)
    seed = seeds.seeds("training", 3)
    cleared, frames, capsules, _ = search.play(2, 1, seed, max_capsules=200, plies=2, first=6)
    games = dm.Decisions(num_envs=3, threads=1, max_decisions=200)
    games.reset(2, 1, seed)
    policy = SearchPolicy(Budget(plies=2, first=6), search)
    done = np.zeros(3, bool)
    while not games.ended.all():
        games.step(policy.act(games.view))
        done |= games.cleared
    assert np.array_equal(games.frames, frames) and np.array_equal(games.decisions, capsules)
    assert np.array_equal(done, cleared > 0)


def test_budgets_and_stopping() -> None:
    games = parked(15, 0x8988)
    search = dm.Search(threads=1)
    deep = dict(plies=3, boards=10, depth=6, width=2)
    few = search.choose(**roots_of(games.view), **deep, sequences=4096, nodes=3_000)[2][0]
    assert 3_000 <= few < 3_000 + 10 * 12
    start = time.perf_counter()
    search.choose(**roots_of(games.view), **deep, sequences=4096, ms=20)
    assert time.perf_counter() - start < 60
    lines: list[dm.Line] = []
    search = dm.Search(threads=1)
    thread = threading.Thread(target=lambda: lines.extend(search.solve(games, width=200_000)))
    thread.start()
    while search.nodes < 10:
        time.sleep(0.001)
    search.stop()
    thread.join(timeout=300)
    assert not lines[0].cleared and len(lines[0].actions) < 40
    chosen: list[int] = []
    endless = {**deep, "sequences": 4096, "depth": 32, "width": 16, "nodes": 3e6}
    thread = threading.Thread(target=lambda: chosen.append(search.choose(**roots_of(games.view), **endless)[2][0]))
    timer = threading.Timer(0.05, search.stop)
    for each in (timer, thread):
        each.start()
    thread.join(timeout=300)
    assert 0 < chosen[0] < 2e6  # within one situation
    assert search.choose(**roots_of(games.view), **deep, sequences=4096, nodes=0.5)[2][0] < few  # not without a limit


def test_errors() -> None:
    games = parked(3, 0x8988)
    search = dm.Search(threads=1)
    root = roots_of(games.view)
    floating = root["bottle"].copy()
    floating[0, 0] = 0x80
    for change, sentence in (
        ({"bottle": floating}, r"bottle\[0\] is not at rest"),
        ({"viruses_left": np.array([3])}, r"bottle\[0\] has 16 viruses, but viruses_left is 3"),
        ({"capsule": np.array([[0, 3]])}, r"capsule\[0, 1\] is 3, allowed are 0..2"),
    ):
        with pytest.raises(ValueError, match=sentence):
            search.choose(**{**root, **change})
    for setting, sentence in (({"plies": 4}, "plies is 4"), ({"boards": 0}, "boards is 0"), ({"ms": -1.0}, "ms")):
        with pytest.raises(ValueError, match=sentence):
            search.choose(**root, **setting)
    with pytest.raises(ValueError, match="width is 0"):
        search.solve(games, width=0)
    with pytest.raises(ValueError, match="could overflow"):
        dm.Search(weights=np.full(len(dm.feature_names()), 1000, np.int32))
    games.step(games.sample_legal(1))


def test_names_of_searches() -> None:
    assert parse("2ply") == BUDGETS["2ply"]
    assert parse("2ply,first=3") == dataclasses.replace(BUDGETS["2ply"], first=3)
    assert parse("sampled,ms=10,boards=8") == dataclasses.replace(BUDGETS["sampled"], ms=10.0, boards=8)
    for text, sentence in (
        ("4ply", "choose one of"),
        ("1ply,x=1", "NAME=NUMBER"),
        ("1ply,boards=x", "boards must be a whole number, got 'x'"),
        ("1ply,ms=x", "ms must be a number, got 'x'"),
        ("1ply,ms=nan", "ms must be between 0 and 1,000,000,000, got nan"),
        ("3ply,width=17", "width must be between 1 and 16, got 17"),
        ("1ply,first=3", "first=3 has no effect: a search with plies=1 reads plies$"),
        ("deep,boards=200", "screened=192 has no effect: it must be 0 or more than boards=200$"),
        ("sampled,screened=16", "screened=16 has no effect: it must be 0 or more than boards=16$"),
        ("2ply,first=3,ms=10", "ms=10 has no effect: a search with plies=2 reads plies and first$"),
    ):
        with pytest.raises(ValueError, match=sentence):
            parse(text)


def test_placements_in_words() -> None:
    assert placement_words(0 * 128 + 15 * 8 + 3, (0, 1)) == "Y━R col 4-5 row 1"
    assert placement_words(1 * 128 + 14 * 8 + 3, (0, 1)) == "Y┃R col 4 row 1"
    assert placement_words(2 * 128 + 15 * 8 + 3, (0, 1)) == "R━Y col 3-4 row 1"
    assert placement_words(3 * 128 + 0 * 8 + 7, (2, 1)) == "R┃B col 8 row 16"


@pytest.mark.parametrize("plies", [1, 2, 3])
def test_judging_tells_every_placement_what_choosing_finds(plies: int) -> None:
    """Forcing a placement and searching on gives what `judge` says of it; its least is the choice's."""
    weights = random_weights(plies + 10)
    games = positioned(WELL, capsule="YR", preview="BR")
    root = roots_of(games.view)
    search = dm.Search(weights=weights, threads=1)
    choice, frames, _ = search.choose(**root, plies=plies, boards=256)
    action, judged = search.judge(**root, plies=plies, boards=256)
    assert judged.shape == (1, 512) and judged.dtype == np.float32
    assert action == choice and judged.min() == frames[0] == judged[0, action[0]]
    followed = np.isfinite(judged[0])
    assert not followed[~games.legal[0]].any() and followed.sum() > 3
    if plies < 3:
        assert followed.sum() > games.legal.sum() / 2  # of equal boards one is followed
        for placement in np.flatnonzero(followed):
            after = copy_of(games, int(placement))
            rest = value(after, weights) if plies == 1 else best_by_trying(after, 1, weights)
            assert after.tau[0] + rest == pytest.approx(judged[0, placement], abs=0.3)
