"""Checkpoints: written whole or not at all, told apart, and never taken for what they are not."""

import errno
import resource
from pathlib import Path

import numpy as np
import pytest

from workflow_lib.base.errors import UserError
from workflow_lib.training import checkpoints
from workflow_lib.training.checkpoints import TrainingState
from workflow_lib.training.schedule import PlateauState


def state(epoch=2, step=7, seed=0):
    rng = np.random.default_rng(seed)
    weights = [rng.normal(size=(3, 3, 2)).astype(np.float32), np.array(np.nextafter(np.float32(1), 2))]
    optimiser: list[np.ndarray] = [np.array(17, dtype=np.int64), *(rng.normal(size=4).astype(np.float32) for _ in range(12))]
    row = {"epoch": 1, "training_loss": 0.1 + 0.2, "validation_loss": 1 / 3, "learning_rate": 3e-4, "best": 1}
    return TrainingState(
        PlateauState(3e-5, 1 / 3, 4), weights, optimiser, epoch, step, 0.1 + 0.7, 1 / 3, 1, [w + 1 for w in weights], [row]
    )


def assert_equal(one, other):
    for name in checkpoints.GROUPS:
        for a, b in zip(getattr(one, name), getattr(other, name), strict=True):
            assert a.dtype == b.dtype
            assert a.shape == b.shape
            assert a.tobytes() == b.tobytes()
    assert one.plateau == other.plateau
    assert [getattr(one, name) for name in checkpoints.PLAIN] == [getattr(other, name) for name in checkpoints.PLAIN]


def silent(message):
    """For messages that a test does not look at."""


def test_what_is_saved_is_loaded_bit_for_bit(tmp_path):
    checkpoints.save(tmp_path, state(), "abc")
    assert_equal(checkpoints.load(tmp_path, "abc"), state())


def test_nothing_there_means_from_the_beginning(tmp_path):
    assert checkpoints.load(tmp_path / "none", "abc") is None


def test_the_newest_is_loaded_and_two_are_kept(tmp_path):
    for epoch, step in ((1, 5), (2, 0), (10, 3)):
        checkpoints.save(tmp_path, state(epoch, step, seed=epoch), "abc")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-000002-000000.npz", "checkpoint-000010-000003.npz"]
    assert_equal(checkpoints.load(tmp_path, "abc"), state(10, 3, seed=10))


@pytest.mark.parametrize("place", [0.01, 0.3, 0.6, 0.97])
def test_a_flipped_bit_falls_back_to_the_one_before(tmp_path, place):
    checkpoints.save(tmp_path, state(1, 5, seed=1), "abc")
    path = checkpoints.save(tmp_path, state(2, 5, seed=2), "abc")
    content = bytearray(path.read_bytes())
    # In one of the arrays' numbers, wherever in the file that is.
    content[int(place * content.rindex(b"PK\x01\x02", 0, len(content)))] ^= 1
    path.write_bytes(content)
    told: list[str] = []
    loaded = checkpoints.load(tmp_path, "abc", told.append)
    if told:
        assert_equal(loaded, state(1, 5, seed=1))
        assert path.name in told[0]
        assert (tmp_path / (path.name + ".unusable")).exists()
    else:
        # The bit was one without meaning, such as a time stamp in the archive's directory.
        assert_equal(loaded, state(2, 5, seed=2))


def test_every_single_damaged_number_is_noticed(tmp_path):
    """The archive's own check is removed here, so that the checksum inside is what notices."""
    path = checkpoints.save(tmp_path, state(), "abc")
    with np.load(path) as archive:
        arrays = {name: archive[name] for name in archive.files}
    for name in arrays:
        changed = {key: value.copy() for key, value in arrays.items()}
        changed[name].reshape(-1).view(np.uint8)[-2] ^= 1
        np.savez(path, **changed)
        assert checkpoints.load(tmp_path, "abc", silent) is None, name


@pytest.mark.parametrize("size", [0, 1, 500, -1])
def test_a_cut_file_falls_back_to_the_one_before(tmp_path, size):
    checkpoints.save(tmp_path, state(1, 5, seed=1), "abc")
    path = checkpoints.save(tmp_path, state(2, 5, seed=2), "abc")
    path.write_bytes(path.read_bytes()[:size])
    assert_equal(checkpoints.load(tmp_path, "abc", silent), state(1, 5, seed=1))
    # The next one saved is of an earlier step than the damaged one and still the newest.
    checkpoints.save(tmp_path, state(1, 6, seed=3), "abc")
    assert_equal(checkpoints.load(tmp_path, "abc", silent), state(1, 6, seed=3))
    assert len(list(tmp_path.glob("checkpoint-*.npz"))) == 2


def test_what_cannot_be_read_now_is_no_damage(tmp_path, monkeypatch):
    """A file system that is away for a moment must not make the training begin anew."""
    path = checkpoints.save(tmp_path, state(), "abc")
    real = Path.read_bytes

    def away(self):
        if self == path:
            raise OSError(errno.ESTALE, "Stale file handle")
        return real(self)

    monkeypatch.setattr(Path, "read_bytes", away)
    with pytest.raises(UserError, match=r"cannot be read \(Stale file handle\)"):
        checkpoints.load(tmp_path, "abc", silent)
    monkeypatch.undo()
    assert_equal(checkpoints.load(tmp_path, "abc", silent), state())


def test_no_flipped_bit_ends_the_training(tmp_path):
    """Each bit of the archive's own structures, once: names, sizes, offsets, flags, versions."""
    whole = state()
    content = checkpoints.save(tmp_path / "made", whole, "abc").read_bytes()
    folder, used = tmp_path / "flipped", 0
    folder.mkdir()
    directory = content.index(b"PK\x01\x02")
    for place in [*range(60), *range(directory, len(content), 3)]:
        flipped = bytearray(content)
        flipped[place] ^= 1 << place % 8
        (folder / "checkpoint-000001-000001.npz").write_bytes(flipped)
        loaded = checkpoints.load(folder, "abc", silent)
        if loaded is not None:
            assert_equal(loaded, whole)
            used += 1
    assert used > 0  # time stamps and the like say nothing


def test_another_fingerprint_is_never_used(tmp_path):
    checkpoints.save(tmp_path, state(), "abc")
    told: list[str] = []
    assert checkpoints.load(tmp_path, "abd", told.append) is None
    assert "another training" in told[0]


def test_a_newer_format_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "FORMAT", 2)
    checkpoints.save(tmp_path, state(), "abc")
    monkeypatch.setattr(checkpoints, "FORMAT", 1)
    told: list[str] = []
    assert checkpoints.load(tmp_path, "abc", told.append) is None
    assert "format 2" in told[0]


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path):
    checkpoints.save(tmp_path, state(1, 5, seed=1), "abc")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
        with pytest.raises(UserError, match="Cannot write"):
            checkpoints.save(tmp_path, state(2, 5, seed=2), "abc")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-000001-000005.npz"]
    assert_equal(checkpoints.load(tmp_path, "abc"), state(1, 5, seed=1))


def test_what_a_killed_writer_left_is_removed(tmp_path):
    checkpoints.save(tmp_path, state(), "abc")
    (tmp_path / ".writing-x-checkpoint-000009-000000.npz").write_bytes(b"half")
    assert checkpoints.load(tmp_path, "abc") is not None
    assert len(list(tmp_path.iterdir())) == 1


def test_clear_removes_all(tmp_path):
    folder = tmp_path / "fold_1" / "abc"
    checkpoints.save(folder, state(), "abc")
    checkpoints.clear(folder)
    assert not folder.exists()
    checkpoints.clear(folder)
