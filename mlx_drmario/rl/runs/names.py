"""Which checkpoints a run directory holds, by their names (no MLX here)."""

import re
from pathlib import Path


def available(run: Path) -> list[Path]:
    """Checkpoint directories of a run, oldest first."""
    return sorted(path for path in (run / "checkpoints").glob("step_*") if re.fullmatch(r"step_\d{12,}", path.name))
