"""Describe a finished study as an RO-Crate, and put the code that made it beside the results.

    whichloss crate results/<study>

Writes ro-crate-metadata.json and the folder workflow/ into the folder of the results, which so becomes the crate: Provenance Run
Crate 0.5 on RO-Crate 1.1. Images stay out; they are listed by SHA-256, with the address and the terms of their dataset. The same
results give the same file.
"""

import argparse
from pathlib import Path

SUMMARY = "describe a study as an RO-Crate"
EXAMPLE = "whichloss crate results/demo"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("results", type=Path, help="folder of a study's results")


def run(arguments: argparse.Namespace) -> int:
    """Write the crate of the folder that the arguments name."""
    from workflow_lib.commands.crate.crate import write

    print(f"RO-Crate: {write(arguments.results)}")
    return 0
