"""The tutorial and the cookbook do what they say, and every link leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *DOCS.glob("*.md")])
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def sections(name: str) -> list[tuple[str, str]]:
    """The parts of a page under headings of the second rank that have something to run."""
    parts = re.split(r"^## (.+)\n", (DOCS / name).read_text(), flags=re.MULTILINE)
    return [
        (title, text)
        for title, text in zip(parts[1::2], parts[2::2], strict=True)
        if "```console" in text
    ]


def test_every_command_of_the_tutorial_does_what_it_says(reader) -> None:
    assert reader.follow((DOCS / "tutorial.md").read_text()) >= 8


@pytest.mark.parametrize(
    "recipe",
    [
        pytest.param(text, id=title)
        for page in ("cookbook.md", "pytest.md")
        for title, text in sections(page)
    ],
)
def test_a_recipe_does_what_it_says(recipe: str, reader) -> None:
    assert reader.follow(recipe) >= 1


def test_every_file_of_the_tutorial_is_used_by_a_command() -> None:
    text = (DOCS / "tutorial.md").read_text()
    blocks = re.findall(r"^```(\w*)", text, re.MULTILINE)[::2]
    assert set(blocks) == {"python", "yaml", "console"}
    assert text.count("<!-- file: ") == sum(kind in ("python", "yaml") for kind in blocks)


def test_yaml_that_is_not_run_is_yaml() -> None:
    for page in ("cookbook.md", "troubleshooting.md"):
        for block in re.findall(
            r"^```yaml[^\n]*\n(.*?)^```$", (DOCS / page).read_text(), re.MULTILINE | re.DOTALL
        ):
            assert yaml.safe_load(block)


def anchors(page: Path) -> set[str]:
    text = FENCE.sub("", page.read_text())
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
        for heading in HEADING.findall(text)
    }


@pytest.mark.parametrize("page", [pytest.param(page, id=page.name) for page in PAGES])
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for link in LINK.findall(FENCE.sub("", page.read_text())):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        leads = (page.parent / path).resolve() if path else page
        assert leads.exists(), link
        if anchor and leads.suffix == ".md":
            assert anchor in anchors(leads), link


def test_every_page_can_be_reached_from_the_readme() -> None:
    known, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in known or page.suffix != ".md":
            continue
        known.add(page)
        for link in LINK.findall(FENCE.sub("", page.read_text())):
            target = (page.parent / link.partition("#")[0]).resolve()
            if target.is_file():
                waiting.append(target)
    assert set(PAGES) - known == set()


def test_the_suite_that_is_shipped_needs_no_extra() -> None:
    asked = [
        path.name
        for path in (ROOT / "scenarios" / "conformance").rglob("*.scenario.yaml")
        if "${fake" in path.read_text()
        or re.search(r"^\s*- (http|sql):", path.read_text(), re.MULTILINE)
    ]
    assert asked == []
