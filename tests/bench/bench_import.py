"""Compare `import vidnb` and the first verb with `import ipywidgets`, each in a fresh interpreter, in turns.

Run it with `python tests/bench/bench_import.py [--smoke]`. Exits 2 if vidnb takes longer than the limits.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

LIMIT = 0.2
FIRST_VERB_LIMIT = 2.5
STATEMENTS = {
    "nothing": "pass",
    "import ipywidgets": "import ipywidgets",
    "import vidnb": "import vidnb",
    "first verb (vidnb.generate)": "import vidnb; vidnb.generate",
}


def seconds(statement: str) -> float:
    """Return how long a fresh interpreter takes for the statement."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)
    return time.perf_counter() - start


def main() -> int:
    """Print the table and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="fewer repeats")
    repeats = 3 if parser.parse_args().smoke else 11
    seconds("import ipywidgets, vidnb, vidnb.client")  # bytecode is written once
    rounds = [{name: seconds(statement) for name, statement in STATEMENTS.items()} for _ in range(repeats)]
    median = {name: statistics.median(one[name] for one in rounds) for name in STATEMENTS}
    bare = median["nothing"]
    widgets = median["import ipywidgets"] - bare
    ratio = (median["import vidnb"] - bare) / widgets
    first = (median["first verb (vidnb.generate)"] - bare) / widgets
    for name in STATEMENTS:
        print(f"{name:<30}{(median[name] - bare) * 1000:>8.1f} ms above a bare interpreter")
    print(f"import vidnb / import ipywidgets = {ratio:.2f} (at most {LIMIT:.2f})")
    print(f"first verb / import ipywidgets = {first:.2f} (at most {FIRST_VERB_LIMIT:.2f})")
    return 0 if ratio <= LIMIT and first <= FIRST_VERB_LIMIT else 2


if __name__ == "__main__":
    sys.exit(main())
