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
from workflow_lib.preprocessing.normalise import mean_and_std
from workflow_lib.statistics.intervals import bootstrap_means

CPU = Path("/proc/cpuinfo")


def main():
    """Prepare, predict and score two cases in the working directory; print the digests of all files and of three more results."""
    study = prepared(Path(), shape=(60, 70, 64))
    preprocessed(study)
    predicted(study, pytest.MonkeyPatch())
    evaluated(study)
    files = [path for folder in (study.store, study.predictions) for path in folder.iterdir()]
    digests = {path.as_posix(): sha256_file(path) for path in sorted([*files, study.scores])}
    field = elastic_displacement((40, 48, 56), 900.0, 9.0, np.random.default_rng(0))
    rng = np.random.default_rng(1)
    # Twenty pairs, because a sum often rounds alike by chance; planes above 10 000 values, from which OpenBLAS takes threads.
    moments = [mean_and_std(rng.standard_normal((3, 20_000))) for _ in range(20)]
    classes = [f"class {index}" for index in range(20)]
    rows = [("dice", name, 1, str(case), *rng.random(3), "") for case in range(300) for name in classes]
    scores = pd.DataFrame(rows, columns=["loss", "class", "fold", "case", "dsc", "precision", "recall", "note"])
    means = bootstrap_means(scores, ["dice"], classes, 9999, 1)
    arrays = {"elastic": field, "moments": np.array(moments), "bootstrap": means.table_means}
    digests |= {name: sha256_text(array.tobytes().hex()) for name, array in arrays.items()}
    print(json.dumps(digests))


def digests(folder, root, threads):
    folder.mkdir()
    environment = os.environ | {"PYTHONPATH": str(root)}
    if CPU.is_file() and "avx2" in CPU.read_text():
        # OpenBLAS's code for most processors, whose matrix products of single precision round by the number of threads.
        environment["OPENBLAS_CORETYPE"] = "Haswell"
    environment |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    command = [sys.executable, "-c", "from tests.unit import test_threads; test_threads.main()"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def test_images_predictions_and_scores_are_the_same_with_any_number_of_threads(tmp_path, root):
    one = digests(tmp_path / "1", root, 1)
    assert len(one) == 5 + 2 + 1 + 3
    for threads in (2, 7):
        assert digests(tmp_path / str(threads), root, threads) == one
