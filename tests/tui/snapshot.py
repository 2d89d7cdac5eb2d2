"""Compares a screen with a committed picture of it: its characters, and its colours as letters.

`UPDATE_SNAPSHOTS=1 pytest tests/tui/test_snapshots.py` rewrites the pictures; look at the difference before committing.
"""

import os
from pathlib import Path
from string import ascii_letters, digits

FOLDER = Path(__file__).parent / "snapshots"


def picture_of(app):
    """Lines of characters, then the same lines with a letter for each pair of colours, then what the letters mean."""
    characters, letters, legend = [], [], {}
    for strip in app.screen._compositor.render_strips():
        line, colors = "", ""
        for text, style, _ in strip:
            pair = (color_of(style and style.color), color_of(style and style.bgcolor))
            letter = legend.setdefault(pair, (ascii_letters + digits)[len(legend)])
            line += text
            colors += letter * len(text)
        characters.append(line.rstrip())
        letters.append(colors)
    meaning = [f"{letter} {fore} on {back}" for (fore, back), letter in legend.items()]
    return "\n".join([*characters, "", *letters, "", *meaning]) + "\n"


def color_of(color):
    return "default" if color is None else color.name


def check(app, name):
    """Fails when the screen is not what it was."""
    path, seen = FOLDER / f"{name}.txt", picture_of(app)
    if os.environ.get("UPDATE_SNAPSHOTS"):
        FOLDER.mkdir(exist_ok=True)
        path.write_text(seen, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == seen, f"{name} looks different: see tests/tui/snapshot.py"
