"""The rows of metrics.jsonl and other files of JSON lines, whatever state they are in (no MLX here)."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any


def of_metrics(row: dict[str, Any]) -> bool:
    """Whether an object is a row of metrics.jsonl: numbers, among them a step."""
    return "step" in row and all(isinstance(value, int | float) for value in row.values())


def read_rows(file: Path, good: Callable[[dict[str, Any]], bool] = of_metrics) -> tuple[list[dict[str, Any]], int]:
    """The lines that are good objects, and how many are none; a last line without its end is being written, and is
    neither. Raises OSError for a file that cannot be read."""
    rows, damaged = [], 0
    for line in file.read_bytes().splitlines(keepends=True):
        if line.endswith(b"\n"):
            row = _object(line, good)
            damaged += row is None
            if row is not None:
                rows.append(row)
    return rows, damaged


def _object(line: bytes, good: Callable[[dict[str, Any]], bool]) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) and good(row) else None
