"""ETag and If-Match: who changes a booking can say which version of it they looked at."""

import re
from typing import TYPE_CHECKING, Final

from rest_framework.request import Request

from gpuaas.core import errors

if TYPE_CHECKING:
    from reservations.models import Reservation

_TAG: Final = re.compile(r'(?:W/)?"([^"]*)"')


class ChangedMeanwhile(errors.DomainError):
    """The booking is not the one that the caller looked at: nothing was changed."""

    code = "changed_meanwhile"

    def __init__(self, reservation: "Reservation") -> None:
        super().__init__("this booking was changed since you looked: nothing was done, look again")
        self.reservation = reservation


def etag(reservation: "Reservation") -> str:
    """Return the ETag of the reservation as it was read."""
    return f'"{reservation.version}"'


def check(request: Request, reservation: "Reservation") -> None:
    """Refuse a request whose If-Match names another version; without one there is no condition.

    Raises:
        ChangedMeanwhile: none of the versions named is the present one.
    """
    wanted = request.headers.get("If-Match", "").strip()
    if wanted in {"", "*"}:
        return
    if str(reservation.version) not in _TAG.findall(wanted):
        raise ChangedMeanwhile(reservation)
