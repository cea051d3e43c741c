"""Names the plugins of the suite, nothing else."""

pytest_plugins = [
    "fixtures.options",
    "fixtures.selection",
    "fixtures.examination",
    "fixtures.judge",
    "fixtures.html",
    "fixtures.terminal",
    "fixtures.populations.kubernetes",
    "fixtures.populations.aws",
    "fixtures.populations.waivers",
]
