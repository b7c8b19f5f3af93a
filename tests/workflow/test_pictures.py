"""The complete workflow on pictures: colour and grey, a split and folds by group, resizing and its inverse, a field of view."""

import csv

import numpy as np
import pytest
import yaml
from PIL import Image

from workflow_lib.base.files import read_json

SHAPE = (50, 44)
STUDY = """
study: {name: pictures, title: SYNTHETIC pictures, datasets: [colour, grey]}
statistics: {bootstrap: 100}
network: {filters: 2, depth: 2}
augmentation: {scaling: [0.85, 1.25], contrast: null, gamma: null, noise: null}
training:
  {batch_size: 2, epochs: 2, iterations: null, early_stop: 1, optimiser: sgd, momentum: 0.9, nesterov: true, learning_rate: 0.05,
   threads: 1, gpus: 0, memory_mb: 2000}
datasets:
  colour:
    label: Colour pictures (synthetic)
    format: folders
    root: data/own pictures
    files:
      images: ["{group}/{case}/photo.png"]
      masks: "{group}/{case}/lesion*.png"
      several_masks: join
      field_of_view: "{group}/{case}/view.png"
      classes: {background: 0, lesion: 255}
      threshold: 127
      colour: rgb
    losses: [dice, cross_entropy]
    field_of_view: true
    cross_validation: {fixed: {test: 0.25, validation: 0.25}, by_group: true}
    preprocessing: {size: [32, 48]}
    training: {patch: [32, 48]}
    prediction: {overlap: [0, 0], batch_size: 1}
  grey:
    label: Grey pictures (synthetic)
    format: folders
    root: data/own pictures
    files:
      images: ["{group}/{case}/photo.png"]
      masks: "{group}/{case}/lesion*.png"
      several_masks: join
      classes: {background: 0, lesion: [200, 255]}
    losses: [dice]
    cross_validation: {folds: 2}
    training: {patch: [16, 16]}
    prediction: {overlap: [8, 8], batch_size: 4}
"""


def make_pictures(folder):
    """Write eight SYNTHETIC photographs of two shapes, in four groups, each with two masks and a field of view."""
    rng = np.random.default_rng(5)
    for number in range(8):
        shape = SHAPE if number % 2 else (SHAPE[0] + 7, SHAPE[1])
        case = folder / f"Gruppe ä{number // 2}" / f"Fall {number + 1}"
        case.mkdir(parents=True)
        rows, columns = np.ogrid[: shape[0], : shape[1]]
        blobs = [(rows - y) ** 2 + (columns - x) ** 2 < 36 for y, x in rng.integers(12, 34, (2, 2))]
        photo = rng.integers(60, 120, (*shape, 3))
        photo[blobs[0] | blobs[1]] += 90
        Image.fromarray(photo.astype(np.uint8)).save(case / "photo.png")
        for index, blob in enumerate(blobs):
            Image.fromarray(np.where(blob, 200 if index else 255, 0).astype(np.uint8)).save(case / f"lesion {index}.png")
        # It cuts the first lesion, so that scores inside the field of view and in the whole picture differ.
        view = (columns > np.flatnonzero(blobs[0].any(axis=0)).mean()) & (rows >= 0)
        Image.fromarray(np.where(view, 255, 0).astype(np.uint8)).save(case / "view.png")


@pytest.fixture(scope="module")
def done(root, tmp_path_factory):
    from tests.workflow.conftest import copy_repository

    checkout = copy_repository(root, tmp_path_factory.mktemp("pictures") / "checkout")
    make_pictures(checkout.folder / "data/own pictures")
    checkout.write_study(yaml.safe_load(STUDY))
    checkout.snakemake("--cores", "2")
    return checkout


def results(checkout):
    return checkout.folder / "results" / "pictures"


def rows(path):
    with open(path, encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_one_split_scores_cases_that_were_neither_trained_on_nor_chose_the_weights(done):
    training = read_json(results(done) / "training/colour/dice/fold_1/training.json")
    scored = {row["case"] for row in rows(results(done) / "scores/colour.csv")}
    used = {*training["training_cases"], *training["validation_cases"]}
    assert len(scored) == 2
    assert len(used) == 6
    assert not scored & used
    places = rows(results(done) / "data/colour/folds.csv")
    assert len({(row["group"], row["part"]) for row in places}) == len({row["group"] for row in places}) == 4


def test_folds_score_every_case(done):
    scored = rows(results(done) / "scores/grey.csv")
    assert sorted(row["case"] for row in scored) == [f"Fall {number}" for number in range(1, 9)]


def test_predictions_are_pictures_of_the_original_size_with_the_values_of_the_masks(done):
    folder = results(done) / "predictions/colour/dice/fold_1"
    for path in folder.glob("*.png"):
        with Image.open(path) as image:
            number = int(path.stem.split()[1])
            assert image.size == (SHAPE[1], SHAPE[0] + (0 if number % 2 == 0 else 7))
            assert set(np.unique(np.asarray(image))) <= {0, 255}


def test_only_the_field_of_view_is_scored(done):
    predictions = results(done) / "predictions/colour"
    for row in rows(results(done) / "scores/colour.csv"):
        folder = next((done.folder / "data/own pictures").glob(f"*/{row['case']}"))
        truth = sum(np.asarray(Image.open(path)) > 127 for path in folder.glob("lesion*.png")) > 0
        view = np.asarray(Image.open(folder / "view.png")) > 127
        predicted = np.asarray(Image.open(predictions / row["loss"] / "fold_1" / f"{row['case']}.png")) > 0
        assert np.any(truth & view)
        assert np.any(truth & ~view)
        assert int(row["tp"]) + int(row["fn"]) == np.count_nonzero(truth & view)
        assert int(row["tp"]) + int(row["fp"]) == np.count_nonzero(predicted & view)


def test_the_report_says_how_the_cases_were_divided(done):
    page = (results(done) / "report.html").read_text(encoding="utf-8")
    assert "2 of them scored, in one fixed split" in page
    assert "by group: the cases of each of the 4 groups stay together" in page
    assert "Only pixels inside the field of view are scored" in page
    # Folds were drawn at random although groups are known, so the page shows a warning.
    assert "groups have cases on both sides of the division" in page
    assert "white, true positive; magenta, false positive; green, false negative" in page
    assert "mean over the 2 test cases" in page


def test_a_training_on_pictures_continues_and_repeats_nothing(done):
    assert done.planned() == {}
