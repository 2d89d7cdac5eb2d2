"""Files and directories that are whole whenever they are there.

Everything is written under a hidden temporary name beside its place, forced to disk, and renamed: whoever reads finds
the old content or the new, whatever killed the writer. A directory has one writer at a time (`locked`).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

WRITING, REMOVING = ".writing-", ".removing-"
"""Prefixes of what is not yet there, and of what is no longer there."""

TRACE = ".dmtrace.h5"
"""What names of traces end in, and those of their journals have in them: nothing else is written under such a name."""

IN_THE_WAY = "{} is {}; it must be a directory, and a file is in the way"

LOCK = ".lock"
"""File of a directory whose writer holds a lock on it, and has written its process number there."""


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Be the only writer of an existing directory while the body runs.

    The kernel releases the lock when the process ends, however it ends (flock(2)). Raises BlockingIOError when somebody
    else holds it, and OSError where the file system knows no locks.
    """
    path = directory / LOCK
    with naming(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            with naming(path):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BlockingIOError(in_use(directory, _number(os.read(descriptor, 32)))) from None
        try:
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()}\n".encode())
            yield
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)  # closing is not enough while a forked child has it open
    finally:
        os.close(descriptor)


def in_use(directory: Path, holder: int) -> str:
    """What is said of a directory that another process holds `locked`."""
    return f"{directory} is in use by another process ({holder or 'just starting'}): stop that one, or wait for it"


def holder(directory: Path) -> int | None:
    """The process that holds a directory `locked` now; None when there is none, 0 for one that has just come."""
    try:
        with open(directory / LOCK, "rb") as lock:
            said = lock.read()
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)  # released as the file is closed
    except BlockingIOError:
        return _number(said)
    except OSError:  # no lock
        return None
    return None


def _number(said: bytes) -> int:
    """Of the process that a lock's file tells; 0 while it does not."""
    return int(said) if said.strip().isdigit() else 0


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Errors of the system that name no file (a full disk, while writing) name this one."""
    try:
        yield
    except OSError as error:
        if error.filename is not None or error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


@contextlib.contextmanager
def replacing(path: Path, follow: bool = True) -> Iterator[Path]:
    """A name at which the body makes a file, a directory of files or a symlink, which then takes the place of `path`.

    A link at `path` stays, and what it points to is replaced; `follow=False` replaces the link.
    When the body raises, `path` stays as it was and what the body made is removed. A file or link is replaced in one
    step; a directory first loses its name, as no system replaces one in one step. Raises OSError.
    """
    path = _target(path) if follow else path
    temporary = path.with_name(f"{WRITING}{os.getpid()}-{threading.get_ident()}-{path.name}")
    _delete(temporary)
    try:
        with naming(path):
            yield temporary
        sync(temporary)
        either_is_a_directory = any(each.is_dir() and not each.is_symlink() for each in (path, temporary))
        if either_is_a_directory and os.path.lexists(path):
            remove(path)
        os.replace(temporary, path)
        _sync(path.parent)
    finally:
        _delete(temporary)


@contextlib.contextmanager
def creating(path: Path, taken: str) -> Iterator[Path]:
    """As `replacing`, for a file that must not replace anything, whatever others made in the meantime.

    Raises FileExistsError(taken) when the name is taken, OSError for the rest.
    """
    # By chance, as two machines that share a directory may have the same process numbers.
    temporary = path.with_name(f"{WRITING}{secrets.token_hex(8)}-{path.name}")
    try:
        with naming(path):
            yield temporary
        _sync(temporary)
        _take_name(temporary, path, taken)
        _sync(path.parent)
    finally:
        _delete(temporary)


def _take_name(temporary: Path, path: Path, taken: str) -> None:
    """Give a whole file its name. FileExistsError(taken) when the name is taken."""
    try:
        os.link(temporary, path)  # unlike rename, refuses to replace
    except FileExistsError:
        raise FileExistsError(taken) from None
    except OSError:  # a file system without links: an empty file takes the name, which nobody else then can
        try:
            path.open("xb").close()
        except FileExistsError:
            raise FileExistsError(taken) from None
        try:
            os.replace(temporary, path)
        except BaseException:
            path.unlink()
            raise


def check_output(option: str, path: Path, ends: tuple[str, ...] = ()) -> None:
    """Refuse a file that could not be written, or is no file (a device, a pipe), before the work that fills it.

    Raises ValueError for a name with none of these ends (when there are any) and for that of a trace where no trace is
    written, OSError for the rest; both name the option.
    """
    target = _target(path)
    if TRACE in path.name + target.name and TRACE not in ends:
        raise ValueError(f"{option} is {path}, the name of a trace; name a file that does not hold {TRACE} in its name")
    if path.is_dir():
        raise OSError(f"{option} is {path}, which is a directory")
    if (path.exists() or os.path.lexists(target)) and not path.is_file():  # /dev/stdout points to what has no name
        raise OSError(f"{option} is {path}, which is no regular file; name one, a link to one, or a new one")
    if target.exists() and not os.access(target, os.W_OK):
        raise OSError(f"{option} is {path}, which cannot be written to")
    _try_to_write(option, path, target.parent)
    if ends and not path.name.endswith(ends):
        raise ValueError(f"{option} is {path}; it must end in {' or '.join(ends)}")


def _target(path: Path) -> Path:
    """What is written to when `path` is: where it points to if it is a link, whether that is there or not."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def check_directory(option: str, path: Path) -> None:
    """Make a directory for what will be written; OSError that names the option when that cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise OSError(IN_THE_WAY.format(option, path)) from None
    except OSError as error:
        raise OSError(f"{option} is {path}, which cannot be made: {error.strerror}") from error
    _try_to_write(option, path, path)


def check_makeable(option: str, path: Path) -> None:
    """Refuse a directory that could not be made or written to, without making it. Raises OSError naming the option."""
    place = next(place for place in (path, *path.parents) if place.exists())
    if not place.is_dir():
        raise OSError(IN_THE_WAY.format(option, path))
    _try_to_write(option, path, place)


def _try_to_write(option: str, path: Path, directory: Path) -> None:
    """Only an attempt tells: permissions say nothing to root, and nothing of a file system that is read-only."""
    attempt = directory / f"{WRITING}{os.getpid()}-{threading.get_ident()}"
    try:
        attempt.touch()
        attempt.unlink(missing_ok=True)  # a writer that starts there may have swept it
    except OSError as error:
        where = f"and {directory} is no directory that can be written to: {error.strerror}"
        raise OSError(f"{option} is {path}, {where}") from error


def write_text(path: Path, text: str) -> None:
    """Replace the content of a text file (UTF-8)."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def remove(directory: Path) -> None:
    """Remove a directory (or what stands in its place), which loses its name before it loses its files."""
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


def sync(path: Path) -> None:
    """Force a file, or a directory and the files in it, to disk. A link is as it is."""
    if not path.is_symlink():
        for made in (*path.iterdir(), path) if path.is_dir() else (path,):
            _sync(made)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        flush(descriptor)
    finally:
        os.close(descriptor)


def flush(descriptor: int) -> None:
    """Force what was written to an open file to the disk itself: by fsync alone macOS leaves it to the drive's cache
    (developer.apple.com, fsync(2))."""
    whole: int | None = getattr(fcntl, "F_FULLFSYNC", None)
    if whole is not None:
        with contextlib.suppress(OSError):  # a file system without it
            fcntl.fcntl(descriptor, whole)
            return
    os.fsync(descriptor)
