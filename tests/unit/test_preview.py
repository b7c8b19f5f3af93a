"""Options that the preview passes on to Snakemake, and those that it refuses."""

import re

import pytest

from tests.unit.test_changes import planned
from workflow_lib.__main__ import main
from workflow_lib.base.errors import UserError
from workflow_lib.commands import preview


@pytest.fixture
def asked(root, monkeypatch):
    """Replace Snakemake and record the options of its call."""
    found: list[str] = []

    def answer(files, more):
        found.extend(more)
        return ""

    monkeypatch.chdir(root)
    monkeypatch.setattr(preview, "ask_snakemake", answer)
    return found


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--config", "study={'name': 'x'}"], "--config"),
        (["--config=epochs=3"], "--config"),
        (["-C", "epochs=3"], "--config"),
        (["--until", "obtain", "-Cepochs=3"], "--config"),
        (["--configfile", "other.yaml"], "--configfile"),
        (["--configfiles=other.yaml"], "--configfile"),
        (["--replace-workflow-config"], "--replace-workflow-config"),
        (["--directory", "elsewhere"], "--directory"),
        (["--direc=elsewhere"], "--directory"),
        (["-d", "elsewhere"], "--directory"),
        (["-nd", "elsewhere"], "--directory"),
        (["--config", "a=1", "--directory", "elsewhere"], "--config and --directory"),
        (["--snakefile", "Other"], "--snakefile"),
        (["-s", "Other"], "--snakefile"),
    ],
)
def test_an_option_that_chooses_another_study_is_refused(asked, monkeypatch, capsys, options, named):
    """The plan does not include such an option, so every record would seem to be current."""
    assert main(["preview", "--", *options]) == 2
    said = capsys.readouterr().err
    assert re.match(f"{named} chooses? the study or where it lies", said.strip())
    assert "name study files with --configfile before the --" in said
    assert asked == []


@pytest.mark.parametrize("how", ["--profile", "--workflow-profile", "SNAKEMAKE_PROFILE"])
@pytest.mark.parametrize(
    ("profile", "named"),
    [
        ("config:\n  epochs: 3\n", "--config"),
        ("configfile: other.yaml\n", "--configfile"),
        ("directory: elsewhere\n", "--directory"),
        ("jobs: 3\nset-resources:\n  train:\n    mem_mb: 100\n", None),
    ],
)
def test_a_profile_that_chooses_another_study_is_refused(asked, monkeypatch, capsys, tmp_path, how, profile, named):
    (tmp_path / "config.yaml").write_text(profile, encoding="utf-8")
    options = [] if how.isupper() else [how, str(tmp_path)]
    if how.isupper():
        monkeypatch.setenv(how, str(tmp_path))
    code = main(["preview", "--", *options])
    if named is None:
        assert code == 0
        assert "nothing to do" in capsys.readouterr().out
        return
    assert code == 2
    assert capsys.readouterr().err.strip().startswith(f"{named} chooses the study or where it lies, and after -- or in a profile")
    assert asked == []


def test_a_study_named_on_the_command_line_holds_against_a_profile_s(asked, monkeypatch, capsys, tmp_path):
    """As in Snakemake."""
    (tmp_path / "config.yaml").write_text("configfile: other.yaml\n", encoding="utf-8")
    assert main(["preview", "--configfile", "studies/tiny.yaml", "--", "--profile", str(tmp_path)]) == 0
    assert asked == ["--profile", str(tmp_path)]
    assert "nothing to do" in capsys.readouterr().out


@pytest.mark.parametrize(
    "options",
    [
        ["--forcerun", "tables"],
        ["--profile", "slurm"],
        ["-Rstatistics", "-n"],
        ["--until", "obtain", "--set-threads", "train=2"],
        ["--dry-run", "--cores=2", "-q", "rules"],
        ["--conda-prefix", "somewhere", "--scheduler", "greedy", "--shadow-prefix=x", "--debug"],
    ],
)
def test_other_options_are_passed_on(asked, monkeypatch, capsys, options):
    assert main(["preview", "--", *options]) == 0
    assert asked == options
    assert "nothing to do" in capsys.readouterr().out


def test_missing_files_are_told_of_their_own_job(tmp_path):
    """The lines of a job are consecutive, its record last; only jobs that run are listed."""
    study = planned(tmp_path)
    rows = [
        ("data/a/files.json", "ok", "no update"),
        ("records/obtain/a.json", "ok", "no update"),
        ("data/a/inspection.json", "missing", "no update"),
        ("records/inspect/a.json", "ok", "no update"),
        ("data/a/cases.json", "missing", "update pending"),
        ("data/a/cases.csv", "missing", "update pending"),
        ("records/check/a.json", "ok", "update pending"),
        ("data/a/folds.csv", "ok", "update pending"),
        ("records/split/a.json", "missing", "update pending"),
    ]
    lines = ["Building DAG of jobs...", "output_file\tstatus\tplan"]
    lines += ["\t".join((f"{study.results}/{name}", status, plan)) for name, status, plan in rows]
    found = {job.place.step: job.missing for job in preview.planned(study, "\n".join(lines), {})}
    assert found == {
        "check": (f"{study.results}/data/a/cases.json", f"{study.results}/data/a/cases.csv"),
        "split": (f"{study.results}/records/split/a.json",),
    }


def test_of_an_unknown_option_its_name_is_told_and_not_all_there_are(root, monkeypatch):
    monkeypatch.chdir(root)
    with pytest.raises(UserError) as caught:
        preview.ask_snakemake([], ["--no-such"])
    assert str(caught.value) == "Snakemake cannot plan the study:\nunrecognized arguments: --no-such"
