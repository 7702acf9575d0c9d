"""The page in a real browser: nothing cut or wider than the screen, readable for all, and it answers to clicks."""

import io
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import sync_playwright

from bench.report.site import write_site
from bench.report.write import write_report
from bench.results.result_set import write_results
from tests.support.published import quick_first
from tests.support.simulated_results import hostile, result_set

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PUBLISHED = sorted((Path(__file__).parents[2] / "results").rglob("index.html"))
A4 = 703  # CSS pixels between margins of 12 mm
WIDTHS = {1440: 900, 1024: 800, 390: 844}
# Texts that stick out of the screen, or of a box that hides what is too much.
CUT = """[...document.querySelectorAll('h1,h2,h3,h4,p,a,button,summary,th,td,label,figcaption,svg text')]
.filter((node) => {
  const box = node.getBoundingClientRect();
  if (!box.width || node.closest('.sr, .skip') || !node.checkVisibility()) return false;
  const frame = node.closest('svg') ?? node.closest('.scroll');
  if (node.tagName === 'text' || node.closest('svg')) {
    const own = frame.getBoundingClientRect();
    return box.left < own.left - 2 || box.right > own.right + 2 || box.bottom > own.bottom + 2;
  }
  return !frame && (box.left < -1 || box.right > innerWidth + 1);
}).map((node) => node.textContent.trim().slice(0, 60))"""
ALIKE = """[...document.querySelectorAll('#scores tbody .name')].map((node) => node.innerText)"""


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    if CHROMIUM is None:
        pytest.skip("the page is not tried in a browser: no Chromium on the path (Debian's package chromium)")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        running.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("page")
    methods = (
        "integrated_gradients",
        "simple_gradient",
        "smooth_grad",
        "a_method_with_quite_a_long_name(reduction=sum_absolute)",
    )
    results = result_set(60, methods=methods, recipes=("standard", "adversarial_training"))
    results.manifest["question"] = "methods"
    write_report(results, folder)
    return (folder / "index.html").as_uri()


@pytest.fixture
def opened(browser, address):
    problems: list[str] = []

    def open_at(width: int, theme: str = "light", at: str = address):
        context = browser.new_context(viewport={"width": width, "height": WIDTHS[width]}, color_scheme=theme)
        page = context.new_page()
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda asked: problems.extend([asked.url] * asked.url.startswith("http")))
        page.goto(at)
        return page

    yield open_at
    assert problems == []


def _check_fits(page, width: int) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(CUT) == []
    names = page.evaluate(ALIKE)
    assert len(set(names)) == len(names)


def _check(page, width: int) -> None:
    _check_fits(page, width)
    found = Axe().run(page).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"][:200]) for one in found] == []


@pytest.mark.parametrize("path", quick_first(PUBLISHED))
def test_a_published_page_fits_every_screen_cuts_nothing_and_is_readable_for_all(opened, path: Path) -> None:
    page = opened(1440, "dark", at=path.as_uri())
    _check(page, 1440)
    page.emulate_media(color_scheme="light")
    for width, height in WIDTHS.items():
        page.set_viewport_size({"width": width, "height": height})
        # What is cut at a width is so in both themes, and asking whether all can read a large page takes seconds.
        _check(page, width)
        badge = page.locator("#answer .badge").bounding_box()
        chart = page.locator("#answer svg:visible").first.bounding_box()
        assert badge["y"] + badge["height"] < height
        assert chart["y"] + min(chart["height"], 200) < height


@pytest.mark.parametrize("path", quick_first(PUBLISHED))
def test_a_published_page_prints_on_two_sheets(opened, path: Path) -> None:
    page = opened(1440, at=path.as_uri())
    content = page.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b(?!s)", content)) <= 2
    page.emulate_media(media="print")
    page.set_viewport_size({"width": A4, "height": 1000})
    assert page.evaluate("document.documentElement.scrollWidth") <= A4
    assert page.evaluate(CUT) == []


@pytest.mark.parametrize(("width", "theme"), [(1440, "dark"), (1024, "light"), (390, "dark"), (390, "light")])
def test_long_names_fit_everywhere_with_all_that_folds_opened(opened, width: int, theme: str) -> None:
    page = opened(width, theme)
    page.evaluate("document.querySelectorAll('#more details').forEach((one) => (one.open = true))")
    _check(page, width)


def test_the_large_view_and_the_site_are_readable_for_all(opened, tmp_path: Path) -> None:
    page = opened(1440)
    page.locator("#pictures .tile").nth(1).click()
    _check(page, 1440)
    write_results(result_set(20), tmp_path / "results" / "one")
    write_report(result_set(20), tmp_path / "results" / "one")
    assert write_site(tmp_path / "results", tmp_path / "site") == 1
    for width in WIDTHS:
        page = opened(width, at=(tmp_path / "site" / "index.html").as_uri())
        _check(page, width)
    page.locator("#questions h3 a").first.click()
    assert page.locator("#scores").count() == 1
    page.get_by_role("link", name="All boards").click()
    page.locator("#methods td a").first.click()
    assert len(_names(page)) == 1


def _names(page) -> list[str]:
    return page.locator("#scores tbody tr:visible .name").all_inner_texts()


def _values(page, column: int) -> list[float]:
    cells = page.locator(f'#scores tbody tr:not(.control) td[data-column="{column}"]')
    return [value for value in (float(cell.get_attribute("data-value")) for cell in cells.all()) if value == value]


def test_a_click_on_a_column_sorts_best_first_another_turns_it_round_a_third_restores(opened) -> None:
    page = opened(1440)
    before = _names(page)
    head = page.locator('#scores thead th[data-column="0"]')
    for order in ("descending", "ascending"):
        head.locator(".sort").click()
        assert head.get_attribute("aria-sort") == order
        assert _values(page, 0) == sorted(_values(page, 0), reverse=order == "descending")
        assert ["control" in name for name in _names(page)] == sorted("control" in name for name in before)
    head.locator(".sort").click()
    assert _names(page) == before


def test_filter_controls_and_columns_choose_what_is_shown(opened) -> None:
    page = opened(1440)
    page.locator("#filter").fill("gradient")
    assert _names(page)
    page.locator("#filter").fill("nothing is called so")
    assert not _names(page)
    assert "“nothing” and “is”" in page.locator("#none").inner_text()
    page.locator("#filter").fill("")
    page.locator("#controls").uncheck()
    assert not any("control" in name for name in _names(page))
    page.locator(".menu summary").click()
    page.locator('#columns input[value="1"]').uncheck()
    assert page.locator('#scores th[data-column="1"]').is_hidden()
    page.keyboard.press("Escape")
    assert page.locator("#columns").is_hidden()


def test_what_is_set_is_in_the_address_and_a_link_shows_the_same(opened) -> None:
    page = opened(1440)
    page.locator('#scores thead th[data-column="0"] .sort').click()
    page.locator("#filter").fill("a")
    page.locator("#intervals").check()
    page.locator(".menu summary").click()
    page.locator('#columns input[value="2"]').uncheck()
    page.locator(".pick").nth(0).click()
    page.locator(".pick").nth(1).click()
    names, duel = _names(page), page.locator("#duel").inner_text()
    again = opened(1440, at=page.url)
    assert _names(again) == names
    assert again.locator("#duel").inner_text() == duel
    assert again.locator("#intervals").is_checked()
    assert again.locator('#scores th[data-column="2"]').is_hidden()


def test_the_picture_that_is_open_is_in_the_address(opened) -> None:
    page = opened(1440)
    page.locator("#pictures .tile").nth(1).click()
    title = page.locator("#large-title").inner_text()
    assert "open=" in page.url
    again = opened(1440, at=page.url)
    assert again.locator("#large-title").inner_text() == title
    again.keyboard.press("Escape")
    assert again.locator("#large").is_hidden()


def test_weights_move_the_order_mark_what_stays_and_the_default_brings_it_back(opened) -> None:
    page = opened(1440)
    before = page.locator("#scores tbody").inner_text()
    page.locator("#order summary").click()
    sliders = page.locator("#weights input")
    for number in range(sliders.count()):
        sliders.nth(number).fill("40" if number == 0 else "0")
    assert "With these weights" in page.locator("#reweighted").inner_text()
    assert page.locator("#weights output").all_inner_texts()[:2] == ["40 → 100%", "0 → 0%"]
    assert page.locator("#answer .stale").is_visible()
    assert page.locator(".faded").count()
    cells = page.locator("#scores tbody tr:not(.control) td.overall").all()
    values = [float(cell.get_attribute("data-value")) for cell in cells]
    assert values == sorted(values, reverse=True)
    page.locator("#order .reset").click()
    assert page.locator("#scores tbody").inner_text() == before
    assert page.locator(".faded").count() == 0


def test_the_page_weighs_as_the_board_does(opened) -> None:
    page = opened(1440)
    cells = page.locator("#scores tbody tr:not(.control) td.overall")
    before = [float(cell.get_attribute("data-value")) for cell in cells.all()]
    page.evaluate("reweigh()")
    after = [float(cell.get_attribute("data-value")) for cell in cells.all()]
    assert after == pytest.approx(before, abs=5e-3)


def test_two_names_clicked_meet_under_every_metric(opened) -> None:
    page = opened(1440)
    assert page.locator("#duel").is_hidden()
    page.locator(".pick").nth(0).click()
    page.locator(".pick").nth(1).click()
    assert page.locator("#duel tbody tr").count() == page.locator("#scores thead th[data-column] .sort").count() - 1
    first = page.locator("#duel tbody tr").first.inner_text()
    page.locator(".pick").nth(0).click()
    page.locator(".pick").nth(0).click()
    assert page.locator("#duel tbody tr").first.inner_text() != first
    page.locator(".pick").nth(0).click()
    assert page.locator("#duel").is_hidden()


def test_the_verdict_on_a_metric_opens_its_reasons_in_the_head_and_citing_copies_bibtex(opened) -> None:
    page = opened(1440)
    page.locator("#scores .verdict summary").first.click()
    assert "the order" in page.locator("#scores .verdict div").first.inner_text()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator("#cite").click()
    page.wait_for_function("document.getElementById('copied').textContent")
    assert page.evaluate("navigator.clipboard.readText()").startswith("@misc{heatmark-simulated")


def test_methods_that_score_the_same_on_every_image_are_called_equal(opened, tmp_path: Path) -> None:
    results = result_set(30, methods=("a", "b", "c"), metrics={"deletion": "lower", "passes": "lower"})
    results.manifest["metrics"]["passes"] |= {"family": "cost", "range": [0.0, None]}
    passes = results.scores.metric.eq("passes")
    results.scores.loc[passes, "score"] = np.where(results.scores.attribution[passes].eq("c"), 1250.0, 1.0)
    write_report(results, tmp_path)
    page = opened(1440, at=(tmp_path / "index.html").as_uri())
    texts = page.locator('#scores tbody tr:not(.control) td[data-column="1"] .figure').all_inner_texts()
    assert sorted(texts) == ["1", "1", "1,250"]
    ties = page.locator('#scores tbody tr:not(.control) td[data-column="1"] .tie').all_inner_texts()
    assert ties == ["="]


def test_the_scrubber_removes_as_many_pixels_as_it_says_in_the_order_that_is_stored(opened, tmp_path: Path) -> None:
    results = result_set(20)
    heatmaps = results.heatmaps
    ranks = heatmaps[heatmaps.kind.eq("heatmap")].assign(kind="ranks", png=_order_from_left())
    write_report(replace(results, heatmaps=pd.concat([heatmaps, ranks], ignore_index=True)), tmp_path)
    page = opened(1440, at=(tmp_path / "index.html").as_uri())
    page.locator("#pictures .tile").nth(1).click()
    page.wait_for_function("document.getElementById('scrubbed').width === 32")
    pixels = "[...at('scrubbed').getContext('2d').getImageData(0, 10, 32, 1).data].filter((_, i) => i % 4 === 0)"
    before = page.evaluate(pixels)
    page.locator("#removed").fill("50")
    after = page.evaluate(pixels)
    assert len(set(after[:16])) == 1
    assert after[16:] == before[16:]
    assert "50% of the pixels removed" in page.locator("#scrub-said").inner_text()
    assert "output is then" in page.locator("#scrub-said").inner_text()


def _order_from_left() -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.tile(np.arange(32, dtype=np.uint8) * 8, (32, 1))).save(file, "PNG")
    return file.getvalue()


def test_the_theme_is_the_readers_until_they_switch_it(opened) -> None:
    page = opened(1440, theme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    page.locator("#theme").click()
    assert page.evaluate(ground) != dark
    page.locator("#theme").click()
    assert page.evaluate(ground) == dark


def test_a_name_that_is_a_script_does_not_run(opened, tmp_path: Path) -> None:
    write_report(hostile(30), tmp_path)
    page = opened(390, at=(tmp_path / "index.html").as_uri())
    said: list[str] = []
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    page.evaluate("reweigh()")
    page.locator("#pictures .tile").first.click()
    assert said == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
