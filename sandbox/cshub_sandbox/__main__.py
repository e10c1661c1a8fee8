"""Entry point of ``python -m cshub_sandbox``."""

import sys

from .cli import main

sys.exit(main())
