"""Faults of the data stop the study before the first training, in words and without incomplete files."""

import gzip
import shutil

import nibabel as nib
import numpy as np
import pytest
import yaml


@pytest.fixture
def folder_study(checkout):
    """A checkout whose dataset is a folder of generated images that a test may damage."""
    checkout.snakemake("--cores", "2", "--until", "obtain")
    study = yaml.safe_load((checkout.folder / "tiny.yaml").read_text())
    toy = study["datasets"]["toy"]
    toy.update(source="folder", root="data/own")
    del toy["phantom"]
    shutil.copytree(checkout.folder / "data/toy", checkout.folder / "data/own", ignore=shutil.ignore_patterns("*.json"))
    checkout.write_study(study)
    return checkout


def cases(checkout):
    return sorted((checkout.folder / "data/own").rglob("case_*"))


def fails(checkout, *words):
    done = checkout.snakemake("--cores", "2", check=False)
    assert done.returncode != 0
    assert "Traceback" not in done.stdout
    for word in words:
        assert word in done.stdout, done.stdout[-3000:]
    results = checkout.folder / "results" / "tiny"
    assert not (results / "training").exists()
    assert not (results / "data/toy/cases.json").exists()
    assert not list(results.rglob(".writing-*"))


def test_the_cases_can_be_looked_at_though_the_study_stops(folder_study):
    first, *_ = cases(folder_study)
    (first / "segmentation.nii.gz").unlink()
    fails(folder_study, "data/toy/cases.html", "data/toy/faults.csv")
    data = folder_study.folder / "results/tiny/data/toy"
    page = (data / "cases.html").read_text(encoding="utf-8")
    assert "3 of 4 cases can be used, 1 with faults" in page
    assert "The study cannot run until the faults are fixed" in page
    assert f"{first.name},fault," in (data / "faults.csv").read_text(encoding="utf-8")
    study = yaml.safe_load((folder_study.folder / "tiny.yaml").read_text())
    study["datasets"]["toy"]["faulty"] = "exclude"
    folder_study.write_study(study)
    folder_study.snakemake("--cores", "2", "--until", "split")
    assert f"{first.name},excluded," in (data / "cases.csv").read_text(encoding="utf-8")
    assert not (data / "faults.csv").exists()


def test_several_damaged_cases_are_told_at_once(folder_study):
    first, second, third, fourth = cases(folder_study)
    image = first / "imaging.nii.gz"
    image.write_bytes(image.read_bytes()[:-2000])
    (second / "segmentation.nii.gz").unlink()
    mask = nib.nifti1.Nifti1Image.from_filename(third / "segmentation.nii.gz")
    data = np.asarray(mask.dataobj).copy()
    data[0, 0, :5] = 7
    nib.save(nib.Nifti1Image(data, mask.affine, mask.header), third / "segmentation.nii.gz")
    image = nib.nifti1.Nifti1Image.from_filename(fourth / "imaging.nii.gz")
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj)[1:], image.affine), fourth / "imaging.nii.gz")
    fails(folder_study, first.name, "imaging.nii.gz", second.name, "segmentation.nii.gz", third.name, "7", fourth.name)


def test_nan_voxels_and_a_shifted_mask(folder_study):
    first, second, *_ = cases(folder_study)
    image = nib.nifti1.Nifti1Image.from_filename(first / "imaging.nii.gz")
    data = image.get_fdata(dtype=np.float32)
    data[1, 2, 3] = np.nan
    nib.save(nib.Nifti1Image(data, image.affine), first / "imaging.nii.gz")
    mask = nib.nifti1.Nifti1Image.from_filename(second / "segmentation.nii.gz")
    affine = mask.affine.copy()
    affine[:3, 3] += 20
    nib.save(nib.Nifti1Image(np.asarray(mask.dataobj), affine), second / "segmentation.nii.gz")
    fails(folder_study, first.name, second.name)


def test_an_html_page_in_place_of_an_image(folder_study):
    (cases(folder_study)[0] / "imaging.nii.gz").write_bytes(gzip.compress(b"<html>not found</html>"))
    fails(folder_study, "case_00000")


def test_a_folder_that_is_not_there_says_what_is_looked_for(checkout):
    study = yaml.safe_load((checkout.folder / "tiny.yaml").read_text())
    toy = study["datasets"]["toy"]
    toy.update(source="folder", root="data/nowhere")
    del toy["phantom"]
    checkout.write_study(study)
    fails(checkout, "data/nowhere", "imaging.nii.gz", "does not exist")


def test_more_folds_than_cases(checkout):
    study = yaml.safe_load((checkout.folder / "tiny.yaml").read_text())
    study["cross_validation"]["folds"] = 5
    checkout.write_study(study)
    done = checkout.snakemake("--cores", "2", check=False)
    assert done.returncode != 0
    assert "5 folds need at least 5 cases, but only 4" in done.stdout
    assert "Traceback" not in done.stdout


def test_a_case_left_out_by_name_is_left_out_and_told(folder_study):
    study = yaml.safe_load((folder_study.folder / "tiny.yaml").read_text())
    study["datasets"]["toy"]["exclude"] = {"case_00002": "damaged on purpose"}
    folder_study.write_study(study)
    image = cases(folder_study)[2] / "imaging.nii.gz"
    image.write_bytes(image.read_bytes()[:100])
    folder_study.snakemake("--cores", "2", "--until", "split")
    table = (folder_study.folder / "results/tiny/data/toy/cases.csv").read_text()
    assert "case_00002,excluded,damaged on purpose" in table
    assert "case_00002" not in (folder_study.folder / "results/tiny/data/toy/folds.csv").read_text()
