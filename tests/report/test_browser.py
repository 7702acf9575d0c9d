"""The page in a real browser: sorting, filtering, themes, weights, and nothing wider than the screen."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import sync_playwright

from bench.report.write import write_report
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
    write_report(result_set(60, methods=methods, recipes=("standard", "adversarial_training")), folder)
    return (folder / "index.html").as_uri()


@pytest.fixture
def opened(browser, address):
    problems: list[str] = []

    def open_at(width: int, height: int = 900, theme: str = "light", at: str = address):
        page = browser.new_context(viewport={"width": width, "height": height}, color_scheme=theme).new_page()
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(at)
        return page

    yield open_at
    assert problems == []


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_is_wider_than_the_screen(opened, width: int, theme: str) -> None:
    page = opened(width, theme=theme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.locator("#columns").locator("..").locator("summary").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def _names(page) -> list[str]:
    return page.locator("#scores tbody tr:visible .name").all_inner_texts()


def _values(page, column: int) -> list[float]:
    cells = page.locator(f'#scores tbody tr:not(.control) td[data-column="{column}"]')
    return [value for value in (float(cell.get_attribute("data-value")) for cell in cells.all()) if value == value]


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.parent.name)
def test_a_published_page_sorts_filters_changes_its_theme_and_fits(opened, path: Path) -> None:
    page = opened(1440, at=path.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 1440
    _check_sorting(page)
    _check_filter(page)
    ground = "getComputedStyle(document.body).backgroundColor"
    before = page.evaluate(ground)
    page.locator("#theme").click()
    assert page.evaluate(ground) != before
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_name_that_is_a_script_does_not_run(opened, tmp_path: Path) -> None:
    write_report(hostile(30), tmp_path)
    page = opened(390, at=(tmp_path / "index.html").as_uri())
    said: list[str] = []
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    for select in ("#by", "#of", "#which", "#one", "#other"):
        page.locator(select).select_option(index=1)
    page.evaluate("reweigh()")
    _check_sorting(page)
    assert said == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def _check_sorting(page) -> None:
    head = page.locator('#scores thead th[data-column="0"]')
    lower = head.get_attribute("data-better") == "lower"
    before = _names(page)
    head.locator("button").click()
    assert _values(page, 0) == sorted(_values(page, 0), reverse=not lower)
    head.locator("button").click()
    assert _values(page, 0) == sorted(_values(page, 0), reverse=lower)
    assert ["(control)" in name for name in _names(page)] == sorted("(control)" in name for name in before)
    head.locator("button").click()
    assert _names(page) == before


def _check_filter(page) -> None:
    word = _names(page)[0].split()[-1][:6]
    page.locator("#filter").fill(word)
    assert _names(page)
    assert all(word in name for name in _names(page))
    recipe = page.locator("#networks tbody tr").first.locator("td").nth(1).inner_text()
    page.locator("#filter").fill(recipe)
    assert _names(page)
    assert page.locator("#none").is_hidden()
    page.locator("#filter").fill("nothing is called so")
    assert not _names(page)
    assert "“nothing” and “is”" in page.locator("#none").inner_text()
    page.locator("#filter").fill("")
    page.locator("#controls").uncheck()
    assert _names(page)
    assert not any("(control)" in name for name in _names(page))


def test_a_click_on_a_column_sorts_best_first_and_another_turns_it_round(opened) -> None:
    _check_sorting(opened(1440))


def test_filtering_leaves_the_rows_that_are_called_so(opened) -> None:
    _check_filter(opened(1440))


def test_a_column_that_is_not_chosen_is_gone(opened) -> None:
    page = opened(1440)
    page.locator("#columns").locator("..").locator("summary").click()
    page.locator('#columns input[value="1"]').uncheck()
    assert page.locator('#scores th[data-column="1"]').is_hidden()
    assert page.locator('#scores th[data-column="0"]').is_visible()


def test_the_menu_of_columns_closes_on_escape_and_on_a_click_elsewhere(opened) -> None:
    page = opened(1440)
    menu = page.locator("details:has(#columns)")
    for close in (lambda: page.keyboard.press("Escape"), lambda: page.locator("h1").click()):
        menu.locator("summary").click()
        menu.locator("label").first.click()
        assert page.locator("#columns").is_visible()
        close()
        assert page.locator("#columns").is_hidden()


def test_what_is_wider_than_its_place_says_that_it_scrolls_and_all_sections_are_in_reach(opened) -> None:
    page = opened(390)
    assert page.locator("#board .sideways").is_visible()
    assert page.locator("#figure-critical_differences .sideways").is_visible()
    ends = page.evaluate("[...document.querySelectorAll('nav a')].map((link) => link.getBoundingClientRect().right)")
    assert max(ends) <= 390
    page.set_viewport_size({"width": 1440, "height": 900})
    assert page.locator("#board .sideways").is_hidden()


def _shown(page, column: int) -> list[str]:
    cells = page.locator(f'#scores tbody tr:not(.control) td[data-column="{column}"] span:visible')
    return cells.all_inner_texts()


def test_heads_sort_by_the_place_between_random_and_ceiling_where_that_is_shown(opened) -> None:
    page = opened(1440)
    page.locator("#show").select_option("1")
    assert "0 is what random numbers score" in page.locator("#said").inner_text()
    for column in range(page.locator("#scores thead th[data-column]").count()):
        page.locator(f'#scores thead th[data-column="{column}"] button').click()
        places = [float(text) for text in _shown(page, column) if text != "—"]
        assert places == sorted(places, reverse=True)
    page.locator("#show").select_option("0")
    assert page.locator("#said").is_hidden()


def test_methods_of_one_group_share_a_letter(opened) -> None:
    page = opened(1440)
    page.locator("#show").select_option("4")
    wins = page.locator("#scores tbody tr:not(.control) td.wins span:visible").all_inner_texts()
    assert wins[0] == "a"
    assert set("".join(wins)) <= set("abcdefgh ")
    controls = page.locator("#scores tbody tr.control td.wins span:visible").all_inner_texts()
    assert set(controls) == {"—"}


def test_the_theme_is_the_readers_until_they_switch_it(opened) -> None:
    page = opened(1440, theme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    page.locator("#theme").click()
    assert page.evaluate(ground) != dark
    page.locator("#theme").click()
    assert page.evaluate(ground) == dark


def test_weights_move_the_order_and_the_default_brings_it_back(opened) -> None:
    page = opened(1440)
    before = page.locator("#scores tbody").inner_text()
    sliders = page.locator("#weights input")
    for number in range(sliders.count()):
        sliders.nth(number).fill("40" if number == 0 else "0")
    assert "With these weights" in page.locator("#reweighted").inner_text()
    assert page.locator("#weights output").all_inner_texts()[:2] == ["40 → 100%", "0 → 0%"]
    assert _wins(page) == sorted(_wins(page), reverse=True)
    page.locator("#reset").click()
    assert page.locator("#reweighted").is_hidden()
    assert page.locator("#scores tbody").inner_text() == before


def test_what_does_not_follow_other_weights_is_marked_where_it_stands(opened) -> None:
    page = opened(1440)
    notes, parts = page.locator(".stale"), page.locator("[data-by-default]")
    assert page.locator(".stale:visible").count() == 0
    page.get_by_label("weight of insertion").fill("90")
    assert page.locator(".stale:visible").count() == notes.count()
    for section in ("#answer", "#board", "#order"):
        assert page.locator(f"{section} .stale:visible").count()
    assert all("faded" in part.get_attribute("class") for part in parts.all())
    page.locator("#board .reset").click()
    assert page.locator(".stale:visible").count() == 0
    assert page.locator(".faded").count() == 0


def _wins(page) -> list[float]:
    cells = page.locator("#scores tbody tr:not(.control) td.wins").all()
    return [float(cell.get_attribute("data-value")) for cell in cells]


def test_the_page_weighs_as_the_board_does(opened) -> None:
    page = opened(1440)
    cells = page.locator("#scores tbody tr:not(.control) td.wins")
    before = [round(float(cell.get_attribute("data-value")), 3) for cell in cells.all()]
    page.evaluate("reweigh()")
    after = [round(float(cell.get_attribute("data-value")), 3) for cell in cells.all()]
    assert after == pytest.approx(before, abs=2e-3)


def test_two_methods_meet_under_every_metric(opened) -> None:
    page = opened(1440)
    lines = page.locator("#duel tbody tr")
    assert lines.count() == page.locator("#scores thead th[data-column]").count()
    first = lines.first.inner_text()
    one, other = page.locator("#one").input_value(), page.locator("#other").input_value()
    page.locator("#one").select_option(other)
    page.locator("#other").select_option(one)
    assert lines.first.inner_text() != first
    page.locator("#one").select_option(one)
    page.locator("#other").select_option(one)
    assert lines.count() == 0
    assert "the same method" in page.locator("#alone").inner_text()


def test_methods_that_score_the_same_on_every_image_are_called_equal(opened, tmp_path: Path) -> None:
    results = result_set(30, methods=("a", "b", "c"), metrics={"deletion": "lower", "passes": "lower"})
    results.manifest["metrics"]["passes"] |= {"family": "cost", "range": [0.0, None]}
    passes = results.scores.metric.eq("passes")
    results.scores.loc[passes, "score"] = np.where(results.scores.attribution[passes].eq("c"), 1250.0, 1.0)
    write_report(results, tmp_path)
    page = opened(1440, at=(tmp_path / "index.html").as_uri())
    texts = page.locator('#scores tbody tr:not(.control) td[data-column="1"]').all_inner_texts()
    assert sorted("".join(text.split()) for text in texts) == ["1", "1,250", "1="]
    for one, other, said in ((0, 1, "equal on every image"), (0, 2, "A is better (p < 0.001)")):
        page.locator("#one").select_option(label="abc"[one])
        page.locator("#other").select_option(label="abc"[other])
        assert page.locator("#duel tbody tr").nth(1).locator("td").last.inner_text() == said


def test_the_gallery_shows_best_median_and_worst_cases(opened) -> None:
    page = opened(390)
    if not page.locator("#gallery").count():
        pytest.skip("this page has no stored heatmaps")
    titles = page.locator("#cases h3").all_inner_texts()
    assert [title.split()[0] for title in titles] == ["Best", "2nd", "Worst"]
    assert all("mean over all 60 images is" in title for title in titles)
    page.locator("#which").select_option(index=1)
    assert page.locator("#cases .case").count() == 1


def test_a_control_whose_map_is_the_same_on_every_network_is_shown_once_with_all_scores(opened, tmp_path: Path) -> None:
    results = result_set(30, recipes=("standard", "adversarial"))
    heatmaps = results.heatmaps
    edges = heatmaps.attribution.eq("edges")
    heatmaps.loc[edges, "png"] = heatmaps.png[edges].iloc[0]
    write_report(results, tmp_path)
    page = opened(1440, at=(tmp_path / "index.html").as_uri())
    captions = page.locator("#cases .case").first.locator("figcaption").all_inner_texts()
    (own,) = [caption for caption in captions if "edges" in caption]
    assert own.startswith("edges, the same on 2 networks")
    assert own.count("·") == 1
    assert sum("random_map" in caption for caption in captions) == 2
