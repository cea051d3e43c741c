"""Redaction and canonical JSON."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from soc2.gather.codec import Codec, canonical
from soc2.gather.redaction import Redactor
from soc2.model.kubernetes.istio import PeerAuthentication
from soc2.model.kubernetes.pods import Pod
from tests.rules.pod_strategies import PODS


@given(st.text(min_size=4))
def test_a_fingerprint_never_holds_its_text(text: str) -> None:
    features = Redactor().fingerprint(text).features
    assert features.length == len(text)
    assert features.digest != text


@given(st.text(), st.text())
def test_equal_texts_and_only_those_have_equal_fingerprints(one: str, other: str) -> None:
    redactor = Redactor()
    same = redactor.fingerprint(one).features.digest == redactor.fingerprint(other).features.digest
    assert same == (one == other)


def test_two_runs_have_different_keys() -> None:
    assert Redactor().fingerprint("text").features.digest != Redactor().fingerprint("text").features.digest


@given(PODS)
def test_evidence_decodes_to_what_was_judged(pod: dict[str, object]) -> None:
    """A replay that reads the evidence judges the same records."""
    codec = Codec()
    decoded = codec.decode(msgspec.json.encode(pod), Pod)
    again = Codec(replay=True).decode(canonical(decoded), Pod)
    assert canonical(again) == canonical(decoded)
    assert again == decoded


def test_formats_of_credentials_are_recognised() -> None:
    def found(text: str) -> list[str]:
        return [finding.detector for finding in Redactor().fingerprint(text).features.findings]

    assert found("AKIA" + "Z7Q3K9X2M4P8R6T1") == ["AWS Access Key"]
    assert found("postgres://app:" + "hunter2hunter2" + "@db/app") == ["Basic Auth Credentials"]
    assert found("info") == []


def test_objects_with_numbers_for_keys_can_be_kept() -> None:
    body = {"metadata": {"name": "api", "namespace": "shop"}, "spec": {"portLevelMtls": {"8080": {"mode": "DISABLE"}}}}
    decoded = Codec().decode(msgspec.json.encode(body), PeerAuthentication)
    assert b'"portLevelMtls":{"8080":{"mode":"DISABLE"}}' in canonical(decoded)
