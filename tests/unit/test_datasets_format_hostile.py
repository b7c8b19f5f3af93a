"""Damaged, malicious and unusual folders in all formats: cases, or a readable fault."""

import contextlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from workflow_lib.base.errors import Faults, UserError
from workflow_lib.datasets.formats import layouts as _layouts
from workflow_lib.datasets.formats import registry
from workflow_lib.datasets.inspection import inspect_case
from workflow_lib.images.cases import Case, Reading
from workflow_lib.study.sections.files import Files

NOT_UTF8 = os.fsdecode(b"caf\xe9")
MANY_DIGITS = "9" * 5000
"""More digits than Python's int() accepts."""


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def describe(root, **content):
    (root / "dataset.json").write_text(json.dumps(content), encoding="utf-8")
    return root


def folder_options(**keys):
    return {"files": Files.model_validate({"classes": {"background": 0, "lesion": 255}} | keys).model_dump(mode="json")}


MSD = {
    "labels": {"0": "background", "1": "a"},
    "modality": {"0": "MRI"},
    "training": [{"image": "imagesTr/a.nii.gz", "label": "labelsTr/a.nii.gz"}],
}
NNUNET = {
    "labels": {"background": 0, "a": 1},
    "channel_names": {"0": "CT"},
    "file_ending": ".nii.gz",
    "dataset": {"a": {"images": ["imagesTr/a.nii.gz"], "label": "labelsTr/a.nii.gz"}},
}
TEXT = st.text(max_size=6) | st.text(st.characters(categories=["Cs", "Cc", "Nd", "Lu"]), max_size=6) | st.just(MANY_DIGITS)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 300) | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=10,
)


def places(content, path=()):
    """Yield the places of the values in a JSON object."""
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from places(value, (*path, key))


@pytest.mark.parametrize(("name", "sound"), [("msd", MSD), ("nnunet_raw", NNUNET)])
@given(data=st.data(), value=JSON, key=TEXT | st.none())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_damage_to_a_sound_dataset_json(tmp_path, name, sound, data, value, key):
    """One value or key is replaced by anything. The result can be written to a file, and all paths stay inside the root."""
    content = json.loads(json.dumps(sound))
    *parents, last = data.draw(st.sampled_from(list(places(content))))
    holder = content
    for step in parents:
        holder = holder[step]
    if key is not None and isinstance(holder, dict):
        holder[key] = holder.pop(last)
    else:
        holder[last] = value
    describe(tmp_path, **content)
    for read in (registry.find_cases, registry.label_map, registry.reading):
        found: list[Any] = []
        message = ""
        try:
            result = read(name, tmp_path)
            found = result if isinstance(result, list) else [result]
        except UserError as error:
            message = str(error)
        assert len(message.encode("utf-8")) < 20_000
        for item in found:
            json.dumps(item.to_json(), ensure_ascii=False).encode("utf-8")
            files = item.files if isinstance(item, Case) else ()
            assert all(tmp_path in path.parents and ".." not in path.parts for path in files)


@pytest.mark.parametrize("name", ["msd", "nnunet_raw"])
@pytest.mark.parametrize("depth", [10, 300, 900, 990, 100_000])
@pytest.mark.parametrize("key", ["labels", "modality", "training", "dataset", "file_ending"])
def test_nesting_of_any_depth(tmp_path, name, depth, key):
    text = json.dumps((MSD if name == "msd" else NNUNET) | {key: 17}).replace("17", "[" * depth + "]" * depth)
    (tmp_path / "dataset.json").write_text(text)
    for read in (registry.find_cases, registry.label_map):
        with contextlib.suppress(UserError):
            read(name, tmp_path)


def test_a_description_of_many_megabytes_is_not_repeated_in_the_message(tmp_path):
    describe(tmp_path, **(NNUNET | {"labels": ["x" * 10_000_000]}))
    with pytest.raises(UserError, match="must map names to values") as caught:
        registry.label_map("nnunet_raw", tmp_path)
    assert len(str(caught.value)) < 2000


@given(numbers=st.lists(st.integers(0, 10**40), max_size=6))
def test_natural_order_of_numbers_is_that_of_their_values(numbers):
    names = [f"case{number}.nii" for number in numbers]
    assert sorted(names, key=_layouts.natural) == [f"case{number}.nii" for number in sorted(numbers)]


@given(first=st.text(max_size=8), second=st.text(max_size=8))
@example(first="01", second="1")
@example(first="A", second="a")
@example(first=MANY_DIGITS, second="1")
def test_natural_order_tells_every_two_names_apart(first, second):
    assume(first != second)
    assert _layouts.natural(first) != _layouts.natural(second)


@pytest.mark.parametrize(
    ("labels", "part"),
    [
        ({"0": "background", "1": "a", "01": "b"}, "no value twice"),
        ({"0": "background", "1": " "}, "must map"),
        ({"0": "background", "1": {"a": 1}}, "must map"),
        ({"0": "background", "1": "two\nlines"}, "must map"),
        ({"0": "background", "1": "\ud800"}, "must map"),
    ],
)
def test_msd_labels_that_are_no_names(tmp_path, labels, part):
    with pytest.raises(UserError, match=part):
        registry.label_map("msd", describe(tmp_path, **(MSD | {"labels": labels})))


def test_msd_of_one_channel_refuses_the_name_of_another(tmp_path):
    describe(tmp_path, **MSD)
    assert registry.reading("msd", tmp_path, {"channels": ["MRI"]}) == Reading()
    with pytest.raises(UserError, match="has no 'T2'; it has 'MRI'"):
        registry.find_cases("msd", tmp_path, {"channels": ["T2"]})


def test_nnunet_tells_all_faults_of_the_labels(tmp_path):
    labels = {"background": 0, "a": 1.5, "b": [], "ignore": 3, "c": 1, " c": 2, "d": [1, 1, 2]}
    with pytest.raises(Faults) as caught:
        registry.label_map("nnunet_raw", describe(tmp_path, **(NNUNET | {"labels": labels})))
    assert len(caught.value.faults) == 4
    sound = {"background": 0, "c": 1, "d": [1, 1, 2]}
    found = registry.label_map("nnunet_raw", describe(tmp_path, **(NNUNET | {"labels": sound})))
    assert found.names == ("background", "c", "label 2")
    assert found.regions == {"d": (1, 2)}
    assert "0 and 255" in registry.get("nnunet_raw").explain_labels([0.0, 255.0])


def test_nnunet_colours_of_one_file_are_chosen_by_name(tmp_path):
    listed = {"a": {"images": ["a.png"], "label": "b.png"}}
    content = NNUNET | {"channel_names": {"0": "R", "1": "G", "2": "B"}, "file_ending": ".png", "dataset": listed}
    describe(tmp_path, **content)
    for wanted, colour in ((None, "rgb"), (["R", "G", "B"], "rgb"), (["G"], "green"), (["B"], "blue")):
        options = {"channels": wanted}
        assert registry.reading("nnunet_raw", tmp_path, options).colour == colour
        assert registry.find_cases("nnunet_raw", tmp_path, options)[0].images == (tmp_path / "a.png",)
    with pytest.raises(UserError, match="one or all three"):
        registry.reading("nnunet_raw", tmp_path, {"channels": ["R", "B"]})
    listed["a"]["images"] = ["r.png", "g.png", "b.png"]
    describe(tmp_path, **content)
    (case,) = registry.find_cases("nnunet_raw", tmp_path, {"channels": ["B", "R"]})
    assert [path.name for path in case.images] == ["b.png", "r.png"]
    assert registry.reading("nnunet_raw", tmp_path, {"channels": ["B", "R"]}).colour == "one"


def layout(root, name, numbers):
    """Write a small dataset in any of the formats, with empty files; return the options."""
    for number in numbers:
        places = {
            "kits19": [f"data/case_{number:05d}/imaging.nii.gz"],
            "brats20": [f"BraTS20_Training_{number:03d}/BraTS20_Training_{number:03d}_seg.nii.gz"],
            "cvc_clinicdb": [f"Original/{number}.tif", f"Ground Truth/{number}.tif"],
            "drive": [f"training/images/{number}_training.tif", f"training/1st_manual/{number}_manual1.gif"],
            "bus2017": [f"original/{number:06d}.png", f"GT/{number:06d}.png"],
            "busi": [f"benign/benign ({number}).png", f"benign/benign ({number})_mask.png"],
            "nnunet_raw": [f"imagesTr/c{number}_0000.nii.gz", f"labelsTr/c{number}.nii.gz"],
            "folders": [f"images/{number}.png", f"masks/{number}.png"],
        }
        for place in places[name]:
            touch(root / place)
    if name == "nnunet_raw":
        describe(root, **{key: value for key, value in NNUNET.items() if key != "dataset"})
    return folder_options() if name == "folders" else {}


LISTED = ["kits19", "brats20", "cvc_clinicdb", "drive", "bus2017", "busi", "nnunet_raw", "folders"]


@pytest.mark.parametrize("name", LISTED)
def test_no_folder_is_listed_again_for_every_case(tmp_path, monkeypatch, name):
    options = {count: layout(tmp_path / str(count), name, range(1, count + 1)) for count in (3, 60)}
    listed: list[Path] = []
    really = Path.iterdir

    def iterdir(folder):
        listed.append(folder)
        return really(folder)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    found = {}
    for count in (3, 60):
        listed.clear()
        assert len(registry.find_cases(name, tmp_path / str(count), options[count])) == count
        found[count] = len(listed)
    assert found[3] == found[60] > 0


@pytest.mark.parametrize("name", LISTED)
def test_a_folder_that_may_not_be_listed(tmp_path, monkeypatch, name):
    options = layout(tmp_path, name, [1])

    def refuse(folder):
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(UserError, match="cannot be listed: Permission denied"):
        registry.find_cases(name, tmp_path, options)


@pytest.mark.parametrize(
    ("name", "folder"),
    [("cvc_clinicdb", "Original"), ("bus2017", "GT"), ("busi", "benign"), ("nnunet_raw", "labelsTr"), ("folders", "images")],
)
def test_names_that_are_not_utf8_are_told(tmp_path, name, folder):
    options = layout(tmp_path, name, [1])
    try:
        touch(tmp_path / folder / f"{NOT_UTF8}.png")
    except OSError:
        pytest.skip("this file system refuses such names")
    with pytest.raises(UserError, match=r"not UTF-8: 'caf\\udce9\.png'"):
        registry.find_cases(name, tmp_path, options)


def test_all_files_that_differ_in_the_ending_only_are_told(tmp_path):
    layout(tmp_path, "bus2017", [1, 2, 3])
    for number in (1, 3):
        touch(tmp_path / "original" / f"{number:06d}.bmp")
    with pytest.raises(Faults) as caught:
        registry.find_cases("bus2017", tmp_path)
    assert len(caught.value.faults) == 2


@pytest.mark.parametrize(
    "text",
    [
        f"frame_id,sequence_id\n1,{MANY_DIGITS}\n2,3\n",
        f"frame_id,sequence_id\n1,{'x' * 200_000}\n",
        'frame_id,sequence_id\n"1\n',
        "frame_id,sequence_id\n2,7\n",
        "frame_id,sequence_id\n1,7\n1,8\n",
        "\0",
        "",
        "sequence_id\n7\n",
    ],
)
def test_cvc_clinicdb_metadata_that_do_not_list_all_frames_count_for_nothing(tmp_path, text):
    layout(tmp_path, "cvc_clinicdb", [1, 2, 26])
    (tmp_path / "metadata.csv").write_text(text)
    cases = registry.find_cases("cvc_clinicdb", tmp_path)
    assert [case.group for case in cases] == ["sequence_01", "sequence_01", "sequence_02"]


def test_cvc_clinicdb_names_with_zeros_in_front_are_the_same_frames(tmp_path):
    for name in ("001", "026"):
        touch(tmp_path / "Original" / f"{name}.png")
        touch(tmp_path / "Ground Truth" / f"{name}.png")
    assert [case.group for case in registry.find_cases("cvc_clinicdb", tmp_path)] == ["sequence_01", "sequence_02"]
    (tmp_path / "metadata.csv").write_text("frame_id,sequence_id\n1,7\n26,9\n")
    cases = registry.find_cases("cvc_clinicdb", tmp_path)
    assert [(case.id, case.group) for case in cases] == [("frame_001", "sequence_07"), ("frame_026", "sequence_09")]


def test_drive_takes_a_training_image_without_vessels_for_the_check_to_tell(tmp_path):
    layout(tmp_path, "drive", [21, 22])
    (tmp_path / "training" / "1st_manual" / "22_manual1.gif").unlink()
    cases = registry.find_cases("drive", tmp_path)
    assert [case.masks[0].is_file() for case in cases] == [True, False]
    (tmp_path / "training" / "1st_manual" / "21_manual1.gif").unlink()
    with pytest.raises(UserError, match="holds no labelled case"):
        registry.find_cases("drive", tmp_path)


def test_folders_images_and_masks_side_by_side(tmp_path):
    for name in ("benign (1)", "benign (2)"):
        touch(tmp_path / "benign" / f"{name}.png")
        touch(tmp_path / "benign" / f"{name}_mask.png")
    touch(tmp_path / "benign" / "benign (1)_mask_1.png")
    options = folder_options(images=["{group}/{case}.png"], masks="{group}/{case}_mask*.png")
    cases = registry.find_cases("folders", tmp_path, options)
    assert [(case.id, [path.name for path in case.images], len(case.masks), case.group) for case in cases] == [
        ("benign (1)", ["benign (1).png"], 2, "benign"),
        ("benign (2)", ["benign (2).png"], 1, "benign"),
    ]


def test_folders_channels_side_by_side_and_one_file_for_two_channels(tmp_path):
    for name in ("a.nii", "a_t2.nii", "a_seg.nii"):
        touch(tmp_path / name)
    options = folder_options(images=["{case}.nii", "{case}_t2.nii", "{case}.nii"], masks="{case}_seg.nii")
    (case,) = registry.find_cases("folders", tmp_path, options)
    assert [path.name for path in case.images] == ["a.nii", "a_t2.nii", "a.nii"]
    assert [path.name for path in case.masks] == ["a_seg.nii"]


def test_folders_an_image_is_not_its_own_mask(tmp_path):
    for name in ("a.png", "m/a.png", "m/a_2.png", "m/b.png"):
        touch(tmp_path / name)
    options = folder_options(images=["{case}.png"], masks="m/{case}*.png")
    first, second = registry.find_cases("folders", tmp_path, options)
    assert second.faults == (f"{tmp_path / 'm/b.png'}: fits m/{{case}}*.png, but its name begins with that of no image",)
    assert len(first.masks) == 2
    with pytest.raises(UserError, match="holds no labelled case"):
        registry.find_cases("folders", tmp_path, folder_options(images=["{case}.png"], masks="{case}*.png"))


def test_folders_of_a_case_in_two_groups_are_told(tmp_path):
    for name in ("images/p1/a.png", "images/p2/a.png", "masks/a.png"):
        touch(tmp_path / name)
    (case,) = registry.find_cases("folders", tmp_path, folder_options(images=["images/{group}/{case}.png"]))
    assert "2 files fit image images/{group}/a.png: a.png, a.png" in case.faults[0]
    assert "lies in several groups: p1, p2" in case.faults[1]


def test_folders_look_only_where_a_pattern_points(tmp_path, monkeypatch):
    layout(tmp_path, "folders", [1])
    touch(tmp_path / "elsewhere" / "2.png")
    listed: list[Path] = []
    really = Path.iterdir

    def iterdir(folder):
        listed.append(folder)
        return really(folder)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    options = folder_options(images=["./images/{case}.*"], masks="masks//{case}.*")
    assert [case.id for case in registry.find_cases("folders", tmp_path, options)] == ["1"]
    assert set(listed) == {tmp_path / "images", tmp_path / "masks"}


def test_folders_that_are_links_to_a_store_are_followed(tmp_path):
    layout(tmp_path / "store", "folders", [1, 2])
    root = tmp_path / "mine"
    root.mkdir()
    for name in ("images", "masks"):
        (root / name).symlink_to(tmp_path / "store" / name, target_is_directory=True)
    (root / "images" / "round").symlink_to(root / "images", target_is_directory=True)
    assert [case.id for case in registry.find_cases("folders", root, folder_options())] == ["1", "2"]


def test_folders_explain_masks_of_ones():
    assert "Declare 1" in registry.get("folders").explain_labels([0.0, 1.0])


@pytest.mark.parametrize(
    ("name", "folder", "voxels"),
    [("msd", "Task04_Hippocampus", 3), ("cvc_clinicdb", "CVC-ClinicDB", 2), ("drive", "DRIVE", 2)],
)
def test_a_real_case_is_sound_as_it_is_found(shared_data, name, folder, voxels):
    root = shared_data / folder
    case = registry.find_cases(name, root)[0]
    finding = inspect_case(case, registry.label_map(name, root), registry.reading(name, root), registry.get(name).explain_labels)
    assert finding.faults == ()
    assert len(finding.voxels) == voxels
    assert min(finding.voxels.values()) > 0


@pytest.mark.parametrize("parent", ["", "MICCAI_BraTS2020_TrainingData"])
def test_a_real_mask_of_brats_2015_is_recognised(shared_data, tmp_path, parent):
    source = min(path.parent for path in (shared_data / "brats2015_six_cases").rglob("OTMultiClass.nii.gz"))
    folder = tmp_path / parent / "BraTS20_Training_001"
    folder.mkdir(parents=True)
    (folder / "BraTS20_Training_001_t1ce.nii.gz").symlink_to(source / "T1c_subtrMeanDivStd.nii.gz")
    (folder / "BraTS20_Training_001_seg.nii.gz").symlink_to(source / "OTMultiClass.nii.gz")
    (case,) = registry.find_cases("brats20", tmp_path)
    labels = registry.label_map("brats20", tmp_path)
    finding = inspect_case(case, labels, Reading(), registry.get("brats20").explain_labels)
    assert len(finding.faults) == 1
    assert "This is a mask of BraTS 2015" in finding.faults[0]
