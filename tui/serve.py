"""The app in a browser on this machine, through textual-serve (an optional package)."""

import importlib.util
import shlex
import sys


def serve(arguments: list[str], port: int) -> None:
    """Serve `drmario tui ARGUMENTS` at http://localhost:PORT, a process for every page, until interrupted.

    On the loopback interface only: whoever reaches the port can use the app. Raises ValueError without textual-serve.
    """
    if importlib.util.find_spec("textual_serve") is None:
        raise ValueError("a browser needs textual-serve, which is not installed: pip install 'mlx-drmario[serve]'")
    from textual_serve.server import Server

    program = "import sys; from mlx_drmario.cli import main; sys.exit(main())"
    command = shlex.join([sys.executable, "-c", program, "tui", *arguments])
    Server(command, host="localhost", port=port, title="mlx_drmario").serve()
