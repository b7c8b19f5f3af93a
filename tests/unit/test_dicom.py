"""DICOM series and segmentations, written with pydicom from a volume and compared with it and with SimpleITK's reading."""

import nibabel
import numpy as np
import pydicom
import pytest
import SimpleITK
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, SegmentationStorage, generate_uid

from workflow_lib.base.errors import UserError
from workflow_lib.datasets.formats import registry
from workflow_lib.datasets.inspection import inspect_case
from workflow_lib.images import casefiles
from workflow_lib.images.cases import Reading
from workflow_lib.images.files_read import FilesRead
from workflow_lib.images.readers import dicom
from workflow_lib.images.volumes import read_header, read_volume
from workflow_lib.study.sections.files import Files

SHAPE = (6, 8, 5)
SPACING = (1.5, 1.25, 2.5)
ANGLE = 0.2
COLUMNS, ROWS = (np.cos(ANGLE), np.sin(ANGLE), 0.0), (-np.sin(ANGLE), np.cos(ANGLE), 0.0)
ORIGIN = np.array([-90.0, 60.0, 30.0])


def hounsfield():
    return np.random.default_rng(5).integers(-1000, 1500, SHAPE)


def affine():
    lps = np.eye(4)
    lps[:3, 0], lps[:3, 1], lps[:3, 2] = np.array(COLUMNS) * SPACING[0], np.array(ROWS) * SPACING[1], (0, 0, SPACING[2])
    lps[:3, 3] = ORIGIN
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ lps


def blank(path, kind, series):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = kind, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    one = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    one.SOPClassUID, one.SOPInstanceUID, one.SeriesInstanceUID = kind, meta.MediaStorageSOPInstanceUID, series
    one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
    return one


def series(folder, data=None, **changes):
    """Write a series whose files are not in the order of its slices."""
    folder.mkdir(parents=True)
    data, uid = hounsfield() if data is None else data, generate_uid()
    for number in range(data.shape[2]):
        path = folder / f"{(number * 3) % data.shape[2]:03d}.dcm"
        one = blank(path, CTImageStorage, uid)
        one.Modality, one.Columns, one.Rows = "CT", data.shape[0], data.shape[1]
        one.PixelSpacing, one.SliceThickness = [SPACING[1], SPACING[0]], 1.0
        one.ImageOrientationPatient = list(COLUMNS + ROWS)
        one.ImagePositionPatient = list(ORIGIN + np.array([0, 0, number * SPACING[2]]))
        one.BitsAllocated, one.BitsStored, one.HighBit, one.PixelRepresentation = 16, 16, 15, 0
        one.RescaleSlope, one.RescaleIntercept = 1, -1024
        one.PixelData = (data[..., number].T + 1024).astype(np.uint16).tobytes()
        for key, value in changes.items():
            setattr(one, key, value(number) if callable(value) else value)
        one.save_as(path, enforce_file_format=True)
    return sorted(folder.iterdir())


def segmentation(path, mask, first=1, uid=None):
    """Write a mask with a frame for each segment and slice in which it occurs, as most programs do."""
    path.parent.mkdir(parents=True, exist_ok=True)
    one = blank(path, SegmentationStorage, uid or generate_uid())
    one.Modality, one.SegmentationType, one.Columns, one.Rows = "SEG", "BINARY", mask.shape[0], mask.shape[1]
    one.BitsAllocated, one.BitsStored, one.HighBit, one.PixelRepresentation = 1, 1, 0, 0
    orientation, measures, shared = Dataset(), Dataset(), Dataset()
    orientation.ImageOrientationPatient = list(COLUMNS + ROWS)
    measures.PixelSpacing, measures.SliceThickness, measures.SpacingBetweenSlices = [SPACING[1], SPACING[0]], 2.5, 2.5
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = Sequence([orientation]), Sequence([measures])
    one.SharedFunctionalGroupsSequence = Sequence([shared])
    groups, frames = [], []
    for value in np.unique(mask[mask > 0]):
        for number in range(mask.shape[2]):
            if not (mask[..., number] == value).any():
                continue
            segment, place, group = Dataset(), Dataset(), Dataset()
            segment.ReferencedSegmentNumber = int(value)
            place.ImagePositionPatient = list(ORIGIN + np.array([0, 0, number * SPACING[2]]))
            group.SegmentIdentificationSequence, group.PlanePositionSequence = Sequence([segment]), Sequence([place])
            groups.append(group)
            frames.append((mask[..., number] == value).T)
    one.PerFrameFunctionalGroupsSequence, one.NumberOfFrames = Sequence(groups), len(frames)
    one.PixelData = np.packbits(np.stack(frames).ravel(), bitorder="little").tobytes()
    one.PixelData += b"\0" * (len(one.PixelData) % 2)
    one.save_as(path, enforce_file_format=True)
    return path


def test_a_series_is_the_volume_it_was_made_from(tmp_path):
    paths, seen = series(tmp_path / "ct"), FilesRead()
    volume = read_volume(paths[2], seen)
    np.testing.assert_array_equal(volume.data, hounsfield())
    np.testing.assert_allclose(volume.affine, affine(), atol=1e-6)
    np.testing.assert_allclose(volume.spacing, SPACING)
    assert set(seen.sha256) == set(paths)
    assert read_header(paths[0]).shape == SHAPE
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(tmp_path / "ct")))
    other = reader.Execute()
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(other).transpose(2, 1, 0), volume.data)
    np.testing.assert_allclose(other.GetSpacing(), volume.spacing)
    np.testing.assert_allclose(other.GetOrigin(), ORIGIN)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"SeriesInstanceUID": lambda n: f"1.2.{n % 2}"}, r"holds 2 DICOM series \(CT\)"),
        ({"PixelSpacing": lambda n: [1.25, 1.5 + n]}, "its PixelSpacing is"),
        (
            {"ImagePositionPatient": lambda n: [0, 0, 3.0 * (n + (n > 2))]},
            "are 6 mm, between other slices 3 mm",
        ),
        ({"ImagePositionPatient": lambda n: [0, 0, 3.0 * min(n, 3)]}, "lie at the same position"),
        ({"ImagePositionPatient": lambda n: [n, 0, 3.0 * n]}, "a tilted gantry"),
        ({"ImagePositionPatient": None}, "lacks ImagePositionPatient"),
        ({"SamplesPerPixel": 3}, "is in colour"),
        ({"NumberOfFrames": 4}, "several frames. Convert it to NIfTI"),
    ],
)
def test_a_series_that_is_no_volume_is_refused_in_words(tmp_path, changes, said):
    paths = series(tmp_path / "ct", **changes)
    with pytest.raises(UserError, match=said):
        read_volume(paths[0])


def test_files_that_are_not_dicom(tmp_path):
    paths = series(tmp_path / "ct")
    whole = paths[1].read_bytes()
    for content, said in (
        (b"", "it is empty"),
        (b"<html>", "HTML"),
        (b"x" * 200, "not a DICOM file"),
        (whole[:-9], "cannot be read"),
    ):
        paths[1].write_bytes(content)
        with pytest.raises(UserError, match=said):
            read_volume(paths[0])


def options(**keys):
    files = {"classes": {"background": 0, "organ": 1, "lesion": 2}, "images": ["{case}/ct/*.dcm"]}
    return {"files": Files.model_validate(files | keys).model_dump(mode="json")}


def test_a_study_of_series_and_segmentations(tmp_path):
    mask = np.zeros(SHAPE, np.uint8)
    mask[1:3, 2:5, 1:3], mask[4, 4, 3] = 1, 2
    for case in ("p1", "p2"):
        series(tmp_path / case / "ct")
        segmentation(tmp_path / case / "seg" / "1.dcm", mask)
    keys = options(masks="{case}/seg/*.dcm")
    labels = registry.label_map("folders", tmp_path, keys)
    first, second = registry.find_cases("folders", tmp_path, keys)
    assert (first.id, first.faults, len(first.images), len(first.companions)) == ("p1", (), 1, 4)
    found = inspect_case(first, labels, Reading())
    assert found.faults == ()
    assert found.voxels == {"background": 227, "organ": 12, "lesion": 1}
    assert len(found.sha256) == 6
    np.testing.assert_array_equal(casefiles.read_mask(first, Reading()), mask)
    # On another grid it is a fault, as for other formats.
    one = pydicom.dcmread(second.masks[0])
    one.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing = [1.25, 1.6]
    one.save_as(second.masks[0])
    assert "different shapes" in inspect_case(second, labels, Reading()).faults[0]


def test_a_prediction_for_a_series(tmp_path):
    series(tmp_path / "p1" / "ct")
    segmentation(tmp_path / "p1" / "seg" / "1.dcm", np.ones(SHAPE, np.uint8))
    (case,) = registry.find_cases("folders", tmp_path, options(masks="{case}/seg/*.dcm"))
    image = casefiles.read_image(case, Reading())
    target = tmp_path / casefiles.prediction_name(case)
    casefiles.write_prediction(target, np.ones(SHAPE, np.uint8), case, image.header)
    np.testing.assert_allclose(nibabel.Nifti1Image.from_filename(target).affine, affine(), atol=1e-4)


def test_segments_that_overlap_and_probabilities(tmp_path):
    path = segmentation(tmp_path / "a.dcm", np.ones(SHAPE, np.uint8))
    assert dicom.is_segmentation(path)
    one = pydicom.dcmread(path)
    one.SegmentationType = "FRACTIONAL"
    one.save_as(path)
    with pytest.raises(UserError, match="segmentation of probabilities"):
        read_volume(path)
    one.SegmentationType = "BINARY"
    one.PerFrameFunctionalGroupsSequence[1].PlanePositionSequence[0].ImagePositionPatient = list(ORIGIN)
    one.save_as(path)
    with pytest.raises(UserError, match="its segments overlap"):
        read_volume(path)
