"""``python -m edgebench`` is the command `edgebench`."""

from __future__ import annotations

from edgebench.cli.main import main

if __name__ == "__main__":
    main()
