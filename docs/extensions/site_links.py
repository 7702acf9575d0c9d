"""Whether every link inside a built site leads somewhere: `python docs/extensions/site_links.py FOLDER`."""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """The links of a page, and the places in it that a link can name."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take down what a tag links to, and its own name."""
        for name, value in attrs:
            if name in {"href", "src"} and value:
                self.links.append(value)
            elif name == "id" or (name == "name" and tag == "a"):
                self.places.add(value or "")


def broken_links(site: Path) -> list[str]:
    """A line for each link to a file that is not in the site, or to a place that is not in its page."""
    files = [path for path in sorted(site.rglob("*.html")) if "_static" not in path.parts]  # templates of the theme
    pages = {path.resolve(): Page(path.read_text(encoding="utf-8")) for path in files}
    broken = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            if not target.is_file():
                broken.append(f"{path.relative_to(site.resolve())}: {link} is not there")
            elif target in pages and parts.fragment and unquote(parts.fragment) not in pages[target].places:
                broken.append(f"{path.relative_to(site.resolve())}: {link} names no place of that page")
    return broken


if __name__ == "__main__":
    found = broken_links(Path(sys.argv[1]))
    sys.stdout.write("".join(f"{line}\n" for line in found) or "every link inside the site leads somewhere\n")
    raise SystemExit(bool(found))
