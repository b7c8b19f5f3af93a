"""Snakemake that asks for the states of its SLURM jobs every two seconds; its plugin waits 10 s longer each time none ended."""

import sys

import snakemake_executor_plugin_slurm
from snakemake.cli import main

snakemake_executor_plugin_slurm.Executor.next_seconds_between_status_checks = property(lambda self: 2, lambda self, value: None)

if __name__ == "__main__":
    sys.exit(main())
