"""A game controller made of keys.

Most terminals say when a key goes down and, while it stays down, repeat it; they never say that a key was released. So
a press holds its button for a few frames, and the terminal's own key repeat keeps a held key held: after the delay that
the terminal is set to, left and right run along and down drops without a break.

A terminal with the kitty keyboard protocol does report releases (`keyboard.py`). From the first one on a button is held
exactly as long as its key.
"""

from mlx_drmario.spec import DOWN, LEFT, RIGHT, A, B

FRAMES_HELD = {LEFT: 4, RIGHT: 4, DOWN: 6, A: 1, B: 1}
_OPPOSITE = {LEFT: RIGHT, RIGHT: LEFT}


class Pad:
    """Turns key presses into one controller byte per frame. Left and right are never held together: the later wins."""

    def __init__(self) -> None:
        self.exact = False
        """releases are reported"""
        self._left: dict[int, int] = {}  # button -> frames that it is still held
        self._held: list[int] = []  # buttons whose keys are down, in the order of their presses
        self._tapped: set[int] = set()  # pressed and not yet seen by a frame

    def press(self, button: int) -> None:
        """A key went down, or is repeated."""
        if button not in self._held:
            self._held.append(button)
            self._tapped.add(button)
        self._left.pop(_OPPOSITE.get(button, 0), None)
        self._left[button] = FRAMES_HELD[button]

    def release(self, button: int) -> None:
        """A key went up. A tap between two frames still counts for one."""
        self.exact = True
        if button in self._held:
            self._held.remove(button)

    def release_all(self) -> None:
        """The terminal lost the focus: releases after this go elsewhere."""
        self._held.clear()
        self._tapped.clear()
        self._left.clear()

    def frame(self) -> int:
        """The controller byte of the next frame."""
        if not self.exact:
            self._held.clear()
            self._tapped.clear()
            held = sum(self._left)
            self._left = {button: frames - 1 for button, frames in self._left.items() if frames > 1}
            return held
        down = [*self._held, *(button for button in self._tapped if button not in self._held)]
        self._tapped.clear()
        sideways = [button for button in down if button in _OPPOSITE][-1:]
        return sum([*(button for button in down if button not in _OPPOSITE), *sideways])
