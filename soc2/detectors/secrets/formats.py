"""Known formats: credentials that are recognised by their shape, whatever they are called.

The expressions of detect-secrets' plugins are asked without its machinery, which has settings for the whole process and
verifies what it finds over the network; and only about short tokens that hold what tells that they may find something: some
take quadratic time on long texts. ``_OWN`` are formats that the plugins lack or know in an older form, by the documentation
of the providers; they are bounded, and asked about tokens of any length.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import msgspec

from soc2.detectors.secrets.encoded import decoded_bytes
from soc2.detectors.secrets.hits import Hit
from soc2.detectors.secrets.randomness import is_random
from soc2.detectors.secrets.stand_ins import stands_for_itself

_LONGEST_TOKEN = 512

# Plugins by what a text must hold for them to find anything in it.
_PLUGINS: tuple[tuple[str, str, str], ...] = (
    ("AKC", "artifactory", "ArtifactoryDetector"),
    ("A", "aws", "AWSKeyDetector"),
    ("gh", "github_token", "GitHubTokenDetector"),
    ("gl", "gitlab_token", "GitLabTokenDetector"),
    ("-us", "mailchimp", "MailchimpDetector"),
    ("T3BlbkFJ", "openai", "OpenAIDetector"),
    ("pypi-", "pypi_token", "PypiTokenDetector"),
    ("SG.", "sendgrid", "SendGridDetector"),
    ("xox", "slack", "SlackDetector"),
    ("sq0csp-", "square_oauth", "SquareOAuthDetector"),
    ("k_live_", "stripe", "StripeDetector"),
    ("SK", "twilio", "TwilioKeyDetector"),
)
_OWN: tuple[tuple[str, str], ...] = (
    ("GitHub Token", r"github_pat_\w{60,100}|gh[pousr]_[A-Za-z0-9]{36,255}"),
    ("GitLab Token", r"gl(?:pat|dt|ft|imt|oas|ptt|rt|soat|agent|cbt|rtr)-[\w.-]{20,300}|GR1348941[\w-]{20}"),
    ("Slack Token", r"xox[abeoprs](?:\.xox[bp])?-[\w-]{20,250}|xapp-\d-\w+-\d+-[0-9a-f]{32,}|xoxe-\d-\w{100,}"),
    ("Stripe Access Key", r"[rs]k_(?:live|test)_[0-9a-zA-Z]{16,247}|whsec_[A-Za-z0-9+/]{32,}"),
    ("npm Token", r"npm_[A-Za-z0-9]{36}"),
    ("PyPI Token", r"pypi-AgE[A-Za-z0-9_-]{50,1000}"),
    ("Twilio API Key", r"SK[0-9a-f]{32}"),
    ("SendGrid API Key", r"SG\.[\w-]{16,32}\.[\w-]{16,64}"),
    ("Google API Key", r"AIza[\w-]{35}"),
    ("Google OAuth Secret", r"GOCSPX-[\w-]{28}"),
    ("Google OAuth Token", r"ya29\.[\w-]{20,2048}|1//0[\w-]{40,200}"),
    ("Vault Token", r"hv[sbr]\.[A-Za-z0-9_-]{24,300}"),
    ("Docker Hub Token", r"dckr_(?:pat|oat)_[\w-]{24,64}"),
    ("DigitalOcean Token", r"do[opr]_v1_[0-9a-f]{64}"),
    ("Shopify Token", r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}"),
    ("Hugging Face Token", r"hf_[A-Za-z]{30,40}|api_org_[A-Za-z]{34}"),
    ("Databricks Token", r"dapi[0-9a-f]{32}(?:-\d)?"),
    ("Grafana Token", r"glsa_[A-Za-z0-9]{32}_[0-9a-f]{8}|glc_eyJ[\w+/-]{30,500}"),
    ("New Relic Key", r"NRAK-[A-Z0-9]{27}|NRII-[\w-]{32}"),
    ("Sentry Token", r"sntry[su]_[\w+/=.-]{40,300}"),
    ("PlanetScale Token", r"pscale_(?:tkn|pw|oauth)_[\w.-]{32,64}"),
    ("Doppler Token", r"dp\.(?:pt|st|ct|scim|audit)\.(?:[a-z0-9-]{2,35}\.)?[A-Za-z0-9]{40,44}"),
    ("Linear Key", r"lin_(?:api|oauth)_[A-Za-z0-9]{40,64}"),
    ("Postman Key", r"PMAK-[0-9a-f]{24}-[0-9a-f]{34}"),
    ("age Secret Key", r"AGE-SECRET-KEY-1[0-9A-Z]{58}"),
    ("Mailgun Key", r"key-[0-9a-f]{32}"),
    ("RubyGems Key", r"rubygems_[0-9a-f]{48}"),
    ("Atlassian Token", r"AT(?:ATT|CTT|BB)3?[\w=-]{20,220}"),
    ("OpenAI Token", r"sk-(?:proj|svcacct|admin|None)-[\w-]{40,200}|sk-[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}"),
    ("Anthropic Key", r"sk-ant-[a-z]{3,6}\d\d-[\w-]{80,120}"),
    ("Square Token", r"sq0(?:atp|csp)-[\w-]{22,60}|EAAA[\w-]{60}"),
    ("Azure Client Secret", r"[\w~.-]{3}\dQ~[\w~.-]{31,34}"),
    ("OpenShift Token", r"sha256~[\w-]{43}"),
    ("Terraform Token", r"[A-Za-z0-9]{14}\.atlasv1\.[\w-]{60,70}"),
    ("Figma Token", r"figd_[\w-]{40}"),
    ("Alibaba Access Key", r"LTAI[A-Za-z0-9]{12,20}"),
    ("Tencent Secret Id", r"AKID[A-Za-z0-9]{32}"),
    ("Discord Bot Token", r"[MNO][A-Za-z\d_-]{23,27}\.[A-Za-z\d_-]{6}\.[A-Za-z\d_-]{27,38}"),
    ("Notion Token", r"ntn_[A-Za-z0-9]{40,50}|secret_[A-Za-z0-9]{43}"),
    ("Tailscale Key", r"tskey-(?:auth|api|client|scim|webhook)-[A-Za-z0-9-]{20,80}"),
    ("Buildkite Token", r"bk[pu]a_[0-9a-f]{40}"),
    ("Pulumi Token", r"pul-[0-9a-f]{40}"),
    ("Fly.io Token", r"fo1_[\w-]{43}|fm[12][ar]?_[A-Za-z0-9+/]{100,}"),
    ("Supabase Token", r"sbp_[0-9a-f]{40}|sb_secret_[\w-]{30,60}"),
    ("Mailchimp Access Key", r"[0-9a-f]{32}-us[0-9]{1,2}"),
    ("Bitbucket Token", r"BBDC-[A-Za-z0-9+/@_-]{40,50}"),
    ("Dynatrace Token", r"dt0[a-z]\d\d\.[A-Z0-9]{24}\.[A-Z0-9]{64}"),
    ("Mapbox Secret Token", r"[st]k\.eyJ[\w-]{20,200}\.[\w-]{20,40}"),
    ("Adafruit Key", r"aio_[A-Za-z0-9]{28}"),
    ("Contentful Token", r"CFPAT-[\w-]{40,64}"),
    ("Cloudflare Origin CA Key", r"v1\.0-[0-9a-f]{24}-[0-9a-f]{146}"),
    ("Duffel Token", r"duffel_(?:test|live)_[\w-]{43}"),
    ("EasyPost Key", r"EZ[AT]K[A-Za-z0-9]{54}"),
    ("Flutterwave Key", r"FLWSECK(?:_TEST)?-[A-Za-z0-9]{12,40}(?:-X)?"),
    ("Shippo Token", r"shippo_(?:live|test)_[0-9a-f]{40}"),
    ("Brevo Key", r"xkeysib-[0-9a-f]{64}-[A-Za-z0-9]{16}|xsmtpsib-[0-9a-f]{64}-[A-Za-z0-9]{16}"),
    ("Prefect Token", r"pn[ub]_[A-Za-z0-9]{36}"),
    ("ReadMe Token", r"rdme_[a-z0-9]{70}"),
    ("Typeform Token", r"tfp_[\w.-]{40,64}"),
    ("HubSpot Token", r"pat-(?:na|eu)\d-[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"),
    ("Dropbox Token", r"sl\.(?:u\.)?[\w-]{120,1500}"),
    ("Facebook Token", r"EAA[MC][A-Za-z0-9]{80,400}"),
    ("Infracost Key", r"ico-[A-Za-z0-9]{32}"),
    ("Harness Token", r"[ps]at\.[\w-]{22}\.[0-9a-f]{24}\.[A-Za-z0-9]{20}"),
    ("Groq Key", r"gsk_[A-Za-z0-9]{52}"),
    ("Perplexity Key", r"pplx-[A-Za-z0-9]{48}"),
    ("Replicate Token", r"r8_[A-Za-z0-9]{37}"),
    ("xAI Key", r"xai-[A-Za-z0-9]{60,100}"),
    ("LangSmith Key", r"lsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10}"),
    ("Pinecone Key", r"pcsk_[A-Za-z0-9_]{50,90}"),
    ("OpenRouter Key", r"sk-or-v1-[0-9a-f]{64}"),
    ("Sourcegraph Token", r"sgp_(?:[0-9a-f]{16}_|local_)?[0-9a-f]{40}"),
    ("SonarQube Token", r"sq[upa]_[0-9a-f]{40}"),
    ("Netlify Token", r"nfp_[A-Za-z0-9]{36}"),
    ("Render Key", r"rnd_[A-Za-z0-9]{28,40}"),
    ("Neon Key", r"napi_[a-z0-9]{60,70}"),
    ("JFrog Reference Token", r"cmVmdGtu[A-Za-z0-9]{56}"),
    ("1Password Service Account", r"ops_eyJ[\w-]{100,2000}"),
    ("Bitwarden Token", r"0\.[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\.[A-Za-z0-9]{28,32}"),
    ("Bedrock Key", r"ABSK[A-Za-z0-9+/]{100,300}"),
    ("AWS Session Token", r"(?:IQoJb3JpZ2luX2Vj|FwoGZXIvYXdz|FQoGZXIvYXdz)[A-Za-z0-9+/]{100,2000}"),
    ("Yandex Key", r"AQVN[\w-]{35,38}|y[0-3]_[\w-]{50,60}"),
    ("Exoscale Key", r"EXO[0-9a-f]{24}"),
    ("Honeycomb Key", r"hc[abx]i[kc]_[A-Za-z0-9]{50,64}"),
    ("Resend Key", r"re_[A-Za-z0-9]{8}_[A-Za-z0-9]{20,28}"),
    ("MailerSend Token", r"mlsn\.[0-9a-f]{64}"),
    ("Trello Token", r"ATTA[0-9a-f]{64}"),
    ("ClickUp Token", r"pk_\d{6,10}_[A-Z0-9]{32}"),
    ("CircleCI Token", r"CCI(?:PAT|PRJ)_[A-Za-z0-9]{20,24}_[0-9a-f]{40}"),
    ("crates.io Token", r"cio[A-Za-z0-9]{32}"),
    ("NuGet Key", r"oy2[a-z0-9]{43}"),
    ("Plaid Token", r"access-(?:sandbox|development|production)-[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"),
    ("LaunchDarkly Key", r"(?:sdk|api)-[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"),
    (
        "Private Key (DER)",
        r"(?:MI[A-Za-z0-9+/]{2,10}IBA(?:DANBgkqhkiG9w0BAQEF|AK[BC][A-Z])|MH[A-Za-z]CAQEE|MI[A-Za-z0-9+/]{2}AgEBB|MI[A-Za-z0-9+/]{2,3}AgEAM|MC4CAQAwBQYDK2V)[A-Za-z0-9+/]{20,}",
    ),
    ("Heroku API Key", r"HRKU-[\w-]{36,70}"),
    ("Airtable Token", r"pat[A-Za-z0-9]{14}\.[0-9a-f]{64}"),
)
_SHOWN = (
    ("azure_storage_key", "AzureStorageKeyDetector"),
    ("basic_auth", "BasicAuthDetector"),
    ("discord", "DiscordBotTokenDetector"),
    ("jwt", "JwtTokenDetector"),
    ("npm", "NpmDetector"),
    ("private_key", "PrivateKeyDetector"),
    ("telegram_token", "TelegramBotTokenDetector"),
)
_ALL_OWN = re.compile(rf"(?<![A-Za-z0-9_])(?:{'|'.join(f'({pattern})' for _, pattern in _OWN)})(?![A-Za-z0-9])")

ANCHOR = re.compile(
    rb"A(?:KIA|SIA|BIA|CCA|3T|KC|KID|T(?:ATT|CTT|BB)|GE-SECRET)|AIza|SG\.|SK[0-9a-f]{8}|NR(?:AK|II)-|PMAK-|GOCSPX-|GR1348941|LTAI"
    rb"|gh[pousr]_|github_pat_|gl[a-z]{2,5}-|gl(?:sa|c)_|xox[a-z]|xapp-|[rs]k_(?:live|test)_|whsec_|npm_|pypi-AgE|ya29\.|1//0"
    rb"|hv[sbr]\.|dckr_|do[opr]_v1_|shp(?:at|ca|pa|ss)_|hf_|api_org_|dapi[0-9a-f]{8}|sntry[su]_|pscale_|dp\.[a-z]|lin_|key-[0-9a-f]{8}"
    rb"|rubygems_|sk-|sq0[ac]|EAAA|\dQ~|sha256~|atlasv1|figd_|[MNO][A-Za-z\d_-]{23,27}\.[A-Za-z\d_-]{6}\.|ntn_|secret_[A-Za-z0-9]{43}"
    rb"|dt0[a-z]\d\d\.|[st]k\.eyJ|aio_|CFPAT-|v1\.0-[0-9a-f]{24}|duffel_|EZ[AT]K|FLWSECK|tfp_|sl\.|EAA[MC]|ico-|[ps]at\.|gsk_|pplx-"
    rb"|r8_|xai-|pcsk_|nfp_|rnd_|cmVmdGtu|ops_eyJ|0\.[0-9a-f]{8}-|ABSK|b3JpZ2luX2Vj|oGZXIvYXdz|AQVN|y[0-3]_|EXO[0-9a-f]{8}|hc[abx]i[kc]_|re_|ATTA|pk_\d"
    rb"|CCIP|HRKU-|cio[A-Za-z0-9]|IBADANBgkqhkiG|IBAAK[BC]|CAQEE|AgE[AB][BM]|xkeysib|xsmtpsib|MC4CAQAwBQYDK2V|pn[ub]_"
    rb"|tskey-|bk[pu]a_|pul-|fo1_|fm[12]|sbp_|sb_secret_|-us\d|BBDC-|pat[A-Za-z0-9]{14}\.|T3BlbkFJ"
)
"""What every token of a known format holds; searched for in each long token of a text, so that the rest costs nothing."""

SMALL_ANCHORS = (
    b"key-",
    b"dapi",
    b"dop_v1_",
    b"doo_v1_",
    b"dor_v1_",
    b"shp",
    b"rubygems_",
    b"bk",
    b"pul-",
    b"sbp_",
    b"hf_",
    b"gh",
    b"gl",
    b"dt0",
    b"shippo_",
    b"xkeysib-",
    b"xsmtpsib-",
    b"rdme_",
    b"pat-",
    b"pplx-",
    b"lsv2_",
    b"sk-or-",
    b"sgp_",
    b"squ_",
    b"sqp_",
    b"sqa_",
    b"napi_",
    b"mlsn.",
    b"oy2",
    b"access-",
    b"sdk-",
    b"api-",
    b"v1.0-",
)
"""What tokens begin with that may be in small letters only."""


@cache
def plugin(module: str, name: str) -> Any:
    """Return a plugin of detect-secrets; loaded on first use because importing them all takes a while."""
    return getattr(importlib.import_module(f"detect_secrets.plugins.{module}"), name)()


@cache
def patterns() -> tuple[re.Pattern[str], ...]:
    """Return the expressions of all formats, for hiding in a short text whatever they match."""
    names = ((module, name) for _, module, name in _PLUGINS)
    return (
        *(pattern for each in (*names, *_SHOWN) for pattern in plugin(*each).denylist),
        _ALL_OWN,
    )


def in_token(token: str, start: int) -> Iterator[Hit]:
    """Yield what a token (a run of letters, digits and ``+/_.~-``) holds that is of a known format."""
    if "eyJ" in token:
        yield from _jwt(token, start)
    found = dict(_by_plugins(token)) if len(token) <= _LONGEST_TOKEN else {}
    for match in _ALL_OWN.finditer(token):
        found.setdefault(match[0], _OWN[(match.lastindex or 1) - 1][0])
    for value, detector in found.items():
        if stands_for_itself(value) and is_varied(value):
            yield Hit(start + token.index(value), value, detector)


def _by_plugins(window: str) -> Iterator[tuple[str, str]]:
    for anchor, module, name in _PLUGINS:
        if anchor not in window:
            continue
        detector = plugin(module, name)
        for match in detector.denylist:
            for found in match.finditer(window):
                value = found[0].strip(' =:"')
                if _stands_alone(window, value) and (module not in ("artifactory", "twilio") or _is_one(module, value)):
                    yield value, str(detector.secret_type)


def _is_one(module: str, value: str) -> bool:
    # An account SID of Twilio (AC…) is a name; what begins with AP is rarely a password of Artifactory.
    return (
        value.startswith("SK") and is_random(value[2:]) if module == "twilio" else value.startswith("AKC") and is_random(value)
    )


def _stands_alone(window: str, value: str) -> bool:
    at = window.find(value)
    end = at + len(value)
    return not (at > 0 and window[at - 1].isalnum()) and not (end < len(window) and window[end].isalnum())


def is_varied(value: str) -> bool:
    """Tell a credential from ``ghp_xxxxxxxx`` and ``AKIA1111111111111111``: it has many different characters."""
    return len(set(value[4:])) >= min(8, len(value) // 3)


def _jwt(token: str, start: int) -> tuple[Hit, ...]:
    """Return the signed JSON Web Token in a token: three parts, of which the first two are JSON objects."""
    at = token.find("eyJ")
    parts = token[at:].split(".")[:3]
    if len(parts) < 3 or len(parts[0]) > 4096 or len(parts[1]) > 65_536:
        return ()
    signature = re.match(r"[\w-]*", parts[2])
    whole = ".".join((parts[0], parts[1], signature[0] if signature else ""))
    header = _json_object(parts[0])
    if header is None or _json_object(parts[1]) is None or str(header.get("alg", "none")).lower() == "none":
        return ()
    if len(whole) - len(parts[0]) - len(parts[1]) < 18:
        return ()
    return (Hit(start + at, whole, "JSON Web Token"),)


def _json_object(part: str) -> dict[str, Any] | None:
    data = decoded_bytes(part)
    try:
        value = msgspec.json.decode(data) if data else None
    except msgspec.DecodeError:
        return None
    return value if isinstance(value, dict) else None
