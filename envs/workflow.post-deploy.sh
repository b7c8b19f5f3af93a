#!/usr/bin/env bash
# Snakemake runs this inside the new conda environment. A conda file's pip section cannot say --no-deps, which MIScnn's
# pins of 2021 need, so the lock is installed here. The Snakefile exports WORKFLOW_LOCK.
set -euo pipefail
python -m pip install --no-deps --require-hashes -r "${WORKFLOW_LOCK:?run through this repository\'s Snakefile}"
