"""Sphinx' settings: pages are Markdown, the reference comes from the docstrings.

sphinx-build -W docs build/docs
"""

import os
import re

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["CUDA_VISIBLE_DEVICES"] = ""  # documents need no GPU

import keras_saliency

keras_saliency.training.load_tensorflow()

project = "keras_saliency"
author = "the authors of keras_saliency"
release = version = keras_saliency.__version__
html_title = f"keras_saliency {version}"
html_theme = "furo"
html_show_copyright = False
html_copy_source = False
templates_path, html_static_path = [], []
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]

myst_heading_anchors = 3
default_role = "literal"  # of docstrings: `names` as in Markdown
autodoc_default_options = {"members": True}
autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False  # what Keras says of `call` is in Keras' documents
autodoc_typehints_format = "short"
napoleon_numpy_docstring = False

# Sections that begin on the line of their name; napoleon knows only those that begin below it.
INLINE = re.compile(r"(Shapes|Returns|Yields|Raises|References?|Curves): +(\S.*)")
# Files that lie elsewhere, and the page that shows each here; links lead to them as on a forge.
SHOWN = {
    "README.md": "index.md",
    "experiments/README.md": "results.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changes.md",
}
LINK = re.compile(r"\]\((?:\.\./)*(?:docs/)?([\w/]+\.(?:md|png))")


def as_fields(app, what, name, obj, options, lines):
    """`Shapes: ...` becomes a field beside the arguments, to the end of its paragraph."""
    inside = False
    for i, line in enumerate(lines):
        found = INLINE.fullmatch(line)
        if found:
            lines[i] = f":{found[1]}: {found[2]}"
        elif inside and line.strip():
            lines[i] = f"    {line.strip()}"
        elif not inside:
            lines[i] = line.replace(", **", r", \*\*")  # one argument's line may name two
        inside = bool(found) or (inside and bool(line.strip()))


def to_pages(text):
    """Links to files lead to the pages that show them."""
    return LINK.sub(lambda found: "](" + SHOWN.get(found[1], found[1]), text)


def of_page(app, name, content):
    content[0] = to_pages(content[0])


def of_included(app, path, name, content):
    content[0] = to_pages(content[0])


def setup(app):
    app.connect("autodoc-process-docstring", as_fields, priority=400)  # before napoleon
    app.connect("source-read", of_page)
    app.connect("include-read", of_included)
