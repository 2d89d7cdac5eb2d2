"""The name of this machine's processor, on which rates and the last bits of floats depend."""

import platform
import subprocess
import sys
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
