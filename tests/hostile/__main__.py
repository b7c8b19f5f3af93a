"""Many altered datasets, or one: see `python -m tests.hostile --help`."""

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.hostile.trial import trial


def main() -> int:
    """Print every wrong answer, and the counts. Returns 1 if there is one."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__)
    parser.add_argument("seeds", nargs="*", type=int, help="one seed, or the first and the one behind the last (default 0 1440)")
    parser.add_argument("--all", action="store_true", help="print right answers too")
    arguments = parser.parse_args()
    first, *rest = arguments.seeds or [0, 1440]
    counts: Counter[str] = Counter()
    for seed in range(first, rest[0] if rest else first + 1):
        with tempfile.TemporaryDirectory() as folder:
            outcome = trial(seed, Path(folder))
        counts["wrong" if outcome.wrong else "refused" if outcome.refused else "read"] += 1
        if outcome.wrong or arguments.all or not rest:
            print(outcome, flush=True)
    print(", ".join(f"{count} {name}" for name, count in sorted(counts.items())))
    return int(counts["wrong"] > 0)


if __name__ == "__main__":
    sys.exit(main())
