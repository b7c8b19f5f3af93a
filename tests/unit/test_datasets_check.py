"""The check detects every kind of invalid file, reports all faults together, and counts correctly."""

import csv
import gzip
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from tests.unit.cases_support import pooled_shares
from workflow_lib.base.errors import UserError
from workflow_lib.datasets import check
from workflow_lib.datasets.comparison import compare
from workflow_lib.datasets.formats import registry
from workflow_lib.datasets.inspection import Finding, _value_counts, inspect_cases
from workflow_lib.images.casefiles import read_mask
from workflow_lib.images.cases import Case, LabelMap, Reading
from workflow_lib.images.files_read import FilesRead

LABELS = LabelMap(("background", "kidney", "tumour"), ((0,), (1,), (2,)))
SHAPE = (4, 5, 6)
AFFINE = np.diag([3.0, 1.5, 1.5, 1.0])


def write(path, data, affine=AFFINE, qform_only=False):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(data, affine)
    image.set_sform(affine, code=0 if qform_only else 2)
    image.set_qform(affine, code=1 if qform_only else 0)
    nibabel.save(image, path)
    return path


def image_data(dtype=np.int16):
    return np.arange(np.prod(SHAPE)).reshape(SHAPE).astype(dtype)


def mask_data(dtype=np.uint8):
    mask = np.zeros(SHAPE, dtype=dtype)
    mask[0, 0, :3] = 1
    mask[1, 1, 1] = 2
    return mask


def case(folder, name, image=None, mask=None, **mask_arguments):
    """Write a case; None means valid data."""
    image_path = write(folder / f"{name}_image.nii.gz", image_data() if image is None else image)
    mask_path = write(folder / f"{name}_mask.nii.gz", mask_data() if mask is None else mask, **mask_arguments)
    return Case(name, (image_path,), (mask_path,))


def check_cases(cases, labels, excluded=None, required=(), exclude_faulty=False, axes=None, needs_view=False, **reading):
    """Inspect and decide like the two steps, with JSON between them."""
    findings = [Finding.from_json(json.loads(json.dumps(found.to_json()))) for found in inspect_cases(cases, labels, **reading)]
    return check.decide(cases, findings, labels, excluded, required, exclude_faulty, axes, needs_view)


def only(cases, **arguments):
    (row,) = check_cases(cases, LABELS, **arguments)
    return row


def cut(path):
    """Truncate a file's compressed stream."""
    path.write_bytes(path.read_bytes()[:-30])


def test_sound_case(tmp_path):
    row = only([case(tmp_path, "a")])
    assert (row.status, row.reason, row.faults) == ("included", "", ())
    assert (row.finding.shape, row.finding.orientation, row.finding.channels) == (SHAPE, "RAS", 1)
    assert (row.finding.image_dtype, row.finding.mask_dtype) == ("int16", "uint8")
    assert row.finding.spacing == pytest.approx((3.0, 1.5, 1.5))
    assert (row.finding.intensity_min, row.finding.intensity_max) == (0.0, 119.0)
    assert row.finding.voxels == {"background": 116, "kidney": 3, "tumour": 1}
    assert check.fault_report([row], LABELS) is None


@pytest.mark.parametrize(
    ("mask", "arguments"),
    [
        (mask_data(np.uint16), {"qform_only": True}),
        (mask_data(np.float32), {}),
        (mask_data(), {"affine": AFFINE + 1e-4}),
    ],
    ids=["uint16 with a qform only", "float32 labels", "affine off by rounding"],
)
def test_oddities_of_real_masks_are_accepted(tmp_path, mask, arguments):
    row = only([case(tmp_path, "a", mask=mask, **arguments)])
    assert (row.status, row.reason) == ("included", "")
    assert row.finding.voxels == {"background": 116, "kidney": 3, "tumour": 1}


def test_plane_is_accepted(tmp_path):
    row = only([case(tmp_path, "a", image=image_data()[0], mask=mask_data()[0])])
    assert (row.status, row.reason, row.finding.shape) == ("included", "", SHAPE[1:])


def shifted(millimetres):
    affine = AFFINE.copy()
    affine[0, 3] = millimetres
    return affine


def undeclared():
    mask = mask_data()
    mask[3, 3, :] = 3
    mask[3, 4, 0] = 9
    return mask


def fractional():
    mask = mask_data(np.float32)
    mask[3, 3, 3] = 0.5
    return mask


def not_finite(value):
    image = image_data(np.float32)
    image[2, 2, 2] = value
    return image


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mask": mask_data()[:, :, :-1]}, "different shapes: 4x5x6 and 4x5x5 voxels"),
        ({"affine": np.diag([3.0, 1.5, 1.6, 1.0])}, "different voxel sizes: 3x1.5x1.5 and 3x1.5x1.6 mm"),
        ({"affine": shifted(2.0)}, "different positions (affine): their corners are 2 mm apart"),
        ({"affine": np.diag([3.0, -1.5, 1.5, 1.0])}, "different positions"),
        ({"mask": undeclared()}, "not declared: 3 (6 voxels), 9 (1 voxels); declared are 0, 1, 2"),
        ({"mask": fractional()}, "not declared: 0.5 (1 voxels)"),
        ({"image": not_finite(np.nan)}, "finite"),
        ({"image": not_finite(-np.inf)}, "finite"),
        ({"image": np.full(SHAPE, 7, dtype=np.int16)}, "every voxel has the same value"),
        ({"image": np.stack([image_data()] * 2, axis=-1)}, "has 4 axes (4, 5, 6, 2)"),
    ],
)
def test_faults_of_contents(tmp_path, arguments, message):
    row = only([case(tmp_path, "a", **arguments)])
    assert row.status == "fault"
    assert message in row.reason
    assert str(tmp_path) in row.reason


def test_undeclared_labels_with_a_known_cause(tmp_path):
    mask = mask_data()
    mask[mask == 2] = 3
    labels = registry.label_map("brats20", tmp_path)
    (row,) = check_cases([case(tmp_path, "a", mask=mask)], labels, explain=registry.get("brats20").explain_labels)
    assert "not declared: 3 (1 voxels); declared are 0, 1, 2, 4. This is a remapped copy, in which 3 stands for 4" in row.reason


def test_voxel_size_of_zero(tmp_path):
    made = case(tmp_path, "a")
    raw = bytearray(gzip.decompress(made.images[0].read_bytes()))
    raw[80:84] = np.float32(0).tobytes()  # pixdim[1]
    raw[252:256] = np.array([1, 0], dtype="<i2").tobytes()  # the qform alone
    made.images[0].write_bytes(gzip.compress(bytes(raw)))
    row = only([made])
    assert row.status == "fault"
    assert str(made.images[0]) in row.reason


@pytest.mark.parametrize("which", ["image", "mask"])
@pytest.mark.parametrize(
    "damage",
    [lambda path: path.unlink(), cut, lambda path: path.write_text("<html>not found</html>"), lambda path: path.write_bytes(b"")],
)
def test_missing_cut_or_foreign_file(tmp_path, which, damage):
    made = case(tmp_path, "a")
    path = made.images[0] if which == "image" else made.masks[0]
    damage(path)
    row = only([made])
    assert row.status == "fault"
    assert len(row.faults) == 1
    assert str(path) in row.reason
    assert (row.finding.shape is None) == (which == "image")
    assert (row.finding.voxels == {}) == (which == "mask")


def test_truncated_file_without_compression(tmp_path):
    path = write(tmp_path / "a.nii", image_data())
    path.write_bytes(path.read_bytes()[:-20])
    row = only([Case("a", (path,), (write(tmp_path / "m.nii", mask_data()),))])
    assert row.status == "fault"
    assert str(path) in row.reason


def test_every_channel_is_checked(tmp_path):
    made = case(tmp_path, "a")
    second = write(tmp_path / "second.nii.gz", image_data(np.float32) * 10)
    row = only([Case("a", (*made.images, second), made.masks)])
    assert (row.status, row.finding.image_dtype, row.finding.intensity_max) == ("included", "int16/float32", 1190.0)
    third = write(tmp_path / "third.nii.gz", image_data()[:-1])
    row = only([Case("a", (*made.images, third), made.masks)])
    assert f"{made.images[0]} and {third} have different shapes" in row.reason


def test_all_faults_are_told_at_once(tmp_path):
    cases = [case(tmp_path, name) for name in ("a", "b", "c")]
    cases[0].images[0].unlink()
    cases[0].masks[0].unlink()
    cut(cases[2].masks[0])
    rows = check_cases(cases, LABELS, {"d": "no reason"})
    assert [row.status for row in rows] == ["fault", "included", "fault", "fault"]
    faults = check.fault_report(rows, LABELS)
    assert faults is not None
    assert faults.heading.startswith("3 of 4 cases cannot be used")
    assert [fault.split(":")[0] for fault in faults.faults] == ["a", "a", "c", "d"]


def test_exclusions(tmp_path):
    empty = mask_data()
    empty[empty == 2] = 0
    cases = [case(tmp_path, "case_1"), case(tmp_path, "case_2", mask=empty), case(tmp_path, "case_3"), case(tmp_path, "case_4")]
    cases[3].masks[0].unlink()
    excluded = {"case_1": "poor quality", "case_4": "damaged", "case_33": "not there"}
    rows = check_cases(cases, LABELS, excluded, required=["tumour"])
    assert [(row.case, row.status, row.reason) for row in rows] == [
        ("case_1", "excluded", "poor quality"),
        ("case_2", "excluded", "contains no tumour"),
        ("case_3", "included", ""),
        ("case_4", "excluded", "damaged"),
        ("case_33", "fault", "is listed in `exclude`, but the dataset has no case of this name; did you mean case_3?"),
    ]
    assert pooled_shares(rows) == {"background": 116 / 120, "kidney": 3 / 120, "tumour": 1 / 120}
    faults = check.fault_report(rows, LABELS)
    assert faults is not None
    assert len(faults.faults) == 1


def test_required_class_that_is_none(tmp_path):
    with pytest.raises(UserError, match="no class 'cyst'; it has background, kidney, tumour"):
        check_cases([case(tmp_path, "a")], LABELS, required=["cyst"])


def test_no_case_left_is_a_fault(tmp_path):
    rows = check_cases([case(tmp_path, "a")], LABELS, {"a": "for a test"})
    faults = check.fault_report(rows, LABELS)
    assert faults is not None
    assert "none is left" in faults.heading
    assert pooled_shares(rows) == {}


def test_case_found_twice(tmp_path):
    made = case(tmp_path, "a")
    assert [row.status for row in check_cases([made, made], LABELS)] == ["included", "fault"]
    # The name is ambiguous.
    assert [row.status for row in check_cases([made, made], LABELS, {"a": "for a test"})] == ["excluded", "fault"]


def test_workers_do_not_change_rows_or_order(tmp_path):
    cases = [case(tmp_path, name) for name in ("c", "a", "b")]
    cut(cases[1].masks[0])
    said: list[str] = []

    def progress(number: int, total: int, text: str) -> None:
        said.append(f"{number}/{total} {text}")

    rows = check_cases(cases, LABELS, workers=2, progress=progress, explain=registry.get("kits19").explain_labels)
    assert rows == check_cases(cases, LABELS)
    assert [row.case for row in rows] == ["c", "a", "b"]
    assert [line.split(":")[0] for line in said] == ["1/3 c", "2/3 a", "3/3 b"]


def test_table(tmp_path):
    cases = [case(tmp_path, "a"), case(tmp_path, "b")]
    cases[1].masks[0].unlink()
    cases[1].images[0].write_bytes(write(tmp_path / "other.nii.gz", image_data() + 1).read_bytes())
    check.write_cases_csv(tmp_path / "cases.csv", check_cases(cases, LABELS), LABELS)
    with open(tmp_path / "cases.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == [
        *("case", "status", "reason", "note", "group", "part", "shape", "channels", "spacing", "orientation", "labels"),
        *("image_dtype", "mask_dtype", "intensity_min", "intensity_max"),
        *("voxels_background", "voxels_kidney", "voxels_tumour", "share_background", "share_kidney", "share_tumour"),
    ]
    assert list(rows[0].values()) == [
        *("a", "included", "", "", "", "", "4x5x6", "1", "3x1.5x1.5", "RAS", "0, 1, 2", "int16", "uint8", "0.0", "119.0"),
        *("116", "3", "1", repr(116 / 120), "0.025", repr(1 / 120)),
    ]
    assert (rows[1]["status"], rows[1]["mask_dtype"], rows[1]["share_kidney"]) == ("fault", "", "")
    assert "does not exist" in rows[1]["reason"]


def test_real_hippocampus(shared_data):
    root = shared_data / "Task04_Hippocampus"
    labels = registry.label_map("msd", root)
    rows = check_cases(registry.find_cases("msd", root), labels, required=labels.names)
    assert check.fault_report(rows, labels) is None
    assert len(rows) == 101
    assert {row.status for row in rows} == {"included"}
    assert sum(row.finding.image_dtype == "uint8" for row in rows) == 34
    assert next(row for row in rows if row.case == "hippocampus_003").finding.mask_dtype == "float32"
    assert max(row.finding.intensity_max or 0 for row in rows) > 1e5
    shares = pooled_shares(rows)
    assert sum(shares.values()) == pytest.approx(1)
    assert 0.9 < shares["background"] < 0.97


@pytest.mark.parametrize(("name", "dtype"), [("case_00061", "uint8"), ("case_00015", "uint16")])
def test_real_kits19_mask(shared_data, tmp_path, name, dtype):
    mask = shared_data / "kits19_masks" / name / "segmentation.nii.gz"
    header: Any = nibabel.load(mask)
    air = np.full(header.shape, -1000, dtype=np.int16)
    air[0, 0, 0] = 40
    write(tmp_path / name / "imaging.nii.gz", air, affine=header.affine)
    shutil.copy(mask, tmp_path / name)
    (row,) = check_cases(registry.find_cases("kits19", tmp_path), registry.label_map("kits19", tmp_path))
    assert (row.status, row.reason, row.finding.mask_dtype, row.finding.orientation) == ("included", "", dtype, "IPL")
    assert row.finding.shape is not None
    assert row.finding.shape[1:] == (512, 512)
    assert row.finding.voxels["kidney"] > 0
    assert row.finding.voxels["tumour"] > 0


def test_real_brats_in_the_layout_of_brats20(shared_data, tmp_path):
    source = next((shared_data / "brats2015_six_cases").rglob("OTMultiClass.nii.gz")).parent
    name = "BraTS20_Training_001"
    target = tmp_path / "MICCAI_BraTS2020_TrainingData" / name
    target.mkdir(parents=True)
    shutil.copy(source / "T1c_subtrMeanDivStd.nii.gz", target / f"{name}_t1ce.nii.gz")
    shutil.copy(source / "OTMultiClass.nii.gz", target / f"{name}_seg.nii.gz")
    cases = registry.find_cases("brats20", tmp_path)
    (row,) = check_cases(cases, registry.label_map("brats20", tmp_path), explain=registry.get("brats20").explain_labels)
    assert row.finding.shape == (240, 240, 155)
    # BraTS 2015 has both labels 3 and 4. Label 3 must not be silently read as a label of BraTS 2020.
    assert row.status == "fault"
    assert "BraTS 2015" in row.reason
    assert row.finding.voxels["tumour"] > 0


def test_a_fault_can_leave_the_case_out(tmp_path):
    cases = [case(tmp_path, "a"), case(tmp_path, "b")]
    cut(cases[0].masks[0])
    rows = check_cases(cases, LABELS, exclude_faulty=True)
    assert [row.status for row in rows] == ["excluded", "included"]
    assert "cut short" in rows[0].reason
    assert check.fault_report(rows, LABELS) is None


def test_names_that_are_one_file_on_some_systems(tmp_path):
    cases = [case(tmp_path, name) for name in ("Fall_ä", "fall_A\u0308", "other")]
    rows = check_cases(cases, LABELS)
    assert [row.status for row in rows] == ["included", "fault", "included"]
    assert "same file name on some systems" in rows[1].reason
    for number in (0, 1):
        rows = check_cases(cases, LABELS, {cases[number].id: "a copy"})
        assert [row.status for row in rows] == ["excluded" if n == number else "included" for n in range(3)]


@pytest.mark.parametrize("name", ["a/b", "..", "a\nb", "a ", "x" * 300, ".hidden", "-rf", "a:b", "\ud800"])
def test_names_that_no_file_can_have(tmp_path, name):
    sound = case(tmp_path, "a")
    row = only([Case(name, sound.images, sound.masks)])
    assert row.status == "fault"
    assert "its name" in row.reason


@pytest.mark.parametrize("name", ["Fall 7 (rechts)", "患者_3", "مريض", "O'Brien", "a.b"])
def test_names_with_spaces_and_of_any_script(tmp_path, name):
    assert only([case(tmp_path / "Bilder älter", name)]).status == "included"


def test_the_same_image_under_two_names_is_told(tmp_path):
    rows = check_cases([case(tmp_path, "a"), case(tmp_path, "b")], LABELS)
    assert [row.status for row in rows] == ["included", "included"]
    assert [row.note for row in rows] == ["", "its images are those of a, byte for byte"]


def test_images_that_are_not_there_are_no_copies_of_each_other(tmp_path):
    cases = [case(tmp_path, "a"), case(tmp_path, "b")]
    for each in cases:
        each.images[0].unlink()
    assert [row.note for row in check_cases(cases, LABELS)] == ["", ""]


def test_a_case_with_another_number_of_channels(tmp_path):
    cases = [case(tmp_path, name) for name in "abc"]
    second = write(tmp_path / "second.nii.gz", image_data() * 2)
    cases[1] = Case("b", (*cases[1].images, second), cases[1].masks)
    rows = check_cases(cases, LABELS)
    assert [row.status for row in rows] == ["included", "fault", "included"]
    assert "it has 2 channel(s), and most cases have 1" in rows[1].reason


def test_images_of_other_axes_than_the_patch(tmp_path):
    assert only([case(tmp_path, "a")], axes=3).status == "included"
    assert "3 axes, and training.patch has 2" in only([case(tmp_path, "a")], axes=2).reason


def test_field_of_view_that_is_asked_for(tmp_path):
    sound = case(tmp_path, "a")
    assert "no mask of the field of view" in only([sound], needs_view=True).reason
    view = write(tmp_path / "view.nii.gz", np.ones(SHAPE, np.uint8))
    assert only([Case("a", sound.images, sound.masks, view)], needs_view=True).status == "included"
    empty = write(tmp_path / "empty.nii.gz", np.zeros(SHAPE, np.uint8))
    assert "field of view is empty" in only([Case("a", sound.images, sound.masks, empty)]).reason
    small = write(tmp_path / "small.nii.gz", np.ones((2, 2, 2), np.uint8))
    assert "different shapes" in only([Case("a", sound.images, sound.masks, small)]).reason


def test_several_masks_are_joined_and_a_threshold_makes_two_values(tmp_path):
    labels = LabelMap(("background", "lesion"), ((0,), (255,)))
    first, second = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, np.uint8)
    first[0, 0, 0], second[1, 1, :2] = 200, 128
    second[2, 2, 2] = 127
    paths = tuple(write(tmp_path / f"{i}.nii.gz", mask) for i, mask in enumerate((first, second)))
    made = Case("a", (write(tmp_path / "image.nii.gz", image_data()),), paths)
    (row,) = check_cases([made], labels, reading=Reading(threshold=127))
    assert row.finding.voxels == {"background": 117, "lesion": 3}
    assert "not declared: 200" in check_cases([made], labels)[0].reason


def test_every_file_is_recorded_with_its_digest(tmp_path):
    made = case(tmp_path, "a")
    digests = only([made]).finding.sha256
    assert digests == {path.as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in made.files}


def test_every_file_is_recorded_as_it_was_when_opened(tmp_path):
    made = case(tmp_path, "a")
    made.masks[0].write_bytes(b"broken")
    finding = only([made]).finding
    found = {path.as_posix(): path.stat() for path in made.files}
    assert finding.states == {path: [s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino] for path, s in found.items()}
    assert set(finding.sha256) == set(found)
    content = json.loads(json.dumps(finding.to_json()))
    assert compare([made.to_json() | {"found": content}], [made], lambda paths: pytest.fail(f"reads {paths}")).changes == ()
    del content["states"]
    assert Finding.from_json(content).states == {}


def test_the_faults_that_a_format_finds_are_faults_of_the_case_which_can_be_excluded() -> None:
    cases = [Case("a", (), (), faults=("no mask masks/a.png",)), Case("b", (), (), faults=("no image",))]
    findings = inspect_cases(cases, LABELS)
    rows = check.decide(cases, findings, LABELS, excluded={"b": "not finished"})
    assert [(row.status, row.reason) for row in rows] == [("fault", "no mask masks/a.png"), ("excluded", "not finished")]
    assert [row.note for row in rows] == ["", ""]
    assert Case.from_json(cases[0].to_json()) == cases[0]
    report = check.fault_report(rows, LABELS)
    assert report is not None
    assert report.faults == ["a: no mask masks/a.png"]


def test_the_remarks_of_readers_stand_in_the_note_of_the_case() -> None:
    seen = FilesRead()
    for _ in range(2):
        seen.remark(Path("masks/a.nii"), "values are rounded")
    assert seen.remarks == {Path("masks/a.nii"): ["values are rounded"]}
    finding = Finding(remarks=("a.nii: values are rounded",))
    assert Finding.from_json(finding.to_json()) == finding
    assert [row.note for row in check.decide([Case("a", (), ())], [finding], LABELS)] == ["a.nii: values are rounded"]


def test_labels_moved_by_scaling_are_rounded_and_labels_of_interpolation_are_explained(tmp_path):
    """nibabel scales float labels that are saved as integers: 1 becomes 0.99999998; resampling leaves 5.9993 or 5.4."""
    image = write(tmp_path / "image.nii.gz", image_data())
    labels = mask_data(np.float64)
    for name, noise, fault in (
        ("scaled", 2e-8, ""),
        ("noisy", 9e-4, ""),
        ("resampled", 0.0013, "1.9987 ("),
        ("linear", 0.4, "1.6 ("),
    ):
        mask = write(tmp_path / f"{name}.nii.gz", np.where(labels == 2, 2 - noise, labels))
        (finding,) = inspect_cases([Case(name, (image,), (mask,))], LABELS)
        if fault:
            assert fault in finding.faults[0]
            assert "interpolation. Make it again with nearest neighbours" in finding.faults[0]
        else:
            assert finding.faults == ()
            assert finding.voxels["tumour"] == int((labels == 2).sum())
            assert "were rounded" in finding.remarks[0]
            np.testing.assert_array_equal(read_mask(Case(name, (image,), (mask,)), Reading()), labels)


def test_cases_whose_axes_run_in_another_order_are_faults_unless_all_are_brought_to_one():
    def decided(orientation=None, excluded=None):
        findings = [Finding(shape=(4, 5, 6), orientation=codes) for codes in ("RAS", "LPS", "RAS", "SAR", "RAS")]
        cases = [Case(name, (), ()) for name in "abcde"]
        return check.decide(cases, findings, LABELS, excluded, orientation=orientation)

    rows = decided()
    assert [row.status for row in rows] == ["included"] * 3 + ["fault", "included"]
    assert "directions SAR, those of most cases in the order of RAS" in rows[3].reason
    assert "preprocessing.orientation" in rows[3].reason
    assert [bool(row.note) for row in rows] == [False, True, False, False, False]
    assert "sees it mirrored" in rows[1].note
    assert all(row.status == "included" and not row.note for row in decided("RAS"))
    assert [row.status for row in decided(excluded={"d": "other scanner"})] == ["included"] * 3 + ["excluded", "included"]


def test_an_orientation_is_for_volumes():
    findings = [Finding(shape=(4, 5), orientation=""), Finding(shape=(4, 5, 6), orientation="RAS")]
    rows = check.decide([Case("a", (), ()), Case("b", (), ())], findings, LABELS, orientation="RAS")
    assert [row.status for row in rows] == ["fault", "included"]
    assert "no orientation in space" in rows[0].reason


def test_masks_that_are_all_empty_stop_the_study_and_a_class_that_never_occurs_does_not():
    def rows(**voxels):
        counts = {"background": 9, "kidney": 0, "tumour": 0} | voxels
        return check.decide([Case("a", (), ()), Case("b", (), ())], [Finding(voxels=counts)] * 2, LABELS)

    report = check.fault_report(rows(), LABELS)
    assert report is not None
    assert report.heading == "The masks of all 2 included cases are empty:"
    assert "(1/2)" in report.faults[0]
    assert check.fault_report(rows(kidney=3), LABELS) is None
    assert check.absent_classes(rows(kidney=3), LABELS) == ["tumour"]


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int64, np.uint64, np.float32])
def test_values_are_counted_as_numpy_counts_them_whatever_their_type_and_range(dtype):
    values = [0, 1, 255, 3] if np.dtype(dtype).itemsize == 1 else [0, 1, 300, 30000]
    values += [-32768, 32767] if dtype == np.int16 else [2**63 - 1] if dtype == np.uint64 else []
    mask = np.random.default_rng(0).choice(np.array(values, dtype), (5, 40, 30))
    expected = dict(zip(*(part.tolist() for part in np.unique(mask, return_counts=True)), strict=True))
    assert _value_counts(mask) == {float(value): count for value, count in expected.items()}
