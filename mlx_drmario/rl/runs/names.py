"""Which checkpoints a run directory holds, by their names (no MLX here)."""

import re
from pathlib import Path


def available(run: Path) -> list[Path]:
    """Checkpoint directories of a run, oldest first."""
    return sorted(path for path in (run / "checkpoints").glob("step_*") if re.fullmatch(r"step_\d{12,}", path.name))


def best(run: Path) -> Path | None:
    """The directory of the best checkpoint of a run, resolved; None while there is none.

    `checkpoints/best` is a link to it, or another copy of it where somebody copied the run with what its links point
    to. In a copy without links, or after a kill while such a directory was replaced, it is the newest of its kind.
    """
    root = run / "checkpoints"
    kept = (path for path in root.glob("best_*") if re.fullmatch(r"best_\d{12,}", path.name))
    found = root / "best" if (root / "best").exists() else max(kept, default=None)
    return None if found is None else found.resolve()
