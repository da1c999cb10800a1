"""The port to a Kubernetes cluster: what the reconciler may ask, and the four ways it can go wrong.

Plain dictionaries in the API's own JSON form travel through it.  `client.py` beside this file is
the adapter; the contract every implementation keeps is `tests/cluster/test_contract.py`.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Protocol, TypeAlias

Manifest: TypeAlias = dict[str, Any]

# Under which name fields of objects are ours.
FIELD_MANAGER: Final = "gpuaas-reconciler"
NO_ANSWER: Final = 0


@dataclass(frozen=True, slots=True, order=True)
class Ref:
    """The address of one object; ``namespace`` is empty for a cluster-scoped kind."""

    api_version: str
    kind: str
    name: str
    namespace: str = ""

    def __str__(self) -> str:
        place = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind} {place}{self.name}"


@dataclass(frozen=True, slots=True)
class Token:
    """What proves to an API server that somebody is a ServiceAccount, until it expires."""

    text: str = field(repr=False)
    expires_at: datetime


class ClusterError(Exception):
    """The cluster did not do what was asked.  One of the three below says what to do next.

    ``status_code`` is the HTTP status, or 0 when there was no answer at all.
    """

    def __init__(self, message: str, *, status_code: int = 0) -> None:
        super().__init__(message)
        self.status_code = status_code


class ClusterUnavailable(ClusterError):
    """Ask again later: no answer, 429, a 5xx, or a state that passes by itself.

    ``retry_after`` is what the cluster asked for, None when it did not say.
    """

    def __init__(
        self, message: str, *, status_code: int = 0, retry_after: timedelta | None = None
    ) -> None:
        super().__init__(message, status_code=status_code)
        self.retry_after = retry_after


class ClusterRefused(ClusterError):
    """Asking again is useless: forbidden, invalid, over quota, or unknown to this cluster."""


class ClusterConflict(ClusterError):
    """The object is not the one we looked at (UID, resourceVersion or existence): look again."""


class Cluster(Protocol):
    """What the reconciler may ask of a cluster: every method succeeds or raises a `ClusterError`.

    ``calls`` counts the requests sent so far, by verb: get, list (one a page), read,
    apply, change, delete, token.
    ``answers`` counts them by verb and HTTP status, `NO_ANSWER` where there was none.
    """

    calls: Counter[str]
    answers: Counter[tuple[str, int]]

    def close(self) -> None:
        """Let go of the connections that are kept open; asking again opens new ones."""
        ...

    def server_version(self) -> str:
        """Return the API server's version, for example ``v1.36.1``."""
        ...

    def get(self, ref: Ref) -> Manifest | None:
        """Return the object, or None when it does not exist."""
        ...

    def find(
        self,
        api_version: str,
        kind: str,
        *,
        namespace: str = "",
        labels: Mapping[str, str | None] | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> list[Manifest]:
        """Return every object of a kind that carries all ``labels`` (None: the key, any value).

        ``fields`` are compared too; which ones a kind offers is the API server's.

        The listing is complete or an error: it is read in pages, and one that expires on the way
        starts again.  An empty ``namespace`` means all of them.
        """
        ...

    def read_pod(
        self, namespace: str, pod: str, *, port: int, path: str, at_most_bytes: int
    ) -> str:
        """Return what a pod answers to GET ``path`` (begins with a slash), through the API server.

        No answer in a few seconds, or one other than 200, is `ClusterUnavailable`; one that is
        longer than ``at_most_bytes`` or is no text is `ClusterRefused`, and so is a path with more
        than plain names in it; a pod that does not exist is a `ClusterConflict`.
        """
        ...

    def apply(self, manifest: Manifest) -> Manifest:
        """Make the fields of ``manifest`` true by server-side apply, and return the object.

        Creates what is missing, takes fields over from other managers, drops fields that we
        applied before and no longer name.  Applying the same again changes nothing.
        """
        ...

    def change(self, seen: Manifest, fields: Manifest) -> Manifest:
        """Merge ``fields`` into exactly the object that was ``seen``, and return it.

        For what others made and own: lists are replaced, None removes.  An object that is gone, or
        differs from what was seen in anything, is a `ClusterConflict`.
        """
        ...

    def request_token(self, namespace: str, account: str, *, seconds: int) -> Token:
        """Return a new token of a ServiceAccount that works for ``seconds`` (600 at least).

        It may work for less: the cluster has its own limit.  An account that does not exist is a
        `ClusterConflict`, too short a time is `ClusterRefused`.
        """
        ...

    def delete(self, ref: Ref, *, uid: str) -> bool:
        """Ask for deletion of exactly the object with ``uid``.

        Return False when nothing of that name exists.  Another object under the same name is a
        `ClusterConflict`.  Deletion goes on in the background (finalizers, namespace contents).
        """
        ...


def ref_to(manifest: Manifest) -> Ref:
    """Return the address of ``manifest``."""
    metadata = manifest["metadata"]
    return Ref(
        manifest["apiVersion"], manifest["kind"], metadata["name"], metadata.get("namespace", "")
    )


def is_terminating(manifest: Manifest) -> bool:
    """Return whether deletion of the object has been asked for and is not finished."""
    return "deletionTimestamp" in manifest["metadata"]
