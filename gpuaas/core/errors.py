"""What every anticipated error of the domain has in common."""

from typing import ClassVar


class DomainError(Exception):
    """A refusal that the caller can act on.

    ``code`` is stable and meant for programs; the message is meant for people.  Interfaces map
    the class to their own form (HTTP status, form error); the domain knows none of them.
    """

    code: ClassVar[str]
