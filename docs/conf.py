project = "eventtape"
author = "The eventtape engineers"
copyright = "2026, the eventtape engineers"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
html_theme = "alabaster"
html_theme_options = {"description": "news into markets, with intervals", "page_width": "1100px"}
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
# A type spelled out for readers: numpy expands ArrayLike into a page of unions
autodoc_type_aliases = {"ArrayLike": "ArrayLike", "FloatArray": "FloatArray"}
napoleon_google_docstring = False
suppress_warnings = ["myst.header"]
