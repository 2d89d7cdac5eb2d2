"""The keys of the screen, in as many lines as they need."""

from rich.segment import Segment
from textual.geometry import Size
from textual.screen import Screen
from textual.strip import Strip

from mlx_drmario.tui.palette import palette
from mlx_drmario.tui.widgets.painted import Painted

_BETWEEN = 2


class KeyBar(Painted):
    """A footer that wraps: every key is to be seen, also at 80 columns."""

    DEFAULT_CSS = "KeyBar { dock: bottom; width: 1fr; height: auto; }"

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, lambda screen: self.refresh(layout=True))

    def get_content_width(self, container: Size, viewport: Size) -> int:
        """All there is."""
        return container.width

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Lines that the keys need at this width."""
        return len(wrapped(shown_keys(self.screen), width))

    def render_line(self, y: int) -> Strip:
        """One line of keys."""
        colors = palette(self.app.theme_variables)
        key_style, word_style = colors.style("accent", "panel", bold=True), colors.style("foreground", "panel")
        lines = wrapped(shown_keys(self.screen), self.size.width)
        segments = [Segment(" ", word_style)]
        for keys, words in lines[y] if y < len(lines) else []:
            segments += [Segment(keys, key_style), Segment(f" {words}{' ' * _BETWEEN}", word_style)]
        return Strip(segments).adjust_cell_length(self.size.width, word_style)


def wrapped(entries: list[tuple[str, str]], width: int) -> list[list[tuple[str, str]]]:
    """Entries in lines of at most `width` columns, with a column of space on both sides."""
    lines: list[list[tuple[str, str]]] = [[]]
    used = 1
    for keys, words in entries:
        length = len(keys) + 1 + len(words)
        if lines[-1] and used + length + 1 > width:
            lines.append([])
            used = 1
        lines[-1].append((keys, words))
        used += length + _BETWEEN
    return lines


def shown_keys(screen: Screen[object]) -> list[tuple[str, str]]:
    """(keys, words) of every binding that is to be shown; grouped ones stand together."""
    entries: dict[object, tuple[list[str], set[str], str]] = {}
    for _, binding, enabled, _ in screen.active_bindings.values():
        if binding.show and enabled:
            words = binding.group.description if binding.group else binding.description
            keys, actions, _ = entries.setdefault(binding.group or binding.action, ([], set(), words))
            if binding.action not in actions:
                actions.add(binding.action)
                keys.append(screen.app.get_key_display(binding))
    return [("".join(keys), words) for keys, _, words in entries.values()]
