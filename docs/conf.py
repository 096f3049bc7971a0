"""Sphinx: the pages of this folder and the docstrings of the package."""

from __future__ import annotations

from xocean_ml import __version__

project = "xocean_ml"
author = "The xocean_ml developers"
version = release = __version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
]
exclude_patterns = ["_build"]
source_suffix = {".md": "markdown"}
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

autosummary_generate = False
default_role = "code"
autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

html_theme = "alabaster"
html_title = "xocean_ml"
html_theme_options = {
    "description": "Ocean machine learning on labelled arrays",
    "fixed_sidebar": True,
    "page_width": "1160px",
    "body_max_width": "880px",
}
html_sidebars = {"**": ["about.html", "navigation.html", "searchbox.html"]}
