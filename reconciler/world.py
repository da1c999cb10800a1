"""A cluster as it was seen, and the one way to change it: only what drifted, each change noted."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from reconciler import naming
from reconciler.cluster import Cluster, Manifest, Ref, ref_to
from reconciler.observe import Picture, Versions
from sessions.spec import SessionSpec

# How long a thread waits for a controller, between one look at the object and the next.
BLINKS_SECONDS: Final = (0.05, 0.1, 0.2, 0.4)

# What was compared and found complete: the spec, and the objects as they were.
Complete: TypeAlias = dict[str, tuple[SessionSpec, Versions]]


@dataclass(slots=True)
class World:
    """The picture, the cluster behind it, and the list of changes made since.

    With ``dry_run`` nothing is sent; the changes are noted all the same.  Threads may share it, as
    long as no two of them are about the same session.

    ``was_complete`` is what an earlier look found, by namespace, and ``complete`` what this one
    does.  It saves comparing what has not changed, and nothing else: without it all is compared.
    """

    kube: Cluster
    picture: Picture
    dry_run: bool = False
    changes: list[str] = field(default_factory=list)
    was_complete: Complete = field(default_factory=dict)
    complete: Complete = field(default_factory=dict)
    pause: Callable[[float], None] = time.sleep
    _touched: set[str] = field(default_factory=set)
    _pods: dict[str, list[Manifest]] | None = None
    _listing: threading.Lock = field(default_factory=threading.Lock)

    def ensure(self, manifest: Manifest) -> Manifest:
        """Return the object with every field of ``manifest`` true; apply only what drifted."""
        ref = ref_to(manifest)
        seen = self.picture.get(ref)
        if seen is not None and not drifted(manifest, seen):
            return seen
        self.changes.append(f"apply {ref}")
        self._touched.add(ref.namespace or ref.name)
        return manifest if self.dry_run else self.kube.apply(manifest)

    def settles(self, manifest: Manifest, is_settled: Callable[[Manifest], bool]) -> bool:
        """Return whether the object, which was ensured before, is as a controller has to leave it.

        One that this look has made is asked for again a few times: what takes a blink should not
        wait for the next look, with everything else of its session.
        """
        ref = ref_to(manifest)
        seen = self.picture.get(ref)
        if seen is not None and is_settled(seen):
            return True
        if self.dry_run or (ref.namespace or ref.name) not in self._touched:
            return False
        for seconds in BLINKS_SECONDS:
            made = self.kube.get(ref)
            if made is not None and is_settled(made):
                return True
            self.pause(seconds)
        return False

    def has(self, manifest: Manifest) -> bool:
        """Return whether every field of ``manifest`` was seen to be true."""
        seen = self.picture.get(ref_to(manifest))
        return seen is not None and not drifted(manifest, seen)

    def put(self, manifest: Manifest) -> None:
        """Apply an object of a kind that no look lists: Secrets, which we do not want to read."""
        ref = ref_to(manifest)
        self.changes.append(f"apply {ref}")
        self._touched.add(ref.namespace)
        if not self.dry_run:
            self.kube.apply(manifest)

    def change(self, seen: Manifest, fields: Manifest) -> None:
        """Change some fields of exactly what was seen, which others made."""
        self.changes.append(f"change {ref_to(seen)}")
        if not self.dry_run:
            self.kube.change(seen, fields)

    def delete(self, ref: Ref, *, uid: str) -> None:
        """Ask for the deletion of exactly the object that was seen."""
        self.changes.append(f"delete {ref}")
        if not self.dry_run:
            self.kube.delete(ref, uid=uid)

    def is_still_complete(self, spec: SessionSpec) -> bool:
        """Return whether spec and objects are what an earlier look found complete.

        Whether a session is complete follows from these two alone: manifests are functions of the
        spec, and the steps compare them with objects of its namespace.  An object that differs in
        anything has another version.
        """
        found = spec, self.picture.versions.get(spec.namespace, ())
        if self.was_complete.get(spec.namespace) != found:
            return False
        self.complete[spec.namespace] = found
        return True

    def note_complete(self, spec: SessionSpec) -> None:
        """Remember that every step was found true, unless this look has changed something."""
        if spec.namespace not in self._touched:
            versions = self.picture.versions.get(spec.namespace, ())
            self.complete[spec.namespace] = spec, versions

    def workspace_pods(self, namespace: str) -> list[Manifest]:
        """Return the workspace's pods in ``namespace``.

        They are listed for all sessions at once, and only when somebody asks: one call a look,
        however many sessions wait.
        """
        with self._listing:
            if self._pods is None:
                self._pods = defaultdict(list)
                labels = {naming.COMPONENT_LABEL: naming.WORKSPACE}
                for pod in self.kube.find("v1", "Pod", labels=labels):
                    self._pods[pod["metadata"]["namespace"]].append(pod)
            return self._pods.get(namespace, [])


def drifted(desired: Any, observed: Any) -> bool:
    """Return whether some field of ``desired`` is missing from or different in ``observed``.

    What the server and other controllers added is no drift.  Lists are compared whole: an entry
    more or less, or in another place, is drift.
    """
    if desired == observed:  # most are: where the server added nothing
        return False
    if isinstance(desired, dict) and isinstance(observed, dict):
        for key, value in desired.items():
            # The server leaves out what is empty.
            if drifted(value, observed[key]) if key in observed else value not in ({}, []):
                return True
        return False
    if isinstance(desired, list) and isinstance(observed, list):
        return len(desired) != len(observed) or any(map(drifted, desired, observed))
    return True
