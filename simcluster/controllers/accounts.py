"""The default ServiceAccount and the root certificate that every namespace gets."""

from collections.abc import Iterable
from typing import Final

from simcluster.controllers import Key, World, acting_as
from simcluster.errors import ApiError
from simcluster.objects import is_terminating, kinds, name_of, namespace_of
from simcluster.objects.kinds import Kind
from simcluster.store import Change

ROOT_CERTIFICATE: Final = "kube-root-ca.crt"


class Accounts:
    """Puts both into a namespace, and back when they are removed."""

    def __init__(self, world: World) -> None:
        self._registry = world.registry
        self._timing = world.timing

    def concerns(self, change: Change) -> Iterable[Key]:
        if change.kind is kinds.NAMESPACE and change.new is not None:
            yield (name_of(change.new),)
        if change.kind in {kinds.SERVICE_ACCOUNT, kinds.CONFIG_MAP} and change.new is None:
            yield (namespace_of(change.last),)

    def delay(self) -> float:
        return self._timing.reaction

    def sync(self, key: Key) -> float | None:
        namespace = self._registry.store.get(kinds.NAMESPACE, "", key[0])
        if namespace is None or is_terminating(namespace):
            return None
        self._ensure(kinds.SERVICE_ACCOUNT, key[0], "default", {})
        self._ensure(kinds.CONFIG_MAP, key[0], ROOT_CERTIFICATE, {"data": {"ca.crt": ""}})
        return None

    def _ensure(self, kind: Kind, namespace: str, name: str, content: dict[str, object]) -> None:
        if self._registry.store.get(kind, namespace, name) is not None:
            return
        try:
            self._registry.create(
                kind,
                namespace,
                {"kind": kind.name, "metadata": {"name": name}, **content},
                acting_as("kube-controller-manager"),
            )
        except ApiError:  # a quota on such objects: the namespace has to do without
            return
