"""The lists of what brings secrets from external stores into a cluster. Each comes with an add-on."""

from __future__ import annotations

from typing import Any

from soc2.gather.kubernetes.lists import KubeList
from soc2.model.kubernetes import secret_stores as kinds

_EXTERNAL, _VAULT = "external-secrets.io", "secrets.hashicorp.com"


def _external(plural: str, kind: type[Any], *, namespaced: bool = True) -> KubeList[Any]:
    path = f"/apis/{_EXTERNAL}/v1/{plural}"
    older = (f"/apis/{_EXTERNAL}/v1beta1/{plural}",)
    return KubeList(f"{plural}.{_EXTERNAL}", path, kind, namespaced, optional=True, older=older)


def _vault(plural: str, kind: type[Any]) -> KubeList[Any]:
    return KubeList(f"{plural}.{_VAULT}", f"/apis/{_VAULT}/v1beta1/{plural}", kind, optional=True)


EXTERNAL_SECRETS = _external("externalsecrets", kinds.ExternalSecret)
SEALED_SECRETS = KubeList(
    "sealedsecrets.bitnami.com", "/apis/bitnami.com/v1alpha1/sealedsecrets", kinds.SealedSecret, optional=True
)
_CSI = "secrets-store.csi.x-k8s.io"
CSI_VOLUMES = KubeList(
    f"secretproviderclasspodstatuses.{_CSI}",
    f"/apis/{_CSI}/v1/secretproviderclasspodstatuses",
    kinds.SecretProviderClassPodStatus,
    optional=True,
    older=(f"/apis/{_CSI}/v1alpha1/secretproviderclasspodstatuses",),
)

SECRET_STORE_SOURCES: tuple[KubeList[Any], ...] = (
    EXTERNAL_SECRETS,
    _external("clusterexternalsecrets", kinds.ClusterExternalSecret, namespaced=False),
    KubeList(f"pushsecrets.{_EXTERNAL}", f"/apis/{_EXTERNAL}/v1alpha1/pushsecrets", kinds.PushSecret, optional=True),
    _external("secretstores", kinds.SecretStore),
    _external("clustersecretstores", kinds.ClusterSecretStore, namespaced=False),
    CSI_VOLUMES,
    SEALED_SECRETS,
    _vault("vaultstaticsecrets", kinds.VaultStaticSecret),
    _vault("vaultdynamicsecrets", kinds.VaultDynamicSecret),
    _vault("vaultpkisecrets", kinds.VaultPkiSecret),
    _vault("vaultauths", kinds.VaultAuth),
    _vault("vaultconnections", kinds.VaultConnection),
)
