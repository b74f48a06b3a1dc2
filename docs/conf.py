"""Settings for `sphinx-build -W --keep-going -b html docs docs/_build/html`."""

project = "pytest-behave"
author = "The pytest-behave authors"
project_copyright = author
extensions = ["myst_parser"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = project
html_copy_source = False
myst_heading_anchors = 3
