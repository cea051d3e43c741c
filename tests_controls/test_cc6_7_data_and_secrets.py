"""CC6.7: data in motion is protected, and secrets are kept out of manifests."""

from __future__ import annotations

from datetime import datetime

import pytest

from fixtures.judge import Judge
from soc2.model.aws.copies import SharedCopy
from soc2.model.aws.databases import TransitStore
from soc2.model.aws.eks_encryption import EksEncryption
from soc2.model.aws.iam import Analyzer
from soc2.model.aws.joins import AccountBlock, StoredBucket
from soc2.model.aws.literals import FunctionConfiguration, Parameter, ParameterName, TaskDefinition
from soc2.model.aws.movement import (
    ExternalFinding,
    MigrationEndpoint,
    Replica,
    SharePrincipal,
    StoredBackups,
    VpcEndpoint,
)
from soc2.model.aws.storage import DbInstance, DbSnapshot, Secret
from soc2.model.detections import Detection
from soc2.model.encryption import EncryptionConfiguration
from soc2.model.etcd import EtcdEndpoint, StoredSecret
from soc2.model.image_content import RunningImage
from soc2.model.kubernetes.cluster import ConfigMap
from soc2.model.kubernetes.control_plane import Component
from soc2.model.kubernetes.custom import CustomResource
from soc2.model.kubernetes.meta import KubeObject
from soc2.model.kubernetes.network import Ingress
from soc2.model.kubernetes.secret_stores import SecretOrigin, SyncedObject
from soc2.model.kubernetes.subjects import PodSubject
from soc2.model.population import Population
from soc2.rules import (
    cloud_compute,
    cloud_storage,
    data_movement,
    detections,
    etcd,
    exposure,
    image_content,
    literals,
    perimeter,
    secret_stores,
)
from soc2.system import System


@pytest.mark.check(
    "no-literal-secrets",
    severity="high",
    seed=True,
    official=["CC6.1"],
    hipaa=["164.312(a)(2)(iv)"],
    gdpr=["32(1)(a)", "5(1)(f)"],
    kind="configuration",
    remedy="Move the value to a Secret or an external store, and change it: it is known",
)
def test_manifests_hold_no_secrets(pods: Population[PodSubject], judge: Judge) -> None:
    """No environment value, argument or annotation of a pod looks like a secret."""
    judge(pods, literals.in_pod)


@pytest.mark.check(
    "no-secrets-in-config-maps",
    severity="high",
    seed=True,
    official=["CC6.1"],
    hipaa=["164.312(a)(2)(iv)"],
    gdpr=["32(1)(a)", "5(1)(f)"],
    kind="configuration",
    remedy="Move the value to a Secret or an external store, and change it: it is known",
)
def test_config_maps_hold_no_secrets(config_maps: Population[ConfigMap], judge: Judge) -> None:
    """No value of a ConfigMap looks like a secret."""
    judge(config_maps, literals.in_config_map)


@pytest.mark.check(
    "annotations-hold-no-secrets",
    severity="high",
    seed=True,
    official=["CC6.1"],
    hipaa=["164.312(a)(2)(iv)"],
    gdpr=["32(1)(a)", "5(1)(f)"],
    kind="configuration",
    remedy="Let the annotation name a Secret instead, and change the value: it is known",
)
def test_annotations_hold_no_secrets(annotated: Population[KubeObject], judge: Judge) -> None:
    """No annotation of a namespace, node, Service, ServiceAccount or Ingress looks like a secret."""
    judge(annotated, literals.in_annotations)


@pytest.mark.check(
    "images-without-secrets",
    severity="high",
    official=["CC6.1", "CC6.7"],
    hipaa=["164.312(a)(2)(iv)"],
    gdpr=["32(1)(a)", "5(1)(f)"],
    kind="configuration",
    remedy="Change the secret: whoever can pull the image has it; and rebuild without it, for deleting it is not enough",
)
def test_images_hold_no_secrets(running_images: Population[RunningImage], judge: Judge) -> None:
    """No layer of a running image holds a secret, deleted files among them, nor do its history and its configuration."""
    judge(running_images, image_content.without_secrets)


@pytest.mark.check(
    "custom-resources-hold-no-secrets",
    severity="high",
    seed=True,
    official=["CC6.1"],
    hipaa=["164.312(a)(2)(iv)"],
    gdpr=["32(1)(a)", "5(1)(f)"],
    kind="configuration",
    remedy="Refer to a Secret or an external store instead, and change the value: it is known",
)
def test_custom_resources_hold_no_secrets(custom_resources: Population[CustomResource], judge: Judge) -> None:
    """No custom resource of any kind holds what looks like a secret."""
    judge(custom_resources, literals.in_content)


@pytest.mark.check(
    "functions-hold-no-secrets",
    severity="high",
    seed=True,
    official=["CC6.1"],
    hipaa=["164.312(a)(2)(iv)"],
    gdpr=["32(1)(a)", "5(1)(f)"],
    kind="configuration",
    remedy="Read it from a secret store when the function starts, change the value, and delete the versions that hold it",
)
def test_functions_hold_no_secrets(functions: Population[FunctionConfiguration], judge: Judge) -> None:
    """No variable of a Lambda function looks like a secret."""
    judge(functions, literals.in_content)


@pytest.mark.check(
    "tasks-hold-no-secrets",
    severity="high",
    seed=True,
    official=["CC6.1"],
    hipaa=["164.312(a)(2)(iv)"],
    gdpr=["32(1)(a)", "5(1)(f)"],
    kind="configuration",
    remedy="Name the secret under secrets with valueFrom, change the value, and deregister the revisions that hold it",
)
def test_tasks_hold_no_secrets(task_definitions: Population[TaskDefinition], judge: Judge) -> None:
    """No ECS task definition holds what looks like a secret."""
    judge(task_definitions, literals.in_content)


@pytest.mark.check(
    "user-data-holds-no-secrets",
    severity="high",
    seed=True,
    official=["CC6.1"],
    hipaa=["164.312(a)(2)(iv)"],
    gdpr=["32(1)(a)", "5(1)(f)"],
    kind="configuration",
    remedy="Let the machine read it from a secret store by its role, change the value, and delete the versions that hold it",
)
def test_user_data_holds_no_secrets(user_data: Population[literals.Searched], judge: Judge) -> None:
    """No user data of an instance or a launch template holds what looks like a secret."""
    judge(user_data, literals.in_content)


@pytest.mark.check(
    "stacks-hold-no-secrets",
    severity="high",
    seed=True,
    official=["CC6.1"],
    hipaa=["164.312(a)(2)(iv)"],
    gdpr=["32(1)(a)", "5(1)(f)"],
    kind="configuration",
    remedy="Use a dynamic reference to Secrets Manager, or a parameter with NoEcho and no default, and change the value",
)
def test_stacks_hold_no_secrets(stacks: Population[literals.Searched], judge: Judge) -> None:
    """No parameter, output or template of a CloudFormation stack holds what looks like a secret."""
    judge(stacks, literals.in_content)


@pytest.mark.check(
    "parameters-hold-no-secrets",
    severity="high",
    seed=True,
    official=["CC6.1"],
    hipaa=["164.312(a)(2)(iv)"],
    gdpr=["32(1)(a)", "5(1)(f)"],
    kind="configuration",
    remedy="Store the value as a SecureString or in Secrets Manager, change it, and delete the parameter with its history",
)
def test_parameters_hold_no_secrets(plain_parameters: Population[Parameter], judge: Judge) -> None:
    """No plain parameter of Systems Manager holds what looks like a secret."""
    judge(plain_parameters, literals.in_content)


@pytest.mark.check(
    "ingresses-use-tls",
    severity="high",
    official=["CC6.7", "CC6.6"],
    hipaa=["164.312(e)(1)", "164.312(e)(2)(ii)"],
    gdpr=["32(1)(a)", "5(1)(f)"],
    kind="configuration",
    remedy="Add the host to the tls section of the Ingress",
)
def test_ingresses_use_tls(ingresses: Population[Ingress], judge: Judge) -> None:
    """Every host of an Ingress is served with TLS."""
    judge(ingresses, exposure.ingress_tls)


@pytest.mark.check(
    "buckets-require-tls",
    severity="high",
    official=["CC6.7"],
    hipaa=["164.312(e)(1)", "164.312(e)(2)(ii)"],
    gdpr=["32(1)(a)", "5(1)(f)"],
    kind="configuration",
    remedy="Add a statement that denies s3:* on the bucket and its objects to everybody when aws:SecureTransport is false",
)
def test_buckets_require_tls(bucket_policies: Population[StoredBucket], judge: Judge) -> None:
    """Every bucket refuses requests without TLS."""
    judge(bucket_policies, cloud_storage.requires_tls)


@pytest.mark.check(
    "buckets-block-public-access",
    severity="critical",
    official=["CC6.7", "CC6.1"],
    hipaa=["164.312(a)(1)"],
    gdpr=["25(2)"],
    kind="configuration",
    remedy="Switch on all four blocks of public access",
)
def test_buckets_block_public_access(bucket_blocks: Population[StoredBucket], judge: Judge, system: System) -> None:
    """Every bucket but the approved public ones blocks public access."""
    judge(bucket_blocks, cloud_storage.public_access_blocked(system.exposure.public_buckets))


@pytest.mark.check(
    "account-blocks-public-access",
    severity="critical",
    official=["CC6.7", "CC6.1"],
    hipaa=["164.312(a)(1)"],
    gdpr=["25(2)"],
    kind="configuration",
    remedy="Switch on the account's block of public access; what must stay public belongs under [exposure] public_buckets",
)
def test_the_account_blocks_public_access(account_blocks: Population[AccountBlock], judge: Judge) -> None:
    """The account blocks public access for all of its buckets, as far as approved public ones let it."""
    judge(account_blocks, cloud_storage.account_blocks)


@pytest.mark.check(
    "databases-private",
    severity="critical",
    official=["CC6.7", "CC6.6"],
    hipaa=["164.312(a)(1)"],
    gdpr=["25(2)"],
    kind="configuration",
    remedy="Switch off public accessibility",
)
def test_databases_have_no_public_address(databases: Population[DbInstance], judge: Judge) -> None:
    """No RDS instance has a public address."""
    judge(databases, cloud_storage.database_private)


@pytest.mark.check(
    "db-snapshots-encrypted",
    severity="high",
    official=["CC6.7"],
    hipaa=["164.312(a)(2)(iv)"],
    gdpr=["32(1)(a)"],
    kind="configuration",
    remedy="Copy the snapshot with a key and delete the original",
)
def test_database_snapshots_are_encrypted(db_snapshots: Population[DbSnapshot], judge: Judge) -> None:
    """Every manual snapshot of a database is encrypted."""
    judge(db_snapshots, cloud_storage.snapshot_encrypted)


@pytest.mark.check(
    "cloud-secrets-rotate",
    severity="medium",
    seed=True,
    official=["CC6.1"],
    hipaa=["164.308(a)(5)(ii)(D)"],
    gdpr=["32(1)(a)", "5(1)(f)"],
    kind="configuration",
    remedy="Configure rotation; what has none, such as a SecureString, is given a new value in time",
)
def test_secrets_in_the_store_rotate(
    cloud_secrets: Population[Secret | ParameterName], judge: Judge, system: System, as_of: datetime
) -> None:
    """Secrets in Secrets Manager, and SecureStrings of Systems Manager, rotate within the limit."""
    judge(cloud_secrets, cloud_storage.secret_rotates(system.thresholds.secret_rotation_days, as_of))


@pytest.mark.check(
    "cluster-secrets-encrypted",
    severity="high",
    seed=True,
    official=["CC6.1"],
    hipaa=["164.312(a)(2)(iv)"],
    gdpr=["32(1)(a)"],
    kind="configuration",
    remedy="Associate a KMS key of the account with the cluster for the resource secrets, and rewrite the Secrets",
)
def test_secrets_of_clusters_are_encrypted(eks_encryptions: Population[EksEncryption], judge: Judge, system: System) -> None:
    """Every EKS cluster encrypts the Secrets in etcd with a key of the kind that its data class needs."""
    judge(eks_encryptions, cloud_compute.eks_secrets_encrypted(system.data.class_tag, system.data.unrestricted))


@pytest.mark.check(
    "secret-access-handled",
    severity="high",
    event=True,
    official=["CC6.7", "CC6.1"],
    hipaa=["164.308(a)(6)(ii)", "164.312(b)"],
    gdpr=["33(1)", "5(1)(f)"],
    kind="log",
    remedy="Look into it, record in the feed of alerts what it was, and change the secrets that were read",
)
def test_unusual_access_to_secrets_is_handled(
    data_accesses: Population[Detection], judge: Judge, system: System, as_of: datetime
) -> None:
    """What the logs show of unusual access to secrets and data was found out about within the limit."""
    judge(data_accesses, detections.handled(system.thresholds.alert_triage_hours, as_of))


@pytest.mark.check(
    "etcd-requires-certificates",
    severity="high",
    official=["CC6.7"],
    hipaa=["164.312(d)"],
    gdpr=["32(1)(a)", "5(1)(f)"],
    kind="configuration",
    remedy="Give etcd certificates, switch on --client-cert-auth and --peer-client-cert-auth, and listen with https only",
)
def test_etcd_requires_certificates(etcd_doors: Population[Component | EtcdEndpoint], judge: Judge) -> None:
    """Etcd takes connections of clients and peers with a certificate only, by its settings and as it was tried."""
    judge(etcd_doors, etcd.requires_certificates)


@pytest.mark.check(
    "secrets-encryption-configured",
    severity="high",
    official=["CC6.7"],
    hipaa=["164.312(a)(2)(iv)"],
    gdpr=["32(1)(a)", "5(1)(f)"],
    kind="configuration",
    remedy="Give the API server --encryption-provider-config with a provider that encrypts first, and rewrite all Secrets",
)
def test_encryption_of_secrets_is_configured(
    encryption_settings: Population[Component | EncryptionConfiguration], judge: Judge
) -> None:
    """Every API server has a configuration of encryption; secrets-encrypted-at-rest shows what comes of it."""
    judge(encryption_settings, etcd.encryption_configured)


@pytest.mark.check(
    "secrets-encrypted-at-rest",
    severity="high",
    official=["CC6.7"],
    hipaa=["164.312(a)(2)(iv)"],
    gdpr=["32(1)(a)", "5(1)(f)"],
    kind="writing_probe",
    remedy="Put a provider that encrypts before identity in the encryption configuration, and rewrite all Secrets",
)
def test_secrets_are_encrypted_in_etcd(stored_secrets: Population[StoredSecret], judge: Judge) -> None:
    """What etcd holds of a new Secret is encrypted, as it was read there."""
    judge(stored_secrets, etcd.stored_encrypted)


@pytest.mark.check(
    "external-secrets-synced",
    severity="medium",
    official=["CC6.7"],
    hipaa=["164.308(a)(5)(ii)(D)"],
    gdpr=["32(1)(a)", "5(1)(f)"],
    kind="configuration",
    remedy="Mend the access to the store or the operator; refresh periodically, so that rotated values arrive",
)
def test_external_secrets_are_synced(external_secrets: Population[SyncedObject], judge: Judge, as_of: datetime) -> None:
    """Everything that fetches secrets from an external store says that it does, and did lately."""
    judge(external_secrets, secret_stores.synced(as_of))


@pytest.mark.check(
    "secrets-come-from-stores",
    severity="medium",
    official=["CC6.7"],
    hipaa=["164.308(a)(5)(ii)(D)"],
    gdpr=["32(1)(a)", "5(1)(f)"],
    kind="configuration",
    remedy="Have the Secret made from the store, or declare under [secrets] made_here why it is not",
)
def test_secrets_come_from_the_declared_store(
    restricted_secrets: Population[SecretOrigin], judge: Judge, system: System
) -> None:
    """Secrets in namespaces that hold restricted data come from the external store that is declared."""
    judge(restricted_secrets, secret_stores.from_store(system.secrets.store or "", system.secrets.made_here))


@pytest.mark.check(
    "snapshots-not-shared",
    severity="critical",
    official=["CC6.7"],
    hipaa=["164.310(d)(2)(iii)"],
    gdpr=["44"],
    kind="configuration",
    remedy="Take the permission away, or approve the account under [data] accounts",
)
def test_snapshots_and_images_are_not_shared(shared_copies: Population[SharedCopy], judge: Judge, system: System) -> None:
    """Snapshots and images are shared with nobody outside but approved accounts."""
    judge(shared_copies, data_movement.not_shared(system.data_accounts))


@pytest.mark.check(
    "databases-require-tls",
    severity="high",
    official=["CC6.7"],
    hipaa=["164.312(e)(1)", "164.312(e)(2)(ii)"],
    gdpr=["32(1)(a)", "5(1)(f)"],
    kind="configuration",
    remedy="Set the parameter (rds.force_ssl, require_secure_transport) or the option that refuses plain text, and restart",
)
def test_databases_require_tls(transit_stores: Population[TransitStore], judge: Judge) -> None:
    """Databases, caches, brokers and search domains take connections by TLS only."""
    judge(transit_stores, data_movement.requires_tls)


@pytest.mark.check(
    "replication-stays-in-regions",
    severity="medium",
    official=["CC6.7"],
    hipaa=["164.312(e)(1)", "164.312(e)(2)(ii)"],
    gdpr=["44"],
    kind="configuration",
    remedy="Change the destination, or declare its account or region under [data]",
)
def test_replication_stays_in_regions(data_replicas: Population[Replica], judge: Judge, system: System) -> None:
    """Buckets are replicated, and tasks of DataSync copy, to approved accounts and to declared regions only."""
    judge(data_replicas, data_movement.stays_in_regions(system.data_regions, system.data_accounts))


@pytest.mark.check(
    "migrations-use-tls",
    severity="medium",
    official=["CC6.7"],
    hipaa=["164.312(e)(1)", "164.312(e)(2)(ii)"],
    gdpr=["32(1)(a)", "5(1)(f)"],
    kind="configuration",
    remedy="Set the SslMode of the endpoint to verify-full, or its SecurityProtocol to one with TLS",
)
def test_migrations_use_tls(migration_endpoints: Population[MigrationEndpoint], judge: Judge) -> None:
    """Database Migration Service moves data by TLS only."""
    judge(migration_endpoints, data_movement.migrates_by_tls)


@pytest.mark.check(
    "backups-encrypted",
    severity="high",
    official=["CC6.7"],
    hipaa=["164.312(a)(2)(iv)"],
    gdpr=["32(1)(a)"],
    kind="configuration",
    remedy="Give the vault, and what is backed up, a customer managed key, and back up anew what is encrypted otherwise",
)
def test_backups_are_encrypted(backups: Population[StoredBackups], judge: Judge) -> None:
    """Vaults and recovery points are encrypted, with keys that the account manages."""
    judge(backups, data_movement.backup_encrypted)


@pytest.mark.check(
    "external-sharing-resolved",
    severity="high",
    official=["CC6.7"],
    hipaa=["164.312(a)(1)"],
    gdpr=["28", "44"],
    kind="configuration",
    remedy="Take the access away, or archive the finding with its reason; approve accounts under [data] accounts",
)
def test_external_sharing_is_resolved(
    external_sharing: Population[Analyzer | ExternalFinding | SharePrincipal], judge: Judge, system: System
) -> None:
    """Nobody outside is let in but whom an archived finding or an approval explains."""
    judge(external_sharing, data_movement.sharing_resolved(system.data_accounts))


@pytest.mark.check(
    "vpc-endpoints-keep-data-inside",
    severity="medium",
    official=["CC6.7"],
    hipaa=["164.312(e)(1)", "164.312(e)(2)(ii)"],
    gdpr=["44"],
    kind="configuration",
    remedy="Demand aws:PrincipalOrgID and aws:ResourceOrgID in the policy of the endpoint",
)
def test_vpc_endpoints_keep_data_inside(vpc_endpoints: Population[VpcEndpoint], judge: Judge) -> None:
    """Endpoints of VPCs let through what is of the organization only, where that is a declared control."""
    judge(vpc_endpoints, perimeter.keeps_data_inside)
