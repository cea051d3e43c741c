"""Texts that stand for something else: placeholders, references, ciphertexts, hashes of passwords, public keys."""

from __future__ import annotations

import re

from soc2.detectors.secrets.randomness import looks_generated

_PLACEHOLDER = re.compile(
    r"""
    # Of shells, Kubernetes, Helm, Go, Jinja, CloudFormation and Azure.
      \$[({]|^\$\[\[|^\$__\w+\{|^\$(env:)?[A-Za-z_]\w*$|^\(\([\w.:/-]+\)\)$|^\[\[.*\]\]$|^~\{\w+\}$|^%[A-Za-z_]\w*%$|%\(\w+\)s|^%[sdvqwx+]|\{\{|\}\}|\{%|<%|\#\{|^@+[A-Za-z][\w.-]*@+$|__[A-Za-z_]+__$|^%%\w+%%$|\{[A-Za-z_.]*\}$
    # Of people.
    | <[^<>]*>+$|\[[A-Za-z _.-]*\]$|\((none|null|empty|hidden|redacted|sensitive)
    | (.)\2{5,}|^[x*.#?_-]+$|[xX]{4}|\*{3}|\.\.\.
    | (?i:^(your|my|insert|enter|put|add|set|fill|use|provide|replace|change|to[_-]?be|some|any|the)[\s_.-]+)
    | (?i:(^|[\W_])(example|placeholder|dummy|fake|sample|todo|tbd|fixme|redacted|masked|hidden|omitted|removed)([\W_]|$))
    | (?i:^(test|mock)[_-]?(only|value)$)
    | (?i:^(un(set|used|known|defined|specified)|ignored?)$)
    | (?i:^not[\s_-]?(set|used|needed|required|applicable|provided|configured|available|defined|a[\s_-].+)$)
    | (?i:^(injected|(auto-?)?generated|managed|stored|comes|see|read|loaded|provided|fetched|taken|from)
      [\s_-](by|in|from|at|vault|the|env|secrets?|wiki|docs?)([\s_-]|$))
    | (?i:(change|replace)[_-]me|here$)
    """,
    re.X,
)
_EXAMPLE = re.compile(r"EXAMPLE|[xX]{5}|0{8}|1234567890(?!\d)|abcdefghij|ABCDEFGHIJ|placeholder|PLACEHOLDER|redacted|REDACTED")

# Texts that tell where the value lies, and code that gets it.
_REFERENCE = re.compile(
    r"""^(
      arn:|ref\+|vault:(?!v\d)
    | (vault|op|sm|gsm|awssm|awsps|akv|ssm|azkv|keyring|secrets?|env|keyvault|doppler|bws|conjur|secretsmanager|secretref
      |k8s|kubernetes|gcp-sm|aws-sm|azure-kv)(://|:(?![^/]*@))
    | !\w+|\{\{?resolve:|@Microsoft\.KeyVault\(|projects/[^/]+/secrets/|(secret|kv)/[\w/.-]+(\#[\w.-]+)?$
    | file:|(fn::|pulumi:)|\.{1,2}/|~/|[A-Za-z]:\\
    | parameters?\(|variables?\(|process\.env|os\.environ|os\.getenv|getenv|ENV\[
    | (self|this|var|local|data|module|each|config|settings|values|secrets|env|params|args|opts|options|request|req|ctx|props)
      \.[A-Za-z_]
    | [a-z][a-z0-9+.-]*://[^\s@]*$|[a-z][a-z0-9]*:/[\w./-]*$
    # A scheme that nobody told us of, with a path: ``bao:kv/data/db#password``.
    | [a-z][a-z+-]{1,30}:[a-z][a-z_.:-]*/[a-z][\w./-]*(\#[\w.-]+)?$
    )""",
    re.X | re.I,
)

# They may be known.
_HARMLESS = re.compile(
    r"""^(
    # Ciphertexts: SOPS, Jasypt, Ansible, Vault transit, KMS, sealed secrets.
      ENC\[|ENC\(|enc:|\{cipher\}|\$ANSIBLE_VAULT|vault:v\d+:|AQICAH|AQECAH|Ag[A-Z][A-Za-z0-9+/]{300,}
    | -----BEGIN\ (AGE|PGP\ MESSAGE|CERTIFICATE|PUBLIC|RSA\ PUBLIC|X509|TRUSTED|PKCS7|SSH2\ PUBLIC)
    # Hashes of passwords.
    | \$(2[abxy]?|5|6|y|7|1|apr1|argon2\w*|scrypt|pbkdf2[\w-]*|P|H|S|shiro1|bcrypt[\w-]*)\$
    | [\w.@-]{1,64}:\$(2[abxy]?|5|6|y|argon2\w*)\$
    | \{(S?SHA|SSHA\d*|SHA\d+|CRYPT|PBKDF2\w*|BCRYPT|ARGON2)\}(?!$)
    | pbkdf2[:_]|scrypt:\d|argon2|bcrypt|SCRAM-SHA-|md5[0-9a-f]{32}$|sha(1|224|256|384|512)[-:=/]|md5[-:]
    # Public keys, in base64 too.
    | ssh-(rsa|dss|ed25519)\ |ecdsa-sha2-|sk-(ssh|ecdsa)-|AAAA[BCE]3NzaC1|LS0tLS1CRUdJTiBDRVJUSUZ|LS0tLS1CRUdJTiBQVUJMSUMg
    | age1[a-z0-9]{58}$|pk_(live|test)_
    # Messages to keys of OpenPGP, and signatures by ECDSA.
    | wcFMA|hQ[EI]MA|ME[QUY]CI[AQ]
    # Addresses of contents.
    | Qm[1-9A-HJ-NP-Za-km-z]{44}$
    | data:|cn=|uid=|ou=
    )""",
    re.X | re.I,
)


_PATH = re.compile(r"^(/|[a-z0-9-]+(\.[a-z0-9-]+)+/)[\w.@{}-]+(/[\w.@{}-]*)*$")


def stands_for_itself(value: str) -> bool:
    """Tell whether a value is itself, rather than a placeholder, a reference, a ciphertext, a hash or a public key."""
    head = value[:200]
    return not (
        _PLACEHOLDER.search(head)
        or _EXAMPLE.search(head)
        or _REFERENCE.match(value)
        or _HARMLESS.match(value)
        # A path; but keys in base64 may begin as paths do.
        or (_PATH.match(value) and not looks_generated(value))
    )
