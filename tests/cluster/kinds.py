"""Kinds that come with an operator or a distribution, served for a test."""

from kubernetes import client as official
from kubernetes.client.exceptions import ApiException

from tests.cluster.waiting import eventually


def serve(
    api: official.ApiClient,
    api_version: str,
    kind: str,
    *,
    plural: str = "",
    scope: str = "Namespaced",
) -> None:
    """Let the control plane serve a kind that comes with an operator; the simulated one does."""
    group, _, version = api_version.partition("/")
    plural = plural or f"{kind.lower()}s"
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{plural}.{group}",
            # A name of theirs is protected; this is how the server lets a test use it.
            "annotations": {"api-approved.kubernetes.io": "unapproved, for a test"},
        },
        "spec": {
            "group": group,
            "scope": scope,
            "names": {"kind": kind, "plural": plural},
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": True,
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "x-kubernetes-preserve-unknown-fields": True,
                        }
                    },
                }
            ],
        },
    }
    kinds = official.ApiextensionsV1Api(api)
    try:
        kinds.create_custom_resource_definition(definition)
    except ApiException as error:
        if error.status not in (404, 409):  # simulated: it knows no such resource; it is there
            raise
        return
    eventually(lambda: _is_served(api, group, version, plural))


def _is_served(api: official.ApiClient, group: str, version: str, plural: str) -> bool:
    """Return whether the kind can be listed: for a moment its storage is being made."""
    try:
        official.CustomObjectsApi(api).list_cluster_custom_object(group, version, plural)
    except ApiException:
        return False
    return True


def withdraw(api: official.ApiClient, name: str) -> None:
    """Serve the kind ``name`` no more, and forget its objects."""
    official.ApiextensionsV1Api(api).delete_custom_resource_definition(name)
