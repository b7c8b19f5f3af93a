"""Whether a run may start, given SLURM's jobs in its folder. The commands answer like SLURM 22.05."""

import pytest

from workflow_lib.base.errors import UserError
from workflow_lib.host import earlier_jobs

OURS = "python -m snakemake --target-jobs 'train:...' --wait-for-files 'results/tiny/data/toy/cases.json' --mode 'remote'\n"
OTHERS = OURS.replace("results/tiny/", "results/tiny2/")


def slurm(folder, jobs):
    """Return a replacement for SLURM's commands: {number: (state, comment, script or None)}."""

    def run(command):
        if command[0] == "squeue":
            return "".join(f"{number}|{state}|{folder}|{comment}\n" for number, (state, comment, _) in jobs.items())
        script = jobs[command[3]][2]
        if script is None:
            raise earlier_jobs.NoAnswerError("job script retrieval failed: Invalid job id specified")
        return script

    return run


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(earlier_jobs, "OWN", None)


def refuse(run, executor="slurm", local=False):
    earlier_jobs.refuse(executor, local, "results/tiny", run)


@pytest.mark.parametrize("executor", ["slurm", "cluster-generic"])
def test_jobs_of_this_study_in_this_folder_stop_a_second_run(tmp_path, executor):
    jobs = {
        "7": ("RUNNING", "rule_train_wildcards_toy_dice_1", OURS),
        "9": ("PENDING", "", OURS),
        "11": ("RUNNING", "rule_train_wildcards_toy_dice_1", OTHERS),
    }
    with pytest.raises(UserError) as caught:
        refuse(slurm(tmp_path, jobs), executor)
    said = str(caught.value)
    assert "2 SLURM job(s)" in said
    assert "7 RUNNING rule_train_wildcards_toy_dice_1" in said
    assert "\n  scancel 7 9" in said
    assert "11" not in said


def test_a_folder_reached_by_a_link_is_the_same_folder(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(UserError):
        refuse(slurm(tmp_path / "link", {"7": ("RUNNING", "", OURS)}))


def test_a_job_whose_script_is_not_to_be_had_counts_where_snakemake_named_it(tmp_path):
    refuse(slurm(tmp_path, {"7": ("RUNNING", "an interactive job", None)}))
    with pytest.raises(UserError, match="group_"):
        refuse(slurm(tmp_path, {"7": ("RUNNING", "group_fold", None)}))


@pytest.mark.parametrize("quote", ["", "'"])
def test_a_job_of_many_files_names_them_in_a_list(tmp_path, quote):
    """As Snakemake does for more than 20 files."""
    listed = tmp_path / "snakejob.train.waitforfilesfile.txt"
    script = f"python -m snakemake --target-jobs 'train:...' --wait-for-files-file {quote}{listed}{quote} --mode 'remote'\n"
    run = slurm(tmp_path, {"7": ("RUNNING", "rule_train_wildcards_toy_dice_1", script)})
    listed.write_text("/tmp/x\nresults/tiny2/data/toy/cases.json\n")
    refuse(run)
    listed.write_text("/tmp/x\nresults/tiny/data/toy/cases.json\n")
    with pytest.raises(UserError, match="7 RUNNING"):
        refuse(run)
    listed.unlink()
    with pytest.raises(UserError, match="7 RUNNING"):
        refuse(run)


def test_many_jobs_are_not_all_named_but_all_cancelled(tmp_path):
    with pytest.raises(UserError) as caught:
        refuse(slurm(tmp_path, {str(number): ("PENDING", "rule_x", OURS) for number in range(100, 150)}))
    said = str(caught.value)
    assert "and 40 more" in said
    assert "149" in said.splitlines()[-1]
    assert said.count("PENDING") == 10


def test_what_does_not_stop_a_run(tmp_path, monkeypatch):
    refuse(slurm(tmp_path, {}))
    refuse(slurm(tmp_path, {"7": ("RUNNING", "rule_train", OTHERS)}))
    refuse(slurm(tmp_path.parent, {"7": ("RUNNING", "rule_train", OURS)}))
    refuse(slurm(tmp_path, {"7": ("RUNNING", "rule_train", OURS)}), executor="local", local=True)
    monkeypatch.setattr(earlier_jobs, "OWN", "7")
    refuse(slurm(tmp_path, {"7": ("RUNNING", "", OURS)}))


def programs(folder, monkeypatch, *, squeue):
    """Put only a test's squeue on the path, or nothing."""
    monkeypatch.setenv("PATH", str(folder))
    if squeue:
        path = folder / "squeue"
        path.write_text(f"#!/bin/sh\n{squeue}\n")
        path.chmod(0o755)


def test_without_squeue_nothing_is_asked(tmp_path, monkeypatch):
    programs(tmp_path, monkeypatch, squeue=None)
    earlier_jobs.refuse("slurm", False, "results/tiny")


def test_where_slurm_does_not_answer_nothing_is_submitted_to_it(tmp_path, monkeypatch):
    programs(tmp_path, monkeypatch, squeue="echo 'squeue: error: Unable to contact slurm controller' >&2; exit 1")
    with pytest.raises(UserError, match="Unable to contact slurm controller"):
        earlier_jobs.refuse("slurm", False, "results/tiny")
    # Another scheduler on a machine with SLURM's programs.
    earlier_jobs.refuse("cluster-generic", False, "results/tiny")


def test_the_real_commands_are_read(tmp_path, monkeypatch):
    programs(tmp_path, monkeypatch, squeue=f"echo '7|RUNNING|{tmp_path}|rule_train_wildcards_a|b'")
    # Without scontrol, the comment decides.
    with pytest.raises(UserError, match=r"7 RUNNING rule_train_wildcards_a\|b"):
        earlier_jobs.refuse("slurm", False, "results/tiny")
