"""How fast it goes, and what the time is spent on: one line."""

from rich.text import Text
from textual.widgets import Static

from mlx_drmario.tui.palette import palette
from mlx_drmario.tui.protocol import Rates
from mlx_drmario.tui.widgets.curve import number
from mlx_drmario.tui.widgets.painted import Painted


class Hud(Painted, Static):
    """Frames and decisions per second in all and per game, the gain over one game alone, and the split of the time."""

    DEFAULT_CSS = "Hud { width: 1fr; height: 1; }"

    def __init__(self, id: str | None = None) -> None:
        super().__init__("measuring ...", id=id)
        self.rates: Rates | None = None

    def on_resize(self) -> None:
        self.repaint()

    def show(self, rates: Rates) -> None:
        """Show these from now on."""
        self.rates = rates
        self.repaint()

    def repaint(self) -> None:
        if (rates := self.rates) is None:
            return
        colors = palette(self.app.theme_variables)
        strong, muted = colors.text("foreground", bold=True), colors.text("bottle-rim")
        text = Text(no_wrap=True, overflow="crop")

        def figure(value: float, unit: str, per_game: bool = True) -> None:
            text.append(f" {number(value)}", style=strong)
            text.append(f" {unit}", style=muted)
            if per_game and rates.games > 1:
                text.append(f" ({number(value / rates.games)}/game)", style=muted)

        wide = self.size.width >= 100
        figure(rates.decisions, "decisions/s")
        text.append(" ·", style=muted)
        figure(rates.frames, "frames/s", wide)
        if gain := rates.speedup:
            text.append(" ·", style=muted)
            text.append(f" {gain:.1f}x", style=colors.text("success", bold=True))
            efficiency = f"{gain / rates.games:.0%}"
            text.append(f" one game, {efficiency} eff." if wide else f" ({efficiency})", style=muted)
        shares = [("env", rates.environment, "capsule-0"), ("policy", rates.policy, "capsule-2")]
        shares.append(("update", rates.update, "capsule-1"))
        if any(share for _, share, _ in shares):
            text.append(" · " if wide else " ", style=muted)
            room = 30 if wide else 10
            for name, share, color in shares:
                label = f"{name} {share:.0%}" if wide else ""
                cells = max(round(share * room), 0)
                text.append("█" * cells, style=colors.text(color))
                text.append(f" {label} " if label else "", style=muted)
        self.update(text, layout=False)
