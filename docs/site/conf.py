"""The documentation as a site: `make docs`. Pages are the Markdown files beside; the reference comes from the code."""

from __future__ import annotations

import sys
from importlib.metadata import version as installed
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

project = "zbo-orchestrator"
author = "the zbo-orchestrator developers"
copyright = author  # noqa: A001 (Sphinx's name for it)
version = release = installed("zbo-orchestrator")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",
    "plain_docstrings",
    "generated_pages",
    "markdown_pages",
]
exclude_patterns = ["site"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_default_options = {"members": True, "undoc-members": True}
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_type_aliases = {name: f"zbo_orchestrator.model.{name}" for name in ("Array", "Json", "Certify", "Report")}
add_module_names = False
python_use_unqualified_type_names = True
maximum_signature_line_length = 160  # module names, which are not shown, count

smartquotes = False
html_theme = "furo"
html_title = "zbo-orchestrator"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
pygments_style = "friendly"
pygments_dark_style = "github-dark"
