"""A strict look at an HTML page: balanced tags, unique ids, and what it asks the network for."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "br", "hr", "img", "input", "link", "source", "wbr", "col"}


@dataclass
class Seen:
    """What a page holds, in order."""

    tags: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)

    def named(self, name: str) -> list[dict[str, str]]:
        return [attributes for tag, attributes in self.tags if tag == name]

    def values(self, *names: str) -> list[str]:
        return [a[name] for _, a in self.tags for name in names if name in a]

    def text_of(self, *names: str) -> list[str]:
        return [text for tag, text in self.texts if tag in names]

    @property
    def words(self) -> str:
        """All that a person reads."""
        return " ".join(" ".join(text for tag, text in self.texts if tag != "style").split())


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.seen = Seen()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"{tag} repeats an attribute: {names}"
        self.seen.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open[-1] == tag, f"</{tag}> closes <{self.open[-1]}>, inside {self.open}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.seen.texts.append((self.open[-1], data.strip()))


def parse(html: str) -> Seen:
    """Return what a page holds, after a check that every tag is closed in its place."""
    assert html.startswith("<!DOCTYPE html>")
    parser = _Parser()
    parser.feed(html)
    parser.close()
    assert parser.open == [], f"left open: {parser.open}"
    ids = parser.seen.values("id")
    assert len(ids) == len(set(ids)), "an id stands twice"
    return parser.seen


def check_self_contained(html: str) -> None:
    """Check that a browser would ask for nothing but the page itself."""
    seen = parse(html)
    tags = {tag for tag, _ in seen.tags}
    assert not tags & {"script", "link", "iframe", "object", "embed", "base", "form", "audio"}
    for value in seen.values("src", "href", "xlink:href", "srcset", "data", "action", "poster"):
        assert value.startswith(("#", "data:image/png;base64,")), value[:80]
    for style in [*seen.text_of("style"), *seen.values("style")]:
        assert "@import" not in style
        assert "@font-face" not in style
        assert "url(" not in style.replace("url(#", "")
    policies = [a["content"] for a in seen.named("meta") if "http-equiv" in a]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]
    assert not [name for _, a in seen.tags for name in a if name.startswith("on")]
