"""Named bottles: fixed positions for perft, benchmarks and puzzles.

Text form, row 0 on top, missing rows above are empty: `.` empty, `Y` `R` `B` viruses, `y` `r` `b` single halves.
"""

from dataclasses import dataclass

import numpy as np

_COLORS = "YRB"


@dataclass(frozen=True)
class Position:
    """A bottle and the circumstances under which a capsule is about to be controlled in it."""

    name: str
    bottle: str
    """rows from the top, separated by blanks"""
    speed: int = 2
    speed_ups: int = 0
    capsule: str = "YR"
    """first and second colour"""
    preview: str = "BB"
    frame_counter: int = 0

    def cells(self) -> np.ndarray:
        """u8[128]: the bottle bytes. ValueError for anything but 1 to 16 rows of eight known letters."""
        rows = self.bottle.split()
        if not 1 <= len(rows) <= 16 or any(len(row) != 8 for row in rows):
            raise ValueError(f"bottle of '{self.name}' must be 1 to 16 rows of 8 letters, got {rows}")
        cells = np.full((16, 8), 0xFF, np.uint8)
        for r, row in enumerate(rows, start=16 - len(rows)):
            for c, letter in enumerate(row):
                if letter == ".":
                    continue
                if letter.upper() not in _COLORS:
                    raise ValueError(f"bottle of '{self.name}' has the letter '{letter}', allowed are . Y R B y r b")
                cells[r, c] = (0xD0 if letter.isupper() else 0x80) + _COLORS.index(letter.upper())
        return cells.reshape(128)

    def fill(self, state: np.ndarray) -> None:
        """Writes the position into a parked game's record (one element of `Decisions.state`, copied). ValueError for
        colours other than Y, R and B."""
        for name in ("capsule", "preview"):
            letters = getattr(self, name)
            if len(letters) != 2 or not set(letters) <= set(_COLORS):
                raise ValueError(f"{name} of '{self.name}' is {letters!r}; it must be two letters of Y, R and B")
        cells = self.cells()
        viruses = int(((cells & 0xF0) == 0xD0).sum())
        state["p1_bottle"] = cells
        state["p1_virus_left_bcd"] = viruses // 10 * 16 + viruses % 10
        state["p1_speed_setting"] = self.speed
        state["p1_speed_ups"] = self.speed_ups
        state["frame_counter"] = self.frame_counter
        colors = [_COLORS.index(letter) for letter in self.capsule + self.preview]
        names = ("p1_pill_color_l", "p1_pill_color_r", "p1_next_color_l", "p1_next_color_r")
        for name, color in zip(names, colors, strict=True):
            state[name] = color


_MIDGAME = "y....... y.b..R.. rr.b..by Y.b.r.yy .Rr.B.rb bY.yy.R. .b.RB.yr"
_CLIFF = " ".join(["r.......", "y......."] * 5 + ["R......B"])
_COMB = " ".join(["y.r.b.y."] * 6 + ["YRBYRBYR"])

POSITIONS = (
    Position("one-virus-low", "...R....", speed=0),
    Position("one-virus-med", "...R....", speed=1),
    Position("one-virus-hi", "...R....", speed=2),
    Position("one-virus-odd", "...R....", frame_counter=1),
    Position("equal-colors", "...R....", capsule="RR", preview="YB"),
    Position("fastest", "...R....", speed_ups=49),
    Position("fast", "Y..B..R.", speed_ups=30, frame_counter=1),
    Position("level-3", "....Y... .R....B. ........ B..Y..R. ..R..B.. Y....Y.. ...B..R. R.Y.....", speed=1),
    Position("midgame", _MIDGAME),
    Position("midgame-low", _MIDGAME, speed=0, frame_counter=1),
    Position("midgame-fast", _MIDGAME, speed_ups=25),
    Position("cliff", _CLIFF, capsule="BB"),
    Position("comb", _COMB, capsule="BY"),
    Position("comb-odd", _COMB, capsule="BY", frame_counter=1),
    Position("overhang-left", "byby.... ........ ........ ........ Y......R", speed=1),
    Position("overhang-right", "....byby ........ ........ ........ Y......R", speed=1),
    Position("tunnel", "rryy..rr ........ bbrr..yy ........ yybb..rr R......B", speed=0),
    Position("roof", "yr....ry yr....ry br....yb br....yb by....br R..BB..Y", speed_ups=9),
    Position("slots", "r.y.b.r. .....b.. y.r...y. ..b.r... r...y.b. Y.R.B.Y.", speed=0, speed_ups=3),
    Position("ledges", "rr...... ........ ......bb ........ yy...... ........ ......rr Y......B"),
    Position("well-7", "rbyrbyr. ybrybry. rbyrbyr. ybrybry. rbyrbyr. ybrybry. RBYRBYR."),
    Position("well-0", ".byrbyrb .brybryb .byrbyrb .brybryb .byrbyrb .brybryb .BYRBYRB"),
    Position("nearly-blocked", " ".join(["rb...rby", "yr...byr"] * 6 + ["RB...RBY"]), speed_ups=5),
    Position("narrow", " ".join(["ryb..byr", "bry..ryb"] * 7 + ["RYB..BYR"]), speed_ups=9),
)
"""24 positions: sparse and dense, all speeds, both frame parities, overhangs, wells and nearly closed bottles."""
