"""A reduced hippocampus study on real MRI: fewer folds, losses and epochs."""

import csv

import nibabel as nib
import numpy as np
import pytest
import yaml

LOSSES = ["dice", "mixed_focal"]


@pytest.fixture(scope="module")
def study(root, shared_data, tmp_path_factory):
    from tests.workflow.conftest import copy_repository

    data = shared_data / "Task04_Hippocampus"
    if not data.is_dir():
        pytest.skip(f"no real images: {data} does not exist")
    checkout = copy_repository(root, tmp_path_factory.mktemp("hippocampus") / "checkout")
    cut = yaml.safe_load((checkout.folder / "studies/hippocampus.yaml").read_text())
    dataset = cut["datasets"]["hippocampus"]
    dataset.update(source="folder", root=data.as_posix(), losses=LOSSES)
    dataset["training"].update(epochs=4, iterations=15, learning_rate=3e-3)
    dataset["network"].update(filters=6, depth=2)
    cut["cross_validation"] = {"folds": 2}
    checkout.write_study(cut)
    checkout.snakemake("--cores", "2")
    return checkout.folder / "results/hippocampus", data


def rows(path):
    with open(path, newline="") as stream:
        return list(csv.DictReader(stream))


def test_every_case_is_scored_once_by_every_loss(study):
    results, data = study
    cases = {path.name.removesuffix(".nii.gz") for path in (data / "labelsTr").glob("hippocampus_*.nii.gz")}
    assert len(cases) > 50
    scores = rows(results / "scores/hippocampus.csv")
    names = {row["class"] for row in scores}
    assert len(names) == 2
    assert len(scores) == len(cases) * len(LOSSES) * len(names)
    assert {row["case"] for row in scores} == cases


def test_the_network_learns_something(study):
    results, _ = study
    means = {
        (row["loss"], row["class"], row["metric"]): float(row["mean"])
        for row in rows(results / "statistics/hippocampus/means.csv")
    }
    best = max(value for (_, _, metric), value in means.items() if metric == "dsc")
    assert best > 0.2


def test_predictions_lie_on_the_grid_of_the_image(study):
    results, data = study
    predictions = sorted((results / "predictions/hippocampus/dice").rglob("*.nii.gz"))
    for path in predictions[:10]:
        prediction, image = (
            nib.nifti1.Nifti1Image.from_filename(path),
            nib.nifti1.Nifti1Image.from_filename(data / "imagesTr" / path.name),
        )
        assert prediction.shape == image.shape
        assert prediction.get_data_dtype() == np.uint8
        np.testing.assert_allclose(prediction.affine, image.affine, atol=1e-5)
        assert set(np.unique(np.asarray(prediction.dataobj))) <= {0, 1, 2}


def test_the_scores_are_those_of_the_files(study):
    """The DSC of some cases is recomputed from the NIfTI files."""
    results, data = study
    scores = {(row["loss"], row["case"], row["class"]): row for row in rows(results / "scores/hippocampus.csv")}
    for path in sorted((results / "predictions/hippocampus/mixed_focal").rglob("*.nii.gz"))[:8]:
        prediction = np.asarray(nib.nifti1.Nifti1Image.from_filename(path).dataobj)
        truth = np.asarray(nib.nifti1.Nifti1Image.from_filename(data / "labelsTr" / path.name).dataobj)
        for label, name in ((1, "Anterior"), (2, "Posterior")):
            p, t = prediction == label, truth == label
            row = scores["mixed_focal", path.name.removesuffix(".nii.gz"), name]
            expected = 2 * np.sum(p & t) / (np.sum(p) + np.sum(t))
            assert float(row["dsc"]) == pytest.approx(expected, abs=1e-12)


def test_the_report_makes_no_comparison_with_the_paper(study):
    page = (study[0] / "report.html").read_text(encoding="utf-8")
    assert "Hippocampus" in page
    assert "Comparison with the published numbers" not in page
    assert "synthetic" not in page.lower().split("<main")[0]
