"""The demo organisation.  Pure data, standard library only: the launcher prints it.

The passwords are public; the portal they open listens on loopback only.
"""

from dataclasses import dataclass
from typing import Final

PASSWORD: Final = "gpuaas-demo"  # noqa: S105 -- public on purpose, see above


@dataclass(frozen=True)
class DemoLogin:
    """One person to log in as: ``role`` for people, ``what`` to try as them."""

    username: str
    password: str
    first_name: str
    last_name: str
    role: str
    what: str


LOGINS: Final = (
    DemoLogin("ada", PASSWORD, "Ada", "Okafor", "end user", "book a GPU, open the workspace"),
    DemoLogin("mona", PASSWORD, "Mona", "Lindqvist", "team manager", "the team's bookings, admin"),
    DemoLogin("finn", PASSWORD, "Finn", "Marchetti", "finance", "see every team's bookings"),
    DemoLogin("root", PASSWORD, "Priya", "Raman", "platform administrator", "everything"),
)
