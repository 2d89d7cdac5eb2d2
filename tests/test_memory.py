"""A player who remembers capsules: what is left is true, a plan is kept to, other games are not mixed up with it."""

import numpy as np
import pytest

import mlx_drmario as dm
from mlx_drmario import memory, seeds
from mlx_drmario.cli import policy as policies
from mlx_drmario.memory import Memory, MemoryPolicy, Plan
from mlx_drmario.search import BUDGETS, Parts, roots_of

SMALL = "memory:beam=20,boards=4,depth=2,sequences=4"


@pytest.fixture(scope="module")
def reserves() -> np.ndarray:
    return seeds.reserves()


def shown(games: dm.Decisions, game: int) -> tuple[int, int, int]:
    roots = roots_of(games.view)
    numbers = (int(3 * roots[name][game, 0] + roots[name][game, 1]) for name in ("capsule", "preview"))
    return int(roots["capsules_thrown"][game]), *numbers


def to_come(games: dm.Decisions, game: int) -> np.ndarray:
    """The capsules after the preview, read off the hidden state."""
    state = games.state[game]
    return state["reserve"][(state["p1_reserve_index"] + np.arange(128)) % 128]


def test_reserves_are_those_of_the_generator(reserves):
    assert len(np.unique(reserves, axis=0)) == len(reserves) == 32_767
    games = dm.Decisions(num_envs=5)
    games.reset(7, 1, seeds.seeds("validation", 5))
    rows = [int(np.flatnonzero((reserves == each).all(axis=1))[0]) for each in games.state["reserve"]]
    assert (seeds.orbit()[rows] == seeds.seeds("validation", 5)).all()


def test_the_true_capsules_are_always_among_those_left():
    """Through more than a lap of the reserve; what is left shrinks to the one that is played."""
    games = dm.Decisions(num_envs=6)
    games.reset(0, 0, seeds.seeds("training", 6))
    state = games.state.copy()
    seen = Memory(6)
    counts = []
    for n in range(150):
        counts.append([len(seen.see(game, *shown(games, game))) for game in range(6)])
        for game in range(6):
            assert (seen.to_come(game) == to_come(games, game)).all(axis=1).any()
        games.step(games.sample_legal(n))
        going = games.state.copy()
        for name in ("p1_bottle", "p1_virus_left_bcd"):
            going[name] = state[name]  # so that no game ends
        games.set_state(going, state["reserve"])
    counts = np.array(counts)
    assert (np.diff(counts, axis=0) <= 0).all() and (counts[0] > 100).all() and (counts[20:] == 1).all()


def test_another_game_is_not_taken_for_the_same(reserves):
    """Not even one that begins with the same two capsules."""
    games, seen = dm.Decisions(num_envs=1), Memory(1)
    first = seeds.orbit()[0]
    alike = np.flatnonzero((reserves[:, 1:3] == reserves[0, 1:3]).all(axis=1))
    for seed in (first, seeds.orbit()[alike[1]]):
        games.reset(3, 2, seed)
        for _ in range(12):
            left = seen.see(0, *shown(games, 0))
            assert (reserves[left] == games.state["reserve"]).all(axis=1).any()
            games.step(np.array([np.flatnonzero(games.legal[0])[-1]], np.int32))
    assert seen.see(0, *shown(games, 0)) is not left
    assert len(seen.see(0, *shown(games, 0))) <= len(left)  # asked once more
    assert len(seen.see(0, 2, 0, 0)) > len(left)
    assert len(seen.see(0, 9, 3, 8)) > len(left)  # looked away for a while


def test_a_game_begun_anew_at_its_first_capsule_is_another_one():
    """What it shows counts from the start, though the number of capsules does not tell."""
    seen, alone = Memory(1), Memory(1)
    games = dm.Decisions(num_envs=2)
    games.reset(3, 2, seeds.seeds("training", 2))
    first, second = shown(games, 0), shown(games, 1)
    assert first[1:] != second[1:]
    seen.see(0, *first)
    assert np.array_equal(seen.see(0, *second), alone.see(0, *second))
    assert 0 < len(alone.left[0]) < 2_000


def test_a_plan_is_made_once_and_kept_to(monkeypatch):
    """From the moment that a game is known it takes the frames that its line said, and no further search."""
    games, policy = dm.Decisions(num_envs=4), MemoryPolicy(memory.parse(SMALL), dm.Search(threads=1))
    games.reset(np.arange(4) * 3, 2, seeds.seeds("training", 4))
    plans: dict[int, tuple[int, int]] = {}
    plan = policy.search.plan

    class Watched:
        """The search, and what it plans."""

        def __getattr__(self, name):
            return getattr(dm.Search, name).__get__(search) if name != "plan" else self.watched

        def watched(self, **given):
            lines = plan(**given)
            for line, bottle in zip(lines, given["bottle"], strict=True):
                (game,) = np.flatnonzero((roots_of(games.view)["bottle"] == bottle).all(axis=1))
                assert int(game) not in plans
                plans[int(game)] = (int(games.frames[game]) + line.frames, int(games.decisions[game]))
            return lines

    search, policy.search = policy.search, Watched()
    cleared = np.zeros(4, bool)
    while not games.ended.all():
        actions = policy.act(games.view)
        assert games.legal[np.arange(4), actions][~games.ended].all()
        games.step(actions)
        cleared |= games.cleared
    assert cleared.all() and len(plans) >= 3
    for game, (frames, decided) in plans.items():
        assert games.frames[game] == frames and decided < games.decisions[game]


def test_a_hand_that_does_something_else_makes_a_new_plan():
    """The plan is of a bottle: after another's move it is made anew, and still clears."""
    games, policy = dm.Decisions(num_envs=1), MemoryPolicy(memory.parse(SMALL), dm.Search(threads=1))
    games.reset(5, 2, 0x8988)
    for n in range(200):
        action = policy.act(games.view)
        if n == 16:
            assert policy.plans
            action = np.array([next(a for a in np.flatnonzero(games.legal[0]) if a != action[0])], np.int32)
        games.step(action)
        if games.ended[0]:
            break
    assert games.cleared[0]


def test_a_plan_goes_on_from_its_bottle_capsule_and_clock_phase():
    games = dm.Decisions(num_envs=2)
    games.reset(5, 2, [0x8988, 0x1234])
    roots = roots_of(games.view)
    view, now, later = games.view, *np.flatnonzero(games.legal[0])[:2].tolist()
    plan = Plan.in_game([now, later], roots, 0)
    assert plan.goes_on_from(view, roots, 0) and not plan.goes_on_from(view, roots, 1)
    assert not Plan.in_game([], roots, 0).goes_on_from(view, roots, 0)
    assert not Plan.in_game([int(games.legal[0].argmin())], roots, 0).goes_on_from(view, roots, 0)
    for name, change, same in (
        ("frame_counter", 1, False),
        ("frame_counter", 2, True),
        ("capsules_thrown", 1, False),
        ("speed_ups", 1, True),
        ("speed_ups", 2, False),
        ("speed_ups", -1, False),
        ("speed", -1, False),
    ):
        other = roots | {name: roots[name].astype(int) + change}
        assert plan.goes_on_from(view, other, 0) is same, (name, change)


def test_a_game_that_became_faster_is_planned_anew():
    """What was planned cannot be reached any more, or not in time."""
    games, policy = dm.Decisions(num_envs=1), MemoryPolicy(memory.parse(SMALL), dm.Search(threads=1))
    games.reset(20, 2, 2)
    while not (policy.plans and policy.plans[0].actions):
        games.step(policy.act(games.view))
    state = games.state.copy()
    state["p1_speed_ups"] = 49
    games.set_state(state)
    while not games.ended[0]:
        action = policy.act(games.view)
        assert games.legal[0, action[0]]
        games.step(action)


def test_capsules_that_no_generator_makes():
    """Then it knows nothing, and plays on."""
    games = dm.Decisions(num_envs=1)
    games.reset(1, 2, 0x8988)
    games.set_state(games.state.copy(), np.zeros((1, 128), np.uint8))
    policy = MemoryPolicy(memory.parse(SMALL), dm.Search(threads=1))
    for _ in range(8):
        action = policy.act(games.view)
        assert len(policy.memory.left[0]) > 0 and games.legal[0, action[0]]
        games.step(action)


def test_by_name():
    policy, planes = policies.load("memory:beam=30")
    assert isinstance(policy, MemoryPolicy) and policy.budget.beam == 30 and planes == "bitplane"
    assert memory.parse("memory") == memory.MEMORY
    policies.check("memory")
    for wrong, said in (
        ("memory:beam=0", "policy is 'memory:beam=0': beam must be between 1 and 100,000, got 0"),
        ("memory:fish=1", "no setting 'fish=1'; give NAME=NUMBER with a name of plies, first"),
        ("memory:plies=2", "plies must be 3 and sequences 1 or more for a memory, got 2 and 8"),
        ("memory:sequences=0", "got 3 and 0"),
    ):
        with pytest.raises(ValueError, match=said):
            policies.check(wrong)


def test_plans_are_made_a_few_at_a_time(monkeypatch):
    """So that Ctrl-C, which is seen between two calls, need not wait for the plans of hundreds of games."""
    monkeypatch.setattr(Parts, "SECONDS", 0.0)  # all take longer than that

    class Counting:
        def __init__(self):
            self.search, self.planned = dm.Search(threads=2), []
            self.threads, self.choose = self.search.threads, self.search.choose

        def plan(self, **arguments):
            self.planned.append(len(arguments["bottle"]))
            return self.search.plan(**arguments)

    search = Counting()
    player = MemoryPolicy(memory.parse(SMALL), search)
    games = dm.Decisions(num_envs=9, max_decisions=16)
    games.reset(10, 2, seeds.seeds("training", 9))
    while not games.ended.all():
        games.step(player.act(games.view))
    assert max(search.planned) == 4 and sum(search.planned) >= 9


@pytest.mark.parametrize("budget", ["memory", BUDGETS["sampled"], None])
def test_what_is_no_budget_is_refused(budget: object) -> None:
    with pytest.raises(TypeError, match=r"it must be a MemoryBudget, as memory\.parse makes of a name"):
        MemoryPolicy(budget)  # type: ignore[arg-type]
