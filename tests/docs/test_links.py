"""Links of the pages lead somewhere, and the pages say what the code says."""

import re
from pathlib import Path

import pytest
import yaml

import mlx_drmario as dm
from tests.docs.pages import PAGES, ROOT

LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)")


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and MkDocs make them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    slugs = (re.sub(r"[^\w\- ]", "", re.sub(r"`", "", heading)).strip().lower() for heading in headings)
    return {re.sub(r"[ -]+", "-", slug) for slug in slugs}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links(page: Path) -> None:
    for target, anchor in LINK.findall(page.read_text()):
        path = (page.parent / target).resolve() if target else page
        assert path.exists(), f"{page.name} links to {target}, which is not there"
        assert not anchor or anchor in anchors(path), (
            f"{page.name} links to {path.name}#{anchor}, which has no such part"
        )


def test_the_site_has_every_page() -> None:
    text = (ROOT / "mkdocs.yml").read_text()
    nav = yaml.safe_load(text)["nav"]

    def leaves(node: object) -> set[str]:
        if isinstance(node, str):
            return {node}
        return set().union(*map(leaves, node.values() if isinstance(node, dict) else node))

    assert leaves(nav) == {str(page.relative_to(ROOT / "docs")) for page in PAGES if page.parent != ROOT}


def test_every_event_and_public_field_is_explained() -> None:
    text = (ROOT / "docs" / "decisions.md").read_text()
    missing = [name for name in dm.event_names() if f"`{name}" not in text]
    fields = dm.Decisions(num_envs=1).view.public.dtype.names
    assert fields
    missing += [name for name in fields if f"`{name.removeprefix('opponent_')}`" not in text]
    assert missing == []


def test_every_public_member_of_the_view_is_explained() -> None:
    text = (ROOT / "docs" / "decisions.md").read_text()
    members = {name for name in dir(dm.PublicView) if not name.startswith("_")} - set(dm.event_names())
    assert [name for name in sorted(members) if f"`{name}" not in text] == []
