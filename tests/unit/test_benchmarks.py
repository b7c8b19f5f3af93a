"""The command that measures, what it keeps, and the pages that are written from it. No time is asserted anywhere."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import __main__ as command
from benchmarks import _measure, _pages, _results, _synthetic, evaluation, start_up
from workflow_lib.base.errors import Faults, UserError

RUN: dict[str, Any] = {
    "date": "2030-01-02T03:04:05+00:00",
    "commit": "0123456789abcdef0123456789abcdef01234567",
    "clean": True,
    "load": [0.1, 0.2, 0.3],
    "machine": {"cpu": "Some Processor", "cores": 2, "memory_gib": 15.6, "os": "Some System, kernel 1"},
    "versions": {"python": "3.11.9", "numpy": "2.0"},
}
OTHER = RUN | {"date": "2031-01-02T03:04:05+00:00", "clean": False, "machine": RUN["machine"] | {"cpu": "Another Processor"}}


def rows():
    ours, theirs = _measure.side("this project", [0.2, 0.4, 0.3]), _measure.side("MIScnn 1.4.0", [3.0, 6.0])
    return [_measure.row("resample", ours, theirs, {"differ": 0, "of": 54263808})]


def results(*names, quick=False, run=RUN):
    benchmarks = {n: {"rows": rows(), "seconds": 1.0, "load": 0.1, "quick": quick, "run": run["date"]} for n in names}
    return {"benchmarks": benchmarks, "runs": {run["date"]: run}}


# The pages of the repository


def test_the_pages_are_what_the_results_say(root):
    for path, text in _pages.contents(_results.read(_results.RESULTS), command.NAMES).items():
        assert (root / path).read_text(encoding="utf-8") == text, f"{path} is not current: run `python -m benchmarks --pages`"


def test_another_measurement_gives_other_pages(root):
    measured = json.loads(_results.RESULTS.read_text(encoding="utf-8"))
    for entry in measured["benchmarks"].values():
        for row in entry["rows"]:
            row["ratio"] = 123456.0
    for path, text in _pages.contents(measured, command.NAMES).items():
        assert "123456" in text, path
        assert "123456" not in (root / path).read_text(encoding="utf-8")


def test_the_results_in_the_repository_are_whole():
    measured = json.loads(_results.RESULTS.read_text(encoding="utf-8"))
    assert set(measured["benchmarks"]) == set(command.NAMES)
    assert not any(entry["quick"] for entry in measured["benchmarks"].values())
    assert {entry["run"] for entry in measured["benchmarks"].values()} == set(measured["runs"])


def test_every_benchmark_is_run_by_the_command(root):
    modules = {path.stem for path in (root / "benchmarks").glob("[a-z]*.py")}
    assert modules == set(command.NAMES)


# Rendering


def rendered(tmp_path, template, content):
    (tmp_path / "page.j2").write_text(template, encoding="utf-8")
    return _pages.render("page.j2", content, tmp_path)


def test_a_page_takes_its_numbers_from_the_rows(tmp_path):
    template = "{% set r = row('a', 'resample') %}{{ r.ours.median | number }} {{ r.ratio | ratio }} {{ r | agreement }}"
    assert rendered(tmp_path, template, results("a")) == "0.30 15 no voxel of 54 million differs"


def test_a_row_that_is_missing_is_an_error_that_says_what_to_run(tmp_path):
    with pytest.raises(UserError, match=r"no row 'nothing' of the benchmark a.*--only a"):
        rendered(tmp_path, "{{ row('a', 'nothing') }}", results("a"))
    with pytest.raises(UserError, match="--only b"):
        rendered(tmp_path, "{{ row('b', 'resample') }}", results("a"))


def test_pages_need_every_benchmark():
    with pytest.raises(Faults, match=r"--only b") as caught:
        _pages.contents(results("a"), ["a", "b"])
    assert "b was not measured" in str(caught.value)


def test_what_was_only_tried_is_never_written():
    with pytest.raises(Faults, match=r"a was only tried"):
        _pages.contents(results("a", quick=True), ["a"])


def test_one_run_and_several_are_told_apart():
    (one,) = _pages.provenance(results("a", "b"))
    assert one.startswith("All in one run: 2030-01-02, commit 0123456789, on Some Processor, 2 cores, 15.6 GiB")
    assert "load average 0.1 at the start, 0.1 to 0.1 before each benchmark" in one
    assert "python 3.11.9" in one
    first, second = results("a", "b"), results("c", run=OTHER)
    mixed = {key: first[key] | second[key] for key in ("benchmarks", "runs")}
    head, *each = _pages.provenance(mixed)
    assert "not of one run" in head
    assert each[0].startswith("a, b: 2030-01-02, commit 0123456789, on Some Processor")
    assert each[1].startswith("c: 2031-01-02, commit 0123456789 with changes, on Another Processor")


def test_a_readme_without_its_marks_is_an_error():
    with pytest.raises(UserError, match="Put them back"):
        _pages._between_marks("no marks", "text")
    kept = _pages._between_marks(f"before\n{_pages.BEGIN}\nold\n{_pages.END}\nafter\n", "new\n")
    assert kept == f"before\n{_pages.BEGIN}\nnew\n{_pages.END}\nafter\n"


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(0, 2, "0"), (0.01694, 2, "0.017"), (0.3, 2, "0.30"), (9.96, 2, "10"), (1.483, 3, "1.48"), (37.94, 2, "38"),
     (1411.2, 2, "1411"), (1e-9, 1, "0.000000001"), (10000, 2, "10 000"), (147.3, 4, "147.3"), (99.6, 2, "100")],
)  # fmt: skip
def test_numbers_are_written_without_exponents(value, digits, text):
    assert _pages.number(value, digits) == text


def test_agreement_in_words():
    assert _pages.agreement({"agreement": {"differ": 3, "of": 120}}) == "3 of 120 voxels differ"
    assert _pages.agreement({"agreement": {"largest_difference": 1.9e-06}}) == "largest difference 1.9e-6"
    assert _pages.agreement({"agreement": {"largest_difference": 0.0}}) == "equal"
    assert [_pages.ratio(value) for value in (0.655, 2.04, 33.9, 771.7)] == ["0.66", "2.0", "34", "772"]


# Rows


def test_a_row_holds_both_sides_their_ratio_and_agreement():
    (row,) = rows()
    assert row["ours"]["median"] == 0.3
    assert row["reference"]["mean"] == 4.5
    assert row["ratio"] == 15.0
    assert row["agreement"] == {"differ": 0, "of": 54263808}
    assert "MIScnn 1.4.0: median 4.5" in _measure.described(row)


def test_differences_are_found_and_other_shapes_refused():
    one = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    other = one.copy()
    other[1, 2, 3] += 0.5
    assert _measure.difference(one, other) == {"largest_difference": 0.5}
    assert _measure.voxels_that_differ(one, other) == {"differ": 1, "of": 24}
    with pytest.raises(ValueError, match="cannot be compared"):
        _measure.difference(one, other[:1])


def test_the_error_of_a_ratio_needs_several_times():
    ours, theirs = _measure.side("this project", [1.0, 1.0]), _measure.side("MIScnn 1.4.0", [3.0, 5.0])
    assert _measure.ratio_error(theirs, ours) == pytest.approx(1.0)
    assert _measure.ratio_error(_measure.side("MIScnn 1.4.0", [3.0]), ours) is None


# Keeping what was measured


def test_a_benchmark_replaces_its_own_results_only(tmp_path):
    path = tmp_path / "results.json"
    for name in ("a", "b"):
        _results.add(path, RUN, name, rows(), 1.0, 0.1, quick=False)
    _results.add(path, OTHER, "b", [{"what": "new"}], 2.0, 0.2, quick=False)
    content = _results.read(path)
    assert content["benchmarks"]["a"]["run"] == RUN["date"]
    assert content["benchmarks"]["b"] == {
        "rows": [{"what": "new"}],
        "seconds": 2.0,
        "load": 0.2,
        "quick": False,
        "run": OTHER["date"],
    }
    assert content["runs"] == {RUN["date"]: RUN, OTHER["date"]: OTHER}
    _results.add(path, OTHER, "a", rows(), 1.0, 0.1, quick=False)
    assert set(_results.read(path)["runs"]) == {OTHER["date"]}


def test_a_file_that_holds_something_else_is_told(tmp_path):
    (tmp_path / "results.json").write_text("[]", encoding="utf-8")
    with pytest.raises(UserError, match="holds no results"):
        _results.read(tmp_path / "results.json")


def test_an_interrupted_run_keeps_what_was_measured(tmp_path, monkeypatch):
    def measure(benchmark, quick):
        if benchmark.name == "batches":
            raise KeyboardInterrupt
        return rows()

    monkeypatch.setattr(command, "measure", measure)
    with pytest.raises(KeyboardInterrupt):
        command.measure_all(command.BENCHMARKS, tmp_path / "results.json", quick=False)
    assert set(_results.read(tmp_path / "results.json")["benchmarks"]) == {"preprocessing"}


def test_one_that_fails_does_not_stop_the_others(tmp_path, monkeypatch, capsys):
    def measure(benchmark, quick):
        if benchmark.name == "batches":
            raise UserError("out of paper")
        return rows()

    monkeypatch.setattr(command, "measure", measure)
    assert command.measure_all(command.BENCHMARKS, tmp_path / "results.json", quick=False) == ["batches"]
    assert set(_results.read(tmp_path / "results.json")["benchmarks"]) == set(command.NAMES) - {"batches"}
    shown = capsys.readouterr()
    assert "out of paper" in shown.err
    assert f"[1/{len(command.NAMES)}] preprocessing (about" in shown.out


def test_a_run_says_where_it_ran():
    run = _results.describe_run()
    assert run["machine"]["cores"] >= 1
    assert run["machine"]["memory_gib"] > 0
    assert set(_results.PACKAGES) < set(run["versions"])


def test_the_number_of_planned_jobs_is_read_from_a_dry_run():
    assert start_up.planned_jobs("Job stats:\njob count\n--- ---\nall 1\ntrain 50\ntotal 195\n") == 195
    with pytest.raises(SystemExit, match="no number of jobs"):
        start_up.planned_jobs("Nothing to be done")


# Benchmarks that end in seconds


def test_the_smallest_benchmark_runs_in_a_process_of_its_own():
    (row,) = command.measure(command.Benchmark("storage", 1), quick=True)
    assert row["what"] == "preprocessed cases"
    assert 5 < row["gb_of_all"] < 10


def test_a_benchmark_that_cannot_run_is_told_with_its_last_words():
    with pytest.raises(UserError, match=r"nothing failed[\s\S]*No module named"):
        command.measure(command.Benchmark("nothing", 1), quick=True)


def test_surfaces_of_a_small_case_agree():
    geometry = _synthetic.Geometry((60, 90, 90), (6.0, 4.2, 4.2))
    truth = _synthetic.mask(geometry)
    assert set(np.unique(truth)) == {0, 1, 2}
    for row in evaluation.surfaces(truth, evaluation.prediction_of(truth), geometry, repeats=1):
        assert row["agreement"]["largest_difference"] < 1e-4
        assert row["ours"]["name"] == "this project"


def test_a_synthetic_case_can_be_preprocessed(tmp_path: Path):
    geometry = _synthetic.Geometry((24, 32, 32), (12.0, 11.0, 11.0))
    cases = _synthetic.write_case(tmp_path, geometry)
    preprocessing = {"clip": _synthetic.CLIP, "spacing": [20.0, 20.0, 20.0]}
    settings = {"dataset": "synthetic", "preprocessing": preprocessing, "shard": 1, "shards": 1}
    arguments = ["--settings", json.dumps(settings), "--cases", str(cases), "--store", str(tmp_path / "store")]
    usage = _measure.used_by_module("workflow_lib.steps.preprocess", *arguments)
    assert (tmp_path / "store" / "case_00000.image.npy").is_file()
    assert set(usage) == {"cpu", "wall", "peak_mib"}
    with pytest.raises(SystemExit, match="failed with code 2"):
        _measure.used_by_module("workflow_lib.steps.preprocess", "--cases", str(tmp_path / "none"), "--store", str(tmp_path))
