"""What the policy thinks of a position: its best placements, what it expects, what it is paid."""

from rich.style import Style
from rich.text import Text
from textual.widgets import Static

from mlx_drmario.evaluate import FRAME_RATE
from mlx_drmario.spec import counted, placement_words
from mlx_drmario.tui.palette import palette
from mlx_drmario.tui.position import OUTCOMES, Position
from mlx_drmario.tui.protocol import Choice
from mlx_drmario.tui.widgets.painted import Painted

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_LEVELS = "▁▂▃▄▅▆▇█"


class Analysis(Painted, Static):
    """A pane of text beside the bottle, in the manner of a chess program's analysis."""

    DEFAULT_CSS = "Analysis { width: 1fr; height: 1fr; padding: 0 0 0 2; }"

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._said: tuple[object, ...] = ()
        self._shown: tuple[Position, Choice | None, dict[str, float], int] | None = None

    def show(self, position: Position, choice: Choice | None, earned: dict[str, float], selected: int = -1) -> None:
        """Show this from now on. selected: number of the candidate that is marked, by default the chosen one."""
        self._shown = (position, choice, earned, selected)
        said = (choice, position.frames // 6, position.decisions, position.outcome, selected)
        if said != self._said:
            self._said = said
            self.repaint()

    def on_resize(self) -> None:
        self.repaint()

    def repaint(self) -> None:
        if self._shown is None:
            return
        position, choice, earned, selected = self._shown
        width = max(30, self.size.width - 2)
        text = Text(no_wrap=True, overflow="crop", style=self._style("foreground"))
        if choice is not None:
            self._candidates(text, choice, position.capsule, selected, width)
            self._expectation(text, choice)
        self._counters(text, position, width)
        if choice is not None and earned:
            self._rewards(text, choice, earned)
        self.update(text, layout=False)

    def _style(self, name: str, bold: bool = False) -> Style:
        return palette(self.app.theme_variables).text(name, bold)

    def _head(self, text: Text, words: str) -> None:
        text.append(words + "\n", style=self._style("primary", bold=True))

    def _candidates(self, text: Text, choice: Choice, capsule: tuple[int, int], selected: int, width: int) -> None:
        bar = max(4, min(24, width - 50))
        known = choice.candidates[0].probability is not None
        share = f"{'probability':<{bar + 7}}" if known else ""
        self._head(text, f"  {'placement':<19}{share}{'frames':>7}  clears")
        for index, candidate in enumerate(choice.candidates):
            chosen = candidate.action == choice.action
            marked = index == selected if selected >= 0 else chosen
            style = self._style("accent", bold=True) if marked else ""
            text.append(f"{'▶' if chosen else ' '} {placement_words(candidate.action, capsule):<19}", style=style)
            if candidate.probability is not None:
                filled = bars(candidate.probability, bar)
                text.append(filled, style=self._style("primary"))
                text.append(f" {candidate.probability:5.1%} ".rjust(7), style=style)
            text.append(f"{candidate.frames:>7}", style=style)
            clears = counted(candidate.viruses, "virus", "es") if candidate.viruses else ""
            clears += counted(candidate.runs, "run") if candidate.runs and not candidate.viruses else ""
            text.append(f"  {clears}" if clears else "", style=self._style("success"))
            text.append("\n")

    def _expectation(self, text: Text, choice: Choice) -> None:
        parts = [f"{choice.legal} legal"]
        if choice.entropy is not None:
            parts.append(f"entropy {choice.entropy:.2f} nats")
        if choice.value is not None:
            parts.append(f"value {choice.value:+.2f}")
        text.append("  " + " · ".join(parts) + "\n")
        if choice.quantiles:
            low, high = choice.quantiles[0], choice.quantiles[-1]
            # An evaluator's are frames, a value head's are returns, which stay below a hundred.
            name, form = ("frames", ",.0f") if high >= 100 else ("return", "+.2f")
            text.append(f"  {name} {low:{form}} {spread(choice.quantiles)} {high:{form}}\n")
        text.append("\n")

    def _rewards(self, text: Text, choice: Choice, earned: dict[str, float]) -> None:
        self._head(text, f"  {'reward':<12}{'decision':>9}{'game':>9}")
        for name, total in earned.items():
            now = choice.reward.get(name, 0.0)
            if total or now:
                style = "bold" if name == "total" else ""
                text.append(f"  {name:<12}{now:>+9.3f}{total:>+9.2f}\n", style=style)

    def _counters(self, text: Text, position: Position, width: int) -> None:
        self._head(text, "  game")
        seed = "" if position.seed is None else f" · seed 0x{position.seed:04x}"
        viruses, capsules = counted(position.viruses, "virus", "es"), counted(position.decisions, "capsule")
        text.append(f"  {OUTCOMES[position.outcome]} · {viruses} · {capsules}\n")
        seconds = position.frames / FRAME_RATE
        words = f"  {position.frames} frames, {seconds:.1f} s · {counted(position.speed_ups, 'speed-up')}"
        text.append(f"{words}{seed if len(words + seed) <= width else ''}\n\n")


def bars(share: float, width: int) -> str:
    """A bar of `width` columns, filled to `share` in eighths of a column."""
    eighths = round(min(max(share, 0.0), 1.0) * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(width)


def spread(values: tuple[float, ...], width: int = 24) -> str:
    """How densely values lie between the first and the last, as a strip of blocks."""
    low, high = values[0], values[-1]
    counts = [0] * width
    for value in values:
        counts[min(width - 1, int((value - low) / ((high - low) or 1.0) * width))] += 1
    most = max(counts)
    return "".join(_LEVELS[min(7, count * 7 // most)] if count else " " for count in counts)
