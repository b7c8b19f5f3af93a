"""Verify a folder of results by recomputing them.

    whichloss audit results/<study>                     files, records, and everything that can be recomputed
    whichloss audit results/<study> --digest 12ab...    also: is it the study with this digest?
    whichloss audit results/<study> --rescore           also: the scores, from the predictions and the original masks
    whichloss audit results/<study> --retrain dice:1    also: the weights of one training, which is repeated

Nothing in the folder is executed. Images are only needed for --rescore and --retrain. A network connection and
Snakemake's own records are not needed.
Exit code 0: no check failed; 1: a check failed; 2: the audit could not be run.
"""

import argparse
import math
import sys
from pathlib import Path

from workflow_lib.base.terminal import printable

SUMMARY = "verify a folder of results by recomputing them"
EXAMPLE = "whichloss audit results/demo"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("results", type=Path, help="folder of a study's results")
    parser.add_argument("--digest", help="the digest that the study must have, as shown in its report")
    parser.add_argument("--rescore", action="store_true", help="recompute the scores from predictions and original masks")
    parser.add_argument("--retrain", metavar="[DATASET/]LOSS:FOLD", help="repeat one training and compare the weights")
    parser.add_argument(
        "--images",
        type=Path,
        action="append",
        metavar="FOLDER",
        help="folder in which images and masks are searched by the end of their path and their SHA-256; can be repeated "
        "(default: the working directory)",
    )
    parser.add_argument("--loss-files", type=Path, nargs="*", default=[], help="for --retrain: your own loss files")
    parser.add_argument("--gpus", type=int, default=0, help="for --retrain: number of GPUs to use (default: 0)")
    parser.add_argument(
        "--minutes", type=_minutes, default=60, help="stop a computation without progress after this time (default: 60)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Audit the given folder."""
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
