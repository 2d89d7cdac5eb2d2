"""What is painted in the colours of the theme."""

from textual.widget import Widget


class Painted(Widget):
    """Paints itself anew when the theme changes.

    It takes itself off the app's list of those who want to know that: Textual would keep it there, and with it the
    whole screen that it stood on, until the next change of theme.
    """

    def on_mount(self) -> None:
        self.app.theme_changed_signal.subscribe(self, lambda theme: self.repaint())

    def on_unmount(self) -> None:
        self.app.theme_changed_signal.unsubscribe(self)

    def repaint(self) -> None:
        """Show the same in other colours."""
        self.refresh()
