"""The checks of check_loss, and its message for a loss that cannot be checked."""

import pytest

from tests.unit.test_losses_registry import own_file
from workflow_lib.__main__ import main
from workflow_lib.base.errors import Faults, UserError
from workflow_lib.commands import check_loss

PER_CLASS = [0.1, 0.9]


def test_all_checks_have_as_many_classes_as_the_parameters_are_for(monkeypatch):
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    monkeypatch.setattr(check_loss, "COSTLY", (1, 8, 8, 8))
    findings = list(check_loss.check(check_loss.chosen("focal", {"alpha": PER_CLASS})))
    assert [finding.what for finding in findings if finding.holds is False] == []
    assert [finding.what for finding in findings[:2]] == ["gradient, 2-D, 2 classes", "gradient, 3-D, 2 classes"]
    assert "for (1, 8, 8, 8, 2)" in findings[-1].seen
    usual = list(check_loss.check(check_loss.chosen("focal", {})))
    assert [finding.what for finding in usual if finding.holds is False] == []
    assert [finding.what for finding in usual[:2]] == ["gradient, 2-D, 2 classes", "gradient, 3-D, 3 classes"]
    assert "for (1, 8, 8, 8, 3)" in usual[-1].seen


def test_the_number_of_classes_is_that_of_the_first_list():
    assert check_loss.classes_of("dice", {}) is None
    assert check_loss.classes_of("focal", {}) is None
    assert check_loss.classes_of("focal", {"alpha": PER_CLASS}) == 2
    assert check_loss.classes_of("mixed_focal", {"alpha": [0.1, 0.2, 0.3, 0.4]}) == 4
    focal = {"loss": "focal", "parameters": {"alpha": PER_CLASS}}
    assert check_loss.classes_of("weighted_sum", {"terms": [{"loss": "dice"}, focal]}) == 2
    other = {"loss": "focal", "parameters": {"alpha": [1, 2, 3]}}
    with pytest.raises(Faults, match="'alpha' has 3 values for 2 classes"):
        check_loss.chosen("weighted_sum", {"terms": [focal, other]})


def test_a_batch_has_every_class_that_it_has_room_for():
    for n_classes in (2, 12, 30):
        y, p = check_loss.random_batch((*check_loss.FLAT, n_classes))
        assert y.shape == p.shape == (*check_loss.FLAT, n_classes)
        assert ((y.sum(axis=(1, 2)) > 0).sum(axis=-1) >= min(n_classes, 12)).all()


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("tried_a", ("    return loss_function", "    loss_function"), "must return the loss (loss_function(...))"),
        ("tried_b", ("return loss_function(NAME", 'return loss_function("other"'), "a loss of the name 'other'; use NAME"),
        ("tried_c", ("(**parameters: Any)", "(beta)"), "fails: TypeError"),
    ],
)
def test_a_function_that_builds_no_loss_is_told_as_before_a_training(tmp_path, capsys, name, change, words):
    path = own_file(tmp_path, name, change)
    assert main(["check-loss", str(path)]) == 2
    said = capsys.readouterr().err
    assert f"the function {name} of the loss file {path}" in said
    assert words in said


def test_a_loss_that_is_not_there_and_parameters_that_are_wrong_are_told():
    with pytest.raises(UserError, match="there is no loss 'dise'; did you mean 'dice'"):
        check_loss.chosen("dise", {})
    with pytest.raises(Faults, match="'gamma' is -1; accepted: a number in"):
        check_loss.chosen("focal", {"gamma": -1})


@pytest.mark.parametrize(("factor", "value", "holds"), [(1.0, 1.0, True), (1.01, 1.0, False), (1.0, float("nan"), False)])
def test_a_gradient_must_be_that_of_the_value_and_the_value_a_number(monkeypatch, factor, value, holds):
    """A loss may stop gradients, or compute them itself."""
    monkeypatch.setattr(check_loss, "_value", lambda loss, y, p: float((p**2).sum()))
    monkeypatch.setattr(check_loss, "_value_and_gradient", lambda loss, y, p, dtype: (value, 2 * p * factor))
    loss = check_loss.chosen("dice", {})
    (finding,) = check_loss._gradients(loss, {"2-D": (*check_loss.FLAT, 2)})
    assert finding.holds == holds


def test_a_formula_that_fails_names_its_line(tmp_path, capsys):
    path = own_file(tmp_path, "tried_d", ("dice.formula(ops", "ops.maen(ops"))
    number = path.read_text().splitlines().index(next(line for line in path.read_text().splitlines() if "ops.maen(" in line)) + 1
    assert main(["check-loss", str(path)]) == 1
    said = capsys.readouterr().err
    assert f"fails in line {number}: AttributeError" in said
    assert "\n    " in said
    assert "ops.maen(" in said.splitlines()[-2]


def test_a_plain_function_is_told_how_to_become_a_loss(tmp_path):
    path = tmp_path / "plain_function.py"
    path.write_text("def plain_function(y_true, y_pred):\n    return y_true - y_pred\n")
    with pytest.raises(UserError, match=r"looks like a function for Keras or PyTorch: put its body into `formula"):
        check_loss.chosen(str(path), {})
