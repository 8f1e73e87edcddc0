"""What tests ask of every HTML page that a run leaves."""

import re
from html.parser import HTMLParser

VOID = {"meta", "link", "img", "br", "input"}


class Reader(HTMLParser):
    """Collects elements and text, and insists that elements are closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(page)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, f"</{tag}> closes what is not open"

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def check_self_contained(page: str) -> Reader:
    """No element fetches anything, runs anything, or lacks the name that a reader without eyes needs."""
    reader = Reader(page)
    names = {tag for tag, _ in reader.tags}
    assert not names & {"script", "link", "iframe", "object", "embed", "base", "form"}
    for tag, attributes in reader.tags:
        for name, value in attributes.items():
            assert not name.startswith("on"), f"{tag} has a handler"
            if name in ("src", "href", "xlink:href", "poster", "srcset", "data"):
                assert value and value.startswith(("#", "data:")), f"{tag} fetches {value}"
    styles = " ".join(re.findall(r"<style>(.*?)</style>", page, re.DOTALL))
    assert "url(" not in styles and "@import" not in styles
    assert all(
        attributes.get("aria-label") for _, attributes in reader.tags if attributes.get("role") == "img"
    )
    ids = [attributes["id"] for _, attributes in reader.tags if "id" in attributes]
    assert len(ids) == len(set(ids)), "names are unique in the page"
    targets = {
        value[1:] for _, attributes in reader.tags if (value := attributes.get("href") or "").startswith("#")
    }
    assert targets <= set(ids), "links lead somewhere"
    return reader
