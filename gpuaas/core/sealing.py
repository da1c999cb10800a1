"""Secrets that have to lie in the database lie there sealed: a copy of it is no key to anything.

The key is derived from Django's `SECRET_KEY`; what was sealed under one of `SECRET_KEY_FALLBACKS`
opens as well, and is sealed anew when it is next written.
"""

import base64
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

_PURPOSE: Final = b"gpuaas: secrets at rest"


class SealBroken(Exception):
    """It was sealed under a key that is gone, or is no sealed text."""


def seal(text: str) -> str:
    """Return ``text`` so that only this installation can read it."""
    return _keys().encrypt(text.encode()).decode("ascii")


def unseal(sealed: str) -> str:
    """Return what was sealed.

    Raises:
        SealBroken: none of today's keys opens it.
    """
    try:
        return _keys().decrypt(sealed.encode()).decode()
    except InvalidToken as error:
        raise SealBroken("sealed under another key, or not sealed at all") from error


def reseal(sealed: str) -> str:
    """Return the same secret sealed under today's first key, so that older ones can go.

    Raises:
        SealBroken: none of today's keys opens it.
    """
    try:
        return _keys().rotate(sealed.encode()).decode("ascii")
    except InvalidToken as error:
        raise SealBroken("sealed under another key, or not sealed at all") from error


def _keys() -> MultiFernet:
    return MultiFernet(
        Fernet(_derived(secret)) for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    )


def _derived(secret: str) -> bytes:
    derivation = HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE)
    return base64.urlsafe_b64encode(derivation.derive(secret.encode()))
