"""The rows of metrics.jsonl, whatever state it is in (no MLX here)."""

import json
from pathlib import Path
from typing import Any


def read_rows(file: Path) -> tuple[list[dict[str, float]], int]:
    """The good rows, and how many lines are none; a last line without its end is being written, and is neither."""
    rows, damaged = [], 0
    for line in file.read_bytes().splitlines(keepends=True):
        if line.endswith(b"\n"):
            row = _row(line)
            damaged += row is None
            if row is not None:
                rows.append(row)
    return rows, damaged


def _row(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    good = isinstance(row, dict) and "step" in row and all(isinstance(value, int | float) for value in row.values())
    return row if good else None
