"""The RO-Crate of the finished study, validated offline against its declared profiles."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.workflow.forger import edit
from workflow_lib.base.errors import UserError
from workflow_lib.base.files import read_json, sha256_file
from workflow_lib.commands.audit.audit import audit
from workflow_lib.commands.crate.crate import METADATA, write
from workflow_lib.provenance.manifest import SUMS

CONTEXTS = Path(__file__).parent / "ro_crate_contexts.json"
"""The terms of RO-Crate 1.1 and Workflow Run Crate in the crate, as defined by their published JSON-LD contexts (CC0)."""


@pytest.fixture(scope="module")
def crate(finished, tmp_path_factory):
    """The results of the finished study with its crate."""
    folder = tmp_path_factory.mktemp("crate") / "tiny"
    shutil.copytree(finished.folder / "results/tiny", folder)
    command = [sys.executable, "-m", "workflow_lib", "crate", str(folder)]
    done = subprocess.run(command, cwd=finished.folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def offline(tmp_path, monkeypatch):
    """An empty cache of web pages, and the contexts from a file, so that no network is needed."""
    from rocrate_validator.utils.http import OFFLINE_CACHE_MISS_STATUS, HttpRequester

    contexts = read_json(CONTEXTS)

    def get(self, url, **options):
        response = requests.Response()
        response.url, response.status_code = url, 200 if url in contexts else OFFLINE_CACHE_MISS_STATUS
        response.headers["Content-Type"] = "application/ld+json"
        response._content = json.dumps(contexts.get(url)).encode()
        return response

    monkeypatch.setattr(HttpRequester, "get", get, raising=False)
    return tmp_path / "http"


def validated(folder, offline, severity, profile="provenance-run-crate"):
    from rocrate_validator import services
    from rocrate_validator.models import ValidationSettings

    settings = ValidationSettings(
        rocrate_uri=str(folder), profile_identifier=profile, requirement_severity=severity, offline=True, cache_path=offline
    )
    result = services.validate(settings)
    return sorted({(issue.check.identifier, issue.message) for issue in result.get_issues()})


def test_the_crate_follows_provenance_run_crate_and_all_it_rests_on(crate, offline):
    assert validated(crate, offline, "REQUIRED") == []


def test_the_validation_finds_a_crate_without_its_tools(crate, offline, tmp_path):
    content = read_json(crate / METADATA)
    for entity in content["@graph"]:
        if entity["@id"] == "workflow/Snakefile":
            del entity["hasPart"]
    shutil.copytree(crate, tmp_path / "broken")
    (tmp_path / "broken" / METADATA).write_text(json.dumps(content))
    assert any("hasPart" in message for _, message in validated(tmp_path / "broken", offline, "REQUIRED"))


def test_what_is_recommended_and_missing_is_what_the_records_do_not_know(crate, offline):
    """The person who ran it, the publisher, and an address and a README of the workflow are unknown."""
    missing = {message for _, message in validated(crate, offline, "RECOMMENDED")}
    assert missing == {
        "The Application SHOULD have a url",
        "The SoftwareApplication id SHOULD be an absolute URI",
        "The Action SHOULD have an agent that is a Person or Organization",
        "The Root Data Entity SHOULD have a link to a Contextual Entity representing the `author` of the RO-Crate",
        "The `publisher` property of a `Root Data Entity` SHOULD be an `Organization`",
        "The README.md SHOULD be about the crate",
        "The README.md SHOULD have text/markdown as its encodingFormat",
    }


def test_every_term_is_one_of_the_contexts(crate):
    known = {term for context in read_json(CONTEXTS).values() for term in context["@context"]} | {"@id", "@type"}
    graph = read_json(crate / METADATA)["@graph"]
    types = {kind for entity in graph for kind in (entity["@type"] if isinstance(entity["@type"], list) else [entity["@type"]])}
    assert {key for entity in graph for key in entity} | types <= known


def test_jobs_files_and_images_are_there_by_hash_and_no_image_is(crate):
    graph = {entity["@id"]: entity for entity in read_json(crate / METADATA)["@graph"]}
    assert len(graph) == len(read_json(crate / METADATA)["@graph"])
    jobs = [entity for name, entity in graph.items() if entity["@type"] == "CreateAction" and name != "#run"]
    assert len(jobs) == 26
    for entity in jobs:
        for side in ("object", "result"):
            for reference in entity.get(side, []) if isinstance(entity.get(side), list) else [entity.get(side)]:
                assert reference is None or reference["@id"] in graph
    assert graph["scores/toy.csv"]["sha256"] == sha256_file(crate / "scores/toy.csv")
    images = read_json(crate / "data/toy/cases.json")["cases"]
    digests = {digest for case in images for digest in case["sha256"].values()}
    assert {entity.get("sha256") for name, entity in graph.items() if name.startswith("#images/toy/")} == digests
    assert str(crate) not in (crate / METADATA).read_text(encoding="utf-8")


def test_the_crate_is_the_same_each_time_holds_runnable_code_and_does_not_disturb_the_audit(crate, finished):
    before = (crate / METADATA).read_bytes()
    write(crate, read_json(crate / METADATA)["@graph"][0]["description"].split("Code: ")[1].split(". Images")[0])
    assert (crate / METADATA).read_bytes() == before
    assert [f for f in audit(crate) if f.state == "fails"] == []
    for name in ("Snakefile", "rules/train.smk", "workflow_lib/steps/train.py", "envs/lock.txt", "pyproject.toml", "setup.py"):
        assert (crate / "workflow" / name).read_bytes() == (finished.folder / name).read_bytes()


def test_other_code_than_that_of_the_results_is_not_passed_for_it(finished_copy):
    folder = finished_copy.folder / "results/tiny"
    record = read_json(folder / "records/report.json")
    record["facts"]["commit"] += "+changes"
    before = sha256_file(folder / "records/report.json")
    (folder / "records/report.json").write_text(json.dumps(record))
    edit(folder, SUMS, before, sha256_file(folder / "records/report.json"))
    command = [sys.executable, "-m", "workflow_lib", "crate", str(folder)]
    assert subprocess.run(command, cwd=finished_copy.folder, timeout=120).returncode == 0
    focal = finished_copy.folder / "workflow_lib/losses/focal.py"
    focal.write_text(focal.read_text(encoding="utf-8") + "\n_OTHER = 1\n", encoding="utf-8")
    done = subprocess.run(command, cwd=finished_copy.folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert "is not the code that made these results" in done.stderr


def test_an_unfinished_study_is_told(tmp_path):
    with pytest.raises(UserError, match="no finished study"):
        write(tmp_path)
