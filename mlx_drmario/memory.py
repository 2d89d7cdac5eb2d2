"""A player who remembers every capsule of a game, and so comes to know those that will come.

The reserve of capsules is made by a generator of 32,767 states (docs/rules.md, section 4). Each capsule that shows
rules out some of them; after a dozen one is left, and the rest of the game is known. Nothing else is used: neither the
seed nor the layout of the viruses, which would tell it at once. docs/search.md has what that means.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

import mlx_drmario as dm
from mlx_drmario import search, seeds
from mlx_drmario.ranges import Range
from mlx_drmario.search import BUDGETS, Budget, Parts, Roots, changed, check_budget, chosen_rows, decided, roots_of
from mlx_drmario.seeds import RESERVE


@dataclass(frozen=True)
class MemoryBudget(Budget):
    """How far it looks: as `search:sampled` as long as capsules are uncertain, then one plan to the end."""

    beam: Annotated[int, Range(1, 100_000)] = 1000
    """boards kept per capsule when the plan is made"""
    alpha: Annotated[float, Range(0, 100)] = 0.5
    """weight of the value in that beam"""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.plies < 3 or self.sequences < 1:
            raise ValueError(
                f"plies must be 3 and sequences 1 or more for a memory, got {self.plies} and {self.sequences}"
            )


MEMORY = MemoryBudget(**dataclasses.asdict(BUDGETS["sampled"]))
"""What `memory` alone stands for."""


def parse(text: str) -> MemoryBudget:
    """The budget that "memory" or "memory:beam=300,boards=8" names; ValueError as of `search.parse`."""
    name, _, changes = text.partition(":")
    if name != "memory":
        raise ValueError(f"no player {text!r}; it is memory, or memory:NAME=NUMBER with commas between several")
    return changed(MEMORY, changes.split(",") if changes else [])


def budget_of(name: str) -> Budget:
    """The budget of a player that searches, "search:..." or "memory..."; ValueError for other names."""
    return search.parse(name.removeprefix("search:")) if name.startswith("search:") else parse(name)


class Memory:
    """Which reserves agree with what N games have shown."""

    def __init__(self, games: int) -> None:
        self.reserves = seeds.reserves()
        self.everything = np.arange(len(self.reserves))
        self.left = [self.everything] * games
        self.thrown = np.zeros(games, np.int64)

    def see(self, game: int, thrown: int, capsule: int, preview: int) -> NDArray[np.intp]:
        """Take in what a game shows, numbers of capsules and how many were thrown (as in `PublicView`), and return
        the rows of `reserves` that agree with it since it began; all of them when none does (a state that was put
        together by hand)."""
        if thrown - self.thrown[game] not in (0, 1):
            self.left[game] = self.everything  # another game, or something was missed
        for known in (self.left[game], self.everything):  # from the start where a game is not the one remembered
            shown = self.reserves[known[:, None], [(thrown - 1) % RESERVE, thrown % RESERVE]]
            agreeing = known[(shown == (capsule, preview)).all(axis=1)]
            if len(agreeing):
                break
        else:
            agreeing = self.everything
        self.left[game], self.thrown[game] = agreeing, thrown
        return agreeing

    def to_come(self, game: int) -> NDArray[np.uint8]:
        """u8[L, 128]: the capsules after the preview by each reserve that is left, a whole lap of them."""
        entries = (self.thrown[game] + 1 + np.arange(RESERVE)) % RESERVE
        return self.reserves[self.left[game][:, None], entries]


@dataclass(frozen=True)
class Plan:
    """What is left of a line, and the situation that it goes on from."""

    actions: list[int]
    thrown: int
    phase: int
    """parity of the frame counter"""
    speed: int
    speed_ups: int
    """by the last look at the game; one more since then is the game's own doing"""
    bottle: bytes

    def goes_on_from(self, view: dm.PublicView, roots: Roots, game: int) -> bool:
        """Whether something is left of it, and the game is where it goes on."""
        if not self.actions or not view.legal[game, self.actions[0]]:
            return False
        now = Plan.in_game(self.actions, roots, game)
        faster = now.speed_ups - self.speed_ups
        return faster in (0, 1) and now == dataclasses.replace(self, speed_ups=now.speed_ups)

    @staticmethod
    def in_game(actions: list[int], roots: Roots, game: int) -> Plan:
        """What to do from where a game is."""
        names = ("capsules_thrown", "frame_counter", "speed", "speed_ups")
        thrown, clock, speed, speed_ups = (int(roots[name][game]) for name in names)
        return Plan(actions, thrown, clock & 1, speed, speed_ups, roots["bottle"][game].tobytes())


class MemoryPolicy:
    """Searches over what may still come, then follows a plan; every game as if it were alone. A row of the views that
    it is shown stays the same game (`of_game` where it does not)."""

    def __init__(self, budget: MemoryBudget, search: dm.Search | None = None) -> None:
        """Raises TypeError for a budget that is none."""
        check_budget(budget, MemoryBudget, "memory.parse")
        self.budget = budget
        self.search = search or dm.Search()
        self.options: dict[str, Any] = {field.name: getattr(budget, field.name) for field in dataclasses.fields(Budget)}
        self.memory: Memory | None = None
        self.plans: dict[int, Plan] = {}
        self._of_games: dict[int, MemoryPolicy] = {}
        self._searched, self._planned = Parts(self.search.threads), Parts(self.search.threads)

    def of_game(self, game: int) -> MemoryPolicy:
        """A player of this game alone, always the same one, for views of one row."""
        if game not in self._of_games:
            self._of_games[game] = MemoryPolicy(self.budget, self.search)
        return self._of_games[game]

    def act(self, view: dm.PublicView) -> NDArray[np.int32]:
        """See `evaluate.Policy.act`; ended games get action 0. RuntimeError when the search was stopped."""
        if self.memory is None or len(self.memory.left) != view.num_envs:
            self.memory, self.plans = Memory(view.num_envs), {}
        memory, roots, running = self.memory, roots_of(view), np.flatnonzero(~view.ended)
        capsules, previews = (3 * roots[name][:, 0] + roots[name][:, 1] for name in ("capsule", "preview"))
        counts = np.zeros(view.num_envs, np.int64)
        for game in running.tolist():
            thrown = int(roots["capsules_thrown"][game])
            counts[game] = len(memory.see(game, thrown, int(capsules[game]), int(previews[game])))
        actions = np.where(view.ended, 0, -1).astype(np.int32)
        self._follow_plans(view, roots, np.flatnonzero(counts == 1), actions)
        for part in self._searched(np.flatnonzero(actions < 0)):
            now, futures = chosen_rows(roots, part), self._futures(part)
            actions[part] = decided(self.search.choose(**now, **self.options, futures=futures)[0])
        return actions

    def _follow_plans(
        self, view: dm.PublicView, roots: Roots, known: NDArray[np.intp], actions: NDArray[np.int32]
    ) -> None:
        """Write what the known games' plans say into actions i32[N]; -1 stays where none clears the level."""
        assert self.memory is not None
        kept = [game in self.plans and self.plans[game].goes_on_from(view, roots, game) for game in known.tolist()]
        for some in self._planned(known[~np.array(kept, np.bool_)]):
            to_come = np.concatenate([self.memory.to_come(game) for game in some.tolist()])
            now = chosen_rows(roots, some)
            lines = self.search.plan(**now, to_come=to_come, width=self.budget.beam, alpha=self.budget.alpha)
            for game, line in zip(some.tolist(), lines, strict=True):
                self.plans[game] = Plan.in_game(line.actions.tolist() if line.cleared else [], roots, game)
        following = [game for game in known.tolist() if self.plans[game].actions]
        if not following:
            return
        after = view.afterstates()
        for game in following:
            plan = self.plans[game]
            actions[game] = plan.actions[0]
            (row,) = np.flatnonzero((after.env == game) & (after.action == plan.actions[0]))
            phase = (plan.phase + int(after.tau[row])) & 1
            here, bottle = Plan.in_game(plan.actions[1:], roots, game), after.bottle[row].tobytes()
            self.plans[game] = dataclasses.replace(here, thrown=here.thrown + 1, phase=phase, bottle=bottle)

    def _futures(self, games: NDArray[np.intp]) -> NDArray[np.uint8]:
        """u8[N, sequences, depth]: capsules that may come after the preview; every reserve that is left once, before
        any comes twice."""
        assert self.memory is not None
        futures = []
        for game in games.tolist():
            to_come = self.memory.to_come(game)
            order = np.random.default_rng(len(to_come)).permutation(len(to_come))
            rows = np.resize(order, self.budget.sequences)
            futures.append(to_come[rows, : self.budget.depth])
        return np.stack(futures)
