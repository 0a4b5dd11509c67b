"""`python -m romaine` is the `romaine` command."""

from __future__ import annotations

from romaine.cli import main

main()
