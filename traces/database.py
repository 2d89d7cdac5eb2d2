"""SQLite as `records` uses it: patient, with errors that name the file, never in another program's database, and also
where nothing can be written.
"""

import errno
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import quote

PATIENCE = 60.0
"""seconds to wait for other processes that write"""


def opened(path: Path, table: str, version: int, make: Sequence[str]) -> sqlite3.Connection:
    """A database that has this table in this version, without transactions of the module's own. In a file that is new
    or empty the statements `make` make it; nothing else is written into.

    Raises ValueError for a file that is something else; with nothing to make also for an empty one, and
    FileNotFoundError where there is none. OSError as `naming`.
    """
    if not make and not path.exists():
        raise FileNotFoundError(f"path is {path}, which does not exist")
    prepare = partial(_prepared, path, table, version, make)
    with naming(path):
        try:
            try:
                return prepare(sqlite3.connect(path, timeout=PATIENCE, isolation_level=None))
            except sqlite3.OperationalError as error:
                if not _lies_still(path, error):
                    raise
                return prepare(_connect_to_still(path))
        except sqlite3.DatabaseError as error:
            if _hindered(error):
                raise
            raise ValueError(f"path is {path}, which is not a database of records: {error}") from None


def _hindered(error: sqlite3.DatabaseError) -> bool:
    """Whether the system or others keep SQLite from its work; otherwise the file is not what was expected."""
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(error, sqlite3.OperationalError) and code != sqlite3.SQLITE_ERROR  # its tables are others


def _prepared(path: Path, table: str, version: int, make: Sequence[str], db: sqlite3.Connection) -> sqlite3.Connection:
    """The same connection when all is well."""

    def prepare() -> None:
        if _holds(db, path, table, version):
            return  # nothing is written, so that those can look who may not write
        if not make:
            raise sqlite3.DatabaseError("it is empty")
        db.execute("PRAGMA journal_mode = WAL")
        with transaction(db):
            if not _holds(db, path, table, version):  # by another process, meanwhile
                for statement in make:
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {version}")

    try:
        _patiently(prepare)
    except BaseException:
        db.close()
        raise
    return db


def _holds(db: sqlite3.Connection, path: Path, table: str, version: int) -> bool:
    """Whether the table is there, in a database of this version; False for an empty file. Writes nothing.

    Raises sqlite3.DatabaseError for what is another program's, or of another version.
    """
    size = path.stat().st_size  # before SQLite looks, as others may be making it
    pages, found, objects, tables = db.execute(  # in one statement, which sees one moment
        "SELECT (SELECT page_count FROM pragma_page_count), user_version, (SELECT count(*) FROM sqlite_master),"
        " (SELECT count(*) FROM sqlite_master WHERE name = ?) FROM pragma_user_version",
        (table,),
    ).fetchone()
    if size and not pages:  # SQLite takes a file of one byte for an empty one
        raise sqlite3.DatabaseError("file is not a database")
    if objects and not tables:
        raise sqlite3.DatabaseError(f"it is another program's: it has no table {table!r}")
    if found != version and (objects or found):
        raise sqlite3.DatabaseError(f"version {found}, this release reads {version}")
    return bool(tables)


def _lies_still(path: Path, error: sqlite3.OperationalError) -> bool:
    """Whether SQLite gave up only because it could not make its files beside a database that nobody has open.

    It makes them to read too (write-ahead log); with a log there, the database alone would not be all there is.
    """
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF  # without the details of the extended code
    alone = not any(os.path.lexists(f"{path}{end}") for end in ("-wal", "-journal"))
    return code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY) and path.is_file() and alone


def _connect_to_still(path: Path) -> sqlite3.Connection:
    """Open a database that lies still, to look only. Who writes to it meanwhile is not seen."""
    where = quote(os.fsencode(path.absolute()))
    return sqlite3.connect(f"file:{where}?mode=ro&immutable=1", uri=True, isolation_level=None)


def _patiently(work: Callable[[], None]) -> None:
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
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All of it or nothing, and no other writer in between."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # SQLite has taken it back by itself when the disk is full or fails
            db.execute("ROLLBACK")
        raise


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """OSError with the file's name for whatever SQLite says."""
    try:
        yield
    except sqlite3.Error as error:
        full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
        raise OSError(errno.ENOSPC if full else errno.EIO, str(error), str(path)) from error
