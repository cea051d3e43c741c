"""Names the plugins of the suite, nothing else. The options are a plugin that the installed package declares."""

pytest_plugins = [
    "fixtures.selection",
    "fixtures.examination",
    "fixtures.judge",
    "fixtures.html",
    "fixtures.terminal",
    "fixtures.populations.kubernetes",
    "fixtures.populations.aws",
    "fixtures.populations.people",
    "fixtures.populations.paths",
    "fixtures.populations.logs",
    "fixtures.populations.log_stores",
    "fixtures.populations.detections",
    "fixtures.populations.network",
    "fixtures.populations.tls",
]
