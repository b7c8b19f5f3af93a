# The study as a plan, and what all rules share.

import os
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

from workflow_lib import plan as planning
from workflow_lib.errors import UserError
from workflow_lib.tables import published

ROOT = Path(workflow.basedir)
ENVIRONMENT = str(ROOT / "envs" / "workflow.yaml")

# Steps run as `python -m workflow_lib.steps.<rule>`: with the Python that runs Snakemake (first on the path, behind a
# conda environment's own when --sdm conda puts one there), and with this checkout's package wherever the work folder is.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
os.environ["WORKFLOW_LOCK"] = str(ROOT / "envs" / "lock.txt")

try:
    PLAN = planning.load(config, "config.yaml" + "".join(f" + {file}" for file in workflow.overwrite_configfiles))
except UserError as error:
    raise WorkflowError(str(error)) from None

RESULTS = PLAN.results
DATASET_FIGURES = ("segmentations", "distributions", "recall_precision", "training_curves", "imbalance", "ranking")


wildcard_constraints:
    dataset="|".join(PLAN.datasets),
    loss="|".join(PLAN.all_losses()),
    fold=r"\d+",
    shard=r"\d+",


# What every rule runs; its own paths stand between the two. A failed step shows the end of its log.
STEP = (
    "python -m workflow_lib.steps.{rule} --settings {params.settings:q} --fingerprint {params.fingerprint}"
    " --workers {threads} --record {output.record:q}"
)
LOGGED = " > {log:q} 2>&1 || {{ code=$?; tail -n 40 {log:q} >&2; exit $code; }}"


def settings(step, **fixed):
    """Return a params function: the step's settings, as one line of JSON that Snakemake compares to decide what to rerun."""
    return lambda wildcards: _job(step, wildcards, fixed).settings


def fingerprint(step, **fixed):
    """Return a params function: the digest of the step's settings and of all code it can reach."""
    return lambda wildcards: _job(step, wildcards, fixed).fingerprint


def _job(step, wildcards, fixed):
    names = {**dict(wildcards), **fixed}
    number = int(names.get("fold", names.get("shard", 0)))
    return PLAN.job(step, names.get("dataset", ""), names.get("loss", ""), number)


def over_losses_and_folds(pattern):
    """Return an input function: the pattern for every loss and fold of the dataset."""
    return lambda wildcards: [
        pattern.format(dataset=wildcards.dataset, loss=loss, fold=fold)
        for loss in PLAN.losses(wildcards.dataset)
        for fold in PLAN.folds(wildcards.dataset)
    ]


def over_shards(pattern):
    """Return an input function: the pattern for every preprocessing job of the dataset."""
    return lambda wildcards: [pattern.format(dataset=wildcards.dataset, shard=shard) for shard in PLAN.shards(wildcards.dataset)]


def of_training(key):
    """Return a resource function: a value of the dataset's section `training`."""
    return lambda wildcards: getattr(PLAN.dataset(wildcards.dataset).training, key)


def growing(megabytes):
    """Return a resource function: memory that doubles with each retry of a failed job."""
    return lambda wildcards, attempt: megabytes * 2 ** (attempt - 1)


def published_files(dataset):
    """Return the files with the published numbers that the dataset is held against."""
    name = PLAN.dataset(dataset).published
    return [os.path.relpath(file) for file in published.files(name)] if name else []


def _visible_gpus():
    """Return the number of GPUs of this machine that TensorFlow could use."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([device for device in visible.split(",") if device.strip() not in {"", "-1"}])
    return len(list(Path("/dev").glob("nvidia[0-9]*")))


# Without this, a machine with one GPU and eight cores would start several trainings on that GPU.
if workflow.local_exec and "gpu" not in workflow.global_resources:
    workflow.register_resource("gpu", max(1, _visible_gpus()))


onsuccess:
    report = Path(RESULTS) / "report.html"
    if report.exists():
        print(f"\nReport: {report}")


onerror:
    print("\nSome jobs failed; the lines above name each one and its log file. Run the same command again to continue.")
