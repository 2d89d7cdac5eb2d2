"""What results depend on besides settings and seed: the processor, and the commit of the sources."""

import platform
import shutil
import subprocess
import sys
from functools import lru_cache
from pathlib import Path


def processor() -> str:
    """Such as "Intel(R) Xeon(R) Platinum 8481C" or "Apple M3"; the architecture where no system tells more."""
    known = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        names = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        return names[0] if names else known
    if sys.platform == "darwin":
        asked = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(asked, capture_output=True, text=True).stdout.strip() or known
    return known


@lru_cache(maxsize=1)
def commit() -> str | None:
    """The git commit of the source tree, with `+` when it has local changes; None outside a clone, or without git."""
    root = Path(__file__).resolve().parents[1]
    if not (root / ".git").exists() or shutil.which("git") is None:
        return None
    git = ["git", "-C", str(root)]
    head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    changed = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True, check=False).stdout
    return head + ("+" if changed.strip() else "") or None
