"""Files that come with packages of others: what is called a password there is an example, a test or a default of theirs."""

from __future__ import annotations

import re

_FOLDERS = re.compile(
    r"(?:^|/)(?:site-packages|dist-packages|node_modules|gems|usr/lib/python\d[.\d]*|usr/local/lib/python\d[.\d]*|usr/include"
    r"|usr/lib/(?:\w+-linux-gnu\w*|node|ruby|go\w*|jvm|perl5?|git-core|google-cloud-sdk)|usr/local/go|go/pkg/mod"
    r"|usr/share/(?:doc|man|info|perl5?|vim|locale|python3|zsh|bash-completion|javascript|mime|misc|gitweb|lintian))/"
)
_LIBRARIES = ("usr/lib/", "usr/lib64/", "lib/", "lib64/")
_BINARY = (b"\x7fELF", b"!<arch>\n")
# What others call a password, a URL with a password, a token or a key in their own files says nothing of the image's owner.
_BY_NAME = ("name", "randomness", "password in a command", "bearer token", "basic authentication")
_OFTEN = (*_BY_NAME, "Basic Auth", "JSON Web", "Private Key", "Google API Key")


def is_packaged(path: str, content: bytes) -> bool:
    """Tell whether a file belongs to a package: by its folder, or because it is a library of the system."""
    return bool(_FOLDERS.search(path)) or (path.startswith(_LIBRARIES) and content.startswith(_BINARY))


def is_program(content: bytes) -> bool:
    """Tell whether a file is no text, as Git tells it."""
    return b"\0" in content[:8000]


def is_weak(detector: str) -> bool:
    """Tell whether a detector goes by names, which programs have in the texts that they show."""
    return detector.startswith(_BY_NAME)


def is_usual(detector: str) -> bool:
    """Tell whether packages have what this detector finds."""
    return detector.startswith(_OFTEN)
