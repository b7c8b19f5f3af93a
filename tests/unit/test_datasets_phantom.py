"""The phantoms: equal parameters give equal files, layouts and headers are realistic, users' data is never replaced."""

from typing import Any

import nibabel
import numpy as np
import pytest

from tests.unit.cases_support import pooled_shares
from workflow_lib.base.errors import UserError
from workflow_lib.base.files import read_json, sha256_file
from workflow_lib.datasets import check
from workflow_lib.datasets.formats import registry
from workflow_lib.datasets.inspection import inspect_cases
from workflow_lib.datasets.phantoms import generate as phantom
from workflow_lib.study.sections.phantom import Phantom

CT = Phantom(kind="ct", cases=3, shape=(24, 48, 48), seed=5)
MRI = Phantom(kind="mri", cases=3, shape=(40, 40, 28), seed=5)


def load(path) -> Any:
    return nibabel.load(path)


def digests(root):
    return {path.relative_to(root).as_posix(): sha256_file(path) for path in sorted(root.rglob("*.nii.gz"))}


@pytest.fixture(scope="module")
def ct(tmp_path_factory):
    root = tmp_path_factory.mktemp("phantom") / "ct"
    assert phantom.generate(CT, root)
    return root


@pytest.fixture(scope="module")
def mri(tmp_path_factory):
    root = tmp_path_factory.mktemp("phantom") / "mri"
    assert phantom.generate(MRI, root)
    return root


def checked(cases, labels, required):
    return check.decide(cases, inspect_cases(cases, labels), labels, required=required)


def test_ct_passes_the_check_of_kits19_with_shares_like_the_real_ones(ct):
    labels = registry.label_map("kits19", ct)
    rows = checked(registry.find_cases("kits19", ct), labels, required=["kidney", "tumour"])
    assert [(row.case, row.status) for row in rows] == [(f"case_{n:05d}", "included") for n in range(3)]
    assert {row.finding.orientation for row in rows} == {"IPL"}
    assert {row.finding.image_dtype for row in rows} == {"int16"}
    assert [row.finding.mask_dtype for row in rows] == ["uint8", "uint16", "uint8"]
    shares = pooled_shares(rows)
    assert 0.005 < shares["kidney"] < 0.02
    assert 0.0003 < shares["tumour"] < 0.006
    for row in rows:
        assert row.finding.spacing is not None
        assert row.finding.shape is not None
        # 128 mm in 24 slices are 5.3 mm each, with a variation of 25 % and a constant extent.
        assert 3.9 < row.finding.spacing[0] < 6.8
        assert row.finding.spacing[0] * row.finding.shape[0] == pytest.approx(128, abs=4)
    assert len({row.finding.spacing for row in rows}) == 3


def test_ct_has_the_headers_of_kits19(ct):
    header = load(ct / "case_00000" / "segmentation.nii.gz").header
    assert (int(header["sform_code"]), int(header["qform_code"])) == (2, 0)
    odd = load(ct / "case_00001" / "segmentation.nii.gz").header
    assert (int(odd["sform_code"]), int(odd["qform_code"])) == (0, 1)
    for case in ct.glob("case_*"):
        image, mask = (load(case / name) for name in ("imaging.nii.gz", "segmentation.nii.gz"))
        np.testing.assert_allclose(image.affine, mask.affine, atol=1e-5)
        assert "synthetic" in image.header["descrip"].item().decode()


def test_ct_densities_are_those_of_tissue(ct):
    image = np.asarray(load(ct / "case_00000" / "imaging.nii.gz").dataobj)
    mask = np.asarray(load(ct / "case_00000" / "segmentation.nii.gz").dataobj)
    assert image[:, 0, 0].mean() == pytest.approx(-1000, abs=30)
    assert 90 < image[mask == 1].mean() < 200
    assert 10 < image[mask == 2].mean() < image[mask == 1].mean()


def test_mri_passes_the_check_of_brats20_less_the_case_without_enhancement(mri):
    labels = registry.label_map("brats20", mri)
    rows = checked(registry.find_cases("brats20", mri, {"channels": ["t1ce"]}), labels, required=["tumour"])
    assert [(row.status, row.reason) for row in rows] == [("included", "")] * 2 + [("excluded", "contains no tumour")]
    assert {row.finding.orientation for row in rows} == {"LPS"}
    assert {row.finding.shape for row in rows} == {(40, 40, 28)}
    assert rows[0].finding.spacing == pytest.approx((6, 6, 155 / 28))
    assert 0.0005 < pooled_shares(rows)["tumour"] < 0.02


def test_mri_labels_and_surroundings(mri):
    for number, labels in ((1, {0, 1, 2, 4}), (3, {0, 1, 2})):
        name = f"BraTS20_Training_{number:03d}"
        image = np.asarray(load(mri / name / f"{name}_t1ce.nii.gz").dataobj)
        mask = np.asarray(load(mri / name / f"{name}_seg.nii.gz").dataobj)
        assert set(np.unique(mask)) == labels
        assert (image == 0).mean() > 0.5
        assert np.all(mask[image == 0] == 0)
        if number == 1:
            assert image[mask == 4].mean() > 1.2 * image[mask == 2].mean()


@pytest.mark.parametrize("kind", ["ct", "mri"])
def test_files_depend_on_the_parameters_alone(kind, request, tmp_path):
    first = request.getfixturevalue(kind)
    parameters = read_json(first / phantom.MARKER)
    again = Phantom(kind=kind, cases=2, shape=tuple(parameters["shape"]), seed=parameters["seed"])
    phantom.generate(again, tmp_path / "again")
    same = digests(first)
    made = digests(tmp_path / "again")
    ct_files = {name: digest for name, digest in made.items() if kind == "ct" or "001" in name}
    assert len(ct_files) >= 2
    assert ct_files.items() <= same.items()
    phantom.generate(again.model_copy(update={"seed": 6}), tmp_path / "other")
    assert not set(digests(tmp_path / "other").values()) & set(made.values())


def test_same_parameters_do_nothing_and_others_replace_all(tmp_path):
    root = tmp_path / "ct"
    small = CT.model_copy(update={"cases": 2})
    said: list[str] = []
    assert phantom.generate(small, root, said.append)
    assert said == ["synthetic ct 1/2", "synthetic ct 2/2"]
    assert phantom.is_synthetic(root)
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    assert not phantom.generate(small, root)
    assert before == {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    (root / "case_00001" / "imaging.nii.gz").unlink()
    assert phantom.generate(small, root)
    assert before.keys() == set(root.rglob("*"))
    cut = root / "case_00001" / "imaging.nii.gz"
    cut.write_bytes(cut.read_bytes()[:-1])
    assert phantom.generate(small, root)
    assert phantom.generate(small.model_copy(update={"shape": (20, 40, 40)}), root)
    assert read_json(root / phantom.MARKER)["shape"] == [20, 40, 40]
    assert list(root.parent.iterdir()) == [root]


def test_folder_of_other_files_is_left_alone(tmp_path):
    precious = tmp_path / "case_00000" / "imaging.nii.gz"
    precious.parent.mkdir()
    precious.write_bytes(b"precious")
    with pytest.raises(UserError, match="will not be replaced"):
        phantom.generate(CT, tmp_path)
    assert precious.read_bytes() == b"precious"
    assert not phantom.is_synthetic(tmp_path)


def test_failure_leaves_nothing(tmp_path, monkeypatch):
    def fail(message):
        raise RuntimeError(message)

    with pytest.raises(RuntimeError):
        phantom.generate(CT, tmp_path / "ct", fail)
    assert list(tmp_path.iterdir()) == []
