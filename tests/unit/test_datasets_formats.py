"""The files that the formats find, and their messages if files are missing."""

import contextlib
import json
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workflow_lib.base.errors import Faults, UserError
from workflow_lib.datasets.formats import cvc_clinicdb, registry
from workflow_lib.images.cases import Case, LabelMap, Reading, name_fault
from workflow_lib.provenance.fingerprints import fingerprint
from workflow_lib.study.sections.files import Files
from workflow_lib.study.settings import obtain


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


OPTIONS = {"files": {"classes": {"background": 0, "lesion": 255}}}
"""Options for `folders`; other formats ignore them."""


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
    own = ("folders", "nnunet_raw")
    published = ("brats20", "bus2017", "busi", "cvc_clinicdb", "drive", "kits19", "msd")
    assert registry.formats() == tuple(sorted((*own, *published)))


@pytest.mark.parametrize("name", registry.formats())
def test_every_format_has_the_whole_interface(name, tmp_path):
    module = registry.get(name)
    for constant in ("LABEL", "LICENCE", "INSTRUCTIONS"):
        assert getattr(module, constant)
    assert module.URL or name == "folders"
    assert module.LICENCE in module.INSTRUCTIONS
    expected = {"kits19": ("ct", True), "brats20": ("mri", False), "msd": (None, True)}
    assert expected.get(name, (None, False)) == (module.PHANTOM, module.DOWNLOADABLE)
    assert (module.downloads(tmp_path / "Task04_Hippocampus", None) is not None) == module.DOWNLOADABLE
    assert module.option_faults(OPTIONS) == [] == module.option_faults(OPTIONS | {"channels": None})
    assert module.GROUP is None or name in ("cvc_clinicdb", "folders")
    assert module.explain_labels([17.0]) == ""


@pytest.mark.parametrize("name", registry.formats())
def test_missing_root_says_what_was_looked_for_where_and_how_to_get_it(name, tmp_path):
    root = tmp_path / "nowhere"
    with pytest.raises(UserError) as caught:
        registry.find_cases(name, root, OPTIONS)
    message = str(caught.value)
    assert f"{root} does not exist" in message
    looked_for = {
        **{"kits19": "imaging.nii.gz", "brats20": "_t1ce.nii", "msd": "dataset.json", "nnunet_raw": "dataset.json"},
        **{"cvc_clinicdb": "Ground Truth/1.tif", "drive": "1st_manual/NN_manual1.gif", "bus2017": "GT/NNNNNN.png"},
        **{"busi": "benign (1)_mask.png", "folders": "masks/{case}.*"},
    }
    assert looked_for[name] in message
    assert registry.get(name).INSTRUCTIONS in message


def test_empty_root_and_file_as_root_are_told_apart(tmp_path):
    with pytest.raises(UserError, match="holds no labelled case"):
        registry.find_cases("kits19", tmp_path)
    with pytest.raises(UserError, match="is not a folder"):
        registry.find_cases("brats20", touch(tmp_path / "file"))


def test_unknown_format_suggests_the_nearest():
    with pytest.raises(UserError, match=r"no dataset format 'kits91'; did you mean 'kits19'\? there are: brats20, bus2017, "):
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
        (("msd", "folder", None, {"channels": ["t1", "t1"]}), ["none twice"]),
        (("drive", "folder", None, {"channels": ["t1"]}), ["one image per case"]),
        (("folders", "folder"), ["files: is missing"]),
        (("nnunet_raw", "download"), ["cannot be downloaded"]),
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
    assert cases[0].masks[0] == tmp_path / parent / "case_00003" / "segmentation.nii.gz"


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
    assert cases[0].masks[0] == one / f"BraTS20_Training_001_seg{ending}"
    both = registry.find_cases("brats20", tmp_path, {"channels": ["t1ce", "t1"]})
    assert [path.name for path in both[0].images] == [f"BraTS20_Training_001_{c}{ending}" for c in ("t1ce", "t1")]


def test_brats20_renamed_mask_of_case_355_and_a_missing_file(tmp_path):
    folder = tmp_path / "BraTS20_Training_355"
    mask = touch(folder / "W39_1998.09.19_Segm.nii")
    (case,) = registry.find_cases("brats20", tmp_path)
    assert case.masks == (mask,)
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
    assert [case.id for case in cases] == ["_h_004", "h_001", "h_002"]
    cases = cases[1:]
    assert cases[0].images == (tmp_path / "imagesTr" / "h_001.nii.gz",)
    assert cases[0].masks[0] == tmp_path / "labelsTr" / "h_001.nii.gz"


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
        ({"training": ["h_001"]}, "must name its image and its label"),
        ({"training": [{"image": "../x.nii.gz", "label": "y.nii.gz"}]}, "below this folder"),
        ({"training": [{"image": "a.nii.gz", "label": "/etc/passwd"}]}, "below this folder"),
        ({"training": [{"image": "a.nii.gz", "label": "b.nii.gz"}] * 2}, "a is listed twice"),
        ({"modality": {"0": "FLAIR", "2": "T1w"}}, "must number the channels from 0"),
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
    assert all(path.is_file() for case in cases for path in case.files)
    assert registry.label_map("msd", root).names == ("background", "Anterior", "Posterior")


def test_kits19_real_masks_without_images(shared_data):
    cases = registry.find_cases("kits19", shared_data / "kits19_masks")
    assert len(cases) == 14
    assert all(case.masks[0].is_file() for case in cases)


def test_msd_chooses_channels_by_name(tmp_path):
    describe(tmp_path, modality={"0": "FLAIR", "1": "T1w", "2": "t1gd", "3": "T2w"})
    assert registry.reading("msd", tmp_path) == Reading(channels=(0, 1, 2, 3))
    assert registry.reading("msd", tmp_path, {"channels": ["T2w", "FLAIR"]}) == Reading(channels=(3, 0))
    with pytest.raises(UserError, match="has no 'T2'; it has 'FLAIR', 'T1w', 't1gd', 'T2w'"):
        registry.find_cases("msd", tmp_path, {"channels": ["T2"]})
    assert registry.reading("msd", describe_one(tmp_path)) == Reading()


def describe_one(root):
    describe(root)
    return root


def test_msd_tells_all_faults_of_the_list(tmp_path):
    describe(tmp_path, training=[{"image": "../a.nii"}, "x", {"image": "b.nii.gz", "label": "c.nii.gz"}])
    with pytest.raises(Faults) as caught:
        registry.find_cases("msd", tmp_path)
    assert len(caught.value.faults) == 2


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 300) | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
KEYS = ("labels", "modality", "channel_names", "training", "dataset", "file_ending")
DESCRIPTIONS = JSON | st.dictionaries(st.sampled_from(KEYS), JSON, max_size=6)


@pytest.mark.parametrize("name", ["msd", "nnunet_raw"])
@given(description=DESCRIPTIONS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_dataset_json_gives_cases_or_a_user_error(tmp_path, name, description):
    (tmp_path / "dataset.json").write_text(json.dumps(description), encoding="utf-8")
    (tmp_path / "labelsTr").mkdir(exist_ok=True)
    (tmp_path / "labelsTr" / "a.nii.gz").touch()
    for read in (registry.label_map, registry.reading):
        with contextlib.suppress(UserError):
            read(name, tmp_path)
    with contextlib.suppress(UserError):
        for case in registry.find_cases(name, tmp_path):
            assert all(tmp_path in path.parents and ".." not in path.parts for path in case.files)


@pytest.mark.parametrize("text", [b"", b"\xff", b"[" * 100_000, b'{"labels": ' + b"9" * 10_000 + b"}", b'{"a": NaN}', b"[]"])
@pytest.mark.parametrize("name", ["msd", "nnunet_raw"])
def test_a_dataset_json_that_is_none(tmp_path, name, text):
    (tmp_path / "dataset.json").write_bytes(text)
    with pytest.raises(UserError, match=r"dataset\.json"):
        registry.find_cases(name, tmp_path)


@pytest.mark.parametrize("parent", ["", "CVC-ClinicDB", "PNG"])
def test_cvc_clinicdb_sorts_frames_as_numbers_and_knows_their_sequences(tmp_path, parent):
    ending = ".png" if parent == "PNG" else ".tif"
    for number in (10, 2, 25, 26, 612):
        for folder in ("Original", "Ground Truth"):
            touch(tmp_path / parent / folder / f"{number}{ending}")
    cases = registry.find_cases("cvc_clinicdb", tmp_path)
    assert [case.id for case in cases] == ["frame_002", "frame_010", "frame_025", "frame_026", "frame_612"]
    assert [case.group for case in cases] == ["sequence_01"] * 3 + ["sequence_02", "sequence_29"]
    assert cases[0].masks == (tmp_path / parent / "Ground Truth" / f"2{ending}",)
    assert registry.reading("cvc_clinicdb", tmp_path) == Reading(colour="rgb", threshold=127)


def test_cvc_clinicdb_sequences_are_29_and_hold_every_frame_once():
    first = cvc_clinicdb.FIRST_FRAMES
    assert len(first) == 29
    assert list(first) == sorted(set(first))
    assert first[0] == 1 < first[-1] <= cvc_clinicdb.FRAMES


def test_cvc_clinicdb_metadata_go_before_the_ranges(tmp_path):
    for folder in ("Original", "Ground Truth"):
        touch(tmp_path / "PNG" / folder / "1.png")
    (tmp_path / "metadata.csv").write_text("frame_id,sequence_id\n1,7\n")
    assert registry.find_cases("cvc_clinicdb", tmp_path)[0].group == "sequence_07"


def test_cvc_clinicdb_real_frames(shared_data):
    cases = registry.find_cases("cvc_clinicdb", shared_data / "CVC-ClinicDB")
    assert len(cases) == 65
    assert Counter(case.group for case in cases) == {"sequence_01": 25, "sequence_03": 17, "sequence_06": 23}
    assert all(path.is_file() for case in cases for path in case.files)


def test_drive_parts_and_fields_of_view(tmp_path):
    for part, number, manual in (("training", 21, True), ("test", 1, True), ("test", 2, False)):
        folder = tmp_path / "DRIVE" / part
        touch(folder / "images" / f"{number:02d}_{part}.tif")
        touch(folder / "mask" / f"{number:02d}_{part}_mask.gif")
        if manual:
            touch(folder / "1st_manual" / f"{number:02d}_manual1.gif")
    cases = registry.find_cases("drive", tmp_path)
    assert [(case.id, case.part) for case in cases] == [("01_test", "test"), ("21_training", "training")]
    assert cases[1].field_of_view == tmp_path / "DRIVE/training/mask/21_training_mask.gif"


def test_drive_real_images(shared_data):
    cases = registry.find_cases("drive", shared_data / "DRIVE")
    assert [case.id for case in cases] == [f"{number}_training" for number in range(21, 41)]
    assert all(path.is_file() for case in cases for path in case.files)
    assert all(case.field_of_view for case in cases)


@pytest.mark.parametrize(("parent", "images", "masks"), [("", "original", "GT"), ("BUS", "Original", "gt")])
def test_bus2017_layouts(tmp_path, parent, images, masks):
    for name in ("000010", "000002"):
        touch(tmp_path / parent / images / f"{name}.png")
        touch(tmp_path / parent / masks / f"{name}.png")
    cases = registry.find_cases("bus2017", tmp_path)
    assert [case.id for case in cases] == ["000002", "000010"]
    assert cases[0].masks == (tmp_path / parent / masks / "000002.png",)


def test_busi_joins_all_masks_of_an_image(tmp_path):
    folder = tmp_path / "Dataset_BUSI_with_GT"
    for name in ("benign (10)", "benign (2)", "malignant (1)", "normal (1)"):
        kind = name.split()[0]
        touch(folder / kind / f"{name}.png")
        touch(folder / kind / f"{name}_mask.png")
    touch(folder / "benign" / "benign (2)_mask_1.png")
    cases = registry.find_cases("busi", tmp_path)
    assert [case.id for case in cases] == ["benign (002)", "benign (010)", "malignant (001)", "normal (001)"]
    assert [path.name for path in cases[0].masks] == ["benign (2)_mask.png", "benign (2)_mask_1.png"]
    assert not any(name_fault(case.id) for case in cases)


def nnunet(root, cases=("case_10", "case_2"), channels=("T1", "T2"), **changes):
    """Write a dataset in nnU-Net's layout with empty files."""
    content: dict[str, object] = {
        "channel_names": {str(index): name for index, name in enumerate(channels)},
        "labels": {"background": 0, "edema": 1, "core": 2},
        "file_ending": ".nii.gz",
    }
    root.mkdir(parents=True, exist_ok=True)
    (root / "dataset.json").write_text(json.dumps(content | changes))
    ending = changes.get("file_ending", ".nii.gz")
    for case in cases:
        for index in range(len(channels)):
            touch(root / "imagesTr" / f"{case}_{index:04d}{ending}")
        touch(root / "labelsTr" / f"{case}{ending}")
    return root


def test_nnunet_cases_and_channels(tmp_path):
    root = nnunet(tmp_path / "Dataset001_Toy")
    cases = registry.find_cases("nnunet_raw", root)
    assert [case.id for case in cases] == ["case_2", "case_10"]
    assert [path.name for path in cases[0].images] == ["case_2_0000.nii.gz", "case_2_0001.nii.gz"]
    (only, _) = registry.find_cases("nnunet_raw", root, {"channels": ["T2"]})
    assert [path.name for path in only.images] == ["case_2_0001.nii.gz"]
    with pytest.raises(UserError, match="has no 'T3'; it has 'T1', 'T2'"):
        registry.find_cases("nnunet_raw", root, {"channels": ["T3"]})


def test_nnunet_names_every_incomplete_case(tmp_path):
    root = nnunet(tmp_path)
    (root / "imagesTr" / "case_2_0001.nii.gz").unlink()
    touch(root / "imagesTr" / "case_3_0000.nii.gz")
    touch(root / "imagesTr" / "case_10_0002.nii.gz")
    faults = {case.id: case.faults for case in registry.find_cases("nnunet_raw", root) if case.faults}
    assert list(faults) == ["case_2", "case_3", "case_10"]
    assert faults["case_10"] == ("it has case_10_0002.nii.gz, but `channel_names` of dataset.json ends at 0001",)
    assert faults["case_2"] == (f"it has no case_2_0001.nii.gz in {root / 'imagesTr'}",)
    assert "it has no label" in faults["case_3"][1]


def test_nnunet_labels_and_regions(tmp_path):
    root = nnunet(tmp_path, labels={"background": 0, "whole": [1, 2, 3], "core": [2, 3], "enhancing": 3})
    labels = registry.label_map("nnunet_raw", root)
    assert labels.names == ("background", "label 1", "label 2", "enhancing")
    assert labels.regions == {"whole": (1, 2, 3), "core": (2, 3)}


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"background": 0, "ignore": 2}, "`ignore`"),
        ({"0": "background", "1": "tumour"}, "must be a whole number"),
        ({"background": 0, "a": 1, "b": 1}, "two names to one value"),
        ({"a": 1}, "must name 0"),
        ({"background": 0, "a": 1.5}, "whole number"),
        ({"background": 0, "a": True}, "whole number"),
        ({"background": 0, "a": 999}, "from 0 to 255"),
    ],
)
def test_nnunet_unusable_labels(tmp_path, labels, message):
    with pytest.raises(UserError, match=message):
        registry.label_map("nnunet_raw", nnunet(tmp_path, labels=labels))


def test_nnunet_pictures_in_one_file_or_one_per_channel(tmp_path):
    names = {"0": "R", "1": "G", "2": "B"}
    one = nnunet(tmp_path / "one", channels=("R",), channel_names=names, file_ending=".png")
    assert registry.reading("nnunet_raw", one).colour == "rgb"
    assert [path.name for path in registry.find_cases("nnunet_raw", one)[0].images] == ["case_2_0000.png"]
    three = nnunet(tmp_path / "three", channels=("R", "G", "B"), file_ending=".png")
    assert registry.reading("nnunet_raw", three).colour == "one"
    assert len(registry.find_cases("nnunet_raw", three)[0].images) == 3
    with pytest.raises(UserError, match="cannot be read"):
        registry.find_cases("nnunet_raw", nnunet(tmp_path / "npz", file_ending=".npz"))


def test_nnunet_listed_files_stay_below_the_root(tmp_path):
    listed = {"a": {"images": ["x/a.nii.gz"], "label": "y/a.nii.gz"}}
    root = nnunet(tmp_path, channels=("CT",), dataset=listed)
    assert registry.find_cases("nnunet_raw", root) == [Case("a", (root / "x/a.nii.gz",), (root / "y/a.nii.gz",))]
    for outside in ("../x.nii.gz", "/etc/passwd", "", "."):
        nnunet(tmp_path, channels=("CT",), dataset={"a": {"images": [outside], "label": "y/a.nii.gz"}})
        (case,) = registry.find_cases("nnunet_raw", root)
        assert "as paths below" in case.faults[0]
        assert case.images == ()


def folder_options(**keys):
    return {"files": Files.model_validate({"classes": {"background": 0, "lesion": 255}} | keys).model_dump(mode="json")}


def test_folders_with_groups_several_masks_and_names_of_any_kind(tmp_path):
    root = tmp_path / "Bilder älter"
    for group, case in (("p1", "Fall 2"), ("p1", "Fall 10"), ("p2", "患者")):
        touch(root / group / case / "photo.png")
        touch(root / group / case / "lesion 1.png")
    touch(root / "p1" / "Fall 2" / "lesion 2.png")
    touch(root / "p1" / "notes.txt")
    options = folder_options(images=["{group}/{case}/photo.png"], masks="{group}/{case}/lesion*.png", several_masks="join")
    cases = registry.find_cases("folders", root, options)
    assert [(case.id, case.group, len(case.masks)) for case in cases] == [
        ("Fall 2", "p1", 2),
        ("Fall 10", "p1", 1),
        ("患者", "p2", 1),
    ]


def test_folders_by_the_default_patterns_whatever_the_ending(tmp_path):
    touch(tmp_path / "images" / "a.b.nii.gz")
    touch(tmp_path / "masks" / "a.b.nii")
    touch(tmp_path / "images" / "c.TIF")
    touch(tmp_path / "masks" / "c.png")
    assert [case.id for case in registry.find_cases("folders", tmp_path, folder_options())] == ["a.b", "c"]


def test_folders_masks_that_begin_with_the_name_of_the_case(tmp_path):
    for name in ("a1", "a10", "a1 x"):
        touch(tmp_path / f"{name}.png")
    for name in ("a1_mask", "a1_mask_2", "a10_mask", "a1 x_mask"):
        touch(tmp_path / "m" / f"{name}.png")
    options = folder_options(images=["{case}.png"], masks="m/{case}*.png")
    cases = {case.id: [path.name for path in case.masks] for case in registry.find_cases("folders", tmp_path, options)}
    assert cases == {"a1": ["a1_mask.png", "a1_mask_2.png"], "a10": ["a10_mask.png"], "a1 x": ["a1 x_mask.png"]}


def test_folders_channels_and_what_is_missing_of_them(tmp_path):
    for name in ("a_t1.nii", "a_t2.nii", "b_t1.nii", "a_seg.nii", "c_seg.nii"):
        touch(tmp_path / name)
    options = folder_options(images=["{case}_t1.nii", "{case}_t2.nii"], masks="{case}_seg.nii", field_of_view="{case}_fov.nii")
    faults = {case.id: case.faults for case in registry.find_cases("folders", tmp_path, options)}
    assert faults["a"] == ("it has no field of view a_fov.nii",)
    assert {"it has no image b_t2.nii", "it has no mask b_seg.nii"} < set(faults["b"])
    assert {"it has no image c_t1.nii", "it has no image c_t2.nii"} < set(faults["c"])


def test_folders_never_leave_the_root(tmp_path):
    for pattern in (
        "../{case}.png",
        "/etc/{case}.png",
        "~/{case}.png",
        "a/../../{case}.png",
        "images/x.png",
        "{case}/{phase}.png",
    ):
        with pytest.raises(ValueError, match=r"below `root`|must hold"):
            Files.model_validate({"classes": {"background": 0, "a": 1}, "images": [pattern]})
    with pytest.raises(ValueError, match="must not follow"):
        Files.model_validate({"classes": {"background": 0, "a": 1}, "images": ["{case}*.png"]})


def test_folders_regions(tmp_path):
    options = folder_options(
        classes={"background": [0, 7], "rim": 1, "core": 2}, regions={"whole": ["rim", "core"]}, threshold=None
    )
    assert registry.label_map("folders", tmp_path, options) == LabelMap(
        ("background", "rim", "core"), ((0, 7), (1,), (2,)), {"whole": (1, 2)}
    )
    explain = registry.get("folders").explain_labels
    assert "0 and 255" in explain([0.0, 255.0])
    assert "grey edges" in explain([0.0, 3.0, 255.0])


def test_the_order_of_classes_and_regions_survives_sorted_json_and_changes_the_fingerprint(tmp_path):
    """Settings and records are JSON, some of it with sorted keys; the order of the study decides tables and outputs."""

    def plain(classes, regions):
        files = {"classes": classes, "regions": regions}
        given = {"dataset": "d", "format": "folders", "source": "folder", "root": "r", "url": None, "channels": None, "axes": 3}
        return obtain.Settings.model_validate(given | {"files": files, "phantom": None}).model_dump(mode="json")

    classes, regions = (
        {"tumour": 255, "background": 0, "Kidney": 128, "adenoma": 3},
        {"z": ["Kidney", "tumour"], "b": ["adenoma"]},
    )
    first = plain(classes, regions)
    read = obtain.Settings.model_validate(json.loads(json.dumps(first, sort_keys=True)))
    assert registry.label_map("folders", tmp_path, read.options) == LabelMap(
        ("background", "tumour", "Kidney", "adenoma"), ((0,), (255,), (128,), (3,)), {"z": (2, 1), "b": (3,)}
    )
    assert fingerprint(plain(dict(reversed(classes.items())), regions), []) != fingerprint(first, [])
    assert fingerprint(plain(classes, dict(reversed(regions.items()))), []) != fingerprint(first, [])


def test_real_brats_2015_arranged_as_brats20(shared_data, tmp_path):
    sources = sorted(path.parent for path in (shared_data / "brats2015_six_cases").rglob("OTMultiClass.nii.gz"))
    for number, source in enumerate(sources, start=1):
        name = f"BraTS20_Training_{number:03d}"
        folder = tmp_path / "BraTS2020_TrainingData" / "MICCAI_BraTS2020_TrainingData" / name
        folder.mkdir(parents=True)
        for file, part in (("T1c_subtrMeanDivStd", "t1ce"), ("Flair_subtrMeanDivStd", "flair"), ("OTMultiClass", "seg")):
            (folder / f"{name}_{part}.nii.gz").symlink_to(source / f"{file}.nii.gz")
    cases = registry.find_cases("brats20", tmp_path, {"channels": ["t1ce", "flair"]})
    assert len(cases) == 6
    assert all(path.is_file() for case in cases for path in case.files)
