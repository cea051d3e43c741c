"""Names the plugins of the suite, nothing else. The options are a plugin that the installed package declares."""

from fixtures.populations import MODULES

pytest_plugins = [
    "fixtures.selection",
    "fixtures.examination",
    "fixtures.judge",
    "fixtures.html",
    "fixtures.terminal",
    *MODULES,
]
