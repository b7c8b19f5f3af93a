"""The report in headless Chromium through Playwright, with the copy of axe-core in axe-playwright-python."""

import importlib.resources
import shutil

import pytest

from tests.report_fixture import HOSTILE, PAPER_LOSSES, make_study, shown
from workflow_lib.commands.compare.describe import describe
from workflow_lib.commands.compare.sides import Data, Row, Side
from workflow_lib.report.assemble import build
from workflow_lib.report.page import render

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--no-first-run"]

AXE_CASES = [("report", 1280, "light"), ("report", 360, "dark"), ("hostile", 1280, "light")]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium")

CONTRAST = """() => {
  const channel = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const parse = (text) => text.match(/[0-9.]+/g).map(Number);
  const behind = (element) => {
    for (; element; element = element.parentElement) {
      const colour = parse(getComputedStyle(element).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const poor = [];
  const texts = "p, li, td, th, dt, dd, caption, figcaption, a, h1, h2, h3, summary, code, span, b";
  for (const element of document.querySelectorAll(texts)) {
    if (!element.textContent.trim() || !element.getClientRects().length || element.closest(".hidden, .skip")) continue;
    const [a, b] = [light(parse(getComputedStyle(element).color)), light(behind(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) poor.push(element.tagName + "." + element.className + " " + ratio.toFixed(2));
  }
  return [...new Set(poor)];
}"""


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed: make environment")
    with playwright.sync_playwright() as running:
        started = running.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    losses = dict(list(PAPER_LOSSES.items())[-4:])
    study = make_study(folder, losses=losses, cases=10, folds=3, missing=[("combo", 2)], figures=True)
    # Without records of the steps, the planned results count as stale.
    study["fingerprints"] = {"brats20": {"train/combo": ["0" * 12] * 3}}
    path = folder / "report.html"
    path.write_text(build(shown(study), folder), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    study = make_study(
        folder, {"kits19": ["background", "<i>kidney</i>" + "k" * 200]}, HOSTILE, cases=4, folds=2, published=False
    )
    study["title"] = "T" * 300
    path = folder / "report.html"
    path.write_text(build(shown(study), folder), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def comparison(tmp_path_factory):
    """Two studies in comparison, one with malicious names."""
    rows: list[Row] = [
        {"loss": loss, "class": "tumour", "metric": metric, "mean": "0.5", "hd95_median": "3.25", "nsd_mean": ""}
        for loss in (*HOSTILE.values(), "dice")
        for metric in ("dsc", "precision", "recall")
    ]
    p_values: list[Row] = [{"class": "tumour", "row": "dice", "column": HOSTILE["evil"], "p_holm": "0.0004", "mark": "***"}]
    sides = []
    for number, title in enumerate(("Plain", "T" * 300 + HOSTILE["evil"])):
        means: list[Row] = [{**row, "mean": repr(0.5 + 0.1 * number)} for row in rows]
        data = Data("toy", {"a": {"images": (str(number),)}}, {"a": 1}, {}, means, p_values, rows)
        config = {"study": {"title": title, HOSTILE["evil"]: "L" * 400}}
        code, versions = {"train": {"workflow_lib.x": str(number)}}, {"numpy": f"{number}.0"}
        sides.append(Side("f" * 150, title, str(number) * 64, "c" * 40, config, code, versions, HOSTILE["rtl"], {"toy": data}))
    path = tmp_path_factory.mktemp("comparison") / "compare.html"
    path.write_text(render(describe(*sides), template="compare.html.j2"), encoding="utf-8")
    return path


@pytest.fixture
def visit(browser):
    """Open a page; afterwards check that there were no errors and no requests."""
    opened = []

    def open_page(path, width=1280, height=900, scheme="light", script=True):
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, java_script_enabled=script
        )
        page = context.new_page()
        complaints, requests = [], []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(path.as_uri())
        opened.append((context, complaints, requests))
        return page

    yield open_page
    for context, complaints, requests in opened:
        context.close()
        assert complaints == []
        assert [url for url in requests if not url.startswith(("file:", "data:"))] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_renders_without_complaint_overflow_or_faint_text(report, visit, width, scheme):
    page = visit(report, width=width, scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("[...document.images].every((image) => image.complete && image.naturalWidth > 0)")
    page.evaluate("document.querySelectorAll('details').forEach((element) => { element.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(CONTRAST) == []


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "dark")])
def test_the_comparison_runs_nothing_and_fits(comparison, visit, width, scheme):
    page = visit(comparison, width=width, scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(CONTRAST) == []
    assert page.evaluate("document.scripts.length") == 1
    assert HOSTILE["evil"] in page.locator("main").inner_text()
    assert "not decided: not the same images" in page.locator("main").inner_text()
    page.locator("table.sortable thead button").first.click()


@pytest.mark.parametrize(("name", "width", "scheme"), AXE_CASES)
def test_axe_core_finds_no_violation(request, visit, name, width, scheme):
    page = visit(request.getfixturevalue(name), width=width, scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach((element) => { element.open = true; })")
    page.evaluate((importlib.resources.files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    assert len(found["passes"]) > 20
    assert [(rule["id"], rule["help"], rule["nodes"][0]["html"]) for rule in found["violations"]] == []


def test_the_dark_page_is_dark(report, visit):
    shades = [visit(report, scheme=s).evaluate("getComputedStyle(document.body).backgroundColor") for s in ("light", "dark")]
    assert shades == ["rgb(255, 255, 255)", "rgb(20, 24, 29)"]


def test_banner_verdicts_and_digest_are_on_the_first_screen(report, visit):
    page = visit(report)
    for selector in ("h1", ".lede", ".banner", ".verdicts", ".digest"):
        box = page.locator(selector).first.bounding_box()
        assert box["y"] + box["height"] <= 900, selector
    assert "not a reproduction" in page.locator(".banner").inner_text()


def test_sorting_by_number_and_back(report, visit):
    page = visit(report)
    table = page.locator("table.scores").first

    def column():
        return table.locator("tbody tr td:nth-child(2)").evaluate_all("cells => cells.map((cell) => Number(cell.dataset.value))")

    before = column()
    head = table.locator("thead th[data-column='1']")
    head.locator("button").focus()
    page.keyboard.press("Enter")
    assert column() == sorted(before)
    assert head.get_attribute("aria-sort") == "ascending"
    head.locator("button").click()
    assert column() == sorted(before, reverse=True)
    names = table.locator("thead th[data-column='0']")
    names.locator("button").click()
    assert head.get_attribute("aria-sort") is None
    labels = table.locator("tbody th bdi").all_inner_texts()
    assert labels == sorted(labels)


def test_reads_without_script(report, visit):
    page = visit(report, script=False)
    assert page.locator("button").count() == 0
    assert page.locator("table.scores tbody tr").count() == 7


def test_the_csv_downloads(report, visit):
    page = visit(report)
    with page.expect_download() as waiting:
        page.locator("a[download='kits19_scores.csv']").click()
    assert waiting.value.path().read_bytes() == (report.parent / "tables/kits19_scores.csv").read_bytes()


def test_the_first_tab_stop_leads_past_the_contents(report, visit):
    page = visit(report)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0


@pytest.mark.parametrize("script", [True, False])
def test_a_number_leads_to_its_origin_by_keyboard_and_without_script(report, visit, script):
    page = visit(report, script=script)
    row = page.locator("table.scores").first.locator("tbody tr").first
    head, cell = row.locator("th a.from"), row.locator("td a.from").first
    assert head.get_attribute("href") == cell.get_attribute("href")
    # One tab stop per row.
    assert cell.get_attribute("tabindex") == "-1"
    head.focus()
    page.keyboard.press("Enter")
    target = page.locator(head.get_attribute("href"))
    box = target.bounding_box()
    assert 0 <= box["y"] < 900
    assert row.locator("th").inner_text().split("\n")[0] in target.inner_text()
    assert "snakemake --cores 1 --configfile fixture.yaml" in target.inner_text()


def test_stale_numbers_are_marked_in_words(report, visit):
    page = visit(report)
    rows = page.locator("table.scores").nth(1).locator("tbody tr")
    for number in range(rows.count()):
        text = rows.nth(number).inner_text()
        assert ("stale" in text) == ("Combo" in text)
    assert page.locator("#summary .gap").filter(has_text="Stale: 3 results").count() == 1


@pytest.mark.parametrize("width", [1280, 360])
def test_hostile_names_run_nothing_and_break_nothing(hostile, visit, width):
    page = visit(hostile, width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("document.scripts.length") == 1
    assert HOSTILE["evil"] in page.locator("main").inner_text()


def test_the_print_fits_the_page_and_unfolds(report, visit):
    page = visit(report, width=690)
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("[...document.querySelectorAll('details:not(.long)')].every((element) => element.open)")
    assert not page.locator("nav.contents").is_visible()
    # A4 less the margins is 182 mm, 688 CSS pixels wide.
    assert page.evaluate("document.documentElement.scrollWidth") <= 690
    assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")


def test_a_whole_report_stays_below_five_megabytes(report):
    assert report.stat().st_size < 5_000_000
