"""The kubeconfig of a booking's owner: where its namespace is, and how one logs in."""

from typing import TYPE_CHECKING, Any

from gpuaas.accounts.models import User
from gpuaas.core import errors
from reservations import lifecycle
from sessions import kubeconfig
from sessions.models import SessionState, WorkspaceSession

if TYPE_CHECKING:
    from reservations.models import Reservation


class NotYourWorkspace(errors.DomainError):
    """Only who booked it is let into its namespace."""

    code = "not_your_workspace"


class WorkspaceNotReady(errors.DomainError):
    """There is no namespace that anybody could be let into: not yet, or not any more."""

    code = "workspace_not_ready"


class ClusterNotOffered(errors.DomainError):
    """Its people are not told where its Kubernetes API is."""

    code = "cluster_not_offered"


def kubeconfig_for(
    *, reservation: "Reservation", session: WorkspaceSession | None, person: User
) -> tuple[dict[str, Any], str]:
    """Return a kubeconfig for the namespace of ``reservation``, and how one logs in with it.

    It holds no secret.

    Raises:
        NotYourWorkspace: ``person`` did not book it.
        WorkspaceNotReady: there is nothing to be let into.
        ClusterNotOffered: the cluster's record has no address of its API.
    """
    session, access = way_in(reservation=reservation, session=session, person=person)
    return kubeconfig.build(access, namespace=session.namespace), kubeconfig.login(access)


def way_in(
    *, reservation: "Reservation", session: WorkspaceSession | None, person: User
) -> tuple[WorkspaceSession, kubeconfig.Access]:
    """Return the session that ``person`` is let into, and how people reach its cluster.

    Raises what `kubeconfig_for` raises.
    """
    require_owner(reservation=reservation, person=person)
    if session is None or session.state != SessionState.READY.value:
        raise WorkspaceNotReady(_why_not_ready(reservation, session))
    cluster = reservation.pool.cluster
    if not cluster.api_url:
        raise ClusterNotOffered(
            f"{cluster}'s Kubernetes API is not offered: use kubectl in the workspace, "
            "or ask a platform administrator to enter the cluster's address"
        )
    return session, kubeconfig.Access(
        cluster=cluster.name,
        api_url=cluster.api_url,
        api_ca_pem=cluster.api_ca_pem,
        oidc_issuer_url=cluster.oidc_issuer_url,
        oidc_client_id=cluster.oidc_client_id,
    )


def require_owner(*, reservation: "Reservation", person: User) -> None:
    """Refuse everybody but who booked it.

    Raises:
        NotYourWorkspace: ``person`` did not.
    """
    if reservation.requested_by_id != person.pk:
        raise NotYourWorkspace(f"only {reservation.requested_by} is let into this workspace")


def _why_not_ready(reservation: "Reservation", session: WorkspaceSession | None) -> str:
    if reservation.state in {state.value for state in lifecycle.TERMINAL}:
        return f"the booking is {reservation.state.lower()}: its workspace is gone"
    if session is None:
        return f"the workspace comes up at {reservation.starts_at:%Y-%m-%d %H:%M} UTC"
    if session.state == SessionState.PROVISIONING.value:
        return f"the workspace is not up yet: {session.waiting_for or 'it is being prepared'}"
    return "the workspace is being removed"
