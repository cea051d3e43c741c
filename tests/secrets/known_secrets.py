"""Positives of the corpus: secrets as they are found hard-coded, with names that projects really use."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import NamedTuple

from tests.secrets.making import ALNUM, Maker, words


class Pair(NamedTuple):
    """A name with its value: an environment variable, a property, a parameter."""

    name: str
    value: str


class Text(NamedTuple):
    """A whole text, such as a file in a ConfigMap or a script."""

    name: str
    content: str


_PASSWORDS = words(
    """
    DB_PASSWORD POSTGRES_PASSWORD MYSQL_ROOT_PASSWORD REDIS_PASSWORD SMTP_PASSWORD MONGO_INITDB_ROOT_PASSWORD
    MINIO_ROOT_PASSWORD RABBITMQ_DEFAULT_PASS GF_SECURITY_ADMIN_PASSWORD KEYCLOAK_ADMIN_PASSWORD ELASTIC_PASSWORD
    LDAP_BIND_PASSWORD PGPASSWORD keystorePassword spring.datasource.password mail.smtp.password adminPassword
    db.password database_passwd ROOT_PWD MasterUserPassword userPassword WORDPRESS_DB_PASSWORD SA_PASSWORD FTP_PASS
    TRUSTSTORE_PASSWORD ssl.key.password
    """
)
_TOKENS = words(
    """
    API_TOKEN GITHUB_TOKEN SLACK_BOT_TOKEN SENTRY_AUTH_TOKEN JWT_SECRET SESSION_SECRET OAUTH_CLIENT_SECRET
    clientSecret apiKey DATADOG_API_KEY SECRET_KEY_BASE DJANGO_SECRET_KEY RAILS_MASTER_KEY ENCRYPTION_KEY
    MINIO_SECRET_KEY secretAccessKey webhook_secret COOKIE_SECRET access_token X_API_KEY signing_key stripe.api.key
    auth.token INFLUX_TOKEN TWILIO_AUTH_TOKEN NPM_AUTH_TOKEN VAULT_TOKEN HMAC_SECRET app_secret consumerSecret
    REFRESH_TOKEN client-secret LICENSE_KEY privateKey
    """
)
_NEUTRAL = words("VALUE SETTING extra ARG_2 CONFIG override OPTION_A payload remote target params misc upstream input")
_DEFAULTS = (
    "changeme",
    "password123",
    "admin",
    "postgres",
    "password",
    "root",
    "letmein",
    "Passw0rd",
    "secret",
    "admin123",
    "qwerty",
)


def _formats(make: Maker) -> tuple[Callable[[], str], ...]:
    return (
        make.aws_key_id,
        make.github,
        make.gitlab,
        make.slack,
        make.slack_webhook,
        make.stripe,
        make.npm,
        make.pypi,
        make.twilio,
        make.sendgrid,
        make.google_api_key,
        make.vault,
        make.docker_hub,
        make.azure_connection,
        make.service_bus,
        make.jwt,
    )


def pairs(make: Maker) -> list[Callable[[], Pair]]:
    """Return makers of a name with a secret value."""
    choose = make.random.choice

    def by_format() -> Pair:
        return Pair(choose(_NEUTRAL), choose(_formats(make))())

    def password() -> Pair:
        return Pair(choose(_PASSWORDS), make.password())

    def default() -> Pair:
        return Pair(choose(_PASSWORDS), choose(_DEFAULTS))

    def token() -> Pair:
        values = (
            lambda: make.hex(choose((32, 40, 64, 128))),
            lambda: make.chars(ALNUM, choose((20, 24, 32, 40, 48))),
            lambda: make.base64(choose((24, 32, 48))),
            lambda: make.base64url(choose((24, 32))),
            make.uuid,
            lambda: make.chars(ALNUM + "!@#%^&*(-_=+)", 50).lstrip("(@#%!*&-+=)^"),
        )
        return Pair(choose(_TOKENS), choose(values)())

    def aws_secret() -> Pair:
        return Pair(
            make.one("AWS_SECRET_ACCESS_KEY", "aws_secret_access_key", "S3_SECRET_KEY", "awsSecretKey"), make.aws_secret()
        )

    def url() -> Pair:
        scheme = make.one("postgres", "postgresql", "mysql", "mongodb+srv", "amqp", "redis", "https", "mssql", "ftp")
        user = "" if scheme == "redis" else make.word()
        host = f"{make.dns_name()}.{make.one('svc.cluster.local', 'example.com', 'internal', 'eu-west-1.rds.amazonaws.com')}"
        name = make.one("DATABASE_URL", "BROKER_URL", "MONGO_URI", "CONNECTION", "REDIS_URL", "ENDPOINT", "dsn", "upstream")
        return Pair(name, f"{scheme}://{user}:{make.url_password()}@{host}:{make.random.randrange(1024, 65535)}/{make.word()}")

    def jdbc() -> Pair:
        url = f"jdbc:postgresql://{make.dns_name()}:5432/{make.word()}?user={make.word()}&password={make.url_password()}"
        return Pair(make.one("JDBC_URL", "spring.datasource.url", "SETTING"), url)

    def ado() -> Pair:
        text = (
            f"Server=tcp:{make.word()}.database.windows.net,1433;Database={make.word()};User ID=sa;Password={make.password()};"
        )
        return Pair(make.one("ConnectionStrings__Default", "SQL_CONNECTION", "VALUE"), text + "Encrypt=true;")

    def libpq() -> Pair:
        return Pair("DSN", f"host={make.word()} port=5432 user=app password={make.url_password()} dbname={make.word()}")

    def key() -> Pair:
        text = make.one(make.private_key(), make.rsa_shaped_key())
        name = make.one("TLS_KEY", "id_ed25519", "server-key.pem", "SIGNING_KEY", "deploy", "content")
        return Pair(name, make.one(text, text.replace("\n", "\\n"), base64.b64encode(text.encode()).decode()))

    def encoded() -> Pair:
        hidden = make.one(
            f"username=app\npassword={make.url_password()}\n",
            choose(_formats(make))(),
            f'{{"password": "{make.url_password()}"}}',
        )
        return Pair(choose(_NEUTRAL), base64.b64encode(hidden.encode()).decode())

    def generated() -> Pair:
        return Pair(choose(_NEUTRAL), make.one(make.aws_secret(), make.chars(ALNUM, 48), make.base64url(36)))

    return [
        by_format,
        by_format,
        password,
        password,
        default,
        token,
        token,
        aws_secret,
        url,
        jdbc,
        ado,
        libpq,
        key,
        encoded,
        generated,
    ]


def texts(make: Maker) -> list[Callable[[], Text]]:
    """Return makers of a text with one secret in it."""
    choose = make.random.choice

    def properties() -> Text:
        lines = [
            f"server.port={make.random.randrange(1024, 65535)}",
            f"app.name={make.dns_name()}",
            "# set by the platform team",
        ]
        lines.insert(
            make.random.randrange(3),
            f"{choose(('spring.datasource.password', 'ldap.bind.password', 'mail.password'))}={make.password()}",
        )
        return Text("application.properties", "\n".join(lines))

    def yaml_text() -> Text:
        style = make.one("{}", '"{}"', "'{}'")
        inner = f"  username: {make.word()}\n  password: {style.format(make.url_password())}\n  pool: 10\n"
        return Text("config.yaml", f"server:\n  port: 8080\ndatabase:\n{inner}logging:\n  level: info\n")

    def block_text() -> Text:
        return Text(
            "values.yaml",
            f"auth:\n  clientSecret: |\n    {make.chars(ALNUM, 32)}\n  issuer: https://{make.word()}.example.com\n",
        )

    def json_text() -> Text:
        settings = {"name": make.dns_name(), "retries": 3, "smtp": {"host": make.word(), "password": make.url_password()}}
        return Text("settings.json", json.dumps(settings, indent=choose((None, 2))))

    def env_list() -> Text:
        items = [{"name": "LOG_LEVEL", "value": "info"}, {"name": choose(_PASSWORDS), "value": make.url_password()}]
        listed = "".join(f"- name: {item['name']}\n  value: {item['value']}\n" for item in items)
        return Text("job.yaml", make.one(listed, json.dumps(items)))

    def ini() -> Text:
        return Text(
            "grafana.ini",
            f"[security]\nadmin_user = admin\nadmin_password = {make.url_password()}\n[server]\nhttp_port = 3000\n",
        )

    def toml() -> Text:
        return Text("app.toml", f'[github]\nowner = "{make.word()}"\ntoken = "{make.chars(ALNUM, 32)}"\n')

    def xml() -> Text:
        element = f"<password>{make.url_password()}</password>"
        attribute = f'<add key="DbPassword" value="{make.url_password()}"/>'
        return Text(
            "settings.xml",
            f"<server>\n  <id>central</id>\n  <username>ci</username>\n  {make.one(element, attribute)}\n</server>",
        )

    def docker_config() -> Text:
        pair = base64.b64encode(f"{make.word()}:{make.url_password()}".encode()).decode()
        return Text(".dockerconfigjson", json.dumps({"auths": {f"registry.{make.word()}.example": {"auth": pair}}}))

    def npmrc() -> Text:
        return Text(
            ".npmrc",
            f"registry=https://npm.shop.example/\n//npm.shop.example/:_authToken={make.one(make.npm(), make.uuid())}\n",
        )

    def netrc() -> Text:
        return Text(".netrc", f"machine {make.word()}.example.com login {make.word()} password {make.url_password()}\n")

    def aws_file() -> Text:
        return Text(
            "credentials", f"[default]\naws_access_key_id = {make.aws_key_id()}\naws_secret_access_key = {make.aws_secret()}\n"
        )

    def service_account() -> Text:
        key = {
            "type": "service_account",
            "project_id": make.word(),
            "private_key_id": make.hex(40),
            "private_key": make.rsa_shaped_key(),
        }
        return Text("key.json", json.dumps(key, indent=2))

    def kubeconfig() -> Text:
        user = f"users:\n- name: ci\n  user:\n    token: {make.jwt()}\n"
        return Text(
            "config",
            f"apiVersion: v1\nkind: Config\nclusters:\n- name: prod\n  cluster:\n    server: https://10.0.0.1:6443\n{user}",
        )

    def script() -> Text:
        lines = (
            f"export {choose(_PASSWORDS[:8])}={make.url_password()}",
            f"curl -fsS -u {make.word()}:{make.url_password()} https://{make.word()}.example.com/install | bash",
            f"mysql -h {make.word()} -u root -p{make.url_password()} -e 'select 1'",
            f"echo 'ubuntu:{make.url_password()}' | chpasswd",
            f"sshpass -p '{make.url_password()}' ssh admin@{make.word()}",
            f"docker login -u ci -p {make.url_password()} registry.example.com",
            f'curl -H "Authorization: Bearer {make.chars(ALNUM, 40)}" https://{make.word()}.example.com',
            f"redis-cli -h cache -a {make.url_password()} ping",
            f"PGPASSWORD={make.url_password()} psql -h {make.word()} -U app",
            f"./install --license-key {make.chars(ALNUM, 32)} --yes",
            f"psql -c \"ALTER USER app WITH PASSWORD '{make.url_password()}'\"",
        )
        return Text(
            "user-data.sh", f"#!/bin/bash\nset -euo pipefail\nyum install -y jq\n{choose(lines)}\nsystemctl restart app\n"
        )

    def cloud_init() -> Text:
        user = f"users:\n  - name: {make.word()}\n    plain_text_passwd: {make.url_password()}\n"
        file = f"write_files:\n  - path: /etc/app.env\n    content: |\n      API_TOKEN={make.chars(ALNUM, 32)}\n"
        return Text("user-data", f"#cloud-config\npackages: [jq]\n{make.one(user, file)}")

    def terraform() -> Text:
        return Text("main.tf", f'variable "db_password" {{\n  type    = string\n  default = "{make.url_password()}"\n}}\n')

    def redis_conf() -> Text:
        return Text("redis.conf", f"port 6379\nrequirepass {make.url_password()}\nappendonly yes\n")

    def pem_file() -> Text:
        return Text("tls.pem", f"{make.certificate()}{make.private_key()}")

    return [
        properties,
        yaml_text,
        block_text,
        json_text,
        env_list,
        ini,
        toml,
        xml,
        docker_config,
        npmrc,
        netrc,
        aws_file,
        service_account,
        kubeconfig,
        script,
        script,
        script,
        cloud_init,
        terraform,
        redis_conf,
        pem_file,
    ]
