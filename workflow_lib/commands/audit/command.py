"""Tell whether a folder of results is what it says it is.

    whichloss audit results/<study>                     files, records, and all that can be computed again
    whichloss audit results/<study> --digest 12ab...    and that it is the study of this digest
    whichloss audit results/<study> --rescore           and scores from the predictions and the raw masks
    whichloss audit results/<study> --retrain dice:1    and the weights of one training, made again

Runs nothing that lies in the folder, and needs neither images (but for --rescore and --retrain), network
nor Snakemake's own records.
Exit code 0: everything that was looked at holds; 1: something does not; 2: the audit could not be made.
"""

import argparse
import math
import sys
from pathlib import Path

from workflow_lib.base.terminal import printable

SUMMARY = "is a folder of results what it says it is?"
EXAMPLE = "whichloss audit results/demo"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("results", type=Path, help="folder of a study's results")
    parser.add_argument("--digest", help="the digest that the study must have, as its report shows it")
    parser.add_argument("--rescore", action="store_true", help="compute the scores again from predictions and raw masks")
    parser.add_argument("--retrain", metavar="[DATASET/]LOSS:FOLD", help="make one training again and compare the weights")
    parser.add_argument(
        "--images",
        type=Path,
        action="append",
        metavar="FOLDER",
        help="where images and masks are looked for, by the end of their path and their SHA-256; may be given several times "
        "(default: the working directory)",
    )
    parser.add_argument("--loss-files", type=Path, nargs="*", default=[], help="for --retrain: loss files of your own")
    parser.add_argument("--gpus", type=int, default=0, help="for --retrain: GPUs that it may use (default: none)")
    parser.add_argument(
        "--minutes", type=_minutes, default=60, help="stop a computation that says nothing for so long (default: 60)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Audit the folder that the arguments name."""
    from workflow_lib.commands.audit.audit import Options, audit
    from workflow_lib.commands.audit.findings import table

    options = Options(
        arguments.digest,
        arguments.rescore,
        arguments.retrain,
        arguments.images or [Path()],
        arguments.loss_files,
        arguments.gpus,
        60 * arguments.minutes,
    )
    found = list(audit(arguments.results, options=options, say=_say))
    print(table(found))
    return 1 if any(f.state == "fails" for f in found) else 0


def _minutes(text: str) -> float:
    minutes = float(text)
    if not (minutes > 0 and math.isfinite(minutes)):
        raise argparse.ArgumentTypeError(f"must be a number above 0, not {text}")
    return minutes


def _say(line: str) -> None:
    print(printable(line), file=sys.stderr, flush=True)
