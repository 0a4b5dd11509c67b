"""What a new process pays: importing romaine, and the first vector of the bundled model.

    python benchmarks/startup.py [--rounds 15]

Each figure is the median over new interpreter processes, with the bare interpreter and numpy beside it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time

from rich.console import Console
from rich.table import Table

TARGETS = {"import romaine": 0.15, "first bundled vector": 0.5}
PROGRAMS = {
    "python": "pass",
    "import numpy": "import numpy",
    "import romaine": "import romaine",
    "first bundled vector": "import romaine; romaine.Embedder().embed_query('Where is the key?')",
}


def seconds(program: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], check=True)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    for program in PROGRAMS.values():  # compiles and reads everything once
        seconds(program)
    times: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for _ in range(options.rounds):
        for name, program in PROGRAMS.items():
            times[name].append(seconds(program))
    medians = {name: statistics.median(values) for name, values in times.items()}
    if options.json:
        print(json.dumps(medians))
        return
    table = Table("program", "median s", "over bare python s", "target s", title="a new process")
    for name, median in medians.items():
        target = TARGETS.get(name)
        table.add_row(
            name, f"{median:.3f}", f"{median - medians['python']:.3f}", f"{target}" if target else ""
        )
    Console().print(table)


if __name__ == "__main__":
    main()
