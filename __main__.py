"""``python -m anywire`` is the ``anywire`` command."""

from .server.cli import main

raise SystemExit(main())
