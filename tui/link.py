"""The worker's end of the connection to the app.

Two threads of its own send and receive, so that the thread that plays or trains never waits for the app: reports go
into a bounded queue, a picture is made only when one was asked for, and commands are picked up when it suits.
"""

import contextlib
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator
from multiprocessing import Pipe
from multiprocessing.connection import Connection

from mlx_drmario.tui.protocol import FASTEST, Command, Detach, More, Pace, Pause, Picture, Report, Stop, TakenOver


def hang_up(connection: Connection) -> None:
    """Close a connection also for a thread that is reading from it, here, and for whoever reads at the other end."""
    with as_socket(connection) as end, contextlib.suppress(OSError):  # the other end has hung up
        end.shutdown(socket.SHUT_RDWR)
    connection.close()


def roomy_pipe() -> tuple[Connection, Connection]:
    """Both ends of a pair of sockets that hold a job before anybody reads it: with the 8 kB that macOS gives them,
    whoever sends the seeds of a thousand games waits for the other process to start."""
    ends = Pipe()
    for connection in ends:
        with as_socket(connection) as end:
            for size in (socket.SO_SNDBUF, socket.SO_RCVBUF):
                with contextlib.suppress(OSError):  # the system allows less
                    end.setsockopt(socket.SOL_SOCKET, size, ROOM)
    return ends


@contextlib.contextmanager
def as_socket(connection: Connection) -> Iterator[socket.socket]:
    """The socket under a connection, which stays open."""
    with socket.socket(fileno=connection.fileno()) as end:
        try:
            yield end
        finally:
            end.detach()


ROOM = 256 * 1024
"""bytes: more than the seeds of any split, pickled"""
MAX_WAITING = 4096
"""reports kept for an app that does not read; then the oldest are dropped"""


class Link:
    """Reports out, commands in."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        """the app asked to end, or it is gone and the job was not to outlive it"""
        self.detached = False
        self._connection: Connection | None = None
        self._changed = threading.Condition()
        self._reports: deque[Report] = deque(maxlen=MAX_WAITING)
        self._commands: deque[Command] = deque()
        self._wanted = False
        self._busy = False

    def connect(self, connection: Connection) -> None:
        """Talk to this app from now on, of what happens from now on; one that was connected before is told so, and hung
        up on."""
        with self._changed:
            self._reports.clear()
            self._connection = connection
            self._wanted = False
            self._changed.notify_all()
        threading.Thread(target=self._receive, args=(connection,), daemon=True, name="link-in").start()
        threading.Thread(target=self._send, args=(connection,), daemon=True, name="link-out").start()

    def report(self, report: Report) -> None:
        """Send this when the app reads; never waits."""
        with self._changed:
            self._reports.append(report)
            self._changed.notify_all()

    def end(self) -> None:
        """As if the app had asked to stop. For signal handlers too: takes no lock that the thread may hold."""
        self.stop.set()

    @property
    def wanted(self) -> bool:
        """A picture was asked for and not yet sent."""
        return self._wanted

    def publish(self, make: Callable[[], Picture]) -> None:
        """Send what `make` returns if the app has asked for a picture; else do nothing."""
        if self._wanted:
            self._wanted = False
            self.report(make())

    def command(self, timeout: float | None = 0.0) -> Command | None:
        """The next command; None when none has come within `timeout` seconds (None: wait for one)."""
        with self._changed:
            self._changed.wait_for(lambda: self._commands or self.stop.is_set(), timeout)
            return self._commands.popleft() if self._commands else None

    def flush(self, timeout: float = 5.0) -> None:
        """Wait until everything reported has been sent, or the app is gone, or the time is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._connection is None or not (self._reports or self._busy), timeout)

    def _send(self, connection: Connection) -> None:
        """In a thread for each app: whoever sends is the only one who may say goodbye."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._reports or self._connection is not connection)
                if self._connection is not connection:
                    break
                report, self._busy = self._reports.popleft(), True
            try:
                connection.send(report)
            except OSError:
                break  # `_receive` notices the same
            finally:
                with self._changed:
                    self._busy = False
                    self._changed.notify_all()
        with contextlib.suppress(OSError):  # the app is gone
            connection.send(TakenOver())
        hang_up(connection)

    def _receive(self, connection: Connection) -> None:
        while True:
            try:
                command = connection.recv()
            except (EOFError, OSError, TypeError):  # TypeError: closed while reading
                break
            with self._changed:
                if self._connection is not connection:
                    return  # another app has taken over
                if isinstance(command, More):
                    self._wanted = True
                elif isinstance(command, Stop):
                    self.stop.set()
                elif isinstance(command, Detach):
                    self.detached = True
                else:
                    self._commands.append(command)
                self._changed.notify_all()
        with self._changed:
            if self._connection is not connection:
                return  # another app has taken over
            self._connection = None
            self._wanted = False
            if self.detached:
                self._commands += (Pause(False), Pace(FASTEST))  # nobody is there to let it go on
            else:
                self.stop.set()
            self._changed.notify_all()
