"""Put faults into the code, one at a time, and check that the tests detect them.

    python -m tests.mutations                          all faults of tests/mutations/catalogue
    python -m tests.mutations --list
    python -m tests.mutations 'audit-*' seeds-parts    those with these ids
    python -m tests.mutations --tier unit --json now.json
    python -m tests.mutations --tier unit --before then.json      also lists faults that were caught then and are not now

Each fault is put into a copy of the files that git tracks, in their present state, and its tests are run there.
CAUGHT: a test failed. SURVIVED: all tests passed. BROKEN: no result, because the text does not occur exactly once, a module
cannot be imported, or the tests also fail without the fault or take too long. The exit code is 1 if a fault survived or is
broken.
"""

import argparse
import json
import queue
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.mutations.catalogue import TIERS, Mutation, chosen, fault, read
from tests.mutations.running import (
    BROKEN,
    CAUGHT,
    SURVIVED,
    Outcome,
    control,
    copy_checkout,
    end_all,
    environment,
    own_package,
    try_mutation,
)

HERE = Path(__file__).resolve().parents[2]


def outcomes(
    mutations: Sequence[Mutation], source: Path, folder: Path, jobs: int, with_control: bool, timeout: float | None
) -> Iterator[Outcome]:
    """Yield the outcome of each mutation as soon as it is known.

    `folder` contains one copy of `source` for each of the jobs.
    """
    variables = environment(source)
    copies: queue.SimpleQueue[Path] = queue.SimpleQueue()
    first = folder / "copy_1"
    for root in [folder / f"copy_{number}" for number in range(1, jobs + 1)]:
        copy_checkout(source, root)
        copies.put(root)
    if imported := own_package(first, variables):
        sys.exit(f"Tests in the copy would not import its own packages: {imported}")
    unfit = {mutation.id: why for mutation in mutations if (why := fault(mutation, first))}
    if with_control:
        print("control: the tests of all these, without any fault ...", flush=True)
        unfit |= control([mutation for mutation in mutations if mutation.id not in unfit], first, variables, timeout)
    yield from (Outcome(mutation, BROKEN, unfit[mutation.id], 0.0) for mutation in mutations if mutation.id in unfit)

    def work(number: int, mutation: Mutation) -> Outcome:
        root = copies.get()
        try:
            return try_mutation(mutation, root, number, variables, timeout)
        finally:
            copies.put(root)

    able = [mutation for mutation in mutations if mutation.id not in unfit]
    with ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(work, number, mutation) for number, mutation in enumerate(able)]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BaseException:
            # Usually an interrupt: start nothing more, and do not wait for running tests.
            pool.shutdown(wait=False, cancel_futures=True)
            end_all()
            raise


def lost(before: Sequence[Mapping[str, Any]], found: Sequence[Outcome]) -> list[str]:
    """Return the ids that were caught in an earlier run (its `--json`), were tried now, and are no longer caught."""
    earlier = {entry["id"] for entry in before if entry["state"] == CAUGHT}
    return [outcome.mutation.id for outcome in found if outcome.mutation.id in earlier and outcome.state != CAUGHT]


def main() -> int:
    """Try the mutations given by the arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutations", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("ids", nargs="*", metavar="ID", help="ids of mutations, or patterns like 'audit-*' (default: all)")
    parser.add_argument("--list", action="store_true", help="show the mutations and try none")
    parser.add_argument("--tier", choices=TIERS, help="only those whose slowest test lies in this tier")
    parser.add_argument("--source", type=Path, default=HERE, metavar="DIR", help="another checkout to break a copy of")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="number of mutations tried at a time (default: 1)")
    parser.add_argument("--timeout", type=float, metavar="SECONDS", help="for the tests of one mutation (default: by tier)")
    parser.add_argument("--no-control", action="store_true", help="do not run the tests without a fault first")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the outcomes")
    parser.add_argument("--before", type=Path, metavar="FILE", help="outcomes of an earlier run, to be compared with")
    arguments = parser.parse_args()
    mutations = chosen(read(), arguments.ids, arguments.tier)
    if not mutations:
        parser.error("no mutation is chosen; --list shows them")
    if arguments.list:
        for mutation in mutations:
            print(f"{mutation.id:38}{mutation.tier:10}{mutation.file:48}{mutation.breaks}")
        print(f"{len(mutations)} mutations")
        return 0
    before = json.loads(arguments.before.read_text(encoding="utf-8")) if arguments.before else []
    found: list[Outcome] = []
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    with tempfile.TemporaryDirectory(prefix="mutations-", ignore_cleanup_errors=True) as folder:
        every = outcomes(
            mutations, arguments.source.resolve(), Path(folder), arguments.jobs, not arguments.no_control, arguments.timeout
        )
        for outcome in every:
            found.append(outcome)
            place = f"{len(found)}/{len(mutations)}"
            print(f"{place:8}{outcome.state:9}{outcome.mutation.id:38}{outcome.seconds:6.1f} s  {outcome.why}", flush=True)
            if arguments.json:
                _write(arguments.json, found)
    counts = ", ".join(f"{sum(one.state == state for one in found)} {state}" for state in (CAUGHT, SURVIVED, BROKEN))
    print(f"{len(found)} mutations: {counts}")
    gone = lost(before, found)
    if gone:
        print(f"Caught before and not now: {', '.join(gone)}")
    return int(any(outcome.state != CAUGHT for outcome in found))


def _write(path: Path, found: Sequence[Outcome]) -> None:
    """Write the outcomes known so far, so that an interrupted run keeps its results."""
    rows = [
        {"id": one.mutation.id, "state": one.state, "why": one.why, "seconds": round(one.seconds, 1), **asdict(one.mutation)}
        for one in found
    ]
    path.write_text(json.dumps(rows, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
