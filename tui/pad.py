"""A game controller made of key presses.

A terminal says when a key goes down and, while it stays down, repeats it; it never says that a key was released. So
every press holds its button for a few frames, and the terminal's own key repeat keeps a held key held: after the delay
that the terminal is set to, left and right run along and down drops without a break.
"""

from mlx_drmario.spec import DOWN, LEFT, RIGHT, A, B

FRAMES_HELD = {LEFT: 4, RIGHT: 4, DOWN: 6, A: 1, B: 1}
_OPPOSITE = {LEFT: RIGHT, RIGHT: LEFT}


class Pad:
    """Turns key presses into one controller byte per frame. Left and right are never held together."""

    def __init__(self) -> None:
        self._left: dict[int, int] = {}

    def press(self, button: int) -> None:
        """Hold a button for its number of frames, counted from the next one."""
        self._left.pop(_OPPOSITE.get(button, 0), None)
        self._left[button] = FRAMES_HELD[button]

    def frame(self) -> int:
        """The controller byte of the next frame."""
        held = sum(self._left)
        self._left = {button: frames - 1 for button, frames in self._left.items() if frames > 1}
        return held
