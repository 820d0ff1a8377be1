"""Check a built site: nothing is fetched from elsewhere, and every link inside leads somewhere."""

import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

FETCHED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}
"""Elements whose address a browser fetches by itself."""
STYLE_ADDRESS = re.compile(r"(?:@import\s+|url\()[\"']?((?:https?:)?//[^\"')]+)")


class PageReader(HTMLParser):
    """Gathers what a page fetches, links to, and can be linked to by."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.fetched: set[str] = set()
        self.links: set[str] = set()
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the addresses and the anchor of an element."""
        found = dict(attrs)
        if found.get("id"):
            self.anchors.add(str(found["id"]))
        if tag == "a" and found.get("href"):
            self.links.add(str(found["href"]))
        if tag in FETCHED and found.get(FETCHED[tag]):
            self.fetched.add(str(found[FETCHED[tag]]))


def find_faults(site: Path) -> Iterator[str]:
    """Find what a reader without a network would miss, a sentence each."""
    pages = {
        path.resolve(): PageReader(path.read_text(encoding="utf-8"))
        for path in site.rglob("*.html")
    }
    if not pages:
        yield f"{site} has no page."
    if not (site / "searchindex.js").is_file():
        yield "There is no search index."
    for path in pages:
        yield from find_faults_of_page(path, pages)
    for style in site.rglob("*.css"):
        for address in STYLE_ADDRESS.findall(style.read_text(encoding="utf-8")):
            yield f"{style.name} fetches {address} from elsewhere."


def find_faults_of_page(path: Path, pages: dict[Path, PageReader]) -> Iterator[str]:
    """Find what a page fetches from elsewhere, and links that lead nowhere."""
    page = pages[path]
    for address in sorted(page.fetched):
        if urlsplit(address).netloc:
            yield f"{path.name} fetches {address} from elsewhere."
    for link in sorted(page.links | page.fetched):
        if not leads_somewhere(link, path, pages):
            yield f"{path.name} links to {link}, which is not there."


def leads_somewhere(link: str, path: Path, pages: dict[Path, PageReader]) -> bool:
    """Say whether a link from a page leads to a file of the site, and to an anchor that is in it."""
    if urlsplit(link).scheme or urlsplit(link).netloc:
        return True  # elsewhere: not ours to check, and there may be no network
    address, anchor = urldefrag(link)
    target = (path.parent / unquote(address.split("?")[0])).resolve() if address else path
    if target in pages:
        return not anchor or unquote(anchor) in pages[target].anchors
    return target.is_file()


if __name__ == "__main__":
    faults = list(find_faults(Path(sys.argv[1])))
    sys.exit("\n".join(faults) if faults else 0)
