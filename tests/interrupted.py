"""A KeyboardInterrupt where it is wanted."""

import contextlib
import linecache
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType


@contextlib.contextmanager
def interrupted_at(line: int, files: tuple[str, ...] = ("capture.py",), but: str | None = None) -> Iterator[None]:
    """Raise KeyboardInterrupt before line number `line` that runs in these files (0: never).

    but: how lines begin that do not count.
    """
    left = line

    def trace(frame: FrameType, event: str, _: object) -> Callable[..., object] | None:
        nonlocal left
        if Path(frame.f_code.co_filename).name not in files:
            return None
        text = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
        counts = event == "line" and not (but and text.startswith(but))
        left -= counts
        if left == 0 and counts:
            raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    if line:
        sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)
