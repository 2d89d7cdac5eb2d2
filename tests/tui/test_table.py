"""Games on the screen are the games of the decision loop."""

from itertools import chain, repeat

import numpy as np
import pytest

import mlx_drmario as dm
from mlx_drmario import memory
from mlx_drmario.baselines import Greedy, RandomLegal
from mlx_drmario.evaluate import evaluate
from mlx_drmario.memory import MemoryPolicy
from mlx_drmario.rewards import compute
from mlx_drmario.rl.config import REWARD
from mlx_drmario.tui.choices import Adviser
from mlx_drmario.tui.link import Link
from mlx_drmario.tui.player import Player
from mlx_drmario.tui.position import CLEARED, PLAYING, Position, action_cells
from mlx_drmario.tui.protocol import TOP, Playout
from mlx_drmario.tui.table import REST, Table

from .app import watch_job


def sit(policy, level, speed, seeds, count):
    return Table(Adviser(policy, "bitplane", REWARD), REWARD, level, speed, seeds, count)


@pytest.mark.parametrize(("policy", "level", "speed"), [(Greedy(), 0, 2), (RandomLegal(1), 3, 0), (Greedy(), 8, 1)])
def test_watched_games_are_the_evaluated_games(policy, level, speed):
    """Frame by frame, games end as in the decision loop, after as many frames and capsules."""
    seeds = [0x8988, 4321, 77, 2]
    result = evaluate(policy, level=level, speed=speed, seeds=seeds)
    table = sit(policy, level, speed, chain(seeds, repeat(5)), 4)
    ended = {}
    while len(ended) < 4:
        table.step()
        for n in np.flatnonzero(table.outcome != PLAYING).tolist():
            ended.setdefault(n, (table.outcome[n] == CLEARED, table.frames[n], table.decisions[n]))
    for n in range(4):
        assert ended[n] == (result.cleared[n], result.frames[n], result.decisions[n])


def test_every_game_has_a_memory_of_its_own():
    """Whoever waits with whom: after fourteen capsules few reserves are left."""
    policy = MemoryPolicy(memory.parse("memory:beam=5,sequences=2,boards=2,depth=1"))
    table = sit(policy, 20, 2, chain([0x8988, 4321, 77], repeat(5)), 3)
    while min(len(record.states) for record in table.records) < 14:
        table.step()
    assert all(len(policy.of_game(n).memory.left[0]) < 5 for n in range(3))


def test_the_reward_on_the_screen_is_the_environment_s():
    table = sit(Greedy(), 5, 2, repeat(0x8988), 1)
    games = dm.Decisions(num_envs=1)
    games.reset(5, 2, 0x8988)
    total = 0.0
    for decision in range(12):
        while len(table.records[0].choices) <= decision:
            table.step()
        choice = table.choice(0)
        assert np.array_equal(table.records[0].states[-1]["p1_bottle"], games.state[0]["p1_bottle"])
        assert choice.legal == games.legal.sum() and len(choice.candidates) == TOP
        assert [c.frames for c in choice.candidates] == [games.frames_to_lock[0, c.action] for c in choice.candidates]
        assert choice.candidates[0].action == choice.action == Greedy().act(games)[0]
        games.step(np.array([choice.action], np.int32))
        expected = {name: column[0] for name, column in compute(REWARD, games).items()}
        assert choice.reward == pytest.approx(expected)
        total += expected["total"]
        assert table.records[0].earned["total"] == pytest.approx(total)
        assert choice.candidates[0].viruses == games.viruses_cleared[0]


def test_a_finished_game_rests_as_it_ended_and_the_next_begins():
    table = sit(Greedy(), 20, 2, iter([0x8988, 4321, 77]), 1)
    while table.outcome[0] == PLAYING:
        table.step()
    end = table.boards().cells.copy()
    games = dm.Decisions(num_envs=1)
    games.set_state(table.records[0].states[-1][None])
    games.step(np.array([table.choice(0).action], np.int32))
    assert games.top_out[0] and np.array_equal(table.rows[0]["p1_bottle"], games.state[0]["p1_bottle"])
    for _ in range(REST - 1):
        table.step()
        assert np.array_equal(table.boards().cells, end) and table.seed[0] == 0x8988
    while table.outcome[0] != PLAYING:
        table.step()
    assert table.seed[0] == 4321 and (table.finished, table.frames[0]) == (1, 0) and table.line(0) is None


def test_a_placement_covers_the_cells_in_which_it_locks():
    games = dm.Decisions(num_envs=1)
    games.reset(0, 2, 0x8988)
    before = games.state[0]["p1_bottle"].copy()
    after = games.afterstates()
    quiet = np.flatnonzero((after.halves_cleared == 0) & (after.viruses_cleared == 0))
    checked = 0
    for row in quiet.tolist():
        changed = np.flatnonzero(after.bottle[row] != before).tolist()
        if len(changed) == 2 and sorted(action_cells(int(after.action[row]))) == changed:
            checked += 1
    assert checked == len(quiet) > 20


def test_a_playout_makes_the_decision_it_is_asked_and_then_the_policy_s():
    player = Player(watch_job(load_policy=lambda: (Greedy(), "bitplane")), Link())
    games = dm.Decisions(num_envs=1)
    games.reset(5, 2, 0x8988)
    start = games.state.copy()
    action = int(np.flatnonzero(games.legal[0])[-1])
    line = player.playout(Playout(request=7, state=start, action=action, decisions=6, frames=100))
    assert line.request == 7 and len(line.states) == len(line.choices) == 7 and line.choices[-1] is None
    games.step(np.array([action], np.int32))
    for n in range(1, 6):
        assert np.array_equal(line.states[n]["p1_bottle"], games.state[0]["p1_bottle"])
        assert line.frames[n] == 100 + games.frames[0]
        games.step(Greedy().act(games))
    assert [choice.action for choice in line.choices[:1]] == [action]


def test_a_position_knows_nothing_of_what_comes():
    fields = set(Position.__dataclass_fields__)
    assert not any("reserve" in name or "rng" in name for name in fields)
