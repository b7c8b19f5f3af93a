"""Masks as people have them: a file per class, several files, colours; names as they come; cases that lack a file."""

import json
import unicodedata

import numpy as np
import pytest
from PIL import Image

from workflow_lib.base.errors import UserError
from workflow_lib.datasets import check
from workflow_lib.datasets.division import names_without_case
from workflow_lib.datasets.formats import registry
from workflow_lib.datasets.formats.layouts import hidden_images
from workflow_lib.datasets.inspection import inspect_case
from workflow_lib.images.casefiles import read_mask
from workflow_lib.images.cases import Case, Reading
from workflow_lib.images.files_read import FilesRead
from workflow_lib.study.sections.files import Files

SHAPE = (12, 16)
CLASSES = {"background": 0, "liver": 1, "left_kidney": 2}


def save(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(data, np.uint8)).save(path)


def image(path, seed=0):
    save(path, np.random.default_rng(seed).integers(0, 256, SHAPE))


def box(*rows, value=255):
    mask = np.zeros(SHAPE, np.uint8)
    mask[slice(*rows)] = value
    return mask


def options(**keys):
    return {"files": Files.model_validate({"classes": CLASSES, "images": ["images/{case}.png"]} | keys).model_dump(mode="json")}


def looked_at(root, keys):
    """Return the findings of the cases of a folder, by name, and its reading."""
    cases = {case.id: case for case in registry.find_cases("folders", root, keys)}
    labels, reading = registry.label_map("folders", root, keys), registry.reading("folders", root, keys)
    return (
        {name: inspect_case(case, labels, Reading.from_json(reading.to_json())) for name, case in cases.items()},
        cases,
        reading,
    )


def per_class(root, **masks):
    image(root / "images" / "p_1.png")
    for name, mask in masks.items():
        save(root / "masks" / f"p_1_{name}.png", mask)


def test_a_file_per_class(tmp_path):
    per_class(tmp_path, liver=box(0, 3), left_kidney=box(5, 7, value=1), spleen=box(9, 12))
    found, cases, reading = looked_at(tmp_path, options(masks="masks/{case}_{class}.png"))
    assert found["p_1"].faults == ()
    assert found["p_1"].voxels == {"background": 7 * 16, "liver": 3 * 16, "left_kidney": 2 * 16}
    assert found["p_1"].remarks == ("1 of its masks are of classes that the study does not have, and are not read: spleen",)
    written = Case.from_json(json.loads(json.dumps(cases["p_1"].to_json(), sort_keys=True)))
    assert written == cases["p_1"]
    np.testing.assert_array_equal(read_mask(written, reading), box(0, 3, value=1) + box(5, 7, value=2))


def test_a_class_without_a_file_is_taken_as_absent_and_said(tmp_path):
    per_class(tmp_path, liver=box(0, 3))
    found, *_ = looked_at(tmp_path, options(masks="masks/{case}_{class}.png"))
    assert found["p_1"].voxels["left_kidney"] == 0
    assert found["p_1"].remarks == ("it has no mask file for left_kidney, which was taken as absent",)
    per_class(tmp_path / "b", spleen=box(0, 3))
    save(tmp_path / "b/masks/p_2_liver.png", box(0, 1))
    found, *_ = looked_at(tmp_path / "b", options(masks="masks/{case}_{class}.png"))
    assert found["p_2"].faults == ("it has no image images/p_2.png",)


def test_classes_that_overlap_are_a_fault_or_the_last_counts(tmp_path):
    per_class(tmp_path, liver=box(0, 4), left_kidney=box(3, 7))
    keys = {"masks": "masks/{case}_{class}.png"}
    found, *_ = looked_at(tmp_path, options(**keys))
    assert "p_1_left_kidney.png and p_1_liver.png mark the same 16 voxels as two classes" in found["p_1"].faults[0]
    found, *_ = looked_at(tmp_path, options(**keys, overlaps="last"))
    assert found["p_1"].voxels == {"background": 5 * 16, "liver": 3 * 16, "left_kidney": 4 * 16}
    assert "16 of its voxels are also marked in p_1_liver.png" in found["p_1"].remarks[0]


def test_a_mask_of_one_class_with_several_values_is_a_fault(tmp_path):
    per_class(tmp_path, liver=box(0, 4) + box(5, 7, value=9))
    found, *_ = looked_at(tmp_path, options(masks="masks/{case}_{class}.png"))
    assert "must have one value besides 0; it has 9, 255" in found["p_1"].faults[0]
    found, *_ = looked_at(tmp_path, options(masks="masks/{case}_{class}.png", threshold=100))
    assert found["p_1"].voxels["liver"] == 4 * 16


def test_several_masks_are_joined_only_where_the_study_says_so(tmp_path):
    image(tmp_path / "images" / "a.png")
    save(tmp_path / "masks" / "a_1.png", box(0, 3))
    save(tmp_path / "masks" / "a_2.png", box(2, 5))
    keys = {"masks": "masks/{case}_*.png", "classes": {"background": 0, "lesion": 255}}
    found, *_ = looked_at(tmp_path, options(**keys))
    assert "2 files fit mask masks/a_*.png: a_1.png, a_2.png; set `files.several_masks: join`" in found["a"].faults[0]
    found, *_ = looked_at(tmp_path, options(**keys, several_masks="join"))
    assert (found["a"].faults, found["a"].voxels["lesion"]) == ((), 5 * 16)
    assert found["a"].remarks == ("mask a_1.png: joined with a_2.png",)


def test_classes_as_colours(tmp_path):
    image(tmp_path / "images" / "a.png")
    colours = {"background": "#000000", "liver": "#FF0000", "left_kidney": "#00ff00"}
    mask = np.zeros((*SHAPE, 3), np.uint8)
    mask[:2], mask[4:5] = (255, 0, 0), (0, 255, 0)
    save(tmp_path / "masks" / "a.png", mask)
    found, cases, reading = looked_at(tmp_path, options(colours=colours))
    assert found["a"].voxels == {"background": 9 * 16, "liver": 2 * 16, "left_kidney": 16}
    paletted = Image.fromarray(mask).quantize(8)
    paletted.save(tmp_path / "masks" / "a.png")
    np.testing.assert_array_equal(read_mask(cases["a"], reading), box(0, 2, value=1) + box(4, 5, value=2))
    mask[6, :3] = (254, 0, 0)
    save(tmp_path / "masks" / "a.png", mask)
    found, *_ = looked_at(tmp_path, options(colours=colours))
    assert "colours that are not declared: #fe0000 (3 pixels); declared are #000000, #ff0000, #00ff00" in found["a"].faults[0]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"colours": {"liver": "#ff0000"}}, "one for every class"),
        ({"colours": {"background": "#000", "liver": "#ff0000", "left_kidney": "red"}}, "'#rrggbb'"),
        ({"colours": {"background": "#000000", "liver": "#000000", "left_kidney": "#ffffff"}}, "the same colour"),
        ({"overlaps": "last"}, "needs {class}"),
        ({"masks": "{case}/{class}.png", "several_masks": "join"}, "does not go with {class}"),
        ({"images": ["{case}/{class}.png"]}, "but not {class}"),
        ({"masks": "masks/{cse}.png"}, "must hold {case}"),
    ],
)
def test_settings_that_do_not_go_together(keys, message):
    with pytest.raises(ValueError, match=message.replace("{", r"\{")):
        options(**keys)


def test_names_that_begin_with_an_underscore_and_names_that_are_repeated_in_a_pattern(tmp_path):
    for name in ("_a", "b"):
        image(tmp_path / "images" / f"{name}.png")
        save(tmp_path / "masks" / f"{name}.png", box(0, 3, value=1))
        image(tmp_path / name / f"{name}-t1.png")
        save(tmp_path / name / f"{name}-seg.png", box(0, 3, value=1))
    (tmp_path / "images" / "._b.png").write_bytes(b"\0\5\x16\7")
    assert [case.id for case in registry.find_cases("folders", tmp_path, options())] == ["_a", "b"]
    image(tmp_path / "b" / "_a-t1.png")
    twice = options(images=["{case}/{case}-t1.png"], masks="{case}/{case}-seg.png")
    assert [(case.id, case.faults) for case in registry.find_cases("folders", tmp_path, twice)] == [("_a", ()), ("b", ())]


def test_two_forms_of_the_same_letter(tmp_path):
    """macOS, and archives made there, write ü as u with two dots."""
    apart = unicodedata.normalize("NFD", "müller")
    image(tmp_path / "images" / "müller.png")
    save(tmp_path / "masks" / f"{apart}.png", box(0, 3, value=1))
    (case,) = registry.find_cases("folders", tmp_path, options())
    assert (case.id, case.faults) == ("müller", ())
    labels = registry.label_map("folders", tmp_path, options())
    (row,) = check.decide([case], [inspect_case(case, labels, Reading())], labels, excluded={apart: "why"})
    assert row.status == "excluded"


def test_endings_in_capitals(tmp_path):
    for name in ("imagesTr/c_0_0000.PNG", "labelsTr/c_0.PNG"):
        image(tmp_path / name)
    content = {"channel_names": {"0": "grey"}, "labels": {"background": 0, "a": 1}, "file_ending": ".png"}
    (tmp_path / "dataset.json").write_text(json.dumps(content))
    (case,) = registry.find_cases("nnunet_raw", tmp_path)
    assert (case.id, case.faults, case.images[0].name) == ("c_0", (), "c_0_0000.PNG")


def test_a_folder_without_the_dataset_says_what_is_there(tmp_path):
    for name in ("scans/a.mrc", "scans/b.mrc", "images\\p1.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(UserError) as caught:
        registry.find_cases("folders", tmp_path, options())
    for part in ("images/{case}.png: no files", "2 .mrc: scans/a.mrc, scans/b.mrc", "backslashes"):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"labels": {"a": 1},\n}', r"line 2, column 1: .* \(a comma before a closing bracket\): '}'"),
        (b'{"labels": [1,]}', "a comma before a closing bracket"),
        ('{"labels": 1}'.encode("utf-16"), "it is in UTF-16. Save it in UTF-8"),
        (b'{"labels": "caf\xe9"}', r"not text in UTF-8 \(byte 15\)"),
        (b"", "empty or cut short"),
        (b'{"labels": {', "empty or cut short"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"{'labels': 1}", "line 1, column 2: .* Correct it"),
    ],
)
def test_a_description_that_is_not_json(tmp_path, content, said):
    (tmp_path / "dataset.json").write_bytes(content)
    with pytest.raises(UserError, match=said):
        registry.label_map("msd", tmp_path)


def test_a_pointer_of_git_lfs_is_named(tmp_path):
    for name in ("a.png", "a.nii.gz"):
        (tmp_path / name).write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n")
        with pytest.raises(UserError, match="run `git lfs pull`"):
            read_mask(Case("a", (), (tmp_path / name,)), Reading(), FilesRead())


def test_names_in_a_table_of_groups_that_no_case_has():
    cases = [Case(name, (), ()) for name in ("p00", "p01", "p02")]
    assert names_without_case({"p00": "A", "p01": "A"}, cases) == ""
    said = names_without_case({"p00": "A", "p1": "A"}, cases)
    assert said.startswith("1 of 2 names in the table of groups are not those of included cases: p1 (did you mean p01?)")
    with pytest.raises(UserError, match="Write the names of the cases as they are in"):
        names_without_case({"p00.png": "A", "p01.png": "B"}, cases)


def test_a_photograph_where_the_description_names_one_channel(tmp_path):
    """nnU-Net refuses such a picture, too; as grey it would silently be another image."""
    content = {"channel_names": {"0": "XAG"}, "labels": {"background": 0, "a": 1}, "file_ending": ".png"}
    (tmp_path / "dataset.json").write_text(json.dumps(content))
    save(tmp_path / "labelsTr" / "c.png", box(0, 3, value=1))
    save(tmp_path / "imagesTr" / "c_0000.png", np.random.default_rng(1).integers(0, 256, (*SHAPE, 3)))
    (case,) = registry.find_cases("nnunet_raw", tmp_path)
    labels, reading = registry.label_map("nnunet_raw", tmp_path), registry.reading("nnunet_raw", tmp_path)
    assert "c_0000.png is in colour, and the description" in inspect_case(case, labels, reading).faults[0]
    image(tmp_path / "imagesTr" / "c_0000.png")
    assert inspect_case(case, labels, Reading.from_json(reading.to_json())).faults == ()


def test_hidden_files_are_counted(tmp_path):
    for name in ("images/._a.png", "images/.b.nii.gz", "images/a.png", ".DS_Store", "images/_c.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [path.name for path in hidden_images(tmp_path)] == ["._a.png", ".b.nii.gz"]
