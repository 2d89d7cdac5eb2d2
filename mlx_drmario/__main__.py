"""`python -m mlx_drmario` is `drmario`."""

import sys

from drmario_start import main

if __name__ == "__main__":
    sys.exit(main())
