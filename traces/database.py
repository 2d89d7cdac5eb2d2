"""SQLite as `records` uses it: patient, with errors that name the file, and also where nothing can be written."""

import errno
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

PATIENCE = 60.0
"""seconds to wait for other processes that write"""


def connect(path: Path) -> sqlite3.Connection:
    """Open or create a database, without transactions of the module's own. Raises sqlite3.OperationalError."""
    return sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)


def lies_still(path: Path, error: sqlite3.OperationalError) -> bool:
    """Whether SQLite gave up only because it could not make its files beside a database that nobody has open.

    It makes them to read too (write-ahead log); with a log there, the database alone would not be all there is.
    """
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF  # without the details of the extended code
    alone = not any(os.path.lexists(f"{path}{end}") for end in ("-wal", "-journal"))
    return code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY) and path.is_file() and alone


def connect_to_still(path: Path) -> sqlite3.Connection:
    """Open a database that lies still, to look only. Who writes to it meanwhile is not seen."""
    where = quote(os.fsencode(path.absolute()))
    return sqlite3.connect(f"file:{where}?mode=ro&immutable=1", uri=True, isolation_level=None)


def patiently(work: Callable[[], None]) -> None:
    """SQLite's own patience ends where processes turn a new file to WAL at the same time."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return work()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """OSError with the file's name for what keeps SQLite from its work."""
    try:
        yield
    except sqlite3.OperationalError as error:
        code = getattr(error, "sqlite_errorcode", None)
        if code == sqlite3.SQLITE_ERROR:  # the tables are another program's
            raise
        number = errno.ENOSPC if code == sqlite3.SQLITE_FULL else errno.EIO
        raise OSError(number, str(error), str(path)) from error
