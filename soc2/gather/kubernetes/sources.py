"""The lists of Kubernetes objects that checks ask for."""

from __future__ import annotations

from soc2.gather.kubernetes.lists import KubeList, SecretTable
from soc2.model.kubernetes import (
    admin_network,
    admission,
    certificates,
    cluster,
    custom,
    delivery,
    gatekeeper,
    gateways,
    image_policies,
    istio,
    linkerd,
    network,
    pods,
    rbac,
    scan_reports,
    workloads,
)

PODS = KubeList("pods", "/api/v1/pods", pods.Pod)
NAMESPACES = KubeList("namespaces", "/api/v1/namespaces", cluster.Namespace, namespaced=False)
NODES = KubeList("nodes", "/api/v1/nodes", cluster.Node, namespaced=False)
CONFIG_MAPS = KubeList("configmaps", "/api/v1/configmaps", cluster.ConfigMap)
SERVICES = KubeList("services", "/api/v1/services", network.Service)
SERVICE_ACCOUNTS = KubeList("serviceaccounts", "/api/v1/serviceaccounts", rbac.ServiceAccount)
SECRETS = SecretTable()

DEPLOYMENTS = KubeList("deployments", "/apis/apps/v1/deployments", workloads.Deployment)
REPLICA_SETS = KubeList("replicasets", "/apis/apps/v1/replicasets", workloads.ReplicaSet)
STATEFUL_SETS = KubeList("statefulsets", "/apis/apps/v1/statefulsets", workloads.StatefulSet)
DAEMON_SETS = KubeList("daemonsets", "/apis/apps/v1/daemonsets", workloads.DaemonSet)
CONTROLLER_REVISIONS = KubeList("controllerrevisions", "/apis/apps/v1/controllerrevisions", workloads.ControllerRevision)
JOBS = KubeList("jobs", "/apis/batch/v1/jobs", workloads.Job)
CRON_JOBS = KubeList("cronjobs", "/apis/batch/v1/cronjobs", workloads.CronJob)
REPLICATION_CONTROLLERS = KubeList("replicationcontrollers", "/api/v1/replicationcontrollers", workloads.ReplicationController)
POD_TEMPLATES = KubeList("podtemplates", "/api/v1/podtemplates", workloads.PodTemplateObject)
DISRUPTION_BUDGETS = KubeList("poddisruptionbudgets", "/apis/policy/v1/poddisruptionbudgets", workloads.PodDisruptionBudget)

ROLES = KubeList("roles", "/apis/rbac.authorization.k8s.io/v1/roles", rbac.Role)
CLUSTER_ROLES = KubeList("clusterroles", "/apis/rbac.authorization.k8s.io/v1/clusterroles", rbac.ClusterRole, namespaced=False)
ROLE_BINDINGS = KubeList("rolebindings", "/apis/rbac.authorization.k8s.io/v1/rolebindings", rbac.RoleBinding)
CLUSTER_ROLE_BINDINGS = KubeList(
    "clusterrolebindings", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", rbac.ClusterRoleBinding, namespaced=False
)

NETWORK_POLICIES = KubeList("networkpolicies", "/apis/networking.k8s.io/v1/networkpolicies", network.NetworkPolicy)
INGRESSES = KubeList("ingresses", "/apis/networking.k8s.io/v1/ingresses", network.Ingress)

_POLICY = "/apis/policy.networking.k8s.io"
ADMIN_NETWORK_POLICIES = KubeList(
    "adminnetworkpolicies",
    f"{_POLICY}/v1alpha1/adminnetworkpolicies",
    admin_network.AdminNetworkPolicy,
    namespaced=False,
    optional=True,
)
BASELINE_NETWORK_POLICIES = KubeList(
    "baselineadminnetworkpolicies",
    f"{_POLICY}/v1alpha1/baselineadminnetworkpolicies",
    admin_network.BaselineAdminNetworkPolicy,
    namespaced=False,
    optional=True,
)
CLUSTER_NETWORK_POLICIES = KubeList(
    "clusternetworkpolicies",
    f"{_POLICY}/v1beta1/clusternetworkpolicies",
    admin_network.ClusterNetworkPolicy,
    namespaced=False,
    optional=True,
    older=(f"{_POLICY}/v1alpha2/clusternetworkpolicies",),
)

DEFINITIONS = KubeList(
    "customresourcedefinitions",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    custom.CustomResourceDefinition,
    namespaced=False,
)

CERTIFICATE_REQUESTS = KubeList(
    "certificatesigningrequests",
    "/apis/certificates.k8s.io/v1/certificatesigningrequests",
    certificates.CertificateSigningRequest,
    namespaced=False,
)

_GATEWAY = f"/apis/{gateways.GATEWAY_API}"
GATEWAYS = KubeList(
    "gateways.gateway.networking.k8s.io",
    f"{_GATEWAY}/v1/gateways",
    gateways.Gateway,
    optional=True,
    older=(f"{_GATEWAY}/v1beta1/gateways", f"{_GATEWAY}/v1alpha2/gateways"),
)
LISTENER_SETS = KubeList(
    "listenersets.gateway.networking.k8s.io", f"{_GATEWAY}/v1/listenersets", gateways.ListenerSet, optional=True
)
X_LISTENER_SETS = KubeList(
    "xlistenersets.gateway.networking.x-k8s.io",
    f"/apis/{gateways.EXPERIMENTAL}/v1alpha1/xlistenersets",
    gateways.XListenerSet,
    optional=True,
)
HTTP_ROUTES = KubeList(
    "httproutes.gateway.networking.k8s.io",
    f"{_GATEWAY}/v1/httproutes",
    gateways.HttpRoute,
    optional=True,
    older=(f"{_GATEWAY}/v1beta1/httproutes", f"{_GATEWAY}/v1alpha2/httproutes"),
)
GRPC_ROUTES = KubeList(
    "grpcroutes.gateway.networking.k8s.io",
    f"{_GATEWAY}/v1/grpcroutes",
    gateways.GrpcRoute,
    optional=True,
    older=(f"{_GATEWAY}/v1alpha2/grpcroutes",),
)
TLS_ROUTES = KubeList(
    "tlsroutes.gateway.networking.k8s.io",
    f"{_GATEWAY}/v1/tlsroutes",
    gateways.TlsRoute,
    optional=True,
    older=(f"{_GATEWAY}/v1alpha3/tlsroutes", f"{_GATEWAY}/v1alpha2/tlsroutes"),
)
TCP_ROUTES = KubeList(
    "tcproutes.gateway.networking.k8s.io", f"{_GATEWAY}/v1alpha2/tcproutes", gateways.TcpRoute, optional=True
)
UDP_ROUTES = KubeList(
    "udproutes.gateway.networking.k8s.io", f"{_GATEWAY}/v1alpha2/udproutes", gateways.UdpRoute, optional=True
)
ROUTES = (HTTP_ROUTES, GRPC_ROUTES, TLS_ROUTES, TCP_ROUTES, UDP_ROUTES)
"""Every kind of route of the Gateway API."""

_ADMISSION = "/apis/admissionregistration.k8s.io/v1"
VALIDATING_WEBHOOKS = KubeList(
    "validatingwebhookconfigurations",
    f"{_ADMISSION}/validatingwebhookconfigurations",
    admission.ValidatingWebhookConfiguration,
    namespaced=False,
)
MUTATING_WEBHOOKS = KubeList(
    "mutatingwebhookconfigurations",
    f"{_ADMISSION}/mutatingwebhookconfigurations",
    admission.MutatingWebhookConfiguration,
    namespaced=False,
)
ADMISSION_POLICIES = KubeList(
    "validatingadmissionpolicies",
    f"{_ADMISSION}/validatingadmissionpolicies",
    admission.ValidatingAdmissionPolicy,
    namespaced=False,
)
ADMISSION_POLICY_BINDINGS = KubeList(
    "validatingadmissionpolicybindings",
    f"{_ADMISSION}/validatingadmissionpolicybindings",
    admission.ValidatingAdmissionPolicyBinding,
    namespaced=False,
)

POD_SOURCES = (
    PODS,
    DEPLOYMENTS,
    REPLICA_SETS,
    STATEFUL_SETS,
    DAEMON_SETS,
    JOBS,
    CRON_JOBS,
    REPLICATION_CONTROLLERS,
    POD_TEMPLATES,
)
"""Everything with a pod specification: pods first, then the workload kinds."""

_ISTIO = "/apis/security.istio.io"
_ISTIO_NETWORK = "/apis/networking.istio.io"
_LINKERD = "/apis/policy.linkerd.io"
PEER_AUTHENTICATIONS = KubeList(
    "peerauthentications.security.istio.io",
    f"{_ISTIO}/v1/peerauthentications",
    istio.PeerAuthentication,
    optional=True,
    older=(f"{_ISTIO}/v1beta1/peerauthentications",),
)
ISTIO_POLICIES = KubeList(
    "authorizationpolicies.security.istio.io",
    f"{_ISTIO}/v1/authorizationpolicies",
    istio.AuthorizationPolicy,
    optional=True,
    older=(f"{_ISTIO}/v1beta1/authorizationpolicies",),
)
SIDECARS = KubeList(
    "sidecars.networking.istio.io",
    f"{_ISTIO_NETWORK}/v1/sidecars",
    istio.Sidecar,
    optional=True,
    older=(f"{_ISTIO_NETWORK}/v1beta1/sidecars",),
)
ISTIO_GATEWAYS = KubeList(
    "gateways.networking.istio.io",
    f"{_ISTIO_NETWORK}/v1/gateways",
    gateways.IstioGateway,
    optional=True,
    older=(f"{_ISTIO_NETWORK}/v1beta1/gateways", f"{_ISTIO_NETWORK}/v1alpha3/gateways"),
)
VIRTUAL_SERVICES = KubeList(
    "virtualservices.networking.istio.io",
    f"{_ISTIO_NETWORK}/v1/virtualservices",
    gateways.VirtualService,
    optional=True,
    older=(f"{_ISTIO_NETWORK}/v1beta1/virtualservices", f"{_ISTIO_NETWORK}/v1alpha3/virtualservices"),
)
LINKERD_SERVERS = KubeList(
    "servers.policy.linkerd.io",
    f"{_LINKERD}/v1beta3/servers",
    linkerd.Server,
    optional=True,
    older=(f"{_LINKERD}/v1beta2/servers", f"{_LINKERD}/v1beta1/servers"),
)
LINKERD_POLICIES = KubeList(
    "authorizationpolicies.policy.linkerd.io",
    f"{_LINKERD}/v1alpha1/authorizationpolicies",
    linkerd.LinkerdAuthorizationPolicy,
    optional=True,
)
MESH_TLS_AUTHENTICATIONS = KubeList(
    "meshtlsauthentications.policy.linkerd.io",
    f"{_LINKERD}/v1alpha1/meshtlsauthentications",
    linkerd.MeshTlsAuthentication,
    optional=True,
)
NETWORK_AUTHENTICATIONS = KubeList(
    "networkauthentications.policy.linkerd.io",
    f"{_LINKERD}/v1alpha1/networkauthentications",
    linkerd.NetworkAuthentication,
    optional=True,
)
SERVER_AUTHORIZATIONS = KubeList(
    "serverauthorizations.policy.linkerd.io",
    f"{_LINKERD}/v1beta1/serverauthorizations",
    linkerd.ServerAuthorization,
    optional=True,
)
GATEWAY_SOURCES = (GATEWAYS, LISTENER_SETS, X_LISTENER_SETS, ISTIO_GATEWAYS)
"""Everything that listens for routes."""
ISTIO_SOURCES = (PEER_AUTHENTICATIONS, ISTIO_POLICIES, SIDECARS)
LINKERD_SOURCES = (
    LINKERD_SERVERS,
    LINKERD_POLICIES,
    MESH_TLS_AUTHENTICATIONS,
    NETWORK_AUTHENTICATIONS,
    SERVER_AUTHORIZATIONS,
)
MESH_SOURCES = (*ISTIO_SOURCES, *LINKERD_SOURCES)
"""What service meshes are told, in the order in which ``mesh_layers`` takes it."""

_KYVERNO = "/apis/policies.kyverno.io"
KYVERNO_CLUSTER_POLICIES = KubeList(
    "clusterpolicies.kyverno.io",
    "/apis/kyverno.io/v1/clusterpolicies",
    image_policies.KyvernoClusterPolicy,
    namespaced=False,
    optional=True,
)
KYVERNO_POLICIES = KubeList("policies.kyverno.io", "/apis/kyverno.io/v1/policies", image_policies.KyvernoPolicy, optional=True)
KYVERNO_EXCEPTIONS = KubeList(
    "policyexceptions.kyverno.io",
    "/apis/kyverno.io/v2/policyexceptions",
    image_policies.KyvernoException,
    optional=True,
    older=("/apis/kyverno.io/v2beta1/policyexceptions",),
)
IMAGE_VALIDATING_POLICIES = KubeList(
    "imagevalidatingpolicies.policies.kyverno.io",
    f"{_KYVERNO}/v1/imagevalidatingpolicies",
    image_policies.ImageValidatingPolicy,
    namespaced=False,
    optional=True,
    older=(f"{_KYVERNO}/v1beta1/imagevalidatingpolicies", f"{_KYVERNO}/v1alpha1/imagevalidatingpolicies"),
)
NAMESPACED_IMAGE_POLICIES = KubeList(
    "namespacedimagevalidatingpolicies.policies.kyverno.io",
    f"{_KYVERNO}/v1/namespacedimagevalidatingpolicies",
    image_policies.NamespacedImageValidatingPolicy,
    optional=True,
    older=(f"{_KYVERNO}/v1beta1/namespacedimagevalidatingpolicies",),
)
CEL_EXCEPTIONS = KubeList(
    "policyexceptions.policies.kyverno.io",
    f"{_KYVERNO}/v1/policyexceptions",
    image_policies.CelException,
    optional=True,
    older=(f"{_KYVERNO}/v1beta1/policyexceptions", f"{_KYVERNO}/v1alpha1/policyexceptions"),
)
CLUSTER_IMAGE_POLICIES = KubeList(
    "clusterimagepolicies.policy.sigstore.dev",
    "/apis/policy.sigstore.dev/v1beta1/clusterimagepolicies",
    image_policies.ClusterImagePolicy,
    namespaced=False,
    optional=True,
    older=("/apis/policy.sigstore.dev/v1alpha1/clusterimagepolicies",),
)
RATIFY_CONSTRAINTS = KubeList(
    "ratifyverification.constraints.gatekeeper.sh",
    "/apis/constraints.gatekeeper.sh/v1beta1/ratifyverification",
    gatekeeper.RatifyVerification,
    namespaced=False,
    optional=True,
)
GATEKEEPER_CONFIGS = KubeList(
    "configs.config.gatekeeper.sh",
    "/apis/config.gatekeeper.sh/v1alpha1/configs",
    gatekeeper.GatekeeperConfig,
    optional=True,
)
VALIDATING_POLICIES = KubeList(
    "validatingpolicies.policies.kyverno.io",
    f"{_KYVERNO}/v1/validatingpolicies",
    image_policies.ValidatingPolicy,
    namespaced=False,
    optional=True,
    older=(f"{_KYVERNO}/v1beta1/validatingpolicies", f"{_KYVERNO}/v1alpha1/validatingpolicies"),
)
ALLOWED_REPOS = KubeList(
    "k8sallowedrepos.constraints.gatekeeper.sh",
    "/apis/constraints.gatekeeper.sh/v1beta1/k8sallowedrepos",
    gatekeeper.AllowedRepos,
    namespaced=False,
    optional=True,
)
IMAGE_DIGESTS = KubeList(
    "k8simagedigests.constraints.gatekeeper.sh",
    "/apis/constraints.gatekeeper.sh/v1beta1/k8simagedigests",
    gatekeeper.ImageDigests,
    namespaced=False,
    optional=True,
)
SIGNATURE_POLICIES = (
    KYVERNO_CLUSTER_POLICIES,
    KYVERNO_POLICIES,
    KYVERNO_EXCEPTIONS,
    IMAGE_VALIDATING_POLICIES,
    NAMESPACED_IMAGE_POLICIES,
    CEL_EXCEPTIONS,
    CLUSTER_IMAGE_POLICIES,
    RATIFY_CONSTRAINTS,
    GATEKEEPER_CONFIGS,
    VALIDATING_POLICIES,
    ALLOWED_REPOS,
    IMAGE_DIGESTS,
)
"""What engines that verify the signatures of images are told."""

_TRIVY = "/apis/aquasecurity.github.io/v1alpha1"
VULNERABILITY_REPORTS = KubeList(
    "vulnerabilityreports.aquasecurity.github.io",
    f"{_TRIVY}/vulnerabilityreports",
    scan_reports.VulnerabilityReport,
    optional=True,
)
EXPOSED_SECRET_REPORTS = KubeList(
    "exposedsecretreports.aquasecurity.github.io",
    f"{_TRIVY}/exposedsecretreports",
    scan_reports.ExposedSecretReport,
    optional=True,
)
CONFIG_AUDIT_REPORTS = KubeList(
    "configauditreports.aquasecurity.github.io",
    f"{_TRIVY}/configauditreports",
    scan_reports.ConfigAuditReport,
    optional=True,
)
SBOM_REPORTS = KubeList("sbomreports.aquasecurity.github.io", f"{_TRIVY}/sbomreports", scan_reports.SbomReport, optional=True)

APPLICATIONS = KubeList(
    "applications.argoproj.io", "/apis/argoproj.io/v1alpha1/applications", delivery.Application, optional=True
)
_FLUX_BETAS = ("v1beta2", "v1beta1")
KUSTOMIZATIONS = KubeList(
    "kustomizations.kustomize.toolkit.fluxcd.io",
    "/apis/kustomize.toolkit.fluxcd.io/v1/kustomizations",
    delivery.Kustomization,
    optional=True,
    older=tuple(f"/apis/kustomize.toolkit.fluxcd.io/{version}/kustomizations" for version in _FLUX_BETAS),
)
HELM_RELEASES = KubeList(
    "helmreleases.helm.toolkit.fluxcd.io",
    "/apis/helm.toolkit.fluxcd.io/v2/helmreleases",
    delivery.HelmRelease,
    optional=True,
    older=tuple(f"/apis/helm.toolkit.fluxcd.io/{version}/helmreleases" for version in ("v2beta2", "v2beta1")),
)
