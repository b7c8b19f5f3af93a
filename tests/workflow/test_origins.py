"""The report on the origin of its numbers: whether they are stale, and how to reproduce them."""

import base64
import html
import os
import re
import subprocess

import pytest

from tests.sameness import contents
from tests.workflow.conftest import command_of_the_checkout
from workflow_lib.base.files import read_json, sha256_file
from workflow_lib.commands.audit.audit import audit
from workflow_lib.provenance.manifest import MANIFEST


def results(checkout):
    return checkout.folder / "results" / "tiny"


def report(checkout):
    return (results(checkout) / "report.html").read_text(encoding="utf-8")


def recipe(page):
    """Return the command blocks of the recipe and the study that is embedded in the page."""
    section = page[page.index('<section id="recipe"') :].split("</section>")[0]
    blocks = [
        html.unescape(block) for block in re.findall(r'<pre[^>]*class="recipe"[^>]*><code>(.*?)</code>', section, re.DOTALL)
    ]
    ((uri, name),) = re.findall(r'href="data:[^"]*base64,([^"]*)" download="([^"]*)"', section)
    return section, blocks, name, base64.b64decode(uri)


@pytest.fixture(scope="module")
def reproduced(finished, tmp_path_factory):
    """An empty folder in which the commands of the finished study's page were run, with the present environment."""
    section, blocks, name, study = recipe(report(finished))
    assert "cannot reproduce this result" not in section
    before, after = blocks
    folder = tmp_path_factory.mktemp("empty")
    assert after.startswith("make venv\n. .venv/bin/activate\n")
    after = after.removeprefix("make venv\n. .venv/bin/activate\n")
    (folder / "downloaded").write_bytes(study)
    script = f"set -e\n{before}\nmv ../downloaded {name}\n{after}\n"
    environment = {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "SNAKEMAKE_PROFILE"}}
    environment |= {"REPOSITORY": str(finished.folder), "PATH": command_of_the_checkout(folder.parent / f"{folder.name}-bin")}
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout[-6000:]
    return folder / "reproduction"


def test_the_recipe_on_the_page_gives_the_same_digest_and_the_same_files(finished, reproduced):
    """A single test, so that the commands run once, also if tests run in parallel."""
    digests = {sha256_file(folder / "results/tiny" / MANIFEST) for folder in (finished.folder, reproduced)}
    assert len(digests) == 1
    assert digests.pop() in report(finished)
    first, second = contents(results(finished)), contents(reproduced / "results/tiny")
    assert len(first) > 80
    assert second.keys() == first.keys()
    assert [name for name in first if second[name] != first[name]] == []


def jobs_of_losses(section):
    """Yield the jobs of every loss and fold, and the digits of their fingerprints on the page."""
    for part in section.split('<div class="origin"')[1:]:
        loss = re.findall(r"rows with loss <code>(\w+)</code>", part)[0]
        for fold, *digests in re.findall(r'<th scope="row">(\d+)</th>' + r"<td><code>([0-9a-f]{12})</code></td>" * 3, part):
            for step, digest in zip(("train", "predict", "evaluate"), digests, strict=True):
                yield f"{step}/toy/{loss}/fold_{fold}", digest


def test_every_number_leads_to_a_file_that_is_there_and_a_command_that_snakemake_knows(finished):
    page = report(finished)
    assert page.count('class="stale"') == 1  # where the page explains the word
    ids = set(re.findall(r'\bid="([^"]+)"', page))
    cells = re.findall(r'<span class="value[^>]*>(.*?)</td>', page, re.DOTALL)
    links = [re.search(r'href="#([^"]+)"', cell) for cell in cells]
    # Six scores of two losses, and a p-value of each class.
    assert len(cells) == 14
    assert all(link and link[1] in ids for link in links)
    section = html.unescape(page[page.index('<section id="origins"') :].split("</section>")[0])
    shown = re.findall(r'<code title="(records/\S+): ([0-9a-f]{64})">([0-9a-f]{12})</code>', section)
    assert len({record for record, *_ in shown}) == 7
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", page, re.DOTALL)
    assert len(captions) > 10
    made_by = [re.search(r'class="made" href="#([^"]+)"', caption) for caption in captions]
    assert all(link and link[1] in ids for link in made_by)
    shown += [(f"records/{job}.json", "", short) for job, short in jobs_of_losses(section)]
    assert len({record for record, *_ in shown}) == 19
    for record, fingerprint, short in shown:
        made = read_json(results(finished) / record)["fingerprint"]
        assert fingerprint in {made, ""}
        assert made.startswith(short)
    lines = (results(finished) / "scores/toy.csv").read_text(encoding="utf-8").splitlines()
    for loss, first, last in re.findall(r"rows with loss <code>(\w+)</code>.*?lines (\d+) to (\d+)", section):
        assert {line.split(",")[1] for line in lines[int(first) - 1 : int(last)]} == {loss}
        assert len([line for line in lines if line.split(",")[1] == loss]) == int(last) - int(first) + 1
    commands = set(re.findall(r"<code>(snakemake [^<]+)</code>", section))
    assert len(commands) == 23
    targets = {target for command in commands for target in command.split()[5:]}
    assert [target for target in targets if not (finished.folder / target).is_file()] == []
    finished.snakemake("-n", *sorted(targets), "--quiet", "all")


def test_a_number_of_other_settings_than_the_page_tells_is_marked(finished_copy):
    """Snakemake compares only file times, an option for users who do not want to train again."""
    loss = finished_copy.folder / "workflow_lib/losses/focal.py"
    loss.write_text(loss.read_text(encoding="utf-8") + "\n_EDITED = 1\n", encoding="utf-8")
    finished_copy.snakemake("--cores", "2", "--rerun-triggers", "mtime", "--forcerun", "report_page")
    page = report(finished_copy)
    rows = re.findall(
        r'<tr>\s*<th scope="row">(.*?)</tr>', page[page.index('<table class="scores') :].split("</table>")[0], re.DOTALL
    )
    assert ["Dice" in row for row in rows] == [True, False]
    assert [row.count('</a></span> <span class="stale">stale</span>') for row in rows] == [0, 6]
    reason = read_json(results(finished_copy) / "records/train/toy/focal/fold_1.json")["fingerprint"][:12]
    assert f"records/train/toy/focal/fold_1.json: made with fingerprint {reason}, the study now has " in rows[1]
    # Every p-value involves the loss.
    assert page.count('</span> <span class="stale"') >= 8
    # Two trainings, and the figure of its curve.
    assert "<strong>Stale:</strong> 3 results were not made with" in page
    assert "cannot reproduce this result" in recipe(page)[0]
    assert {f.subject: f.state for f in audit(results(finished_copy))}["report.html"] == "holds"


def test_uncommitted_code_is_an_obstacle_to_the_recipe(finished_copy):
    new = finished_copy.folder / "workflow_lib" / "losses" / "_unknown_to_git.py"
    new.write_text("", encoding="utf-8")
    finished_copy.snakemake("--cores", "2", "--forcerun", "report_page")
    section = recipe(report(finished_copy))[0]
    assert "cannot reproduce this result" in section
    assert "had uncommitted changes" in section
