"""`drmario perft`: placement counts of the named positions, the engine's signature."""

import contextlib
import json
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from mlx_drmario.files import check_output, write_text
from mlx_drmario.ranges import Range, check_ranges


@dataclass(frozen=True)
class PerftConfig:
    """Count placement sequences on the named positions and hash a million frames of play."""

    depth: Annotated[int, Range(1, 8)] = 2
    """placements per sequence, 1 to 8; each more costs about 50 times the time"""
    json: Path | None = None
    """write the signature to this file"""

    def __post_init__(self) -> None:
        check_ranges(self)


def run(config: PerftConfig) -> int:
    """Prints the table and the signature, returns 0. OSError for a file that cannot be written."""
    from mlx_drmario.signature import signature

    if config.json is not None:
        check_output("--json", config.json)
    with ended_by_ctrl_c():
        result = signature(config.depth)
    print(f"{'position':16} {'nodes':>14} {'frames':>16}")
    for name, (nodes, frames) in result["perft"].items():
        print(f"{name:16} {nodes:14,} {frames:16,}")
    print(f"{'total':16} {result['nodes']:14,} {result['frames']:16,}")
    print(f"signature: depth {config.depth} nodes {result['nodes']} frames {result['frames']} {result['trajectory']}")
    if config.json is not None:
        write_text(config.json, json.dumps(result, indent=1) + "\n")
    return 0


@contextlib.contextmanager
def ended_by_ctrl_c() -> Iterator[None]:
    """Ctrl-C ends the process at once: the core counts for minutes without looking up, and nothing is there to save."""
    before = signal.getsignal(signal.SIGINT)
    if before != signal.SIG_IGN:  # a shell's background job is deaf to it
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
