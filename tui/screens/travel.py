"""Time travel: a game's decisions, one after the other, and what had become of it with another placement."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen

from mlx_drmario.spec import counted, from_bcd
from mlx_drmario.tui.choices import decide
from mlx_drmario.tui.position import CLEARED, PLAYING, Position
from mlx_drmario.tui.protocol import Choice, Line, Playout
from mlx_drmario.tui.widgets.analysis import Analysis
from mlx_drmario.tui.widgets.bottle import Bottle
from mlx_drmario.tui.widgets.keys import KeyBar
from mlx_drmario.tui.widgets.scrub import Scrub
from mlx_drmario.tui.widgets.summary import Facts
from mlx_drmario.tui.widgets.title import Title

AHEAD = 200
"""decisions that a branch is played on, unless its game ends before"""
_NUMBERS = count(1)


class TravelScreen(Screen[None]):
    """The line that was played on the left, the branch on the right, both at the same decision."""

    _MOVE = Binding.Group("decision", compact=True)
    _ENDS = Binding.Group("first/last", compact=True)
    _EVENTS = Binding.Group("clears", compact=True)
    _PICK = Binding.Group("placement", compact=True)
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "move(-1)", "a decision back", key_display="←", group=_MOVE),
        Binding("right", "move(1)", "a decision on", key_display="→", group=_MOVE),
        Binding("home,g", "move(-10000)", "first decision", key_display="g", group=_ENDS),
        Binding("end,G", "move(10000)", "last decision", key_display="G", group=_ENDS),
        Binding("comma", "event(-1)", "a clear back", key_display=",", group=_EVENTS),
        Binding("full_stop", "event(1)", "a clear on", key_display=".", group=_EVENTS),
        Binding("up", "pick(-1)", "better placement", key_display="↑", group=_PICK),
        Binding("down", "pick(1)", "next placement", key_display="↓", group=_PICK),
        Binding("b,enter", "branch", "branch", key_display="b", tooltip="play on from here with the marked placement"),
        Binding("x", "swap", "swap", tooltip="the branch becomes the line"),
        Binding("escape,q", "back", "back", key_display="esc"),
    ]

    def __init__(self, line: Line, play_on: Callable[[Playout], None], at: int | None = None) -> None:
        """play_on: lets the policy play a branch on; the line comes to `show_branch`.
        at: decision to begin at, by default the last."""
        super().__init__()
        self.line, self._play_on = line, play_on
        self.branch: Line | None = None
        self.root = 0
        """decision at which the branch leaves the line"""
        self.at = len(line.states) - 1 if at is None else at
        self.picked = 0
        self._request = 0
        self._viruses: list[int] = []
        self.title_bar = Title("time travel", id="title")
        self.bottles = Bottle(id="line"), Bottle(id="branch")
        self.scrub = Scrub(id="scrub")
        self.analysis, self.facts = Analysis(id="analysis"), Facts(id="compare")

    def compose(self) -> ComposeResult:
        yield self.title_bar
        with Horizontal(id="lines"):
            yield from self.bottles
            with Vertical():
                yield self.analysis
                yield self.facts
        yield self.scrub
        yield KeyBar()

    def on_mount(self) -> None:
        self.start(self.line, self.at)

    def start(self, line: Line, at: int) -> None:
        """Show this line, at this decision."""
        self.line, self.at, self.branch, self.root = line, at, None, 0
        self._request = 0  # an answer that is under way belongs to another line
        self._viruses = from_bcd(line.states["p1_virus_left_bcd"].astype(int)).tolist()
        self.picked = self._chosen()
        self.show()

    @property
    def choice(self) -> Choice | None:
        """The decision that was made here; None at the end of a line."""
        return self.line.choices[self.at]

    def show(self) -> None:
        """Paint both lines at the present decision."""
        choice = self.choice
        here = position(self.line, self.at)
        self.bottles[0].show(here, self._action(), "played")
        self.analysis.show(here, choice, {}, self.picked)
        self.bottles[1].display = self.branch is not None
        rows = [("decision", f"{self.at + 1} of {len(self.line.states)}"), ("viruses", f"{here.viruses}")]
        if self.branch is not None:
            index = min(max(self.at - self.root, 0), len(self.branch.states) - 1)
            there, other = position(self.branch, index), self.branch.choices[index]
            if index == self.at - self.root:  # else there is no such decision on the branch
                rows.append(("branch", f"{there.viruses}, {there.frames - here.frames:+d} frames"))
            self.bottles[1].show(there, None if other is None else other.action, "branch")
            rows += compared(self.line, self.branch, self.root)
        self.facts.show(rows)
        self.scrub.show(self._viruses, self.at)
        seed = "" if self.line.seed is None else f" · seed 0x{self.line.seed:04x}"
        self.title_bar.show(f"{self.line.name}{seed}", "‖ stopped", "warning")

    def _action(self) -> int | None:
        choice = self.choice
        return None if choice is None else choice.candidates[min(self.picked, len(choice.candidates) - 1)].action

    def _chosen(self) -> int:
        choice = self.choice
        actions = [] if choice is None else [candidate.action for candidate in choice.candidates]
        return actions.index(choice.action) if choice is not None and choice.action in actions else 0

    def action_move(self, step: int) -> None:
        self.at = min(max(self.at + step, 0), len(self.line.states) - 1)
        self.picked = self._chosen()
        self.show()

    def action_event(self, step: int) -> None:
        """To the decision before the next virus goes, or went."""
        at = self.at + step
        while 0 <= at < len(self._viruses) - 1 and self._viruses[at + 1] == self._viruses[at]:
            at += step
        if 0 <= at < len(self._viruses) - 1:
            self.action_move(at - self.at)

    def on_scrub_moved(self, message: Scrub.Moved) -> None:
        self.action_move(message.at - self.at)

    def action_pick(self, step: int) -> None:
        """Mark another of the placements that were considered."""
        if (choice := self.choice) is not None:
            self.picked = min(max(self.picked + step, 0), len(choice.candidates) - 1)
            self.show()

    def action_branch(self) -> None:
        """Leave the line here: this placement, then the policy's."""
        action = self._action()
        if action is None:
            self.notify("nothing was decided here; go back a decision")
            return
        self._request, self.root = next(_NUMBERS), self.at
        state, frames = self.line.states[self.at : self.at + 1], int(self.line.frames[self.at])
        first = self.line.first + self.at
        self.branch = decide(state, action, frames, first)  # at once; the rest when the policy has played it
        self._play_on(Playout(self._request, state, action, AHEAD, frames, first))
        self.show()

    def show_branch(self, line: Line) -> None:
        """The policy has played on."""
        if line.request == self._request:
            self.branch = line
            self.show()

    def action_swap(self) -> None:
        """Go on from the branch: it becomes the line, from its root on."""
        if self.branch is not None:
            self.start(replace(self.branch, seed=self.line.seed), 0)

    def action_back(self) -> None:
        self.dismiss()


def position(line: Line, index: int) -> Position:
    """A line's game before decision `index`."""
    frames, decisions = int(line.frames[index]), line.first + index
    return Position.of(line.states[index], frames=frames, decisions=decisions, seed=line.seed)


def compared(line: Line, branch: Line, root: int) -> list[tuple[str, str]]:
    """How the branch does against what was played, at the end."""
    ends = position(line, len(line.states) - 1), position(branch, len(branch.states) - 1)
    lengths = len(line.states) - 1 - root, len(branch.states) - 1

    def ending(end: Position, decisions: int) -> str:
        how = {PLAYING: f"{end.viruses} left", CLEARED: "cleared"}.get(end.outcome, f"lost with {end.viruses}")
        return f"{how}, {end.frames} frames, {counted(decisions, 'decision')}"  # 80 columns show it up to the frames

    return [("line end", ending(ends[0], lengths[0])), ("branch end", ending(ends[1], lengths[1]))]
