"""Where the formats look for files, and what they say when these are not there."""

import json

import pytest

from workflow_lib.cases import LabelMap
from workflow_lib.datasets import registry
from workflow_lib.errors import UserError


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def describe(root, **changes):
    """Write a dataset.json of the Decathlon."""
    content = {
        "labels": {"0": "background", "1": "Anterior", "2": "Posterior"},
        "modality": {"0": "MRI"},
        "training": [{"image": f"./imagesTr/h_{n}.nii.gz", "label": f"./labelsTr/h_{n}.nii.gz"} for n in ("002", "001")],
    }
    root.mkdir(parents=True, exist_ok=True)
    (root / "dataset.json").write_text(json.dumps(content | changes))


def test_formats_are_the_files_of_the_package():
    assert registry.formats() == ("brats20", "kits19", "msd")


@pytest.mark.parametrize("name", registry.formats())
def test_every_format_has_the_whole_interface(name, tmp_path):
    module = registry.get(name)
    for constant in ("LABEL", "LICENCE", "URL", "INSTRUCTIONS"):
        assert getattr(module, constant)
    assert module.LICENCE in module.INSTRUCTIONS
    expected = {"kits19": ("ct", True), "brats20": ("mri", False), "msd": (None, True)}
    assert expected[name] == (module.PHANTOM, module.DOWNLOADABLE)
    assert (module.downloads(tmp_path / "Task04_Hippocampus", None) is not None) == module.DOWNLOADABLE
    assert module.option_faults({}) == [] == module.option_faults({"channels": None})
    assert module.explain_labels([17.0]) == ""


@pytest.mark.parametrize("name", registry.formats())
def test_missing_root_says_what_was_looked_for_where_and_how_to_get_it(name, tmp_path):
    root = tmp_path / "nowhere"
    with pytest.raises(UserError) as caught:
        registry.find_cases(name, root)
    message = str(caught.value)
    assert f"{root} does not exist" in message
    assert {"kits19": "imaging.nii.gz", "brats20": "_t1ce.nii", "msd": "dataset.json"}[name] in message
    assert registry.instructions(name) in message


def test_empty_root_and_file_as_root_are_told_apart(tmp_path):
    with pytest.raises(UserError, match="holds no labelled case"):
        registry.find_cases("kits19", tmp_path)
    with pytest.raises(UserError, match="is not a folder"):
        registry.find_cases("brats20", touch(tmp_path / "file"))


def test_unknown_format_suggests_the_nearest():
    with pytest.raises(UserError, match=r"no 'kits91'; did you mean 'kits19'\? known formats: brats20, kits19, msd"):
        registry.get("kits91")
    assert "did you mean" in registry.faults("kits91", "folder")[0]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("kits19", "folder"), []),
        (("kits19", "download"), []),
        (("kits19", "phantom", "ct"), []),
        (("kits19", "phantom"), []),
        (("brats20", "phantom", "mri", {"channels": ["t1ce"]}), []),
        (("kits19", "phantom", "mri"), ["must be ct; it is mri"]),
        (("msd", "phantom", "ct"), ["no phantom in the format msd"]),
        (("brats20", "download"), ["without registration"]),
        (("msd", "folder", None, {"channels": ["t1"]}), ["one image per case"]),
        (("brats20", "folder", None, {"channels": ["t1c", "t1", "dwi"]}), ["no 't1c'", "no 'dwi'"]),
        (("brats20", "folder", None, {"channels": ["t1", "t1"]}), ["none twice"]),
        (("brats20", "folder", None, {"channels": []}), ["at least one"]),
        (("brats20", "download", None, {"channels": ["dwi"]}), ["no 'dwi'", "without registration"]),
    ],
)
def test_faults_of_the_configuration(arguments, expected):
    found = registry.faults(*arguments)
    assert len(found) == len(expected)
    for fault, part in zip(found, expected, strict=True):
        assert part in fault


@pytest.mark.parametrize("parent", ["data", "."])
def test_kits19_takes_the_labelled_cases_in_either_layout(tmp_path, parent):
    for number in (7, 3, 209, 210, 211):
        touch(tmp_path / parent / f"case_{number:05d}" / "imaging.nii.gz")
    touch(tmp_path / parent / "case_00211" / "segmentation.nii.gz")
    touch(tmp_path / parent / "kits.json")
    cases = registry.find_cases("kits19", tmp_path)
    assert [case.id for case in cases] == ["case_00003", "case_00007", "case_00209", "case_00211"]
    assert cases[0].images == (tmp_path / parent / "case_00003" / "imaging.nii.gz",)
    assert cases[0].mask == tmp_path / parent / "case_00003" / "segmentation.nii.gz"


def test_label_maps(tmp_path):
    kits = registry.label_map("kits19", tmp_path)
    assert kits == LabelMap(("background", "kidney", "tumour"), ((0,), (1,), (2,)), {"kidney and tumour": (1, 2)})
    assert registry.label_map("brats20", tmp_path) == LabelMap(("background", "tumour"), ((0, 1, 2), (4,)))


@pytest.mark.parametrize("parent", ["", "MICCAI_BraTS2020_TrainingData", "BraTS2020_TrainingData/MICCAI_BraTS2020_TrainingData"])
@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_brats20_layouts(tmp_path, parent, ending):
    folder = tmp_path / parent
    for name in ("BraTS20_Training_002", "BraTS20_Training_001"):
        for part in ("t1", "t1ce", "seg"):
            touch(folder / name / f"{name}_{part}{ending}")
    touch(folder / "BraTS20_Validation_001" / f"BraTS20_Validation_001_t1ce{ending}")
    touch(folder / "name_mapping.csv")
    cases = registry.find_cases("brats20", tmp_path)
    assert [case.id for case in cases] == ["BraTS20_Training_001", "BraTS20_Training_002"]
    one = folder / "BraTS20_Training_001"
    assert cases[0].images == (one / f"BraTS20_Training_001_t1ce{ending}",)
    assert cases[0].mask == one / f"BraTS20_Training_001_seg{ending}"
    both = registry.find_cases("brats20", tmp_path, {"channels": ["t1ce", "t1"]})
    assert [path.name for path in both[0].images] == [f"BraTS20_Training_001_{c}{ending}" for c in ("t1ce", "t1")]


def test_brats20_renamed_mask_of_case_355_and_a_missing_file(tmp_path):
    folder = tmp_path / "BraTS20_Training_355"
    mask = touch(folder / "W39_1998.09.19_Segm.nii")
    (case,) = registry.find_cases("brats20", tmp_path)
    assert case.mask == mask
    assert case.images == (folder / "BraTS20_Training_355_t1ce.nii.gz",)
    assert not case.images[0].exists()


def test_masks_of_other_challenges_are_recognised():
    explain = registry.get("brats20").explain_labels
    assert "3 stands for 4" in explain([0.0, 1.0, 2.0, 3.0])
    assert "BraTS 2015" in explain([0.0, 3.0, 4.0])
    assert explain([0.0, 3.0, 7.0]) == ""
    assert "KiTS21" in registry.get("kits19").explain_labels([0.0, 1.0, 3.0])


def test_msd_lists_what_dataset_json_lists(tmp_path):
    hidden = {"image": "./imagesTr/._h_003.nii.gz", "label": "./labelsTr/._h_003.nii.gz"}
    marked = {"image": "./imagesTr/_h_004.nii.gz", "label": "./labelsTr/_h_004.nii.gz"}
    real = [{"image": f"./imagesTr/h_{n}.nii.gz", "label": f"./labelsTr/h_{n}.nii.gz"} for n in ("002", "001")]
    describe(tmp_path, training=[hidden, *real, marked])
    cases = registry.find_cases("msd", tmp_path)
    assert [case.id for case in cases] == ["h_001", "h_002"]
    assert cases[0].images == (tmp_path / "imagesTr" / "h_001.nii.gz",)
    assert cases[0].mask == tmp_path / "labelsTr" / "h_001.nii.gz"


def test_msd_label_map_follows_the_values_not_the_order(tmp_path):
    describe(tmp_path, labels={"10": "c", "2": "b", "0": "background"})
    assert registry.label_map("msd", tmp_path) == LabelMap(("background", "b", "c"), ((0,), (2,), (10,)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": {"background": 0, "Anterior": 1}}, "the other way round"),
        ({"labels": None}, "must map each value to a name"),
        ({"labels": {"1": "a", "2": "b"}}, "must name 0"),
        ({"labels": {"0": "a", "1": "a"}}, "no name twice"),
        ({"labels": {"0": "a", "300": "b"}}, "up to 255"),
    ],
)
def test_msd_unusable_labels(tmp_path, changes, message):
    describe(tmp_path, **changes)
    with pytest.raises(UserError, match=message):
        registry.label_map("msd", tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"training": []}, "lists no case"),
        ({"training": ["h_001"]}, "must name its image"),
        ({"training": [{"image": "../x.nii.gz", "label": "y.nii.gz"}]}, "below this folder"),
        ({"training": [{"image": "a.nii.gz", "label": "/etc/passwd"}]}, "below this folder"),
        ({"training": [{"image": "a.nii.gz", "label": "b.nii.gz"}] * 2}, "lists a twice"),
        ({"modality": {"0": "FLAIR", "1": "T1w", "2": "t1gd", "3": "T2w"}}, r"4 channels \(FLAIR, T1w, t1gd, T2w\)"),
    ],
)
def test_msd_unusable_lists(tmp_path, changes, message):
    describe(tmp_path, **changes)
    with pytest.raises(UserError, match=message):
        registry.find_cases("msd", tmp_path)


def test_msd_real_hippocampus(shared_data):
    root = shared_data / "Task04_Hippocampus"
    cases = registry.find_cases("msd", root)
    assert len(cases) == 101
    assert cases[0].id == "hippocampus_001"
    assert all(path.is_file() for case in cases for path in (*case.images, case.mask))
    assert registry.label_map("msd", root).names == ("background", "Anterior", "Posterior")


def test_kits19_real_masks_without_images(shared_data):
    cases = registry.find_cases("kits19", shared_data / "kits19_masks")
    assert len(cases) == 14
    assert all(case.mask.is_file() for case in cases)
