"""The dependencies between the jobs of a study, derived from the inputs of their steps in `provenance.layout`."""

from collections.abc import Collection, Iterable, Iterator

from workflow_lib.plan.jobs import JobId, Plan
from workflow_lib.provenance import layout

Shared = tuple[str, str, str, int]
"""Step, dataset, loss and number of a job, as far as the steps that read its results have them, too."""


def sources(plan: Plan, place: JobId, name: str) -> list[tuple[JobId, int]]:
    """Return the origin of each file of a job's input, in the order in which the job receives them.

    An origin is a job and the position of the file among those of its output.
    """
    output = layout.STEPS[place.step].reads[name]
    maker = layout.maker(output)
    every = layout.STEPS[maker].writes[output.split(".", 1)[1].partition(":")[0]]
    numbers = [every.index(template) for template in layout.templates(output)]
    if set(layout.STEPS[maker].of) <= set(layout.STEPS[place.step].of):
        jobs = [_reduced(place, maker)]
    else:
        jobs = list(plan.jobs_of(maker, place.dataset))
    return [(job, number) for job in jobs for number in numbers]


def _reduced(place: JobId, step: str) -> JobId:
    """Return the job of another step for the same dataset, loss and number, as far as that step has them."""
    of = layout.STEPS[step].of
    number = place.number if layout.unit(step) else 0
    return JobId(step, place.dataset if "dataset" in of else "", place.loss if "loss" in of else "", number)


def with_following(plan: Plan, first: Iterable[JobId], restored: Collection[JobId] = ()) -> list[JobId]:
    """Return jobs and all jobs that use their results, directly or not, in the order of the study.

    Of a `restored` job only the jobs that read all records follow, because its result will be the same as before.
    """
    wanted = set(first)
    running: list[JobId] = []
    seen: set[Shared] = set()
    for place in plan.jobs():
        whole = layout.WHOLE in layout.STEPS[place.step].reads.values()
        follows = (whole and running) or any(key in seen for key in _read_keys(place))
        if place in wanted or follows:
            seen.update(_written_keys(place))
        if place in wanted or follows or place in restored:
            running.append(place)
    return running


def first_of(running: Iterable[JobId]) -> list[JobId]:
    """Return the jobs among these that use no result of the others."""
    seen: set[Shared] = set()
    found: list[JobId] = []
    for place in running:
        whole = layout.WHOLE in layout.STEPS[place.step].reads.values()
        if not (whole and seen) and not any(key in seen for key in _read_keys(place)):
            found.append(place)
        seen.update(_written_keys(place))
        seen.add((place.step, "", "", 0))
    return found


def _read_keys(place: JobId) -> Iterator[Shared]:
    for output in layout.STEPS[place.step].reads.values():
        if output != layout.WHOLE:
            yield _shared(place, layout.maker(output), place.step)


def _written_keys(place: JobId) -> Iterator[Shared]:
    for step in layout.readers(place.step):
        yield _shared(place, place.step, step)


def _shared(place: JobId, maker: str, reader: str) -> Shared:
    both = {*layout.STEPS[maker].of} & {*layout.STEPS[reader].of}
    number = place.number if {"fold", "shard"} & both else 0
    return (f"{maker} {reader}", place.dataset if "dataset" in both else "", place.loss if "loss" in both else "", number)
