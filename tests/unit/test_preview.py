"""Options that the preview hands on to Snakemake, and those that it must not."""

import pytest

from workflow_lib import preview


@pytest.fixture
def asked(root, monkeypatch):
    """Take Snakemake's place, and note what it is asked with."""
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
        (["-C", "epochs=3"], "-C"),
        (["--until", "obtain", "-Cepochs=3"], "-Cepochs=3"),
        (["--configfile", "other.yaml"], "--configfile"),
        (["--configfiles=other.yaml"], "--configfiles"),
        (["--replace-workflow-config"], "--replace-workflow-config"),
        (["--directory", "elsewhere"], "--directory"),
        (["--dir=elsewhere"], "--dir"),
        (["-d", "elsewhere"], "-d"),
        (["-nd", "elsewhere"], "-nd"),
        (["--snakefile", "Other"], "--snakefile"),
        (["-s", "Other"], "-s"),
    ],
)
def test_an_option_that_chooses_another_study_is_refused(asked, monkeypatch, capsys, options, named):
    """The plan knows nothing of it, so that every record would seem to be current."""
    monkeypatch.setattr("sys.argv", ["preview", "--", *options])
    with pytest.raises(SystemExit) as caught:
        preview.main()
    assert caught.value.code == 2
    said = capsys.readouterr().err
    assert said.strip().startswith(f"{named} chooses the study or where it lies")
    assert "name study files with --configfile before the --" in said
    assert asked == []


@pytest.mark.parametrize(
    "options",
    [
        ["--forcerun", "tables"],
        ["-Rstatistics", "-n"],
        ["--until", "obtain", "--set-threads", "train=2"],
        ["--dry-run", "--cores=2", "-q", "rules"],
        ["--conda-prefix", "somewhere", "--scheduler", "greedy", "--shadow-prefix=x", "--debug"],
    ],
)
def test_other_options_are_passed_on(asked, monkeypatch, capsys, options):
    monkeypatch.setattr("sys.argv", ["preview", "--", *options])
    preview.main()
    assert asked == options
    assert "nothing to do" in capsys.readouterr().out
