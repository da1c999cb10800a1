"""How an owner reaches a workspace with their own kubectl.  Pure: rows in, finished text out."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sessions.models import ClusterToken

# A pass of the reconciler makes it: half a minute at most.
ASKED_REFRESH_SECONDS: Final = 3
READY_REFRESH_SECONDS: Final = 10


@dataclass(frozen=True, slots=True)
class ConnectCard:
    """Where its namespace is, and where the token is that its owner may ask for.

    ``state`` is that of the token; ``api_url`` is empty where the cluster is not offered.
    """

    namespace: str
    api_url: str
    state: str
    expires_at: datetime | None
    waits_until: datetime | None
    problem: str
    refresh_seconds: int | None


def connect_card(
    *, namespace: str, api_url: str, token: "ClusterToken | None", now: datetime
) -> ConnectCard:
    """Return the card for the owner of the session with ``namespace``."""
    state = token.state_at(now).value if token else "NONE"
    refresh = {"ASKED": ASKED_REFRESH_SECONDS, "READY": READY_REFRESH_SECONDS}
    return ConnectCard(
        namespace=namespace,
        api_url=api_url,
        state=state,
        expires_at=token.expires_at if token else None,
        waits_until=token.taken_until if token and state == "READY" else None,
        problem=token.problem if token else "",
        refresh_seconds=refresh.get(state),
    )
