"""The process that plays or trains: `python -m mlx_drmario.tui.worker FD`, with a socket to the app at FD.

Started anew, never forked: MLX and its threads do not survive a fork. Its output goes to a file, because the terminal
belongs to the app.
"""

import signal
import sys
from multiprocessing.connection import Connection

from mlx_drmario.tui.link import Link
from mlx_drmario.tui.protocol import Job, TrainJob


def main(arguments: list[str]) -> int:
    """Serve the app at the other end of file descriptor `arguments[0]`; returns the exit status."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the app's to answer
    connection: Connection = Connection(int(arguments[0]))
    job: Job = connection.recv()
    link = Link()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, frame: link.end())  # save, then go
    if isinstance(job, TrainJob):
        from mlx_drmario.tui.trainer import train

        train(job, link, connection)
    else:
        from mlx_drmario.tui.player import Player

        link.connect(connection)
        Player(job, link).run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
