"""Makes values of credentials as their providers publish the formats, and values that only look like them.

Everything is random and made when the tests run: nothing here was ever valid, and no file holds a whole one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import string
import zlib
from random import Random

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

ALNUM = string.ascii_letters + string.digits
URLSAFE = ALNUM + "-_"
HEX = "0123456789abcdef"
BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def words(text: str) -> tuple[str, ...]:
    """Return the words of a text."""
    return tuple(text.split())


_WORDS = words(
    """
    amber anchor basil birch bridge canyon cedar cobalt copper coral crater delta ember falcon forest garnet glacier
    granite harbor hazel heron island jasper juniper lagoon lantern maple marble meadow mercury nickel ocean orchid
    otter panther pepper pine prairie quartz raven river saffron sierra silver summit thunder timber tundra valley
    velvet walnut willow
    """
)


class Maker:
    """Draws from a seed: the same one makes the same corpus."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)  # noqa: S311

    def chars(self, alphabet: str, length: int) -> str:
        return "".join(self.random.choices(alphabet, k=length))

    def data(self, length: int) -> bytes:
        return self.random.randbytes(length)

    def one(self, *options: str) -> str:
        return self.random.choice(options)

    def word(self) -> str:
        return self.random.choice(_WORDS)

    def hex(self, length: int) -> str:
        return self.chars(HEX, length)

    def base64(self, length: int) -> str:
        return base64.b64encode(self.data(length)).decode()

    def base64url(self, length: int) -> str:
        return base64.urlsafe_b64encode(self.data(length)).decode().rstrip("=")

    def uuid(self) -> str:
        text = self.hex(32)
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{self.one(*'89ab')}{text[17:20]}-{text[20:]}"

    def dns_name(self) -> str:
        return f"{self.word()}-{self.word()}"

    # Credentials.

    def aws_key_id(self) -> str:
        return self.one("AKIA", "ASIA") + self.chars(BASE32, 16)

    def aws_secret(self) -> str:
        return self.chars(ALNUM + "+/", 40)

    def github(self) -> str:
        if self.random.random() < 0.3:
            return f"github_{'pat'}_{self.chars(ALNUM, 22)}_{self.chars(ALNUM, 59)}"
        entropy = self.chars(ALNUM, 30)
        number, checksum = zlib.crc32(entropy.encode()), ""
        while len(checksum) < 6:
            number, digit = divmod(number, 62)
            checksum = (string.digits + string.ascii_uppercase + string.ascii_lowercase)[digit] + checksum
        return f"gh{self.one(*'pousr')}_{entropy}{checksum}"

    def gitlab(self) -> str:
        return f"gl{self.one('pat', 'dt', 'rt', 'ptt')}-{self.chars(URLSAFE, 20)}"

    def slack(self) -> str:
        return (
            f"xox{self.one('b', 'p')}-{self.chars(string.digits, 12)}-{self.chars(string.digits, 13)}-{self.chars(ALNUM, 24)}"
        )

    def slack_webhook(self) -> str:
        places = "/".join(("T" + self.chars(string.ascii_uppercase + string.digits, 8), "B" + self.chars(BASE32, 10)))
        return f"https://hooks.{'slack'}.com/services/{places}/{self.chars(ALNUM, 24)}"

    def stripe(self) -> str:
        return f"{self.one('sk', 'rk')}_{'live'}_{self.chars(ALNUM, self.random.choice((24, 99)))}"

    def npm(self) -> str:
        return f"npm_{self.chars(ALNUM, 36)}"

    def pypi(self) -> str:
        return "pypi-AgEIcHlwaS5vcmc" + self.chars(URLSAFE, 150)

    def twilio(self) -> str:
        return "SK" + self.hex(32)

    def sendgrid(self) -> str:
        return f"SG.{self.chars(URLSAFE, 22)}.{self.chars(URLSAFE, 43)}"

    def google_api_key(self) -> str:
        return "AIza" + self.chars(URLSAFE, 34) + self.chars(ALNUM, 1)

    def vault(self) -> str:
        return "hvs." + self.chars(ALNUM + "_", 91) + self.chars(ALNUM, 1)

    def docker_hub(self) -> str:
        return "dckr_pat_" + self.chars(URLSAFE, 26) + self.chars(ALNUM, 1)

    def azure_connection(self) -> str:
        key = base64.b64encode(self.data(64)).decode()
        return f"DefaultEndpointsProtocol=https;AccountName={self.word()}prod;AccountKey={key};EndpointSuffix=core.windows.net"

    def service_bus(self) -> str:
        key = base64.b64encode(self.data(32)).decode()
        name = f"Endpoint=sb://{self.word()}.servicebus.windows.net/;SharedAccessKeyName=RootManageSharedAccessKey"
        return f"{name};SharedAccessKey={key}"

    def jwt(self, *, signed: bool = True) -> str:
        header = {"alg": "HS256" if signed else "none", "typ": "JWT"}
        claims = {"sub": self.word(), "iss": f"https://{self.word()}.example.com", "iat": self.random.randrange(10**9)}
        parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (header, claims)]
        mac = hmac.new(self.data(32), ".".join(parts).encode(), hashlib.sha256).digest()
        return ".".join((*parts, base64.urlsafe_b64encode(mac).decode().rstrip("=") if signed else ""))

    def private_key(self) -> str:
        """Return a real one: PKCS 8, SEC 1 or OpenSSH."""
        if self.random.random() < 0.4:
            key = ed25519.Ed25519PrivateKey.from_private_bytes(self.data(32))
            form = self.random.choice((serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.OpenSSH))
            return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()
        elliptic = ec.derive_private_key(int.from_bytes(self.data(31), "big") + 1, ec.SECP256R1())
        kind = self.random.choice((serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL))
        return elliptic.private_bytes(serialization.Encoding.PEM, kind, serialization.NoEncryption()).decode()

    def rsa_shaped_key(self) -> str:
        body = base64.b64encode(b"\x30\x82\x04\xa4\x02\x01\x00\x02\x82\x01\x01" + self.data(1190)).decode()
        lines = "\n".join(body[at : at + 64] for at in range(0, len(body), 64))
        return f"-----BEGIN RSA {'PRIVATE'} KEY-----\n{lines}\n-----END RSA {'PRIVATE'} KEY-----\n"

    def password(self) -> str:
        """Return what people and generators set: words with digits and signs, or random characters."""
        match self.random.randrange(5):
            case 0:
                return f"{self.word().capitalize()}{self.random.randrange(10, 9999)}{self.one('!', '?', '#', '$x', '')}"
            case 1:
                return self.chars(ALNUM, self.random.randrange(10, 33))
            case 2:
                return self.chars(ALNUM + "!@#%^*_+-", self.random.randrange(12, 25)).lstrip("@#%!*-+") + "k7"
            case 3:
                return f"{self.word()}-{self.word()}-{self.random.randrange(100, 999)}"
            case _:
                return self.word().replace("e", "3").replace("a", "4").capitalize() + self.chars(string.digits, 3)

    def url_password(self) -> str:
        return self.chars(ALNUM, self.random.randrange(8, 25))

    # What is harmless.

    def public_key(self) -> str:
        key = ed25519.Ed25519PrivateKey.from_private_bytes(self.data(32)).public_key()
        form = serialization.PublicFormat
        if self.random.random() < 0.5:
            text = key.public_bytes(serialization.Encoding.OpenSSH, form.OpenSSH).decode()
            return f"{text} {self.word()}@{self.word()}"
        return key.public_bytes(serialization.Encoding.PEM, form.SubjectPublicKeyInfo).decode()

    def certificate(self) -> str:
        """Return what has the shape of a certificate: DER in base64 between its lines."""
        body = base64.b64encode(b"\x30\x82\x03\x5a\x30\x82\x02\x42\xa0\x03\x02\x01\x02" + self.data(840)).decode()
        lines = "\n".join(body[at : at + 64] for at in range(0, len(body), 64))
        return f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n"

    def sentence(self) -> str:
        words = [self.word() for _ in range(self.random.randrange(5, 12))]
        return f"{' '.join(words).capitalize()}."
