"""Real images of every available kind, in their official layouts, through the complete workflow."""

import csv
import shutil

import nibabel
import numpy as np
import pytest
import yaml

from tests.workflow.conftest import copy_repository
from workflow_lib.base.files import read_json

STUDY = """
study: {name: real, title: Real images, datasets: [drive, cvc_clinicdb, mri, ct]}
statistics: {bootstrap: 100}
network: {filters: 2, depth: 2}
cross_validation: {folds: 2}
training: {batch_size: 1, epochs: 1, iterations: 2, threads: 1, gpus: 0, memory_mb: 4000}
datasets:
  drive:
    label: DRIVE
    format: drive
    losses: [dice, focal]
    field_of_view: true
    cross_validation: {fixed: {test: 0.25, validation: 0.2}}
    preprocessing: {size: [128, 128]}
    training: {patch: [128, 128]}
    prediction: {overlap: [0, 0]}
  cvc_clinicdb:
    label: CVC-ClinicDB
    format: cvc_clinicdb
    losses: [dice]
    cross_validation: {folds: 2, by_group: true}
    training: {patch: [96, 96]}
    prediction: {overlap: [0, 0], batch_size: 8}
  mri:
    root: data/mri
    label: BraTS 2015 arranged as BraTS20
    format: brats20
    channels: [t1ce, flair]
    require: [tumour]
    losses: [dice]
    training: {patch: [96, 96, 96]}
    prediction: {overlap: [0, 0, 0]}
  ct:
    root: data/ct
    label: KiTS19 masks with SYNTHETIC intensities
    format: kits19
    exclude: {case_00015: left out by the paper}
    losses: [dice]
    preprocessing: {clip: [-79, 304], spacing: [3.22, 1.62, 1.62]}
    training: {patch: [80, 160, 160]}
    prediction: {overlap: [0, 0, 0]}
"""

KITS = ("case_00015", "case_00125", "case_00160")
"""One case that the paper excludes, one with 16 bits and a qform only, one with 512 x 796 pixels."""


def arrange_brats(source, target):
    """Arrange BraTS 2015 like Kaggle's copy of BraTS20. Label 3 (non-enhancing) becomes 1, as in newer challenges."""
    folder = target / "BraTS2020_TrainingData" / "MICCAI_BraTS2020_TrainingData"
    for number, mask in enumerate(sorted(source.rglob("OTMultiClass.nii.gz")), start=1):
        name = f"BraTS20_Training_{number:03d}"
        (folder / name).mkdir(parents=True)
        for file, channel in (("T1c_subtrMeanDivStd", "t1ce"), ("Flair_subtrMeanDivStd", "flair")):
            (folder / name / f"{name}_{channel}.nii.gz").symlink_to(mask.parent / f"{file}.nii.gz")
        image = nibabel.nifti1.Nifti1Image.from_filename(mask)
        values = np.asarray(image.dataobj).astype(np.uint8)
        values[values == 3] = 1
        nibabel.save(nibabel.Nifti1Image(values, image.affine), folder / name / f"{name}_seg.nii.gz")
    return number


def arrange_kits(source, target):
    """Put synthetic intensities under real masks: noisy soft tissue, denser kidney and tumour, air at the borders."""
    for name in KITS:
        image = nibabel.nifti1.Nifti1Image.from_filename(source / name / "segmentation.nii.gz")
        mask = np.asarray(image.dataobj)
        rng = np.random.default_rng(len(name))
        density = np.array([30, 140, 70], np.int16)[mask.astype(np.uint8)]
        density += rng.integers(-30, 31, density.shape, dtype=np.int16)
        density[:, :60], density[:, -60:] = -1000, -1000
        (target / name).mkdir(parents=True)
        nibabel.save(nibabel.Nifti1Image(density, image.affine), target / name / "imaging.nii.gz")
        shutil.copy(source / name / "segmentation.nii.gz", target / name)


@pytest.fixture(scope="module")
def done(root, shared_data, tmp_path_factory):
    checkout = copy_repository(root, tmp_path_factory.mktemp("real") / "checkout")
    study = yaml.safe_load(STUDY)
    for name, folder in (("drive", "DRIVE"), ("cvc_clinicdb", "CVC-ClinicDB")):
        study["datasets"][name]["root"] = str(shared_data / folder)
    assert arrange_brats(shared_data / "brats2015_six_cases", checkout.folder / "data/mri") == 6
    arrange_kits(shared_data / "kits19_masks", checkout.folder / "data/ct")
    checkout.write_study(study)
    checkout.snakemake("--cores", "2")
    return checkout.folder / "results/real"


def rows(path):
    with open(path, encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize(("dataset", "scored"), [("drive", 5), ("cvc_clinicdb", 65), ("mri", 6), ("ct", 2)])
def test_every_case_is_scored_once_per_loss(done, dataset, scored):
    table = [row for row in rows(done / f"scores/{dataset}.csv") if row["kind"] == "class" and row["loss"] == "dice"]
    classes = {row["class"] for row in table}
    assert len(table) == scored * len(classes)


def test_predictions_lie_on_the_original_grids(done):
    for dataset in ("mri", "ct"):
        cases = {entry["id"]: entry for entry in read_json(done / f"data/{dataset}/cases.json")["cases"]}
        for path in (done / f"predictions/{dataset}/dice").rglob("*.nii.gz"):
            original = cases[path.name.removesuffix(".nii.gz")]["images"][0]
            image = nibabel.nifti1.Nifti1Image.from_filename(done.parents[1] / original)
            prediction = nibabel.nifti1.Nifti1Image.from_filename(path)
            assert prediction.shape == image.shape
            np.testing.assert_array_equal(prediction.affine, image.affine)


def test_no_sequence_straddles_folds(done):
    places = {(row["group"], row["fold"]) for row in rows(done / "data/cvc_clinicdb/folds.csv")}
    assert sorted(group for group, _ in places) == ["sequence_01", "sequence_03", "sequence_06"]


def test_the_oddities_of_the_files_are_told(done):
    kits = {row["case"]: row for row in rows(done / "data/ct/cases.csv")}
    assert (kits["case_00015"]["status"], kits["case_00015"]["reason"]) == ("excluded", "left out by the paper")
    assert kits["case_00160"]["shape"].endswith("512x796")
    assert kits["case_00125"]["mask_dtype"] == "uint16"
    assert {row["channels"] for row in rows(done / "data/mri/cases.csv")} == {"2"}
    page = (done / "report.html").read_text(encoding="utf-8")
    assert "SYNTHETIC intensities" in page
