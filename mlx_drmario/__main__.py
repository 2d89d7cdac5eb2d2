"""`python -m mlx_drmario` is `drmario`."""

import sys

from mlx_drmario.cli import main

if __name__ == "__main__":
    sys.exit(main())
