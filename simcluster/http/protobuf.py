"""The binary bodies that kubectl sends where it uses typed clients, as plain objects.

``kubectl auth can-i``, ``create token`` and ``create namespace`` leave no choice of JSON.  The
messages below are those, and the other small kinds of ``kubectl create``; of each the fields that
matter here.  Larger kinds (``create deployment``) are refused with 415: use a manifest.
"""

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from simcluster.errors import ApiError
from simcluster.objects import Object

CONTENT_TYPE: Final = "application/vnd.kubernetes.protobuf"
MAGIC: Final = b"k8s\x00"
ENVELOPE_TYPE: Final = 1
ENVELOPE_BODY: Final = 2

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True, slots=True)
class Field:
    """A field: its name in JSON, its type, and whether it may be repeated.

    The type is ``string``, ``bytes``, ``int``, ``bool``, ``map`` or the name of a message;
    ``map:bytes`` and ``map:Quantity`` are maps of those.
    """

    name: str
    type: str = "string"
    repeated: bool = False


def _message(**fields: str) -> Mapping[int, Field]:
    """Return a message from fields such as ``f3="name type repeated"``."""
    message = {}
    for number, text in fields.items():
        name, value_type, repeated = (*text.split(), "", "")[:3]
        message[int(number[1:])] = Field(name, value_type or "string", repeated == "repeated")
    return message


MESSAGES: Final[Mapping[str, Mapping[int, Field]]] = {
    "TypeMeta": _message(f1="apiVersion", f2="kind"),
    "ObjectMeta": _message(
        f1="name",
        f2="generateName",
        f3="namespace",
        f5="uid",
        f6="resourceVersion",
        f11="labels map",
        f12="annotations map",
        f14="finalizers string repeated",
    ),
    "Quantity": _message(f1="string"),
    "ConfigMap": _message(f1="metadata ObjectMeta", f2="data map", f3="binaryData map:bytes"),
    "DeleteOptions": _message(
        f1="gracePeriodSeconds int",
        f2="preconditions Preconditions",
        f3="orphanDependents bool",
        f4="propagationPolicy",
        f5="dryRun string repeated",
    ),
    "Preconditions": _message(f1="uid", f2="resourceVersion"),
    "Eviction": _message(f1="metadata ObjectMeta", f2="deleteOptions DeleteOptions"),
    "Namespace": _message(f1="metadata ObjectMeta"),
    "ResourceQuota": _message(f1="metadata ObjectMeta", f2="spec ResourceQuotaSpec"),
    "ResourceQuotaSpec": _message(f1="hard map:Quantity", f2="scopes string repeated"),
    "Secret": _message(
        f1="metadata ObjectMeta", f2="data map:bytes", f3="type", f4="stringData map"
    ),
    "ServiceAccount": _message(f1="metadata ObjectMeta"),
    "SelfSubjectReview": _message(f1="metadata ObjectMeta"),
    "SelfSubjectAccessReview": _message(f1="metadata ObjectMeta", f2="spec AccessSpec"),
    "AccessSpec": _message(
        f1="resourceAttributes ResourceAttributes", f2="nonResourceAttributes PathAttributes"
    ),
    "ResourceAttributes": _message(
        f1="namespace",
        f2="verb",
        f3="group",
        f4="version",
        f5="resource",
        f6="subresource",
        f7="name",
    ),
    "PathAttributes": _message(f1="path", f2="verb"),
    "SelfSubjectRulesReview": _message(f1="metadata ObjectMeta", f2="spec RulesSpec"),
    "RulesSpec": _message(f1="namespace"),
    "TokenRequest": _message(f1="metadata ObjectMeta", f2="spec TokenSpec"),
    "TokenSpec": _message(f1="audiences string repeated", f4="expirationSeconds int"),
    "Role": _message(f1="metadata ObjectMeta", f2="rules Rule repeated"),
    "ClusterRole": _message(f1="metadata ObjectMeta", f2="rules Rule repeated"),
    "Rule": _message(
        f1="verbs string repeated",
        f2="apiGroups string repeated",
        f3="resources string repeated",
        f4="resourceNames string repeated",
        f5="nonResourceURLs string repeated",
    ),
    "RoleBinding": _message(
        f1="metadata ObjectMeta", f2="subjects Subject repeated", f3="roleRef RoleRef"
    ),
    "ClusterRoleBinding": _message(
        f1="metadata ObjectMeta", f2="subjects Subject repeated", f3="roleRef RoleRef"
    ),
    "Subject": _message(f1="kind", f2="apiGroup", f3="name", f4="namespace"),
    "RoleRef": _message(f1="apiGroup", f2="kind", f3="name"),
}


def read(body: bytes) -> Object:
    """Return the object in a body, or raise 415 when it is of a kind not listed here."""
    if not body.startswith(MAGIC):
        raise _unreadable("it does not begin as one of Kubernetes' own")
    envelope = dict(_fields(body[len(MAGIC) :]))
    meta = _read("TypeMeta", bytes(envelope.get(ENVELOPE_TYPE, b"")))
    kind = meta.get("kind", "")
    if kind not in MESSAGES:
        raise _unreadable(f"{kind} is not among the kinds it is understood for")
    return {**meta, **_read(kind, bytes(envelope.get(ENVELOPE_BODY, b"")))}


def _read(message: str, data: bytes) -> Object:
    known, result = MESSAGES[message], Object()
    for number, raw in _fields(data):
        field = known.get(number)
        if field is None:
            continue
        if field.type.startswith("map"):
            key, value = _entry(field.type.partition(":")[2] or "string", bytes(raw))
            result.setdefault(field.name, {})[key] = value
        elif field.repeated:
            result.setdefault(field.name, []).append(_value(field.type, raw))
        elif (value := _value(field.type, raw)) not in ("", {}):
            result[field.name] = value
    return result


def _entry(value_type: str, data: bytes) -> tuple[str, Any]:
    fields = dict(_fields(data))
    value = _value(value_type, fields.get(2, b""))
    if value_type == "Quantity":
        value = value.get("string", "0")
    return bytes(fields.get(1, b"")).decode(), value


def _value(value_type: str, raw: int | bytes) -> Any:
    if isinstance(raw, int):
        return bool(raw) if value_type == "bool" else raw
    if value_type == "string":
        return raw.decode()
    if value_type == "bytes":
        return base64.b64encode(raw).decode()
    return _read(value_type, raw)


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield the number and the raw value of each field of a message."""
    place = 0
    while place < len(data):
        tag, place = _varint(data, place)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == VARINT:
            value, place = _varint(data, place)
            yield number, value
            continue
        if wire_type == LENGTH:
            size, place = _varint(data, place)
        elif wire_type in {FIXED64, FIXED32}:
            size = 8 if wire_type == FIXED64 else 4
        else:
            raise _unreadable(f"wire type {wire_type}")
        yield number, data[place : place + size]
        place += size


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if place >= len(data):
            raise _unreadable("it ends too early")
        byte = data[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:  # noqa: PLR2004 -- the bit that says there is more
            return value, place


def _unreadable(why: str) -> ApiError:
    return ApiError(415, "UnsupportedMediaType", f"this protobuf cannot be read: {why}")
