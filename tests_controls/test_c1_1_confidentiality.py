"""C1.1: confidential information is identified and kept readable."""

from __future__ import annotations

import pytest

from fixtures.judge import Judge
from soc2.model.aws.joins import CustomerKey, DataStore
from soc2.model.kubernetes.cluster import Namespace
from soc2.model.population import Population
from soc2.rules import cloud_storage
from soc2.rules import namespaces as namespace_rules
from soc2.system import System


@pytest.mark.check(
    "namespaces-classified",
    severity="high",
    official=["C1.1"],
    hipaa=["164.308(a)(1)(ii)(A)"],
    gdpr=["30(1)"],
    kind="configuration",
    remedy="Label the namespace with its data class",
)
def test_namespaces_name_their_data_class(namespaces: Population[Namespace], judge: Judge, system: System) -> None:
    """Every namespace in scope names the class of data it holds."""
    judge(namespaces, namespace_rules.labelled(system.data.class_tag, system.data.classes))


@pytest.mark.check(
    "data-stores-classified",
    severity="high",
    official=["C1.1"],
    hipaa=["164.308(a)(1)(ii)(A)"],
    gdpr=["30(1)"],
    kind="configuration",
    remedy="Tag the store",
)
def test_data_stores_are_classified(data_stores: Population[DataStore], judge: Judge, system: System) -> None:
    """Every data store carries its data class and its owner."""
    judge(data_stores, cloud_storage.classified(system.data.class_tag, system.data.classes, system.data.owner_tag))


@pytest.mark.check(
    "kms-keys-stay",
    severity="critical",
    official=["C1.1"],
    hipaa=["164.312(a)(2)(iv)"],
    gdpr=["32(1)(b)"],
    kind="configuration",
    remedy="Cancel the deletion, or prove that nothing is encrypted with the key",
)
def test_no_key_is_about_to_go(customer_keys: Population[CustomerKey], judge: Judge) -> None:
    """No customer managed key is disabled or waits for its deletion."""
    judge(customer_keys, cloud_storage.key_stays)
