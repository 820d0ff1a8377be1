"""How Sphinx builds the site: the Markdown of the repository, and the pages that are made from the code."""

import sys
import tomllib
from pathlib import Path

from pygments.lexers.special import TextLexer
from sphinx.highlighting import lexers

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from docs.sphinx.pages import write_pages  # noqa: E402 - found by the line above

project = "Baton"
release = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
    "version"
]
html_title = f"Baton {release}"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["sphinx"]
# Headings down to this depth can be linked to, by the names that GitHub gives them too.
myst_heading_anchors = 4
autodoc_member_order = "bysource"
autodoc_typehints = "signature"

html_theme = "furo"
html_copy_source = False
html_show_sphinx = False


# GitHub knows the language, Pygments does not.
lexers["csv"] = TextLexer()


def setup(app) -> None:
    """Write the generated pages before Sphinx looks for sources."""
    app.connect("builder-inited", lambda app: write_pages(ROOT, Path(app.srcdir) / "generated"))
