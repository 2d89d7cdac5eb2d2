"""RUN/session.json: says while a run trains under an app which process does that, and where another app can attach."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from mlx_drmario.files import holder, write_text
from mlx_drmario.tui.protocol import SESSION_FILE


@dataclass(frozen=True)
class Address:
    """Of a run in training."""

    pid: int
    address: str
    """a socket"""


def announce(run: Path, address: str) -> None:
    """Say that this process trains here and listens at `address`; the directory is locked."""
    write_text(run / SESSION_FILE, json.dumps(asdict(Address(os.getpid(), address))) + "\n")


def withdraw(run: Path) -> None:
    """Say no more that this process trains here; what another one says stays."""
    place = read(run)
    if place is not None and place.pid == os.getpid():
        (run / SESSION_FILE).unlink(missing_ok=True)


def read(run: Path) -> Address | None:
    """What a run directory says; None when it says nothing that can be read."""
    try:
        told = json.loads((run / SESSION_FILE).read_text())
        return Address(int(told["pid"]), str(told["address"]))
    except (OSError, ValueError, KeyError, TypeError):  # TypeError: JSON, but not an object
        return None


def trains(run: Path) -> bool:
    """Whether a run trains now under an app, or by itself since one left.

    The process must hold the lock of the directory. Its number alone says little: whoever was killed leaves it there,
    and some other process may have it by now.
    """
    place = read(run)
    return place is not None and holder(run) == place.pid
