"""What the command `drmario` starts with, outside the package so that nothing is imported before it."""

import signal


def main() -> int:
    """`mlx_drmario.cli.main`, but Ctrl-C ends the program without a word while it still imports, or already ends.

    Python's own handler would show where in numpy the import stood. A parent that ignores SIGINT stays ignored.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from mlx_drmario.cli import main as run

    if signal.getsignal(signal.SIGINT) is not signal.SIG_DFL:
        return run()
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        return run()
    except KeyboardInterrupt:
        return 130
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
