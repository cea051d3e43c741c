"""Between the JSON of an API and typed records: decoding that redacts, and the canonical JSON that evidence is."""

from __future__ import annotations

import threading
from typing import Any, TypeVar

import msgspec

from soc2.gather.redaction import Redactor
from soc2.model.feeds import Moment
from soc2.model.fingerprint import Annotations, EncodedLiterals, Features, Finding, Fingerprint, Literals, UserData
from soc2.model.kubernetes.pods import EnvVar, EnvVarSource, Volume

T = TypeVar("T")

# msgspec works a record type out when it is first used. While one thread does that for a type that two records share,
# another must not begin to: it would take up the half-made result, and the process would crash.
_BUILDING = threading.Lock()

_STAND_INS = frozenset({Fingerprint, Annotations, Literals, EncodedLiterals, UserData})

# Kinds of volumes whose options are free texts.
_VOLUME_CONTENT = frozenset({"csi", "flexVolume"})

# Where a volume's path or the object it refers to stands, by its kind.
_VOLUME_PATH = {"hostPath": "path"}
_VOLUME_REFERENCE = {"secret": "secretName", "configMap": "name", "persistentVolumeClaim": "claimName"}


class Codec:
    """Decodes with one redactor; everything decoded by the same codec has comparable fingerprints.

    With ``replay`` it decodes evidence instead, where stand-ins are in place of texts already.
    """

    def __init__(self, redactor: Redactor | None = None, *, replay: bool = False) -> None:
        self.redactor = redactor or Redactor()
        self._replay = replay
        self._decoders: dict[Any, msgspec.json.Decoder[Any]] = {}

    def decode(self, body: bytes, kind: type[T]) -> T:
        """Decode JSON. Raises msgspec.DecodeError (a ValidationError among them) when it does not fit ``kind``."""
        decoder = self._decoders.get(kind)
        if decoder is None:
            with _BUILDING:
                decoder = self._decoders.setdefault(kind, msgspec.json.Decoder(kind, dec_hook=self._decode_special))
        return decoder.decode(body)  # type: ignore[no-any-return]

    def convert(self, value: Any, kind: type[T]) -> T:
        """Convert what an SDK returned. Raises msgspec.ValidationError."""
        with _BUILDING:
            return msgspec.convert(value, kind, dec_hook=self._decode_special, strict=False)

    def _decode_special(self, kind: type, value: Any) -> Any:
        if kind is Volume:
            return self._volume(value)
        if kind is Moment:
            return Moment.of(value)
        if kind is EnvVar:
            return self._variable(value)
        if self._replay and kind in _STAND_INS:
            return _kept(kind, value)
        if kind is Fingerprint:
            return self.redactor.fingerprint(str(value))
        if kind is Annotations:
            if not isinstance(value, dict | None):
                raise TypeError("Expected `object`")
            return self.redactor.annotations(value or {})
        if issubclass(kind, Literals):
            return self.redactor.literals(kind, value)
        raise NotImplementedError(kind)

    def _variable(self, value: Any) -> EnvVar:
        if not isinstance(value, dict) or not isinstance(value.get("name"), str):
            raise TypeError("Expected `object` with a name")
        name, text, origin = value["name"], value.get("value"), value.get("valueFrom")
        found = None if text is None else _kept(Literals, text) if self._replay else self.redactor.variable(name, text)
        return EnvVar(name, found, None if origin is None else msgspec.convert(origin, EnvVarSource))

    def _volume(self, value: Any) -> Volume:
        """Raises TypeError, to which the decoder adds the path."""
        if not isinstance(value, dict):
            raise TypeError("Expected `object`")
        name = str(value.get("name", ""))
        if self._replay:
            return Volume(name, value["kind"], value["path"], value["reference"], _kept(Literals, value.get("content", ())))
        # A volume without a source is an emptyDir.
        kind = next((key for key in value if key != "name" and value[key] is not None), "emptyDir")
        source = value.get(kind) or {}
        if not isinstance(source, dict):
            raise TypeError(f"Expected `object` as {kind}")
        content = self.redactor.literals(Literals, source) if kind in _VOLUME_CONTENT else Literals()
        path, reference = source.get(_VOLUME_PATH.get(kind, "")), source.get(_VOLUME_REFERENCE.get(kind, ""))
        return Volume(name, kind, path, reference, content)


def _kept(kind: type, value: Any) -> Any:
    """Return a stand-in from the form in which it was kept."""
    if kind is Fingerprint:
        return Fingerprint(msgspec.convert(value, Features))
    if kind is Annotations:
        return Annotations({k: v if isinstance(v, str) else _kept(Fingerprint, v) for k, v in value.items()})
    return kind(msgspec.convert(value, tuple[Finding, ...]))


def canonical(value: Any) -> bytes:
    """Return canonical JSON: keys sorted, UTF-8, no white space."""
    return msgspec.json.encode(value, enc_hook=_encode_special, order="sorted")


def _encode_special(value: Any) -> Any:
    if isinstance(value, Fingerprint):
        if value.encoded is None:
            value.encoded = msgspec.json.encode(value.features, order="sorted")
        return msgspec.Raw(value.encoded)
    if isinstance(value, Annotations):
        return dict(value)
    if isinstance(value, Literals):
        return value.findings
    if isinstance(value, Volume | EnvVar):
        return value.as_dict()
    if isinstance(value, Moment):
        return str(value)
    raise NotImplementedError(type(value))
