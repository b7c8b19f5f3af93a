"""The shared look of the figures: distinct styles, colours for every colour vision, files without a trace of when or where."""

import re
import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from workflow_lib.figures import style
from workflow_lib.figures.looks import look_numbers

# Dichromats' view of linear RGB (Machado, Oliveira, Fernandes 2009, severity 1).
VISION = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def lab(colour, vision):
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.array(vision) @ linear, 0, 1)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    x, y, z = (np.cbrt(v) if v > 0.008856 else 7.787 * v + 16 / 116 for v in to_xyz @ seen / np.array([0.95047, 1, 1.08883]))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def draw():
    figure = style.new_figure(80, 60)
    axes = figure.subplots(1, 2)
    for axis, (name, look) in zip(axes, style.loss_styles(["dice", "focal"]).items(), strict=True):
        axis.plot([0, 1], [1, 0], color=look.colour, marker=look.marker, linestyle=look.linestyle, label=name)
        axis.set_xlabel("α, β and $x^2$")
        axis.legend()
    style.label_panels(axes)
    return figure


@pytest.mark.parametrize("vision", VISION)
def test_the_first_eight_colours_are_told_apart_by_everybody(vision):
    seen = [lab(colour, VISION[vision]) for colour in style.PALETTE]
    distances = [np.linalg.norm(a - b) for i, a in enumerate(seen) for b in seen[:i]]
    assert min(distances) > 15


def test_the_paper_s_losses_keep_their_look_and_no_other_takes_it():
    names = ["own", "dice", "mine", "cross_entropy", "focal"]
    looks = look_numbers(names)
    assert list(looks) == names
    assert (looks["cross_entropy"], looks["focal"], looks["dice"]) == (0, 1, 2)
    assert len(set(looks.values())) == len(names)
    assert look_numbers(["dice"])["dice"] == 2


def test_no_two_losses_look_the_same():
    names = [f"loss_{i}" for i in range(64)]
    styles = style.loss_styles(names)
    assert list(styles) == names
    assert len(set(styles.values())) == 64
    assert len({(s.marker, s.linestyle) for s in styles.values()}) == 64
    assert len(set(style.loss_colours(names[:30]).values())) == 30
    assert all(re.fullmatch(r"#[0-9a-f]{6}", colour) for colour in style.loss_colours(names).values())
    with pytest.raises(ValueError, match="more than 64"):
        style.loss_styles([f"loss_{i}" for i in range(65)])


def test_a_loss_of_the_paper_keeps_its_colour_in_every_study():
    alone = style.loss_colours(["mixed_focal"])["mixed_focal"]
    among = style.loss_colours(["mine", "dice", "yours", "mixed_focal", "dice"])
    assert among["mixed_focal"] == alone
    assert len(among) == len(set(among.values())) == 4


def test_size_is_in_millimetres():
    assert style.new_figure(180, 90).get_size_inches() == pytest.approx([180 / 25.4, 90 / 25.4])


def test_the_user_s_own_settings_do_not_enter(tmp_path):
    style.save(draw(), tmp_path / "a")
    matplotlib.rcParams["font.size"] = 20
    matplotlib.rcParams["svg.fonttype"] = "none"
    style.save(draw(), tmp_path / "b")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_files_are_the_same_in_every_process_and_say_nothing_of_time_or_program(tmp_path):
    style.save(draw(), tmp_path / "here" / "kits19.v1")
    code = (
        "import sys; from tests.unit.test_figures_style import draw; from workflow_lib.figures import style\n"
        "style.save(draw(), sys.argv[1]); print('matplotlib.pyplot' in sys.modules)"
    )
    there = tmp_path / "there" / "kits19.v1"
    answer = subprocess.run([sys.executable, "-c", code, str(there)], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"
    for suffix in (".svg", ".png"):
        assert (tmp_path / "here" / f"kits19.v1{suffix}").read_bytes() == (there.parent / f"kits19.v1{suffix}").read_bytes()
    svg = (there.parent / "kits19.v1.svg").read_text(encoding="utf-8")
    assert "<text" not in svg
    assert "dc:date" not in svg
    assert "matplotlib" not in svg.lower().replace("matplotlib.axis", "")
    assert b"Software" not in (there.parent / "kits19.v1.png").read_bytes()
    assert sorted(path.name for path in there.parent.iterdir()) == ["kits19.v1.png", "kits19.v1.svg"]
