"""No result depends on the number of threads that BLAS takes, which the shell or the machine decides."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.study_support import evaluated, predicted, prepared, preprocessed
from workflow_lib.base.files import sha256_file


def main():
    """Prepare, predict and score two cases in the working directory; print the digest of every file."""
    study = prepared(Path(), shape=(60, 70, 64))
    preprocessed(study)
    predicted(study, pytest.MonkeyPatch())
    evaluated(study)
    files = [path for folder in (study.store, study.predictions) for path in folder.iterdir()]
    print(json.dumps({path.as_posix(): sha256_file(path) for path in sorted([*files, study.scores])}))


def digests(folder, root, threads):
    folder.mkdir()
    environment = os.environ | {"PYTHONPATH": str(root)}
    environment |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    command = [sys.executable, "-c", "from tests.unit import test_threads; test_threads.main()"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def test_images_predictions_and_scores_are_the_same_with_any_number_of_threads(tmp_path, root):
    one = digests(tmp_path / "1", root, 1)
    assert len(one) == 5 + 2 + 1
    for threads in (2, 7):
        assert digests(tmp_path / str(threads), root, threads) == one
