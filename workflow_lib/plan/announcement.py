"""The announcement that a long run prints before its first job: the trainings, their cost, and how to stop it."""

from collections.abc import Mapping, Sequence

from workflow_lib.plan import estimates
from workflow_lib.plan.estimates import Pace
from workflow_lib.plan.jobs import JobId, Plan

LOSSES_SHOWN = 3


def text(
    plan: Plan, trainings: Sequence[JobId], known: Sequence[Pace], done: Mapping[JobId, int], gpus_usable: bool, cluster: bool
) -> str:
    """Return the announcement of a run, "" where it takes fewer hours than `study.announce_hours`.

    `known`, `done` and `gpus_usable` as in `estimates.cost`; `cluster`: whether jobs run elsewhere and have to be cancelled.
    """
    if not trainings:
        return ""
    whole = estimates.cost(plan, trainings, known, done, gpus_usable)
    if whole.device_hours < plan.config.study.announce_hours:
        return ""
    lines = [f"This run trains {_count(len(trainings))}: {whole.text}."]
    for dataset in plan.datasets:
        places = [place for place in trainings if place.dataset == dataset]
        if places:
            hours = estimates.cost(plan, places, known, done, gpus_usable).hours_text
            lines.append(f"  {dataset}: {_count(len(places))} ({_losses(places)}), {hours}")
    cancels = " and cancels the jobs that it has submitted" if cluster else ""
    lines.append(f"Ctrl-C stops it{cancels}. What was trained stays, and the same command continues from there.")
    return "\n".join([*lines, f"(This is printed from {plan.config.study.announce_hours:g} hours on: study.announce_hours.)"])


def _count(number: int) -> str:
    return "1 network" if number == 1 else f"{number} networks"


def _losses(places: Sequence[JobId]) -> str:
    names = list(dict.fromkeys(place.loss for place in places))
    more = len(names) - LOSSES_SHOWN
    return ", ".join(names[:LOSSES_SHOWN]) + (f" and {more} more" if more > 0 else "")
