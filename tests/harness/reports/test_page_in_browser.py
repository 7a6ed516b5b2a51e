"""The page of a report in a real browser: filters, links, keyboard, hostile text, many cases.

It skips with its reason where there is no Chromium or no playwright to drive it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from collector_harness.reports.html import render_html
from collector_harness.reports.recording import recorded

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

OPENS_WITHIN = 20_000
"""Milliseconds; on an idle machine it takes a fraction of one second."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("there is no chromium on this machine")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=chromium, args=FLAGS)
        yield started
        started.close()


class Looked:
    """A page that is open, and all that it did that it must not do."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.requests: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("dialog", lambda dialog: self.complaints.append(dialog.message))

    def shown(self) -> list[str]:
        return self.page.eval_on_selector_all(
            ".entry", "all => all.filter(each => each.offsetParent).map(each => each.id)"
        )


Open = Callable[..., Looked]


@pytest.fixture
def look(browser: Any, tmp_path: Path) -> Iterator[Open]:
    contexts: list[Any] = []
    looked: list[tuple[Looked, str]] = []

    def open_page(events: list[Any], at: str = "", **context: Any) -> Looked:
        path = tmp_path / "report.html"
        path.write_text(render_html(recorded(events)), encoding="utf-8")
        contexts.append(browser.new_context(**context))
        found = Looked(contexts[-1].new_page())
        found.page.set_default_timeout(OPENS_WITHIN)
        found.page.goto(f"{path.as_uri()}{at}")
        looked.append((found, path.as_uri()))
        return found

    yield open_page
    for found, address in looked:
        assert {url.partition("#")[0] for url in found.requests} == {address}
        assert found.complaints == []
    for context in contexts:
        context.close()


def test_filters_narrow_by_verdict_level_family_and_words(made, look: Open) -> None:
    looked = look(made.verdict())
    page = looked.page
    # What was not asked for is hidden until it is.
    assert looked.shown() == ["REG-001", "DSP-004", "DSP-011", "DSP-015"]
    assert page.text_content("#shown") == "4 of 5 shown"
    page.click(".chip[data-state=fail]")
    assert looked.shown() == ["DSP-011", "DSP-015"]
    page.select_option("#level", "SHOULD")
    assert looked.shown() == ["DSP-015"]
    page.click(".chip[data-state=fail]")
    page.select_option("#level", "")
    page.select_option("#family", "REG")
    assert looked.shown() == ["REG-001"]
    page.select_option("#family", "")
    page.fill("#search", "text of dsp-004")
    assert looked.shown() == ["DSP-004"]
    page.fill("#search", "nothing has this")
    assert looked.shown() == []
    assert page.is_visible("#none")
    page.keyboard.press("Escape")
    assert len(looked.shown()) == 4


def test_a_link_opens_a_requirement_or_a_case_whatever_the_filters_say(made, look: Open) -> None:
    looked = look(made.verdict(), at="#DSP-011")
    page = looked.page
    page.wait_for_selector("#DSP-011[open] svg")
    page.wait_for_function("document.activeElement.closest('.entry')?.id === 'DSP-011'")
    page.fill("#search", "REG-001")
    page.click(".cell[href='#DSP-004']")
    page.wait_for_selector("#DSP-004[open]")
    assert "DSP-004" in looked.shown()
    page.evaluate("location.hash = '#DSP-016'")
    page.wait_for_selector("#DSP-016[open]")
    assert "DSP-016" in looked.shown()
    page.evaluate("location.hash = '#' + encodeURIComponent('dsp/DSP-011.scenario.yaml::bad')")
    page.wait_for_function("document.activeElement.closest('.entry')?.id === 'DSP-011'")


@pytest.mark.parametrize("width", [1280, 900, 660, 390])
def test_what_a_link_leads_to_is_not_covered_by_the_filters(made, look: Open, width: int) -> None:
    cases = [made.case(f"f.yaml::case {number}", made.broken()) for number in range(40)]
    screen = {"width": width, "height": 800}
    page = look(made.run(cases), at="#f-yaml-case-20", viewport=screen).page
    page.wait_for_selector("#f-yaml-case-20[open] svg")
    page.wait_for_function("document.activeElement.closest('.entry')?.id === 'f-yaml-case-20'")
    top, bottom, height = page.evaluate(
        "[document.activeElement.getBoundingClientRect().top,"
        "document.querySelector('.filters').getBoundingClientRect().bottom, innerHeight]"
    )
    assert bottom <= top < height / 2


def test_a_case_of_a_run_says_once_how_to_run_it_again(made, look: Open) -> None:
    page = look(made.run([made.case("f.yaml::a", made.broken())]), at="#f-yaml-a").page
    page.wait_for_selector("#f-yaml-a[open] svg")
    text = page.inner_text("#f-yaml-a")
    assert text.count("collector-harness run x") == 1
    assert text.count("the expectation was not met") == 1
    assert "executed by a" in page.text_content("#f-yaml-a .flow")


def test_a_call_that_failed_is_not_told_to_have_been_executed(made, look: Open) -> None:
    case = made.case("f.yaml::a")
    failed = made.call("f.yaml::a", status="UNAVAILABLE", handled_by="b", at=0.09, seconds=0.0031)
    page = look(made.run([[*case[:-1], failed, case[-1]]]), at="#f-yaml-a").page
    page.wait_for_selector("#f-yaml-a[open] svg")
    flow = page.text_content("#f-yaml-a .flow")
    assert "executed by a" in flow
    assert "sent to b" in flow
    assert "executed by b" not in flow
    assert "UNAVAILABLE · 3.1 ms" in flow


def test_everything_is_reached_by_the_keyboard(made, look: Open) -> None:
    page = look(made.verdict()).page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.parentElement.id") == "REG-001"
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("#DSP-004[open] svg")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "search"


def test_a_failure_is_shown_with_pictures_differences_logs_and_lines_to_copy(
    made, look: Open
) -> None:
    page = look(made.verdict(), at="#DSP-011").page
    case = page.locator("#DSP-011 .case")
    assert case.locator("svg").count() == 2
    labels = " ".join(case.locator("svg").first.locator("text").all_text_contents())
    assert "hub" in labels
    flow = " ".join(case.locator("svg").nth(1).locator("text").all_text_contents())
    for part in ("Dispatch shop/P.Who", "OK · 10 ms", "UNAVAILABLE", "⚡ fault kill a", "healed"):
        assert part in flow
    assert case.locator("svg").nth(1).locator(".band").count() == 1
    assert case.locator(".diff .expected").text_content() == '"OK"'
    assert "more" not in (case.locator(".diff .actual").text_content() or "")
    copied = case.get_by_label("Copy: by hand")
    copied.click()
    page.wait_for_function("document.getElementById('said').textContent === 'Copied'")
    case.locator(".calls > summary").click()
    case.locator(".call").nth(1).wait_for()
    assert case.locator(".call").count() == 2


def test_what_a_target_says_stays_text(made, look: Open) -> None:
    page = look(made.verdict(), at="#DSP-011").page
    page.wait_for_selector("#DSP-011[open] svg")
    assert page.title().startswith("Verdict on </script><script>")
    assert page.locator("img").count() == 0
    assert page.locator("script:not([type])").count() == 1
    text = page.evaluate("document.body.innerText")
    assert "<img src=x onerror=alert(1)>\\u202e\\x1b[2J\\x07" in text
    assert "\u202e" not in text
    assert len(text) < 100_000


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_in_both_schemes_and_can_be_read_there(
    made, look: Open, scheme: str
) -> None:
    screen = {"width": 390, "height": 844}
    page = look(made.verdict(), at="#DSP-011", viewport=screen, color_scheme=scheme).page
    page.wait_for_selector("#DSP-011[open] svg")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    background, ink = page.evaluate(
        "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
        ".map(each => each.match(/\\d+/g).slice(0, 3).reduce((sum, one) => sum + Number(one), 0))"
    )
    assert (background > ink) == (scheme == "light")
    assert abs(background - ink) > 400


def test_the_matrix_can_be_read_without_javascript(made, look: Open) -> None:
    looked = look(made.verdict(), java_script_enabled=False)
    page = looked.page
    assert page.locator(".cell.fail").count() == 2
    page.click("#DSP-011 > summary")
    assert page.is_visible("#DSP-011 .message")
    assert not page.is_visible(".filters")


def test_a_thousand_cases_open_and_filter_at_once(made, look: Open) -> None:
    cases = [
        made.case(f"f{number % 50}.yaml::case {number}", made.broken() if number == 700 else None)
        for number in range(1_000)
    ]
    looked = look(made.run(cases))
    page = looked.page
    assert len(looked.shown()) == 1_000
    took = page.evaluate(
        "() => { const begin = performance.now();"
        "document.querySelector('.chip.failed').click();"
        "document.body.offsetHeight; return performance.now() - begin; }"
    )
    assert took < OPENS_WITHIN
    assert looked.shown() == ["f0-yaml-case-700"]
    # Details are made when they are asked for.
    assert page.locator("svg").count() == 0
    page.click("#f0-yaml-case-700 > summary")
    page.wait_for_selector("#f0-yaml-case-700 svg")


def test_a_run_that_was_cut_off_says_so_first(made, look: Open) -> None:
    page = look(made.run([made.case("f::a")])[:-1]).page
    assert page.text_content(".ended") == "This run is not complete"
    assert "cut off" in page.text_content("[role=alert]")
