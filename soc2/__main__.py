"""``python -m soc2`` is the same command as ``soc2``."""

from soc2.cli import main

raise SystemExit(main())
