# SPDX-License-Identifier: Apache-2.0
"""Build these pages with ``sphinx-build -W docs docs/_build``; no network is needed."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # for docs._ext
# The reference pages import the package, hence Airflow, which wants a home of its own.
os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="airflow-docs-"))

from airflow_provider_klaviyo import __version__

project = "airflow-provider-klaviyo"
author = "The airflow-provider-klaviyo authors"
copyright = f"2026, {author}"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_copybutton", "docs._ext.directives"]
exclude_patterns = ["_build"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_class_signature = "mixed"
autodoc_default_options = {"members": True, "show-inheritance": True}

html_theme = "furo"
html_title = f"{project} {release}"
html_static_path = ["_static"]
html_css_files = ["klaviyo.css"]
html_show_sphinx = False

# Links into Airflow's and Python's own pages need their inventories, so they are made only where someone asks for them.
if os.environ.get("DOCS_INTERSPHINX"):
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "python": ("https://docs.python.org/3", None),
        "airflow": ("https://airflow.apache.org/docs/apache-airflow/stable", None),
    }
