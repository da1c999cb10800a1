"""The adapter of the cluster port on the official client: the only file that imports `kubernetes`.

The official client finds the API server and proves who we are (kubeconfig, in-cluster account,
exec plugins, token renewal).  The requests themselves are made here, on its connection pool
library, because its generated methods turn some failures into errors of their own (no answer
over TLS, a body that is no text) and know no plain dictionaries.

Nothing is retried except a listing whose pages expired: the reconciler's next cycle is the retry.
"""

import re
import ssl
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import orjson
import urllib3
import yaml
from kubernetes import client as official
from kubernetes import config as official_config
from requests.utils import should_bypass_proxies

from reconciler.cluster import (
    FIELD_MANAGER,
    NO_ANSWER,
    Cluster,
    ClusterConflict,
    ClusterError,
    ClusterRefused,
    ClusterUnavailable,
    Manifest,
    Ref,
    Token,
    ref_to,
)

# So large that the number of requests is the same for any number of sessions a cluster can carry:
# eight network policies each are the most of a kind.  A page of these is some 12 MB.
PAGE_SIZE: Final = 10_000
LISTING_ATTEMPTS: Final = 3
CONNECT_TIMEOUT_SECONDS: Final = 3.0
READ_TIMEOUT_SECONDS: Final = 15.0
POD_TIMEOUT_SECONDS: Final = 5.0
CONNECTIONS_KEPT: Final = 16
MESSAGE_CHARS: Final = 256
APPLY: Final = "application/apply-patch+yaml"
MERGE: Final = "application/merge-patch+json"

# (apiVersion, kind) -> (plural, whether it lives in a namespace).  A table instead of discovery:
# a cycle makes a constant number of calls, and a kind nobody planned for is refused at once.
KINDS: Final[Mapping[tuple[str, str], tuple[str, bool]]] = {
    ("v1", "ConfigMap"): ("configmaps", True),
    ("v1", "Event"): ("events", True),
    ("v1", "LimitRange"): ("limitranges", True),
    ("v1", "Namespace"): ("namespaces", False),
    ("v1", "Node"): ("nodes", False),
    ("v1", "PersistentVolume"): ("persistentvolumes", False),
    ("v1", "PersistentVolumeClaim"): ("persistentvolumeclaims", True),
    ("v1", "Pod"): ("pods", True),
    ("v1", "ResourceQuota"): ("resourcequotas", True),
    ("v1", "Secret"): ("secrets", True),
    ("v1", "Service"): ("services", True),
    ("v1", "ServiceAccount"): ("serviceaccounts", True),
    ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy"): (
        "validatingadmissionpolicies",
        False,
    ),
    ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding"): (
        "validatingadmissionpolicybindings",
        False,
    ),
    ("apps/v1", "DaemonSet"): ("daemonsets", True),
    ("apps/v1", "Deployment"): ("deployments", True),
    ("apps/v1", "ReplicaSet"): ("replicasets", True),
    ("apps/v1", "StatefulSet"): ("statefulsets", True),
    ("gateway.networking.k8s.io/v1", "HTTPRoute"): ("httproutes", True),
    ("networking.k8s.io/v1", "Ingress"): ("ingresses", True),
    ("networking.k8s.io/v1", "NetworkPolicy"): ("networkpolicies", True),
    ("rbac.authorization.k8s.io/v1", "ClusterRole"): ("clusterroles", False),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"): ("clusterrolebindings", False),
    ("rbac.authorization.k8s.io/v1", "Role"): ("roles", True),
    ("rbac.authorization.k8s.io/v1", "RoleBinding"): ("rolebindings", True),
    ("resource.k8s.io/v1", "DeviceClass"): ("deviceclasses", False),
    ("resource.k8s.io/v1", "ResourceClaim"): ("resourceclaims", True),
    ("resource.k8s.io/v1", "ResourceClaimTemplate"): ("resourceclaimtemplates", True),
    ("resource.k8s.io/v1", "ResourceSlice"): ("resourceslices", False),
    ("route.openshift.io/v1", "Route"): ("routes", True),
    ("scheduling.k8s.io/v1", "PriorityClass"): ("priorityclasses", False),
    ("security.openshift.io/v1", "SecurityContextConstraints"): (
        "securitycontextconstraints",
        False,
    ),
    ("storage.k8s.io/v1", "StorageClass"): ("storageclasses", False),
}

# Refusals (403) that pass by themselves: the quota is not counted yet, the namespace is on its
# way out, its default account is on its way in.
PASSING_REFUSALS: Final = (
    "status unknown for quota",
    "because it is being terminated",
    "error looking up service account",
)


def _selector(wanted: Mapping[str, str | None]) -> str:
    """Return a label or field selector as the API reads it."""
    return ",".join(key if value is None else f"{key}={value}" for key, value in wanted.items())


# What a pod may be asked for: no step upwards, no query, nothing encoded.
_PLAIN_PATH: Final = re.compile(r"(/(?!\.\.?(/|$))[A-Za-z0-9._~-]+)+/?|/")

# The official loader keeps the names of the files it wrote in a module variable.
_loading = threading.Lock()


def connect(kubeconfig: Path | None = None) -> Cluster:
    """Return the cluster of ``kubeconfig``; None is the cluster this process runs in.

    Nothing is sent yet.  Credentials that cannot be read are `ClusterUnavailable`: they are
    mounted, rotated and repaired from outside.
    """
    settings = official.Configuration()
    # Inline certificates pass through files; they are gone again when this returns.
    with _loading, tempfile.TemporaryDirectory() as scratch:
        try:
            if kubeconfig is None:
                official_config.load_incluster_config(client_configuration=settings)
            else:
                official_config.load_kube_config(
                    config_file=str(kubeconfig),
                    client_configuration=settings,
                    persist_config=False,
                    temp_file_path=scratch,
                )
            pool = _connection_pool(settings)
        except (official_config.ConfigException, yaml.YAMLError, OSError, ValueError) as error:
            raise ClusterUnavailable(f"no usable credentials: {_cut(str(error))}") from error
    return KubernetesCluster(settings, pool)


class KubernetesCluster:
    """A cluster behind one API server.  Threads may share it.

    ``calls`` counts the requests that were sent, by verb, ``answers`` what came of them.
    """

    def __init__(self, settings: official.Configuration, pool: urllib3.PoolManager) -> None:
        self.calls: Counter[str] = Counter()
        self.answers: Counter[tuple[str, int]] = Counter()
        self._counting = threading.Lock()
        self._settings = settings
        self._pool = pool

    def close(self) -> None:
        self._pool.clear()

    def server_version(self) -> str:
        return str(self._ask("version", "GET", "/version").get("gitVersion", ""))

    def get(self, ref: Ref) -> Manifest | None:
        try:
            return self._ask("get", "GET", _path_of(ref))
        except _NotFoundError:
            return None

    def find(
        self,
        api_version: str,
        kind: str,
        *,
        namespace: str = "",
        labels: Mapping[str, str | None] | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> list[Manifest]:
        path = _path(api_version, kind, namespace)
        selectors = {
            "labelSelector": _selector(labels or {}),
            "fieldSelector": _selector(fields or {}),
        }
        for _ in range(LISTING_ATTEMPTS):
            try:
                # The items of a list do not repeat what they are.
                return [
                    {"apiVersion": api_version, "kind": kind} | item
                    for item in self._pages(path, selectors)
                ]
            except _ExpiredError:
                continue
        raise ClusterUnavailable(
            f"listing {kind} expired {LISTING_ATTEMPTS} times before its last page",
            status_code=410,
        )

    def read_pod(
        self, namespace: str, pod: str, *, port: int, path: str, at_most_bytes: int
    ) -> str:
        if not _PLAIN_PATH.fullmatch(path):
            # Anything else could lead out of the pod, to other resources of the API.
            raise ClusterRefused(f"not a plain path: {_cut(path)}")
        target = f"{_path_of(Ref('v1', 'Pod', f'http:{pod}:{port}', namespace))}/proxy{path}"
        with self._counting:
            self.calls["read"] += 1
        status = NO_ANSWER
        try:
            answer = self._pool.request(
                "GET",
                f"{self._settings.host}{target}",
                headers={**self._headers("text/plain"), "Accept": "text/plain"},
                timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT_SECONDS, read=POD_TIMEOUT_SECONDS),
                preload_content=False,
                decode_content=False,
            )
            try:
                status = answer.status
                body = _bounded(answer, at_most_bytes)
            finally:
                # What is left of an answer is not waited for.
                answer.close()
        except (urllib3.exceptions.HTTPError, OSError, official_config.ConfigException) as error:
            raise ClusterUnavailable(f"no answer to GET {target}: {_cut(str(error))}") from error
        finally:
            with self._counting:
                self.answers["read", status] += 1
        if status != 200:  # noqa: PLR2004 -- a pod that moves or has no content shows nothing
            raise _unread(status, body.decode(errors="replace"))
        try:
            return body.decode()
        except UnicodeDecodeError as error:
            raise ClusterRefused(f"the answer to GET {target} is not text") from error

    def apply(self, manifest: Manifest) -> Manifest:
        query = {"fieldManager": FIELD_MANAGER, "force": "true"}
        return self._ask(
            "apply", "PATCH", _path_of(ref_to(manifest)), query, manifest, content_type=APPLY
        )

    def change(self, seen: Manifest, fields: Manifest) -> Manifest:
        # No two states of one object, nor of two of the same name, have a version in common.
        version = {"resourceVersion": seen["metadata"]["resourceVersion"]}
        body = {**fields, "metadata": {**fields.get("metadata", {}), **version}}
        query = {"fieldManager": FIELD_MANAGER}
        return self._ask("change", "PATCH", _path_of(ref_to(seen)), query, body, content_type=MERGE)

    def request_token(self, namespace: str, account: str, *, seconds: int) -> Token:
        path = f"{_path_of(Ref('v1', 'ServiceAccount', account, namespace))}/token"
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": seconds},
        }
        try:
            status = self._ask("token", "POST", path, body=request)["status"]
            return Token(status["token"], datetime.fromisoformat(status["expirationTimestamp"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ClusterUnavailable(f"the answer to POST {path} holds no token") from error

    def delete(self, ref: Ref, *, uid: str) -> bool:
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": uid},
            "propagationPolicy": "Background",
        }
        try:
            self._ask("delete", "DELETE", _path_of(ref), body=options)
        except _NotFoundError:
            return False
        return True

    def _pages(self, path: str, selectors: Mapping[str, str]) -> Iterator[Manifest]:
        query = {"limit": str(PAGE_SIZE)} | {key: said for key, said in selectors.items() if said}
        while True:
            page = self._ask("list", "GET", path, query)
            yield from page.get("items") or []
            token = (page.get("metadata") or {}).get("continue")
            if not token:
                return
            query["continue"] = token

    def _ask(
        self,
        verb: str,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Manifest | None = None,
        *,
        content_type: str = "application/json",
    ) -> Manifest:
        """Send one request and return the answer's JSON object, or raise a `ClusterError`."""
        url = f"{self._settings.host}{path}" + (f"?{urlencode(query)}" if query else "")
        status = NO_ANSWER
        with self._counting:
            self.calls[verb] += 1
        try:
            answer = self._pool.request(
                method,
                url,
                body=None if body is None else orjson.dumps(body),
                headers=self._headers(content_type),
            )
            status, headers, data = answer.status, answer.headers, answer.data
        except (urllib3.exceptions.HTTPError, OSError, official_config.ConfigException) as error:
            raise ClusterUnavailable(f"no answer to {method} {path}: {_cut(str(error))}") from error
        finally:
            with self._counting:
                self.answers[verb, status] += 1
        if not 200 <= status < 300:  # noqa: PLR2004 -- the range of success
            raise _failure(status, data.decode(errors="replace"), headers.get("Retry-After"))
        return _decoded(data, f"{method} {path}")

    def _headers(self, content_type: str) -> dict[str, str]:
        headers = {
            "Accept": "application/json",
            "Content-Type": content_type,
            "User-Agent": FIELD_MANAGER,
        }
        # Asking for the key is what makes the official client renew it.
        if key := self._settings.get_api_key_with_prefix("BearerToken", alias="authorization"):
            headers["Authorization"] = key
        return headers


class _NotFoundError(ClusterConflict):
    """The object is not there (the kind is)."""


class _ExpiredError(ClusterUnavailable):
    """The rest of a listing is no longer kept."""


def _bounded(answer: urllib3.BaseHTTPResponse, at_most_bytes: int) -> bytes:
    """Read an answer to its end: not more than so much, and not for longer than so long."""
    over_at = time.monotonic() + POD_TIMEOUT_SECONDS
    parts, length = [], 0
    while part := answer.read1(65_536):
        parts.append(part)
        length += len(part)
        if length > at_most_bytes:
            raise ClusterRefused(f"the pod's answer is longer than {at_most_bytes} bytes")
        if time.monotonic() > over_at:
            raise ClusterUnavailable(f"the pod's answer took longer than {POD_TIMEOUT_SECONDS} s")
    return b"".join(parts)


def _unread(status: int, text: str) -> ClusterError:
    """Return what to do about a pod that does not show what was asked for.

    Whether the status is the pod's or the API server's cannot always be told: only what is
    certain (the pod is not there, we may not ask) is more than a pod that has trouble.
    """
    error = _failure(status, text, None)
    if isinstance(error, ClusterConflict) or status == 403:  # noqa: PLR2004
        return error
    return ClusterUnavailable(str(error), status_code=status)


def _failure(status: int, text: str, retry_after: str | None) -> ClusterError:
    """Return the error that says what to do about an answer with this status."""
    said = _status_object(text)
    whole = str(said.get("message") or text)
    message = _cut(whole)
    match status:
        case 404 if said.get("reason") == "NotFound" and (said.get("details") or {}).get("name"):
            return _NotFoundError(message, status_code=status)
        case 409:
            return ClusterConflict(message, status_code=status)
        case 410:
            return _ExpiredError(message, status_code=status)
        case 403 if any(passing in whole for passing in PASSING_REFUSALS):
            return ClusterUnavailable(message, status_code=status)
        case 400 | 403 | 404 | 405 | 413 | 415 | 422:
            return ClusterRefused(message, status_code=status)
        case _:
            # 401 too: it says nothing about what was asked, only that our credentials are out.
            return ClusterUnavailable(message, status_code=status, retry_after=_wait(retry_after))


def _status_object(text: str) -> Manifest:
    """Return the Status that came with a failure; empty when a proxy or a crash answered."""
    try:
        said = orjson.loads(text)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _wait(retry_after: str | None) -> timedelta | None:
    if retry_after is None or not retry_after.isdecimal():
        return None
    return timedelta(seconds=int(retry_after))


def _decoded(body: bytes, request: str) -> Manifest:
    try:
        answer = orjson.loads(body)
    except ValueError as error:
        said = _cut(body.decode(errors="replace"))
        raise ClusterUnavailable(f"the answer to {request} is not JSON: {said}") from error
    if not isinstance(answer, dict):
        said = _cut(body.decode(errors="replace"))
        raise ClusterUnavailable(f"the answer to {request} is not an object: {said}")
    return answer


def _path_of(ref: Ref) -> str:
    return f"{_path(ref.api_version, ref.kind, ref.namespace)}/{quote(ref.name, safe='')}"


def _path(api_version: str, kind: str, namespace: str) -> str:
    if (api_version, kind) not in KINDS:
        raise ClusterRefused(f"{api_version} {kind} is not in the adapter's table of kinds")
    plural, namespaced = KINDS[api_version, kind]
    base = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
    if namespaced and namespace:
        return f"{base}/namespaces/{quote(namespace, safe='')}/{plural}"
    return f"{base}/{plural}"


def _connection_pool(settings: official.Configuration) -> urllib3.PoolManager:
    """Return the pool for the server of ``settings``: no retries, no redirects, always timeouts."""
    options: dict[str, Any] = {
        "maxsize": CONNECTIONS_KEPT,
        "retries": False,
        "timeout": urllib3.Timeout(connect=CONNECT_TIMEOUT_SECONDS, read=READ_TIMEOUT_SECONDS),
    }
    if urlsplit(settings.host).scheme == "https":
        options["ssl_context"] = _tls(settings)
        if settings.tls_server_name:
            options["server_hostname"] = settings.tls_server_name
    if settings.proxy and not _is_direct(settings.host, settings.no_proxy or ""):
        return urllib3.ProxyManager(settings.proxy, proxy_headers=settings.proxy_headers, **options)
    return urllib3.PoolManager(**options)


def _tls(settings: official.Configuration) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=settings.ssl_ca_cert)
    if not settings.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if settings.cert_file:
        context.load_cert_chain(settings.cert_file, settings.key_file)
    return context


def _is_direct(host: str, no_proxy: str) -> bool:
    """Return whether no proxy can lead to ``host``: it is excepted, or it is this very machine."""
    name = urlsplit(host).hostname or ""
    try:
        loopback = ip_address(name).is_loopback
    except ValueError:
        loopback = name == "localhost"
    return loopback or bool(should_bypass_proxies(host, no_proxy=no_proxy))


def _cut(text: str) -> str:
    return text[:MESSAGE_CHARS]
