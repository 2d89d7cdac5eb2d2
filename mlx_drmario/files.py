"""Files and directories that are whole whenever they are there.

Everything is written under a hidden temporary name beside its place, forced to disk, and renamed: whoever reads finds
the old content or the new, whatever killed the writer.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

WRITING, REMOVING = ".writing-", ".removing-"
"""Prefixes of what is not yet there, and of what is no longer there."""


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A name at which the body makes a file, a directory of files or a symlink, which then takes the place of `path`.

    When the body raises, `path` stays as it was and what the body made is removed. A file or link is replaced in one
    step; a directory first loses its name, as no system replaces one in one step. Raises OSError.
    """
    temporary = path.with_name(f"{WRITING}{os.getpid()}-{threading.get_ident()}-{path.name}")
    _delete(temporary)
    try:
        yield temporary
        if not temporary.is_symlink():
            for made in (*temporary.iterdir(), temporary) if temporary.is_dir() else (temporary,):
                _sync(made)
        if path.is_dir() and not path.is_symlink():
            remove(path)
        os.replace(temporary, path)
        _sync(path.parent)
    finally:
        _delete(temporary)


def write_text(path: Path, text: str) -> None:
    """Replace the content of a text file (UTF-8)."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def remove(directory: Path) -> None:
    """Remove a directory, which loses its name before it loses its files."""
    hidden = directory.with_name(f"{REMOVING}{os.getpid()}-{directory.name}")
    _delete(hidden)
    os.rename(directory, hidden)
    _delete(hidden)


def sweep(directory: Path) -> None:
    """Remove what killed writers left in a directory in which nobody else writes now."""
    for leftover in [*directory.glob(f"{WRITING}*"), *directory.glob(f"{REMOVING}*")]:
        _delete(leftover)


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
