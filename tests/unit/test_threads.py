"""No result depends on the number of threads that BLAS takes, which the shell or the machine decides."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.unit.study_support import evaluated, predicted, prepared, preprocessed
from workflow_lib.augmentation.elastic import elastic_displacement
from workflow_lib.base.files import sha256_file, sha256_text
from workflow_lib.statistics.intervals import bootstrap_means

CPU = Path("/proc/cpuinfo")


def main():
    """Prepare, predict and score two cases in the working directory; print the digest of every file, and of two more results."""
    study = prepared(Path(), shape=(60, 70, 64))
    preprocessed(study)
    predicted(study, pytest.MonkeyPatch())
    evaluated(study)
    files = [path for folder in (study.store, study.predictions) for path in folder.iterdir()]
    digests = {path.as_posix(): sha256_file(path) for path in sorted([*files, study.scores])}
    field = elastic_displacement((40, 48, 56), 900.0, 9.0, np.random.default_rng(0))
    rng = np.random.default_rng(1)
    rows = [("dice", name, 1, str(case), *rng.random(3), "") for case in range(150) for name in "abcdef"]
    scores = pd.DataFrame(rows, columns=["loss", "class", "fold", "case", "dsc", "precision", "recall", "note"])
    means = bootstrap_means(scores, ["dice"], list("abcdef"), 2000, 1)
    digests |= {"elastic": sha256_text(field.tobytes().hex()), "bootstrap": sha256_text(means.table_means.tobytes().hex())}
    print(json.dumps(digests))


def digests(folder, root, threads):
    folder.mkdir()
    environment = os.environ | {"PYTHONPATH": str(root)}
    if CPU.is_file() and "avx2" in CPU.read_text():
        # OpenBLAS's code for most processors, which rounds by the number of threads; that for AVX-512 happens not to.
        environment["OPENBLAS_CORETYPE"] = "Haswell"
    environment |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    command = [sys.executable, "-c", "from tests.unit import test_threads; test_threads.main()"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def test_images_predictions_and_scores_are_the_same_with_any_number_of_threads(tmp_path, root):
    one = digests(tmp_path / "1", root, 1)
    assert len(one) == 5 + 2 + 1 + 2
    for threads in (2, 7):
        assert digests(tmp_path / str(threads), root, threads) == one
