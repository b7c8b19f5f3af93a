"""The page of all cases: one line per case, faults are visible first, and names are escaped."""

import re

import pandas as pd
import pytest

from workflow_lib.datasets import check
from workflow_lib.datasets.inspection import Finding
from workflow_lib.evaluation.imbalance import one_in
from workflow_lib.images.cases import Case, LabelMap
from workflow_lib.report import cases_page
from workflow_lib.report.cases import case_rows, imbalance_rows, status_words

LABELS = LabelMap(("background", "lesion"), ((0,), (255,)))


def table(*named):
    """Return cases.csv for the given (name, shape, lesion, faults)."""
    cases = [Case(name, (), (), group="patient <1>") for name, *_ in named]
    findings = []
    for _, shape, lesion, faults in named:
        total = 1
        for side in shape:
            total *= side
        voxels = {"background": total - lesion, "lesion": lesion}
        facts = {"shape": shape, "spacing": (1.0,) * len(shape), "channels": 1, "intensity_min": 0.0, "intensity_max": 255.0}
        findings.append(
            Finding(
                tuple(faults), voxels=voxels, image_dtype="uint8", mask_dtype="uint8", labels="0, 255", orientation="", **facts
            )
        )
    rows = [check.csv_row(row) for row in check.decide(cases, findings, LABELS)]
    return pd.DataFrame(rows, columns=check.columns(LABELS))


FRAME = table(("a", (10, 10), 1, ()), ("<script>alert(1)</script>", (10, 30), 3, ()), ("c", (10, 10), 0, ("cut short",)))


def test_shares_pooled_and_per_case():
    background, lesion = imbalance_rows(FRAME, LABELS.names)
    assert lesion["pooled"] == "1.00 %"
    assert lesion["one_in"] == "1 in 100"
    assert background["one_in"] == "–"
    assert lesion["absent"] == 0


@pytest.mark.parametrize(
    ("share", "text"), [(0.4, "1 in 2.5"), (1 / 590, "1 in 590"), (1e-6, "1 in 1\u202f000\u202f000"), (0.0, "–"), (0.9, "–")]
)
def test_a_share_as_odds(share, text):
    assert one_in(share) == text


def test_a_line_for_every_case_and_no_column_that_says_nothing():
    shown = case_rows(FRAME, LABELS.names)
    assert [row["case"] for row in shown["rows"]] == ["a", "<script>alert(1)</script>", "c"]
    assert [row["fault"] for row in shown["rows"]] == [False, False, True]
    assert shown["unit"] == "pixels"
    assert {"Group", "Label values"} <= set(shown["heads"])
    assert not {">Spacing", "Orientation", "Comes as"} & set(shown["heads"])
    assert all(len(row["cells"]) == len(shown["heads"]) - 1 for row in shown["rows"])


def test_words():
    assert status_words(FRAME) == "2 of 3 cases can be used, 1 with faults"
    assert status_words(FRAME[:2]) == "2 cases are used"


def test_the_page_escapes_names_and_says_what_to_do():
    page = cases_page.build("toy", "Toy & <b>", True, FRAME, LABELS.names, b"")
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "Toy &amp; &lt;b&gt;" in page
    assert "The study cannot run until the faults are fixed" in page
    assert "synthetic" in page
    assert re.search(r'class="fault"><th scope="row"><bdi>c</bdi>', page)
    picture = b'<svg width="30pt" height="15pt"></svg>'
    sound = cases_page.build("toy", "Toy", False, FRAME[:2], LABELS.names, picture, remarks=["2 hidden files are not read."])
    assert "2 hidden files are not read." in sound
    assert "data:image/svg+xml;base64," in sound
    assert "The study stops" not in sound
    assert 'class="tag"' not in sound
