"""Compare `import vidnb` and the first verb with `import ipywidgets`, each in a fresh interpreter, in turns.

Run it with `python tests/bench/bench_import.py [--smoke]`. Exits 2 if vidnb takes longer than the limits.

The interpreters read compiled bytecode, as an installed package has it: where PYTHONDONTWRITEBYTECODE is set, each of
them would compile every file anew, and that would be most of what is measured. The processor's time is counted, as
other work on the machine disturbs it least, and of several rounds the quickest.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile

LIMIT = 0.2
FIRST_VERB_LIMIT = 2.5
STATEMENTS = {
    "nothing": "pass",
    "import ipywidgets": "import ipywidgets",
    "import vidnb": "import vidnb",
    "first verb (vidnb.generate)": "import vidnb; vidnb.generate",
}


def seconds(statement: str, bytecode: str) -> float:
    """Return how much of the processor's time a fresh interpreter takes for the statement.

    Args:
        statement: what it does.
        bytecode: the folder in which it finds and keeps bytecode.
    """
    around = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", statement], check=True, env=around | {"PYTHONPYCACHEPREFIX": bytecode})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> int:
    """Print the table and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="fewer repeats")
    repeats = 3 if parser.parse_args().smoke else 11
    with tempfile.TemporaryDirectory() as bytecode:
        for statement in STATEMENTS.values():
            seconds(statement, bytecode)  # bytecode is written once
        rounds = [{name: seconds(does, bytecode) for name, does in STATEMENTS.items()} for _ in range(repeats)]
    least = {name: min(one[name] for one in rounds) for name in STATEMENTS}
    bare = least["nothing"]
    widgets = least["import ipywidgets"] - bare
    ratio = (least["import vidnb"] - bare) / widgets
    first = (least["first verb (vidnb.generate)"] - bare) / widgets
    for name in STATEMENTS:
        print(f"{name:<30}{(least[name] - bare) * 1000:>8.1f} ms above a bare interpreter")
    print(f"import vidnb / import ipywidgets = {ratio:.2f} (at most {LIMIT:.2f})")
    print(f"first verb / import ipywidgets = {first:.2f} (at most {FIRST_VERB_LIMIT:.2f})")
    return 0 if ratio <= LIMIT and first <= FIRST_VERB_LIMIT else 2


if __name__ == "__main__":
    sys.exit(main())
