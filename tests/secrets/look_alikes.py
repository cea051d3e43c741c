"""Hard negatives of the corpus: what looks like a secret, stands where secrets stand, and is none."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Callable

from tests.secrets.known_secrets import Pair, Text
from tests.secrets.making import ALNUM, URLSAFE, Maker, words

_SECRET_NAMES = words(
    """
    DB_PASSWORD API_KEY CLIENT_SECRET GITHUB_TOKEN JWT_SECRET apiToken adminPassword secretKey AWS_SECRET_ACCESS_KEY
    privateKey redis.password webhookSecret
    """
)
_PLACEHOLDERS = words(
    """
    <changeme> ${DB_PASSWORD} $(DB_PASSWORD) {{.Values.db.password}} %DB_PASSWORD% <your-token-here>
    xxxxxxxxxxxxxxxx ******** REPLACE_ME your-api-key-here CHANGE_ME ${env:TOKEN} $DB_PASS {{password}} __TOKEN__
    <password> INSERT_KEY_HERE [REDACTED] #{token}# TODO example-password placeholder AKIAIOSFODNN7EXAMPLE
    wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY dummy-token my-secret-key-goes-here ${SECRET:-} <%=password%> ........
    null none
    """
)


def pairs(make: Maker) -> list[Callable[[], Pair]]:
    """Return makers of a name with a harmless value."""
    choose = make.random.choice
    word, hexed = make.word, make.hex

    def placeholder() -> Pair:
        return Pair(choose(_SECRET_NAMES), choose(_PLACEHOLDERS))

    def reference() -> Pair:
        account = make.chars("0123456789", 12)
        values = (
            f"arn:aws:secretsmanager:eu-west-1:{account}:secret:{word()}/{word()}-{make.chars(ALNUM, 6)}",
            f"arn:aws:ssm:eu-west-1:{account}:parameter/{word()}/{word()}",
            f"vault:secret/data/{word()}#{word()}",
            f"projects/{word()}-{account}/secrets/{word()}/versions/latest",
            f"ref+vault://secret/{word()}#/value",
            f"{{{{resolve:secretsmanager:{word()}:SecretString:password}}}}",
            f"@Microsoft.KeyVault(SecretUri=https://{word()}.vault.azure.net/secrets/{word()})",
            f"/run/secrets/{word()}",
            f"/var/run/secrets/kubernetes.io/serviceaccount/{word()}",
            f"op://{word()}/{word()}/password",
            f"ssm:/{word()}/{word()}",
            f"file:///etc/{word()}/password",
            f"https://vault.{word()}.example.com/v1/secret/{word()}",
            f"secret/data/{word()}/{word()}",
        )
        return Pair(choose(_SECRET_NAMES), choose(values))

    def about() -> Pair:
        name, value = choose(
            (
                ("DB_PASSWORD_FILE", f"/run/secrets/{word()}"),
                ("TOKEN_URL", f"https://{word()}.example.com/oauth2/token"),
                ("secretName", f"{word()}-credentials"),
                ("existingSecret", f"{word()}-{word()}-auth"),
                ("TOKEN_TTL", "3600"),
                ("PASSWORD_MIN_LENGTH", "12"),
                ("API_KEY_HEADER", "X-Api-Key"),
                ("MAX_TOKENS", "4096"),
                ("AUTH_TYPE", "basic"),
                ("secretKeyRef", f"{word()}-db"),
                ("ACCESS_TOKEN_LIFETIME", "15m"),
                ("passwordPolicy", "strong"),
                ("TOKEN_TYPE", "Bearer"),
                ("tokenEndpoint", f"https://{word()}/token"),
                ("SECRET_ID", f"{word()}/{word()}"),
                ("KEY_PREFIX", f"{word()}:"),
                ("password_encryption", "scram-sha-256"),
                ("SECRETS_BACKEND", "vault"),
                ("PASSWORD_HASH_ALGORITHM", "argon2id"),
                ("imagePullSecret", f"regcred-{word()}"),
                ("privateKeyPath", f"/etc/ssl/{word()}.key"),
                ("JWT_ALGORITHM", "RS256"),
                ("tokenReviewer", "enabled"),
                ("CSRF_TOKEN_NAME", "csrftoken"),
                ("PASSWORD_RESET_URL", f"https://{word()}.example.com/reset"),
                ("automountServiceAccountToken", "false"),
                ("SECRET_NAMESPACE", word()),
                ("aws_access_key_secret_name", make.dns_name()),
                ("API_KEY_ROTATION_DAYS", "90"),
                ("tokenAudience", f"https://{word()}.example.com"),
                ("sortKey", "created_at"),
                ("partition_key", "tenant_id"),
                ("CACHE_KEY", f"{word()}:v2:{word()}"),
                ("PASSWORD_LOGIN_ENABLED", "false"),
                ("passwordSecretRef", f"{word()}-db"),
                ("SECRET_STORE", "aws-secrets-manager"),
                ("KMS_KEY_ID", make.uuid()),
            )
        )
        return Pair(name, value)

    def digest() -> Pair:
        name, value = choose(
            (
                ("IMAGE", f"registry.example.com/{word()}/{word()}@sha256:{hexed(64)}"),
                ("GIT_COMMIT", hexed(40)),
                ("CHECKSUM", hexed(64)),
                ("checksum/config", hexed(64)),
                ("INTEGRITY", f"sha512-{make.base64(64)}"),
                ("ETAG", f'"{hexed(32)}"'),
                ("MD5", hexed(32)),
                ("configHash", hexed(16)),
                ("SOURCE_SHA", hexed(40)),
                ("pod-template-hash", make.chars("bcdfghjklmnpqrstvwxz2456789", 10)),
                ("FINGERPRINT", "SHA256:" + make.base64(32).rstrip("=")),
                ("VERSION", f"v1.2.3-0.20240101120000-{hexed(12)}"),
                ("BUILD", hexed(40)),
                ("revision", hexed(40)),
                ("layer", f"sha256:{hexed(64)}"),
                ("go_sum", f"h1:{make.base64(32)}"),
                ("certThumbprint", hexed(40).upper()),
                ("PASSWORD_HASH", "$2b$12$" + make.chars(ALNUM + "./", 53)),
                ("VALUE", hexed(64)),
                (
                    "ADMIN_PASSWORD",
                    "$argon2id$v=19$m=65536,t=3,p=4$" + make.base64(16).rstrip("=") + "$" + make.base64(32).rstrip("="),
                ),
                ("password", "$6$" + make.chars(ALNUM, 16) + "$" + make.chars(ALNUM + "./", 86)),
                ("script_hash", "sha384-" + make.base64(48)),
            )
        )
        return Pair(name, value)

    def identifier() -> Pair:
        account = make.chars("0123456789", 12)
        name, value = choose(
            (
                ("REQUEST_ID", make.uuid()),
                ("TENANT_ID", make.uuid()),
                ("clientId", make.uuid()),
                ("VALUE", make.uuid()),
                ("uid", make.uuid()),
                (
                    "GOOGLE_CLIENT_ID",
                    f"{account}-{make.chars('abcdefghijklmnopqrstuvwxyz0123456789', 32)}.apps.googleusercontent.com",
                ),
                ("VPC", f"vpc-0{hexed(16)}"),
                ("INSTANCE", f"i-0{hexed(16)}"),
                ("BUCKET", f"{word()}-artifacts-{hexed(12)}"),
                ("ROLE_ARN", f"arn:aws:iam::{account}:role/{word()}-{make.chars(ALNUM, 12)}"),
                ("POD", f"{make.dns_name()}-{hexed(10)}-x7k2p"),
                ("KEY_ARN", f"arn:aws:kms:eu-west-1:{account}:key/{make.uuid()}"),
                ("TABLE", f"{word()}-{word()}-{make.chars(ALNUM, 13).upper()}"),
                ("CERTIFICATE_ARN", f"arn:aws:acm:eu-west-1:{account}:certificate/{make.uuid()}"),
                ("GA_ID", "G-" + make.chars(ALNUM, 10).upper()),
                ("USER_POOL_ID", f"eu-west-1_{make.chars(ALNUM, 9)}"),
                ("DISTRIBUTION", "E" + make.chars(ALNUM, 13).upper()),
                ("SENTRY_DSN", f"https://{hexed(32)}@o{account[:6]}.ingest.sentry.io/{account[:7]}"),
                ("TWILIO_ACCOUNT_SID", "AC" + hexed(32)),
                ("HOST", f"{word()}.{make.chars('abcdefghijklmnopqrstuvwxyz0123456789', 12)}.eu-west-1.rds.amazonaws.com"),
                ("STRIPE_PUBLISHABLE_KEY", "pk_live_" + make.chars(ALNUM, 24)),
                ("RECAPTCHA_SITE_KEY", "6L" + make.chars(URLSAFE, 38)),
                ("CLASS", "org.springframework.security.oauth2.provider.token.store.JwtAccessTokenConverter"),
                ("ZONE_ID", "Z" + make.chars(ALNUM, 19).upper()),
                ("RESOURCE", "ApplicationLoadBalancerTargetGroup2ListenerRule7"),
                ("SESSION_AFFINITY", f"{word()}-{make.uuid()}"),
                ("TRACE", f"00-{hexed(32)}-{hexed(16)}-01"),
                ("DOMAIN", f"d{hexed(13)}.cloudfront.net"),
            )
        )
        return Pair(name, value)

    def public() -> Pair:
        name = make.one("PUBLIC_KEY", "authorized_keys", "ssh_public_key", "CA_CERT", "ca.crt", "jwt_public_key", "VALUE")
        certificate = make.certificate()
        value = make.one(make.public_key(), certificate, base64.b64encode(certificate.encode()).decode())
        return Pair(make.one("caBundle", "CA_BUNDLE") if value.startswith("LS0t") else name, value)

    def harmless_base64() -> Pair:
        text = make.one(
            make.sentence(), json.dumps({"level": "info", "service": make.dns_name()}), f"log_level=info\nservice={word()}\n"
        )
        return Pair(
            make.one("VALUE", "payload", "config", "DATA", "BANNER", "template"), base64.b64encode(text.encode()).decode()
        )

    def ciphertext() -> Pair:
        values = (
            f"ENC[AES256_GCM,data:{make.base64(24)},iv:{make.base64(32)},tag:{make.base64(16)},type:str]",
            "AQICAHh" + make.base64(150),
            f"vault:v1:{make.base64(60)}",
            "$ANSIBLE_VAULT;1.1;AES256\n" + hexed(80),
        )
        return Pair(choose(_SECRET_NAMES), choose(values))

    def plain() -> Pair:
        name, value = choose(
            (
                ("LOG_LEVEL", "info"),
                ("PORT", "8080"),
                ("SCHEDULE", "*/5 * * * *"),
                ("JAVA_OPTS", "-Xmx512m -XX:+UseG1GC -Dfile.encoding=UTF-8"),
                ("DATABASE_URL", f"postgres://{word()}@{make.dns_name()}:5432/{word()}"),
                ("ORIGINS", f"https://{word()}.example.com,https://{word()}"),
                ("DATABASE_URL", f"postgres://app:${{DB_PASSWORD}}@{make.dns_name()}:5432/{word()}"),
                ("GREETING", make.sentence()),
                ("URL", f"https://user:<password>@{word()}.example.com"),
                ("REDIS_URL", f"redis://{make.dns_name()}:6379/0"),
                ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
                ("REGEX", r"^[a-zA-Z0-9._%+-]+@[a-z]+\.[a-z]{2,}$"),
                ("FEATURES", "passwordless,token-exchange,secret-rotation"),
                ("COLOR", f"#{hexed(6)}"),
                ("TIMEOUT", "30s"),
                ("EMAIL", f"{word()}@example.com"),
                ("DESCRIPTION", "The password must have at least twelve characters"),
                ("AUTHORIZATION", "enabled"),
                ("SCOPE", "openid profile email"),
                ("MODEL", f"s3://{word()}-models/{word()}/2024-05-01T10:00:00Z/{word()}.tar.gz"),
                ("git", f"git@github.com:{word()}/{word()}.git"),
                ("NODE_OPTIONS", "--max-old-space-size=4096"),
                ("USERNAME", word()),
                ("KEYCLOAK_REALM", word()),
                ("TOKENIZERS_PARALLELISM", "false"),
            )
        )
        return Pair(name, value)

    def unsigned() -> Pair:
        return Pair("VALUE", make.jwt(signed=False))

    def sentence() -> Pair:
        return Pair(
            choose(_SECRET_NAMES),
            make.one("set by the external secrets operator", "see the runbook of the team", "rotated every ninety days"),
        )

    return [
        placeholder,
        placeholder,
        reference,
        reference,
        about,
        about,
        about,
        digest,
        digest,
        identifier,
        identifier,
        public,
        harmless_base64,
        ciphertext,
        plain,
        plain,
        unsigned,
        sentence,
    ]


def texts(make: Maker) -> list[Callable[[], Text]]:
    """Return makers of a text without any secret."""
    word = make.word

    def references() -> Text:
        lines = (
            f"spring.datasource.password=${{DB_PASSWORD}}\nspring.datasource.username={word()}\n"
            "management.endpoint.health.probes.enabled=true\nspring.security.oauth2.client.registration.idp.client-secret=${IDP_SECRET:}\n"
            f"jwt.public-key-location=classpath:{word()}.pem\n"
        )
        return Text("application.properties", lines)

    def manifest() -> Text:
        return Text(
            "deployment.yaml",
            f"""\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {make.dns_name()}
  uid: {make.uuid()}
  annotations:
    checksum/secret: {make.hex(64)}
spec:
  template:
    spec:
      automountServiceAccountToken: false
      imagePullSecrets:
      - name: regcred
      containers:
      - name: app
        image: registry.example.com/{word()}@sha256:{make.hex(64)}
        env:
        - name: DB_PASSWORD
          valueFrom:
            secretKeyRef:
              name: {word()}-db
              key: password
        - name: TOKEN_PATH
          value: /var/run/secrets/tokens/{word()}
      volumes:
      - name: token
        projected:
          sources:
          - serviceAccountToken:
              path: token
              expirationSeconds: 3600
""",
        )

    def prometheus() -> Text:
        return Text(
            "prometheus.yml",
            f"""\
global:
  scrape_interval: 30s
scrape_configs:
- job_name: kubernetes-apiservers
  bearer_token_file: /var/run/secrets/kubernetes.io/serviceaccount/token
  tls_config:
    ca_file: /var/run/secrets/kubernetes.io/serviceaccount/ca.crt
  basic_auth:
    username: {word()}
    password_file: /etc/prometheus/secrets/password
""",
        )

    def nginx() -> Text:
        return Text(
            "nginx.conf",
            f"""\
server {{
  listen 443 ssl;
  ssl_certificate /etc/tls/tls.crt;
  ssl_certificate_key /etc/tls/tls.key;
  location / {{
    proxy_set_header Authorization $http_authorization;
    proxy_pass http://{word()}:8080;
    auth_basic "Restricted area";
    auth_basic_user_file /etc/nginx/.htpasswd;
  }}
}}
""",
        )

    def code() -> Text:
        return Text(
            "app.py",
            make.one(
                'import os\n\npassword = os.environ["DB_PASSWORD"]\ntoken = get_token(request)\n'
                'if not password:\n    raise SystemExit("no password")\n',
                "const token = process.env.API_TOKEN;\nconst secret = config.get('secret');\n"
                "headers.Authorization = `Bearer ${token}`;\n",
                "def login(username: str, password: str) -> Token:\n"
                "    return client.login(username=username, password=password)\n",
                "CREATE TABLE users (id uuid, password varchar(255) NOT NULL, api_token text, secret bytea);\n",
                "#!/bin/sh\nexport DB_PASSWORD=$(aws secretsmanager get-secret-value --secret-id db --query SecretString)\n"
                "exec app\n",
                "#!/bin/bash\nset -e\n"
                "TOKEN=$(curl -X PUT http://169.254.169.254/latest/api/token -H 'X-aws-ec2-metadata-token-ttl-seconds: 60')\n",
                'curl -u "$USER:$PASS" https://example.com\n'
                'mysql -u root -p"$MYSQL_PWD" -e "select 1"\necho "$USER:$PASS" | chpasswd\n',
            ),
        )

    def lock_file() -> Text:
        return Text(
            "lock",
            make.one(
                f"example.com/{word()} v1.2.3 h1:{make.base64(32)}\nexample.com/{word()} v1.2.3/go.mod h1:{make.base64(32)}\n",
                json.dumps({"packages": {word(): {"version": "1.2.3", "integrity": f"sha512-{make.base64(64)}"}}}, indent=2),
                f"{word()}==1.2.3 \\\n    --hash=sha256:{make.hex(64)} \\\n    --hash=sha256:{make.hex(64)}\n",
            ),
        )

    def trust() -> Text:
        return Text("ca-bundle.crt", make.certificate() + make.certificate())

    def keys() -> Text:
        jwks = {"keys": [{"kty": "RSA", "use": "sig", "kid": make.base64url(20), "n": make.base64url(256), "e": "AQAB"}]}
        return Text("jwks.json", json.dumps(jwks))

    def dashboard() -> Text:
        panel = {
            "uid": make.chars(ALNUM, 9),
            "datasource": {"type": "prometheus", "uid": make.chars(ALNUM, 16).upper()},
            "title": make.sentence(),
        }
        return Text(
            "dashboard.json", json.dumps({"panels": [panel], "templating": {"list": []}, "key": "password_resets_total"})
        )

    def blob() -> Text:
        body = base64.b64encode(gzip.compress(make.data(900), mtime=0)).decode()
        return Text(
            "archive.b64",
            make.one(
                "\n".join(body[at : at + 76] for at in range(0, len(body), 76)),
                f"logo: data:image/png;base64,{base64.b64encode(make.data(700)).decode()}",
            ),
        )

    def readme() -> Text:
        return Text(
            "README.md",
            f"# {word()}\n\nSet `DB_PASSWORD` to the password of the database, for example `<password>`.\n"
            "The token is read from /run/secrets/token. Never commit secrets: use the secret store.\n"
            f"Example: `curl -H 'Authorization: Bearer <token>' https://{word()}.example.com`\n",
        )

    def template() -> Text:
        return Text(
            "template.yaml",
            """\
Parameters:
  DbPassword:
    Type: String
    NoEcho: true
    Description: The password of the master user
  SecretArn:
    Type: String
Resources:
  Database:
    Type: AWS::RDS::DBInstance
    Properties:
      MasterUserPassword: !Ref DbPassword
      MasterUsername: !Sub '{{resolve:secretsmanager:${SecretArn}:SecretString:username}}'
      ManageMasterUserPassword: true
""",
        )

    def helm() -> Text:
        return Text(
            "values.yaml",
            f"auth:\n  enabled: true\n  existingSecret: {word()}-auth\n  secretKeys:\n    adminPasswordKey: password\n"
            f'  password: ""\nserviceAccount:\n  create: true\n  name: {word()}\nimage:\n  digest: sha256:{make.hex(64)}\n'
            f"tls:\n  certManager:\n    issuerRef: {word()}\n    secretName: {word()}-tls\n",
        )

    def minified() -> Text:
        name = hashlib.sha256(make.data(8)).hexdigest()[:8]
        return Text(
            "app.js",
            "!function(e,t){var n=e.password,r=t.token;return n&&r?{password:n,token:r}:null}(window,{});"
            f"//# sourceMappingURL=app.{name}.js",
        )

    return [
        references,
        manifest,
        manifest,
        prometheus,
        nginx,
        code,
        code,
        lock_file,
        trust,
        keys,
        dashboard,
        blob,
        readme,
        template,
        helm,
        minified,
    ]
