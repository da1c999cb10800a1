"""`reconciler.manifests`: a workspace that is reached from outside, and only through its door."""

import base64
import dataclasses
from typing import Any

import pytest

from reconciler import naming
from reconciler.manifests import door, exposure, network, trusted_ca, workspace
from sessions.spec import Door, TrustedCa
from tests import make

DOOR = Door(
    url="https://s-0000000100004000.apps.example.com/",
    issuer_url="https://gpuaas.example.com",
    client_id="workspace-1",
    group="workspace-1",
    image="oauth2-proxy:7",
    exposure="route",
    client_secret="told to nobody",  # noqa: S106 -- of a test
    cookie_secret="baked",  # noqa: S106
)
SPEC = dataclasses.replace(make.spec(), door=DOOR)
HOST = "s-0000000100004000.apps.example.com"


def exposed(**changes: Any) -> dict[str, Any]:
    return dict(exposure.build(SPEC, dataclasses.replace(DOOR, **changes)))


def pod() -> dict[str, Any]:
    return dict(workspace.deployment(SPEC)["spec"]["template"]["spec"])


def options() -> dict[str, str]:
    environment = door.container(SPEC, DOOR)["env"]
    return {
        each["name"].removeprefix("OAUTH2_PROXY_"): each.get("value", "") for each in environment
    }


def test_what_is_behind_the_door_listens_on_the_pods_loopback_alone() -> None:
    inside, before = pod()["containers"]

    assert {"name": "WORKSPACE_ADDRESS", "value": "127.0.0.1:8080"} in inside["env"]
    assert inside["readinessProbe"]["exec"]["command"][-1] == "http://127.0.0.1:8080/healthz"
    assert options()["UPSTREAMS"] == "http://127.0.0.1:8080/"
    assert before["name"] == "door"
    assert workspace.service(SPEC)["spec"]["ports"][0]["targetPort"] == 4180


def test_without_a_door_nothing_stands_before_the_workspace() -> None:
    bare = make.spec()
    [inside] = workspace.deployment(bare)["spec"]["template"]["spec"]["containers"]

    assert {"name": "WORKSPACE_ADDRESS", "value": "0.0.0.0:8080"} in inside["env"]
    assert workspace.service(bare)["spec"]["ports"][0]["targetPort"] == 8080


def test_the_door_opens_to_one_group_and_asks_again_each_minute() -> None:
    found = options()

    assert found["ALLOWED_GROUPS"] == "workspace-1"
    assert found["OIDC_ISSUER_URL"] == "https://gpuaas.example.com"
    assert found["REDIRECT_URL"] == f"https://{HOST}/oauth2/callback"
    assert found["COOKIE_REFRESH"] == "1m0s"


@pytest.mark.parametrize(
    ("url", "name", "secure"),
    [(f"https://{HOST}/", "__Host-gpuaas", "true"), (f"http://{HOST}:8080/", "gpuaas", "false")],
)
def test_its_cookie_is_bound_to_the_host_and_to_https(url: str, name: str, secure: str) -> None:
    environment = door.container(SPEC, dataclasses.replace(DOOR, url=url))["env"]

    assert {"name": "OAUTH2_PROXY_COOKIE_NAME", "value": name} in environment
    assert {"name": "OAUTH2_PROXY_COOKIE_SECURE", "value": secure} in environment


def test_its_secrets_are_in_the_sessions_own_secret_and_nowhere_else() -> None:
    secret = door.secret(SPEC, DOOR)

    assert {key: base64.b64decode(value) for key, value in secret["data"].items()} == {
        "client-secret": b"told to nobody",
        "cookie-secret": b"baked",
    }
    assert secret["metadata"]["namespace"] == SPEC.namespace
    assert "told to nobody" not in str(workspace.deployment(SPEC)) + repr(SPEC)


def test_the_router_comes_to_the_door_and_the_door_to_the_portal() -> None:
    policies = {each["metadata"]["name"]: each["spec"] for each in network.build(SPEC)}

    [rule] = policies["gpuaas-allow-router"]["ingress"]
    assert rule["ports"] == [{"port": 4180, "protocol": "TCP"}]
    assert policies["gpuaas-allow-portal"] == {
        "podSelector": {"matchLabels": {naming.COMPONENT_LABEL: "workspace"}},
        "policyTypes": ["Egress"],
        "egress": [{"ports": [{"port": 443, "protocol": "TCP"}]}],
    }


@pytest.mark.parametrize(
    ("router_namespace", "label"),
    [
        ("", {"network.openshift.io/policy-group": "ingress"}),
        ("traefik", {"kubernetes.io/metadata.name": "traefik"}),
    ],
)
def test_the_router_is_known_by_its_namespace(router_namespace: str, label: dict[str, str]) -> None:
    before = dataclasses.replace(DOOR, router_namespace=router_namespace)
    policies = network.build(dataclasses.replace(SPEC, door=before))

    [allowed] = [p for p in policies if p["metadata"]["name"] == "gpuaas-allow-router"]
    [rule] = allowed["spec"]["ingress"]
    assert rule["from"] == [{"namespaceSelector": {"matchLabels": label}}]


def test_a_route_ends_tls_and_lets_a_terminal_be_quiet_for_an_hour() -> None:
    route = exposed()

    assert (route["apiVersion"], route["kind"]) == ("route.openshift.io/v1", "Route")
    assert route["spec"]["host"] == HOST
    assert route["spec"]["tls"]["insecureEdgeTerminationPolicy"] == "Redirect"
    assert route["metadata"]["annotations"] == {
        "haproxy.router.openshift.io/timeout": "3600s",
        "haproxy.router.openshift.io/timeout-tunnel": "3600s",
    }


def test_an_ingress_has_the_class_that_the_cluster_says() -> None:
    plain = exposed(exposure="ingress", url=f"http://{HOST}/")
    classy = exposed(exposure="ingress", ingress_class="traefik")

    assert (plain["apiVersion"], plain["kind"]) == ("networking.k8s.io/v1", "Ingress")
    assert plain["spec"].keys() == {"rules"}
    assert plain["spec"]["rules"][0]["host"] == HOST
    assert classy["spec"]["ingressClassName"] == "traefik"
    assert classy["spec"]["tls"] == [{"hosts": [HOST]}]


def test_an_http_route_belongs_to_the_gateway_that_the_cluster_says() -> None:
    route = exposed(exposure="gateway", gateway="gateways/public")

    assert route["kind"] == "HTTPRoute"
    [parent] = route["spec"]["parentRefs"]
    assert (parent["namespace"], parent["name"]) == ("gateways", "public")
    assert route["spec"]["hostnames"] == [HOST]


def test_a_route_without_tls_ends_none() -> None:
    assert "tls" not in exposed(url=f"http://{HOST}/")["spec"]


def test_a_look_lists_what_sessions_are_exposed_by() -> None:
    assert exposure.kinds(set()) == ()
    assert exposure.kinds({"route", "gateway"}) == (
        ("gateway.networking.k8s.io/v1", "HTTPRoute"),
        ("route.openshift.io/v1", "Route"),
    )


def test_every_container_of_ours_trusts_what_the_company_trusts() -> None:
    spec = dataclasses.replace(SPEC, trusted_ca=TrustedCa(pem="PEM"))
    template = workspace.deployment(spec)["spec"]["template"]["spec"]

    assert trusted_ca.config(spec)["data"] == {"ca-bundle.crt": "PEM"}
    assert "gpuaas-trusted-ca" in {each["name"] for each in template["volumes"]}
    for container in template["containers"]:
        assert trusted_ca.mount() in container["volumeMounts"]
    inside, before = (
        {each["name"]: each.get("value") for each in container["env"]}
        for container in template["containers"]
    )
    assert inside["SSL_CERT_FILE"] == inside["REQUESTS_CA_BUNDLE"] == trusted_ca.BUNDLE
    assert before["OAUTH2_PROXY_PROVIDER_CA_FILES"] == trusted_ca.BUNDLE


def test_a_bundle_that_the_cluster_fills_in_is_left_to_it() -> None:
    spec = dataclasses.replace(SPEC, trusted_ca=TrustedCa(is_injected=True))
    config = trusted_ca.config(spec)

    assert "data" not in config
    assert config["metadata"]["labels"]["config.openshift.io/inject-trusted-cabundle"] == "true"
