"""What an API token looks like, and what of it is kept.  Pure.

    gpuaas_<12 hexadecimal digits: which one>_<40: the secret>

The form is fixed, so that secret scanners find one that was left lying about.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from typing import Final

PATTERN: Final = re.compile(r"gpuaas_([0-9a-f]{12})_([0-9a-f]{40})")
_NUMBER_BYTES: Final = 6
_SECRET_BYTES: Final = 20


@dataclass(frozen=True, slots=True)
class Presented:
    """A token as its holder shows it: what it is called by, and what proves it."""

    public_id: str
    secret: str

    @property
    def text(self) -> str:
        return f"gpuaas_{self.public_id}_{self.secret}"

    @property
    def digest(self) -> str:
        """What is kept.  The secret is 160 random bits: a slow hash would guard nothing more."""
        return hashlib.sha256(self.secret.encode()).hexdigest()

    def proves(self, digest: str) -> bool:
        """Return whether the secret is the one behind ``digest``, in constant time."""
        return hmac.compare_digest(self.digest, digest)


def draw() -> Presented:
    """Return a new token."""
    return Presented(secrets.token_hex(_NUMBER_BYTES), secrets.token_hex(_SECRET_BYTES))


def read(text: str) -> Presented | None:
    """Return the token that ``text`` is; None if it has not the form of one."""
    found = PATTERN.fullmatch(text)
    return found and Presented(found[1], found[2])
