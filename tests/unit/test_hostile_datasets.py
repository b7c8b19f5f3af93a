"""Altered datasets of every format: each is read as nibabel, SimpleITK and Pillow read it, or refused in words."""

import pytest

from tests.hostile.alterations import micrometres
from tests.hostile.sound import BUILDERS
from tests.hostile.trial import trial

BLOCK = 24
SAMPLE, ALL = 5, 60
"""Numbers of blocks: those of the fast tests, and all."""


def judged(block, folder):
    return [trial(seed, folder / str(seed)) for seed in range(block * BLOCK, (block + 1) * BLOCK)]


@pytest.mark.parametrize("block", [*range(SAMPLE), *(pytest.param(n, marks=pytest.mark.slow) for n in range(SAMPLE, ALL))])
def test_never_a_traceback_and_never_a_wrong_number(block, tmp_path):
    wrong = [str(outcome) for outcome in judged(block, tmp_path) if outcome.wrong]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("number", range(len(BUILDERS)), ids=[build.__name__.strip("_") for build in BUILDERS])
def test_the_datasets_are_read_as_they_were_made_before_they_are_altered(number, tmp_path, monkeypatch):
    monkeypatch.setattr("tests.hostile.alterations.alter", lambda dataset, rng: dataset.notes.append("sound"))
    outcome = trial(number, tmp_path)
    assert (outcome.refused, outcome.wrong, outcome.excluded) == ("", [], 0)
    assert outcome.included >= 3


def test_a_reader_that_ignores_the_units_is_found_out(tmp_path, monkeypatch):
    """The comparison can fail: here with the fault of an earlier version."""
    monkeypatch.setattr("tests.hostile.alterations.ALTERATIONS", (micrometres,))
    assert trial(0, tmp_path / "right").wrong == []
    monkeypatch.setattr("workflow_lib.images._nifti._unit", lambda *_: (1.0, []))
    (wrong,) = trial(0, tmp_path / "wrong").wrong
    assert "spacing [1500.0, 1250.0, 2000.0] instead of (1.5, 1.25, 2.0)" in wrong
