"""The documentation site: `nox -s site` builds it into `build/site`.

The pages are the Markdown of this folder, as they stand on GitHub. `_site` fits them in: links that
leave the folder, live viewers in the places of comments, and an entry for each public name.
"""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from chatkit_reducer import __version__  # noqa: E402

project = "chatkit-reducer"
author = "chatkit-reducer contributors"
copyright = "chatkit-reducer contributors"  # noqa: A001  # the name that Sphinx asks for
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx_copybutton",
    "_site.pages",
    "_site.viewers",
    "_site.public_names",
    "_site.docstrings",
]
exclude_patterns = ["README.md", "_site", "images", "man"]
suppress_warnings = ["toc.empty_glob"]
default_role = "code"
nitpicky = True
# Python and other packages are elsewhere, and the inner rooms of this one have no entries.
# `tests/site` asks whether each public name has one.
nitpick_ignore_regex = [
    (r"py:.*", r"(?!chatkit_reducer\.).*"),
    (r"py:.*", r"chatkit_reducer\.(core|.*\._|journal\.rounds|supervise\.commit|view\.page).*"),
    (r"py:.*", r"chatkit_reducer\.serving\.(store\.StoredThread|stream\.Surroundings)"),
]

myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]

html_theme = "furo"
html_title = f"chatkit-reducer {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_theme_options = {
    "source_repository": "https://github.com/chatkit-reducer/chatkit-reducer/",
    "source_branch": "main",
    "source_directory": "docs/",
}
html_copy_source = False
html_show_sphinx = False
pygments_style = "friendly"
pygments_dark_style = "github-dark"
copybutton_prompt_text = r"\$ |>>> |\.\.\. "
copybutton_prompt_is_regexp = True

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_class_signature = "mixed"
