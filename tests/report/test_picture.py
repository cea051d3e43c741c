"""The picture of a path: every hop can be read in it, whatever its length, and nothing leaves it."""

from __future__ import annotations

from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from soc2.report.picture import draw_path

WORD = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)
TEXT = st.lists(WORD, min_size=1, max_size=15).map(" ".join)
HOPS = st.lists(st.tuples(TEXT, TEXT, TEXT), min_size=1, max_size=6)


@given(HOPS)
def test_every_hop_is_readable_and_inside(hops: list[tuple[str, str, str]]) -> None:
    picture = ElementTree.fromstring(draw_path(hops))  # noqa: S314
    texts = picture.findall("{*}text")
    shown = "".join("".join(text.itertext()).replace(" ", "") for text in texts)
    wanted = [hops[0][0], *(text for _, how, target in hops for text in (how, target))]
    assert shown == "".join(wanted).replace(" ", "")
    heights = [float(text.get("y", "0")) for text in texts]
    assert heights == sorted(heights)
    assert len(set(heights)) == len(heights)
    assert heights[-1] < float(picture.get("height", "0"))
    assert all(len("".join(text.itertext())) <= 88 for text in texts)
