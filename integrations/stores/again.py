"""`contract.visit_all` in a process of its own; prints what it gives as JSON."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from contract import Place, visit_all

if __name__ == "__main__":
    framework, folder, postgres, step = sys.argv[1:]
    print(
        json.dumps(visit_all(framework, Place(folder=Path(folder), postgres=postgres), step), default=asdict)
    )
