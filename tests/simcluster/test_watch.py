"""Watches: every change, as seen by somebody who sees only what matches."""

import threading
from typing import Any

import pytest

from simcluster.testing import Simulator
from tests.simcluster.conftest import Api, api_of


def events(api: Api, path: str) -> list[tuple[str, str]]:
    return [
        (event["type"], event["object"]["metadata"].get("name", "")) for event in api.lines(path)
    ]


def maps(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps"


def version(api: Api, namespace: str) -> str:
    return str(api("GET", maps(namespace)).body["metadata"]["resourceVersion"])


@pytest.fixture
def with_a_life(api: Api, namespace: str) -> tuple[str, str]:
    """Return a namespace and the version before an object in it was made, changed and deleted."""
    before = version(api, namespace)
    api("POST", maps(namespace), {"metadata": {"name": "m", "labels": {"color": "red"}}})
    patch = {"metadata": {"labels": {"color": "blue"}}}
    content_type = "application/merge-patch+json"
    api("PATCH", f"{maps(namespace)}/m", patch, content_type=content_type)
    api("DELETE", f"{maps(namespace)}/m")
    return namespace, before


def test_a_watch_tells_what_happened_since_a_version(
    api: Api, with_a_life: tuple[str, str]
) -> None:
    namespace, before = with_a_life

    seen = events(api, f"{maps(namespace)}?watch=1&resourceVersion={before}&timeoutSeconds=0.2")

    assert seen == [("ADDED", "m"), ("MODIFIED", "m"), ("DELETED", "m")]


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("labelSelector=color%3Dred", ["ADDED", "DELETED"]),
        ("labelSelector=color%3Dblue", ["ADDED", "DELETED"]),
        ("labelSelector=color", ["ADDED", "MODIFIED", "DELETED"]),
        ("labelSelector=color%3Dgreen", []),
        ("fieldSelector=metadata.name%3Dm", ["ADDED", "MODIFIED", "DELETED"]),
    ],
)
def test_what_starts_or_stops_to_match_is_added_or_deleted(
    api: Api, with_a_life: tuple[str, str], selector: str, expected: list[str]
) -> None:
    namespace, before = with_a_life
    query = f"watch=1&{selector}&resourceVersion={before}&timeoutSeconds=0.2"

    seen = events(api, f"{maps(namespace)}?{query}")

    assert [kind for kind, _ in seen] == expected


def test_without_a_version_a_watch_begins_with_what_there_is(api: Api, namespace: str) -> None:
    api("POST", maps(namespace), {"metadata": {"name": "m"}})

    seen = events(api, f"{maps(namespace)}?watch=true&timeoutSeconds=0.2")

    assert ("ADDED", "m") in seen


def test_changes_arrive_while_somebody_watches(simulator: Simulator, api: Api) -> None:
    api("POST", "/api/v1/namespaces", {"metadata": {"name": "live"}})
    since = version(api, "live")
    seen: list[Any] = []

    def watch() -> None:
        path = f"{maps('live')}?watch=1&resourceVersion={since}&timeoutSeconds=8"
        for event in api_of(simulator).lines(path):
            seen.append(event["type"])
            if len(seen) == 2:
                return

    watcher = threading.Thread(target=watch)
    watcher.start()
    api("POST", maps("live"), {"metadata": {"name": "m"}})
    api("DELETE", f"{maps('live')}/m")
    watcher.join(8)

    assert len(seen) == 2


def test_a_version_that_is_too_old_is_gone(api: Api, namespace: str) -> None:
    before = version(api, namespace)
    api("POST", maps(namespace), {"metadata": {"name": "m"}})
    api("POST", "/_sim/expire")

    (event,) = api.lines(f"{maps(namespace)}?watch=1&resourceVersion={before}&timeoutSeconds=1")

    assert event["type"] == "ERROR"
    assert (event["object"]["code"], event["object"]["reason"]) == (410, "Expired")


def test_a_bookmark_says_how_far_it_is(api: Api, namespace: str) -> None:
    since = version(api, namespace)
    api("POST", "/api/v1/namespaces", {"metadata": {"name": "unrelated"}})
    query = f"watch=1&allowWatchBookmarks=true&resourceVersion={since}&timeoutSeconds=0.3"

    event = list(api.lines(f"{maps(namespace)}?{query}"))[-1]

    assert event["type"] == "BOOKMARK"
    assert int(event["object"]["metadata"]["resourceVersion"]) > int(since)


def test_the_end_of_the_initial_events_is_marked_when_asked_for(api: Api, namespace: str) -> None:
    query = "watch=1&sendInitialEvents=true&allowWatchBookmarks=true&timeoutSeconds=0.2"

    kinds = [
        (event["type"], "annotations" in event["object"]["metadata"])
        for event in api.lines(f"{maps(namespace)}?{query}")
    ]

    assert ("BOOKMARK", True) in kinds
