"""Describe a finished study as an RO-Crate, with the code that made it.

    whichloss crate results/<study>

Writes ro-crate-metadata.json and the folder workflow/ into the folder of the results, which becomes the crate (Provenance Run
Crate 0.5, RO-Crate 1.1). The crate contains no images. It lists them by SHA-256, with the address and the terms of their
dataset. The output is reproducible: the same results give the same file.
"""

import argparse
from pathlib import Path

SUMMARY = "describe a study as an RO-Crate"
EXAMPLE = "whichloss crate results/demo"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("results", type=Path, help="folder of a study's results")


def run(arguments: argparse.Namespace) -> int:
    """Write the crate of the given folder."""
    from workflow_lib.commands.crate.crate import write

    print(f"RO-Crate: {write(arguments.results)}")
    return 0
