"""The audit of malicious results ends with a finding or a readable error, and accesses no file outside the folder."""

import gzip
import json
import os
import zlib

import h5py
import nibabel
import numpy as np
import pytest

from workflow_lib.base.errors import UserError
from workflow_lib.base.files import sha256_file, write_json
from workflow_lib.commands.audit import bounded, records, weights
from workflow_lib.commands.audit import folder as safe
from workflow_lib.commands.audit.findings import Finding, table
from workflow_lib.commands.audit.images import Images, check_grid
from workflow_lib.images.pictures.writing import write_picture_labels
from workflow_lib.preprocessing.store import Store

RECORD = "records/statistics/toy.json"


# Paths


@pytest.mark.parametrize(
    "path", ["../secret", "/etc/passwd", "a/../../secret", "a\\..\\b", "a\0b", "", "link", "folder/inside", "pipe"]
)
def test_no_path_leads_out_and_only_regular_files_are_opened(tmp_path, path):
    results = tmp_path / "results"
    results.mkdir()
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "inside").write_text("secret")
    (results / "link").symlink_to(tmp_path / "secret")
    (results / "folder").symlink_to(tmp_path / "outside")
    os.mkfifo(results / "pipe")
    for read in (safe.sha256, safe.read_bytes, safe.read_json):
        with pytest.raises(UserError):
            read(results, path)


def test_folders_in_folders_and_files_without_end(tmp_path):
    place = tmp_path / "deep"
    for _ in range(safe.FOLDERS_DEEP + 2):
        place = place / "d"
    place.mkdir(parents=True)
    with pytest.raises(UserError, match="deep in each other"):
        safe.listing(tmp_path)
    hole = tmp_path / "hole.csv"
    with hole.open("wb") as stream:
        stream.truncate(1 << 40)
    for read in (safe.read_bytes, safe.sha256):
        with pytest.raises(UserError, match="has more than"):
            read(tmp_path, "hole.csv")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b'{"a":' * 200_000, "not JSON"),
        (b'{"a":' * 60 + b"1" + b"}" * 60, "deep"),
        (b'{"a": NaN}', "not JSON"),
        (b'{"a": ' + b"9" * 100_000 + b"}", "not JSON"),
        (b"[1]", "not a JSON object"),
        (b"\xff\xfe", "not JSON"),
        (b" " * (safe.JSON_BYTES + 1), "more than"),
    ],
    ids=["endless", "deep", "nan", "digits", "list", "bytes", "large"],
)
def test_json_that_would_take_all_memory_or_break_the_reader(tmp_path, content, why):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(UserError, match=why):
        safe.read_json(tmp_path, "a.json")


@pytest.mark.parametrize(
    "lines",
    [
        [("a", "x.csv"), ("b", "x.csv")],
        [("a", "y.csv"), ("b", "x.csv")],
        [("a", "x.csv"), ("not hexadecimal", "y.csv")],
    ],
)
def test_a_list_of_checksums_holds_each_file_once_and_in_order(tmp_path, lines):
    """With two lines for one file, readers could use different lines."""
    text = "".join(f"{digest * 64 if len(digest) == 1 else digest}  {name}\n" for digest, name in lines)
    (tmp_path / "SHA256SUMS").write_text(text)
    with pytest.raises(UserError, match=r"double, out of order|not a line of checksums"):
        safe.read_sums(tmp_path, "SHA256SUMS")


def test_tables_with_a_field_without_end_are_not_used(tmp_path):
    (tmp_path / "long.csv").write_text("case\n" + "x" * (safe.FIELD_CHARACTERS + 1) + "\n")
    (tmp_path / "bytes.csv").write_bytes(b"case\n\xff\xfe\n")
    (tmp_path / "fine.csv").write_text("case\na\n")
    faults = safe.copy(tmp_path, ["long.csv", "bytes.csv", "fine.csv"], tmp_path / "copy")
    assert [fault.split(":")[0] for fault in faults] == ["long.csv", "bytes.csv"]
    assert [path.name for path in (tmp_path / "copy").iterdir()] == ["fine.csv"]


def test_what_is_shown_does_not_steer_the_terminal():
    shown = table([Finding("\x1b[2Jname\r", "fails", "\u202eright to left \udc80")])
    assert "\x1b" not in shown
    assert "\\u001b[2Jname\\u000d" in shown
    assert "\\u202e" in shown
    shown.encode("utf-8")


# Records


def record(**changes):
    entry = {"path": "results/tiny/scores/toy.csv", "sha256": "0" * 64}
    content = {"step": "statistics", "settings": {"dataset": "toy"}, "fingerprint": "f", "versions": {}, "inputs": {}}
    return content | {"outputs": {"results": [entry | changes]}}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"index": "../../../../etc/passwd"}, "no index"),
        ({"files": {"../../x": "0" * 64}}, "leads out"),
        ({"files": {"/etc/passwd": "0" * 64}}, "leads out"),
        ({"files": {"a": "no digest"}}, "leads out of it, or has no SHA-256"),
        ({"files": {"a": "1" * 64}}, "not those of the folder's SHA-256"),
        ({"files": {}}, "not those of the folder's SHA-256"),
        ({"files": 3}, "earlier version, which did not name the files .*--forcerun statistics"),
        ({"sha256": 5}, "not named by path"),
        ({"path": "a\0b"}, "not named by path"),
        ({"path": ["a"]}, "not named by path"),
        ({"files": [1]}, "not a record"),
    ],
)
def test_records_that_no_step_wrote(tmp_path, changes, why):
    write_json(tmp_path / RECORD, record(**changes))
    with pytest.raises(UserError, match=why):
        records.read(tmp_path, RECORD)


@pytest.mark.parametrize("name", ["records/../../x.json", "/etc/x.json", "data/x.json", "records/a b.json"])
def test_names_of_records_that_are_none(tmp_path, name):
    with pytest.raises(UserError, match="not the name of a record"):
        records.read(tmp_path, name)


# The process that computes


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("hang", "nothing came in"),
        ("crash", "died"),
        ("memory", "Memory"),
        ("fault", "a fault in words"),
        ("stranger", "KeyError"),
    ],
)
def test_whatever_happens_in_the_computation_is_a_finding(what, why):
    found = list(bounded.findings("tests.unit.audit_work", [what], seconds=3 if what == "hang" else 60))
    assert found[:2] == ["begun", Finding("first", "holds", "before it goes wrong")]
    assert len(found) == 3
    assert isinstance(found[2], Finding)
    assert found[2].state == "fails"
    assert why in found[2].text
    assert len(found[2].text) < 4000


def test_work_that_ends_well_says_all_it_has_to_say():
    found = list(bounded.findings("tests.unit.audit_work", ["all"]))
    assert found[-1] == Finding("last", "holds")


def test_names_without_end_are_cut_and_the_rest_is_said_all_the_same():
    found = list(bounded.findings("tests.unit.audit_work", ["long"]))
    said, finding = found[2:4]
    assert isinstance(said, str)
    assert isinstance(finding, Finding)
    assert len(said) < 2000
    assert len(finding.subject) < 2000
    assert (finding.state, finding.text[-1]) == ("fails", "…")
    assert found[-1] == Finding("last", "holds")


# Weights


@pytest.fixture
def weights_file(tmp_path):
    path = tmp_path / "model.weights.h5"
    with h5py.File(path, "w") as file:
        file["layers/conv/vars/0"] = np.arange(6, dtype=np.float32).reshape(2, 3)
    return path


def test_weights_that_are_arrays_are_read(weights_file):
    assert weights.shapes(weights_file) == {"/layers/conv/vars/0": (2, 3)}
    assert weights.read(weights_file)["/layers/conv/vars/0"].tolist() == [[0, 1, 2], [3, 4, 5]]
    other = {"/layers/conv/vars/0": np.zeros((2, 3), np.float32)}
    assert weights.largest_difference(weights.read(weights_file), other) == 5
    assert weights.largest_difference(weights.read(weights_file), {}) is None


def hostile_weights(path, how, secret):
    with h5py.File(path, "a") as file:
        if how == "external link":
            file["layers/evil"] = h5py.ExternalLink(str(secret), "/secret")
        elif how == "soft link":
            file["layers/evil"] = h5py.SoftLink("/layers/conv")
        elif how == "values elsewhere":
            file.create_dataset("evil", (4,), dtype=np.uint8, external=[(str(secret), 0, 4)])
        elif how == "virtual":
            layout = h5py.VirtualLayout(shape=(1,), dtype=np.float32)
            layout[0:1] = h5py.VirtualSource(str(secret), "secret", shape=(1,))
            file.create_virtual_dataset("evil", layout)
        elif how == "objects":
            file.create_dataset("evil", data=["text"], dtype=h5py.string_dtype())
        elif how == "references":
            file.create_dataset("evil", data=file["layers"].ref, dtype=h5py.ref_dtype)
        elif how == "circle":
            file["layers/again"] = file["/"]
        elif how == "bomb":
            file.create_dataset("evil", (1 << 40,), dtype=np.float32, chunks=(1 << 20,), compression="gzip")
        elif how == "many":
            for number in range(50):
                file.create_group(f"g{number}")


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("external link", "a link"),
        ("soft link", "a link"),
        ("values elsewhere", "another file"),
        ("virtual", "another file"),
        ("objects", "not an array of numbers"),
        ("references", "not an array of numbers"),
        ("circle", "too deep|more than"),
        ("bomb", "more than"),
        ("many", "more than 20 objects"),
    ],
)
def test_weights_that_lead_elsewhere_or_unpack_to_anything_are_refused(tmp_path, weights_file, monkeypatch, how, why):
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["secret"] = np.ones(1, np.float32)
    hostile_weights(weights_file, how, secret)
    if how == "many":
        monkeypatch.setattr(weights, "OBJECTS", 20)
    for look in (weights.shapes, weights.read):
        with pytest.raises(UserError, match=why):
            look(weights_file)


def test_weights_that_are_none(tmp_path, weights_file):
    whole = weights_file.read_bytes()
    for content in (b"", b"PK\3\4 a zip with code in it", whole[: len(whole) // 2], b"\x80\x04cos\nsystem\n"):
        weights_file.write_bytes(content)
        with pytest.raises(UserError, match="cannot be read as weights"):
            weights.read(weights_file)


# Arrays, predictions, images


def test_an_array_of_objects_is_not_unpacked(tmp_path):
    """A pickle in an .npy file could execute any code."""
    shard = tmp_path / "shard_1"
    shard.mkdir()
    np.save(shard / "a.image.npy", np.array([{"code": 1}], dtype=object), allow_pickle=True)
    np.save(shard / "a.classes.npy", np.zeros((1,), np.uint8))
    entry = {
        "shape": [1, 1],
        "bytes": {},
        "original_shape": [1],
        "spacing": [1],
        "histogram": {},
        "image_source": "",
        "mask_source": "",
    }
    entry["bytes"] = {kind: (shard / f"a.{kind}.npy").stat().st_size for kind in ("image", "classes")}
    write_json(shard / "index.json", {"a": entry})
    with pytest.raises(UserError, match="cannot be read as an array"):
        Store([shard])["a"]


def volume(path, shape, dtype=np.uint8):
    nibabel.Nifti1Image(np.zeros(shape, dtype), np.eye(4)).to_filename(path)
    return path


def bomb(path, side):
    """A compressed file that claims side**3 voxels and contains only the first kilobytes."""
    header = nibabel.Nifti1Header()
    header.set_data_shape((side, side, side))
    header.set_data_dtype(np.uint8)
    header.set_sform(np.eye(4), 1)
    header["vox_offset"], header["magic"] = 352, b"n+1"
    path.write_bytes(gzip.compress(header.binaryblock + b"\0" * 4 + bytes(1 << 20)))
    return path


def test_a_prediction_is_unpacked_only_as_large_as_its_mask(tmp_path):
    mask = volume(tmp_path / "mask.nii.gz", (4, 5, 6))
    check_grid(volume(tmp_path / "same.nii.gz", (4, 5, 6)), mask)
    for prediction, why in (
        (bomb(tmp_path / "bomb.nii.gz", 30000), "has shape"),
        (volume(tmp_path / "wide.nii.gz", (4, 5, 6), np.float64), "one byte"),
        (volume(tmp_path / "other.nii.gz", (4, 5, 7)), "has shape"),
    ):
        with pytest.raises(UserError, match=why):
            check_grid(prediction, mask)


def test_a_picture_that_claims_millions_of_pixels(tmp_path):
    mask, prediction = tmp_path / "mask.png", tmp_path / "prediction.png"
    write_picture_labels(mask, np.ones((8, 9), np.uint8))
    write_picture_labels(prediction, np.ones((8, 9), np.uint8))
    check_grid(prediction, mask)
    content = bytearray(prediction.read_bytes())
    content[16:24] = (60000).to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(bytes(content[12:29])).to_bytes(4, "big")
    prediction.write_bytes(content)
    with pytest.raises(UserError):
        check_grid(prediction, mask)
    with pytest.raises(UserError, match="another kind"):
        check_grid(mask, volume(tmp_path / "mask.nii.gz", (8, 9, 1)))


def test_images_are_looked_for_only_where_the_user_says(tmp_path):
    here, secret = tmp_path / "data", tmp_path / "secret.txt"
    (here / "toy" / "a").mkdir(parents=True)
    image = here / "toy" / "a" / "imaging.nii.gz"
    image.write_text("image")
    secret.write_text("secret")
    images = Images([here])
    digest = sha256_file(image)
    assert images.find("/elsewhere/data/toy/a/imaging.nii.gz", digest) == image
    assert images.find("toy/a/imaging.nii.gz", digest) == image
    for path in (str(secret), "../secret.txt", "toy/../../secret.txt", "a\0b", ""):
        with pytest.raises(UserError, match="is not below"):
            images.find(path, sha256_file(secret))
    with pytest.raises(UserError, match="another one"):
        images.find("toy/a/imaging.nii.gz", "0" * 64)


def test_cases_that_cannot_be_had_are_told(tmp_path):
    (tmp_path / "a.nii.gz").write_text("a")
    entry = {"images": ["x/a.nii.gz"], "masks": ["x/a.nii.gz"], "field_of_view": None, "group": "", "part": ""}
    (tmp_path / "a.raw").write_text("voxels")
    digests = {f"x/{name}": sha256_file(tmp_path / name) for name in ("a.nii.gz", "a.raw")}
    there = {"id": "a", **entry, "companions": ["x/a.raw"], "sha256": digests}
    gone = {"id": "b", **entry, "masks": ["x/b.nii.gz"], "sha256": {"x/b.nii.gz": "0" * 64, "x/a.nii.gz": "1" * 64}}
    found, missing = Images([tmp_path]).located({"cases": [there, gone], "channels": 1})
    assert [case["masks"] for case in found["cases"]] == [[str(tmp_path / "a.nii.gz")]]
    assert [case["companions"] for case in found["cases"]] == [[str(tmp_path / "a.raw")]]
    assert found["channels"] == 1
    assert list(missing) == ["b"]
    assert "another one" in missing["b"]
    json.dumps(found)
