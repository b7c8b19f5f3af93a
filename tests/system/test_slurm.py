"""`snakemake --profile slurm` on a real SLURM cluster that is started on this machine, with failures of jobs and nodes.

One study runs with all these failures; the tests check its results.
"""

import itertools
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from tests.sameness import contents
from tests.system.slurm_cluster import GPUS_PER_NODE, NODES, Cluster, Head, Training, Watch, running_cluster
from tests.workflow.conftest import Checkout, copy_repository
from tests.workflow.test_add_a_loss import OWN
from workflow_lib.base.files import read_json

EPOCHS, ITERATIONS, MEMORY_MB = 20, 20, 2000
PLACES = {f"{loss}/fold_{fold}" for loss in ("dice", "composed") for fold in (1, 2)}

GREEDY = """
import os, sys, time

if "SLURMD_NODENAME" in os.environ and sys.argv[0].endswith("steps/train.py"):
    try:
        os.close(os.open("eaten", os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        pass
    else:
        held = b"x" * (2600 << 20)
        time.sleep(120)
"""
"""Code that exceeds the requested memory in the first training on the cluster that loads it."""


@dataclass
class Study:
    """The study after its run, and the failures that were caused."""

    results: Path
    undisturbed: Path
    jobs: dict[str, dict[str, str]] = field(default_factory=dict)
    trainings: list[Training] = field(default_factory=list)
    done_to: dict[str, list[Training]] = field(default_factory=dict)
    second_heads: list[tuple[int, str]] = field(default_factory=list)
    """Exit codes and output of runs that were started while jobs of the first still ran."""

    orphans: dict[str, Training] = field(default_factory=dict)

    def jobs_of(self, *rules: str) -> list[dict[str, str]]:
        """Return the SLURM jobs of some rules."""
        return [job for job in self.jobs.values() if rule_of(job) in rules]


def rule_of(job: dict[str, str]) -> str:
    """Return the rule of a job, or the name of its group, or "" for other jobs."""
    rule = re.sub("^(rule|group)_", "", job.get("Comment", "").replace("(null)", "")).split("_wildcards_")[0]
    return "fold" if rule.startswith("fold_") else rule


def prepare(root: Path, folder: Path) -> Checkout:
    """Return a checkout with two losses, one of them composed with a user's file, and trainings that take some time."""
    checkout = copy_repository(root, folder)
    settings = yaml.safe_load((folder / "tiny.yaml").read_text())
    settings["datasets"]["toy"]["training"].update(
        gpus=1, epochs=EPOCHS, iterations=ITERATIONS, checkpoint_minutes=0.005, memory_mb=MEMORY_MB
    )
    # A path relative to the working directory, which must also be found on the nodes.
    (folder / "my_losses").mkdir()
    (folder / "my_losses/own.py").write_text(OWN.format(name="own") + GREEDY, encoding="utf-8")
    terms = [{"loss": "focal"}, {"loss": "my_losses/own.py"}]
    settings["losses"] = {"composed": {"loss": "weighted_sum", "label": "Focal + own", "parameters": {"terms": terms}}}
    settings["datasets"]["toy"]["losses"] = ["dice", "composed"]
    checkout.write_study(settings)
    return checkout


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    # Sockets need a short path, unlike pytest's. The logs of the daemons remain if the cluster could not be stopped.
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))
    with running_cluster(folder) as cluster:
        yield cluster
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def study(root, cluster, tmp_path_factory):
    checkout = prepare(root, tmp_path_factory.mktemp("cluster") / "checkout")
    results = checkout.folder / "results/tiny"
    undisturbed = prepare(root, tmp_path_factory.mktemp("here") / "checkout")
    study = Study(results, undisturbed.folder / "results/tiny")
    watch = Watch(cluster, results)
    with ThreadPoolExecutor() as beside:
        # While trainings are stopped, other processes do not need the CPU.
        two = ("--resources", "gpu=2", "--cores", "2")
        reference = beside.submit(undisturbed.snakemake, *two, side_by_side=False, timeout=3600)
        disturb(study, cluster, watch, checkout)
        reference.result()
    study.jobs, study.trainings = cluster.jobs(), list(watch.trainings.values())
    return study


def disturb(study: Study, cluster: Cluster, watch: Watch, checkout: Checkout) -> None:
    """Run the study while all failures occur, and kill its head process as well."""
    folder = checkout.folder
    with Head(cluster, folder) as head:
        befall(study, cluster, watch, head)
        head.kill()
    study.orphans = watch.held()
    assert study.orphans
    # The lock exists the first time and not the second; the jobs exist both times.
    for unlock in (False, True):
        if unlock:
            checkout.snakemake("--unlock")
        with Head(cluster, folder) as head:
            study.second_heads.append(head.outcome())
    assert set(study.orphans) == set(watch.held())
    watch.holding = False
    for training in study.orphans.values():
        training.go_on()
    watch.until(lambda: not cluster.queue())
    with Head(cluster, folder) as head:
        code, said = head.outcome()
        assert code == 0, said[-6000:]


def befall(study: Study, cluster: Cluster, watch: Watch, head: Head) -> None:
    """Cause all failures of a cluster in the trainings; at the end, all unfinished ones are stopped once more."""
    held, happened = watch.held, study.done_to

    def until(condition: Callable[[], bool]) -> None:
        def met() -> bool:
            assert not head.ended(), head.log.read_text()[-6000:]
            return condition()

        watch.until(met, log=head.log)

    def state(training: Training) -> str:
        return cluster.jobs()[training.job]["JobState"]

    def again(*places: str) -> bool:
        return set(places) <= set(held())

    watch.holding = True
    # All GPUs are in use; one of the four trainings has run out of memory by then and was restarted.
    until(lambda: set(held()) == PLACES)
    happened["out of memory"] = [t for t in watch.trainings.values() if not t.held and not t.alive()]

    timed_out, cancelled, requeued = (held()[place] for place in ("dice/fold_2", "dice/fold_1", "composed/fold_2"))
    cluster.call("scontrol", "update", f"JobId={timed_out.job}", "TimeLimit=1")
    cluster.call("scancel", cancelled.job)
    cluster.call("scontrol", "requeue", requeued.job)
    cancelled.go_on()
    requeued.go_on()
    until(lambda: state(timed_out) in ("TIMEOUT", "COMPLETING"))
    timed_out.go_on()
    until(lambda: not timed_out.alive() and again(*PLACES))
    happened |= {"time limit": [timed_out], "cancelled": [cancelled], "requeued": [requeued]}

    # A job of a preferred partition needs one node, and the other node loses its power.
    wanted, lost = held()["composed/fold_1"].node, ""
    lost = next(f"node{number}" for number in range(1, NODES + 1) if f"node{number}" != wanted)
    happened["pre-empted"] = [training for training in held().values() if training.node == wanted]
    happened["power cut"] = [training for training in held().values() if training.node == lost]
    urgent = ["--partition=urgent", f"--nodelist={wanted}", f"--gpus={GPUS_PER_NODE}", "--output=/dev/null", "--wrap=true"]
    cluster.call("sbatch", "--nodes=1", *urgent)
    cluster.cut_power(lost)
    until(lambda: cluster.node_is(lost, "down"))
    cluster.start_node(lost)
    until(lambda: again(*PLACES))


def test_the_report_is_the_same_as_if_nothing_had_happened(study):
    assert "Tiny study on synthetic images" in (study.results / "report.html").read_text(encoding="utf-8")
    assert contents(study.results) == contents(study.undisturbed)


def test_a_loss_file_of_one_s_own_is_trained_with_and_recorded(study):
    record = read_json(study.results / "records/train/toy/composed/fold_1.json")
    assert set(record["settings"]["loss"]["files"]) == {"own"}
    assert [entry["path"] for entry in record["inputs"]["loss-files"]] == ["my_losses/own.py"]


def test_every_rule_ran_in_jobs_of_its_own_and_the_download_did_not(study):
    """Each finished exactly once, including jobs whose head process was killed meanwhile."""
    done = Counter(rule_of(job) for job in study.jobs.values() if job["JobState"] == "COMPLETED" and rule_of(job))
    once = "inspect cases_page check split collect statistics tables figures_losses figures_dataset manifest report_page"
    assert done == dict.fromkeys(once.split(), 1) | {"preprocess": 2, "train": 4, "fold": 4}
    assert (study.results / "data/toy/files.json").exists()


def test_what_ended_badly_is_what_was_made_to(study):
    undone = {number: job["JobState"] for number, job in study.jobs.items() if job["JobState"] != "COMPLETED"}
    # Without control groups SLURM reports a job killed for its memory as a failure.
    states = {"cancelled": "CANCELLED", "time limit": "TIMEOUT", "out of memory": "FAILED"}
    assert undone == {study.done_to[event][0].job: state for event, state in states.items()}
    (hungry,) = study.done_to["out of memory"]
    (log,) = (study.results.parent.parent / "logs/slurm").rglob(f"{hungry.job}.log")
    assert "exceeded memory limit" in log.read_text()


@pytest.mark.parametrize("event", ["requeued", "pre-empted", "power cut"])
def test_slurm_itself_began_some_again_under_the_same_number(study, event):
    assert study.done_to[event]
    for training in study.done_to[event]:
        assert int(study.jobs[training.job]["Restarts"]) >= 1
        later = [other for other in study.trainings if other.place == training.place and other.seen > training.last_seen]
        assert training.job in {other.job for other in later}


@pytest.mark.parametrize(("event", "factor"), [("out of memory", 2), ("cancelled", 1)])
def test_a_training_that_ran_out_of_memory_got_twice_as_much_and_another_did_not(study, event, factor):
    (training,) = study.done_to[event]
    asked = {job["JobId"]: job["MinMemoryNode"] for job in study.jobs_of("train")}
    assert asked[training.job] == f"{MEMORY_MB}M"
    after = {other.job for other in study.trainings if other.place == training.place} - {training.job}
    assert {asked[number] for number in after} == {f"{factor * MEMORY_MB}M"}


def test_no_second_head_begins_while_jobs_of_the_first_run(study):
    (locked, lock_said), (refused, said) = study.second_heads
    assert locked != 0
    assert "unlock" in lock_said
    assert refused != 0
    numbers = [training.job for training in study.orphans.values()]
    assert f"{len(numbers)} SLURM job(s) of an earlier run still work on results/tiny" in said
    assert sorted(re.findall(r"^  scancel ([\d ]+)$", said, re.MULTILINE)[0].split()) == sorted(numbers)
    assert "Traceback" not in said
    assert "has been submitted" not in said


def test_trainings_that_lost_their_head_are_not_repeated(study):
    for place, orphan in study.orphans.items():
        assert [training for training in study.trainings if training.place == place and training.seen > orphan.last_seen] == []
        assert study.jobs[orphan.job]["JobState"] == "COMPLETED"


def test_training_and_prediction_with_its_scores_ask_for_one_gpu_and_nothing_else_does(study):
    asked = {number for number, job in study.jobs.items() if re.fullmatch(r"gres[:/]gpu[:=]1", job.get("TresPerJob", ""))}
    assert asked == {job["JobId"] for job in study.jobs_of("train", "fold")}


def test_each_training_sees_one_gpu_that_no_other_has_at_that_time(study):
    assert {training.job for training in study.trainings} == {job["JobId"] for job in study.jobs_of("train")}
    assert {len(training.gpus) for training in study.trainings} == {1}
    assert {gpu for training in study.trainings for gpu in training.gpus} <= set(map(str, range(GPUS_PER_NODE)))
    for one, other in itertools.combinations(study.trainings, 2):
        if at_the_same_time(one, other):
            assert (one.node, one.gpus) != (other.node, other.gpus)


def test_as_many_trainings_run_at_once_as_there_are_gpus(study):
    most = max(sum(at_the_same_time(one, other) for other in study.trainings if other is not one) + 1 for one in study.trainings)
    assert most >= NODES * GPUS_PER_NODE
    alive = [[other for other in study.trainings if other.seen <= one.seen <= other.last_seen] for one in study.trainings]
    assert max(map(len, alive)) == NODES * GPUS_PER_NODE
    assert {training.node for training in study.trainings} == {f"node{number + 1}" for number in range(NODES)}


def at_the_same_time(one: Training, other: Training) -> bool:
    """Return whether both ran at the same moment."""
    return max(one.seen, other.seen) < min(one.last_seen, other.last_seen)


def test_a_training_that_was_told_to_end_lost_nothing(study):
    """SIGTERM precedes SIGKILL, so that the training can save its state."""
    for event in ("cancelled", "time limit"):
        (training,) = study.done_to[event]
        first, second, *_ = read_json(study.results / "training/toy" / training.place / "training.json")["attempts"]
        assert first["ended"] == "interrupted"
        done = (first["last_epoch"] - 1) * ITERATIONS + first["last_step"]
        assert (second["first_epoch"] - 1) * ITERATIONS + second["first_step"] == done + 1


def test_a_training_that_was_killed_went_on_from_its_checkpoint(study):
    for training in study.done_to["power cut"]:
        attempts = read_json(study.results / "training/toy" / training.place / "training.json")["attempts"]
        assert attempts[-1]["ended"] == "finished"
        assert "running" in {attempt["ended"] for attempt in attempts}
        begun = [(attempt["first_epoch"], attempt["first_step"]) for attempt in attempts]
        assert begun == sorted(begun)
        assert begun[-1] > begun[0]
