"""Decide before a run which jobs have to run, what to report first, and whether to stop."""

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from workflow_lib.base.errors import Faults, UserError
from workflow_lib.base.files import read_json
from workflow_lib.datasets.comparison import NEW
from workflow_lib.images.selection import read_cases
from workflow_lib.plan.data import Data, compared
from workflow_lib.plan.jobs import JobId, Plan
from workflow_lib.plan.order import sources
from workflow_lib.plan.stale import Survey, survey
from workflow_lib.provenance import layout, left_out

Say = Callable[[str], None]

READS_IMAGES = ("preprocess", "evaluate", "figures_dataset")
"""Steps after the inspection that open images or masks (`evaluate` masks alone)."""

LEFT_NAMED = 10

NAMED = 3
"""Maximum number of trainings or cases that are named individually."""


def jobs(plan: Plan, rules: Collection[str], files: Collection[str], say: Say) -> list[JobId]:
    """Return the jobs that have to run, in the order of the study.

    Parameters
    ----------
    plan : Plan
        The study.
    rules, files : collection of str
        Steps and result files that the command line forces.
    say : callable
        Called with each remark for the user.

    Raises
    ------
    UserError
        Where the user has to decide something first.
    """
    forced = [place for place in plan.jobs() if place.step in rules or _is_forced(plan, place, files)]
    return decided(plan, survey(plan, say), forced, say)


def decided(plan: Plan, found: Survey, forced: Sequence[JobId], say: Say) -> list[JobId]:
    """Return the jobs that have to run after a survey, once the user has made all necessary decisions."""
    faults: list[str] = []
    again = list(_without_weights(plan, found, faults, say))
    certain = found.jobs(plan, [*forced, *again])
    # Datasets that this run inspects anyway are inspected in their present state.
    inspected = {place.dataset for place in certain if place.step in ("obtain", "inspect")}
    differing = [data for name in plan.datasets if name not in inspected and (data := compared(plan, name)) is not None]
    for data in differing:
        again += _after_changes(plan, data, faults, say)
    running = found.jobs(plan, [*forced, *again])
    for line in missing_folders(plan, running):
        say(line)
    needed = _needed(plan, found, running)
    running += needed
    faults += [fault for data in differing for fault in _unreadable(plan, data, running)]
    faults += _weights_needed([place for place in needed if place.step == "train"])
    if len(faults) == 1:
        raise UserError(faults[0])
    if faults:
        raise Faults("Decide first:", faults)
    return running


def missing_folders(plan: Plan, running: Sequence[JobId]) -> list[str]:
    """Return a line for each dataset whose folder is not there, although this run begins with its files."""
    names = [place.dataset for place in running if place.step == "obtain"]
    used = [(name, plan.dataset(name)) for name in names]
    return [
        f"{name}: its folder {dataset.root} does not exist (datasets.{name}.root; a relative path starts at {Path.cwd()}). "
        "The run will stop at its first step."
        for name, dataset in used
        if dataset.source == "folder" and not Path(dataset.root).expanduser().exists()
    ]


def left(plan: Plan) -> list[str]:
    """Return what a finished run has left, in words: results that are not as their records say, or were made from others.

    Jobs that have never run are none of these: a run may have been asked for a part of the study.
    """
    found = survey(plan)
    lines = [f"  {place.record}: {'; '.join(reasons)}" for place, reasons in found.reasons.items() if place not in found.fresh]
    head = "These results are not what their records say; run the same command again to make them:"
    more = [f"  and {len(lines) - LEFT_NAMED} more"] if len(lines) > LEFT_NAMED else []
    return [head, *lines[:LEFT_NAMED], *more] if lines else []


def _needed(plan: Plan, found: Survey, running: Sequence[JobId]) -> list[JobId]:
    """Return the jobs whose absent results other jobs of this run need."""
    added: list[JobId] = []
    waiting, seen = list(running), set(running)
    while waiting and found.absent:
        place = waiting.pop()
        for name, output in layout.STEPS[place.step].reads.items():
            if output == layout.WHOLE:
                continue
            for source in dict.fromkeys(source for source, _ in sources(plan, place, name)):
                if source not in seen and output.split(".", 1)[1] in found.absent.get(source, ()):
                    seen.add(source)
                    added.append(source)
                    waiting.append(source)
    return added


def _is_forced(plan: Plan, place: JobId, files: Collection[str]) -> bool:
    if not files:
        return False
    names = layout.written(place.step, place.dataset, place.loss, place.number)
    return any((Path(plan.results) / name).as_posix() in files for name in names)


def _after_changes(plan: Plan, data: Data, faults: list[str], say: Say) -> Iterator[JobId]:
    """Yield the jobs that inspect changed images again, as the study requests; add open decisions to `faults`."""
    policy = plan.dataset(data.dataset).changed_data
    if data.comparison.absent:
        return
    if not rests_on_it(plan, data.dataset):
        say(f"{data.sentence}. No result depends on it yet: these files are inspected again.")
    elif policy == "stop":
        faults.append(choice(plan, data))
        return
    elif policy == "freeze":
        say(f"{data.sentence}. The results stay as they are (changed_data: freeze), and the report says so.")
        return
    else:
        say(f"{data.sentence}. {_capital(consequences(plan, data))} (changed_data: follow).")
    if data.comparison.listing_changed:
        yield JobId("obtain", data.dataset)
    yield JobId("inspect", data.dataset)


def rests_on_it(plan: Plan, dataset: str) -> bool:
    """Return whether results were made from the inspection of a dataset."""
    places = (place for step in ("check", "preprocess", "train") for place in plan.jobs_of(step, dataset))
    return any((Path(plan.results) / place.record).exists() for place in places)


def consequences(plan: Plan, data: Data) -> str:
    """Return what would be made again, in words: how many trainings, and how many of them learnt from a changed case."""
    made = [place for place in plan.jobs_of("train", data.dataset) if (Path(plan.results) / place.record).exists()]
    if not made:
        return f"no training of {data.dataset} has finished yet"
    every = f"all {len(made)} trainings" if len(made) > 1 else "the one training"
    changed = {change.case for change in data.comparison.changes if change.what != NEW}
    learnt = sum(bool(changed & {*_training_cases(plan, place)}) for place in made)
    these = "one of these cases" if len(changed) > 1 else "this case"
    return f"{every} of {data.dataset} would be made again" + (f": {learnt} learnt from {these}" if changed else "")


def _training_cases(plan: Plan, place: JobId) -> list[str]:
    path = Path(plan.results) / layout.path("train.summary", place.dataset, place.loss, place.number)
    try:
        return list(read_json(path)["training_cases"])
    except (UserError, KeyError, TypeError):
        return []


def choice(plan: Plan, data: Data) -> str:
    """Return the fault of changed data without a decision: what changed, the consequences, and the options."""
    key = f"datasets: {{{data.dataset}: {{changed_data:"
    return (
        f"{data.sentence}.\n"
        f"  {_capital(consequences(plan, data))}. Put the files back, or decide in the study:\n"
        f"    {key} follow}}}}   make again what follows from the images as they are now\n"
        f"    {key} freeze}}}}   keep the results; the report says which images they were made from"
    )


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _unreadable(plan: Plan, data: Data, running: Sequence[JobId]) -> Iterator[str]:
    """Yield why jobs of this run cannot read images as they were inspected, where these are gone, or frozen and changed."""
    if JobId("inspect", data.dataset) in running:
        return
    readers = [place for place in running if place.dataset == data.dataset and place.step in READS_IMAGES]
    try:
        used = read_cases(Path(plan.results) / layout.path("check.cases", data.dataset)).cases
    except UserError:
        return
    if not readers:
        return
    steps = ", ".join(dict.fromkeys(place.step for place in readers))
    root = plan.dataset(data.dataset).root
    if data.comparison.absent:
        yield f"The images of {data.dataset} are not at {root}, and this run needs them ({steps}). Put them back."
        return
    changed = [change for change in data.comparison.changes if change.case in used]
    if changed and plan.dataset(data.dataset).changed_data == "freeze":
        yield (
            f"{data.sentence}. The results of {data.dataset} stay with the images as they were (changed_data: freeze). This run "
            f"would read the changed ones ({steps}). Put the files back, or choose `follow`."
        )


def _gone(found: Survey) -> list[JobId]:
    return [place for place in found.absent if place.step == "train"]


def _without_weights(plan: Plan, found: Survey, faults: list[str], say: Say) -> Iterator[JobId]:
    """Yield the trainings to repeat because their weights are missing, as the study requests."""
    gone = _gone(found)
    if not gone:
        return
    policy = plan.config.study.missing_weights
    what = f"The weights of {_trainings(gone)} are gone, and nothing else of {'it' if len(gone) == 1 else 'them'}"
    if policy == "repeat":
        yield from gone
    elif policy == "accept" or left_out.of_bundle(Path(plan.results)):
        why = "missing_weights: accept" if policy == "accept" else "the bundle leaves them out"
        say(f"{what}; the results stay ({why}).")
    else:
        faults.append(
            f"{what}. Put them back, or decide in the study:\n"
            "    study: {missing_weights: repeat}   train again (a state that was kept shortens it)\n"
            "    study: {missing_weights: accept}   keep the results without weights, from which nothing can be predicted again"
        )


def _weights_needed(needed: Sequence[JobId]) -> Iterator[str]:
    """Yield the fault of predictions that need weights which are gone and stay so."""
    if needed:
        yield (
            f"Predictions of this run need the weights of {_trainings(needed)}, which are gone. Put them back, or train again "
            "(study: {missing_weights: repeat})."
        )


def _trainings(places: Sequence[JobId]) -> str:
    named = [f"{place.loss} on {place.dataset}, fold {place.number}" for place in places[:NAMED]]
    more = f" and {len(places) - NAMED} more" if len(places) > NAMED else ""
    head = "the training" if len(places) == 1 else f"{len(places)} trainings"
    return f"{head} ({'; '.join(named)}{more})"
