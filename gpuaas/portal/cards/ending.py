"""The two ways to end a reservation by hand, in words.  Pure."""

from dataclasses import dataclass
from typing import Final

from gpuaas.core.language import later
from reservations.lifecycle import TRANSITIONS, State

_LOST: Final = later(
    "The workspace is shut down and its namespace deleted, with everything in it: "
    "home folder, model cache, running containers. Nothing of it can be brought back."
)
_COPY: Final = later("Copy or push what you want to keep first.")
_FREE: Final = later("The capacity is free for others at once.")
_NOTHING_LOST: Final = later("Nothing has been started yet, so nothing is lost.")


@dataclass(frozen=True, slots=True)
class Ending:
    """What the question says, what its button says, and what is said when it is done."""

    target: State
    url_name: str
    test_id: str
    question: str
    button: str
    done: str
    meaning: str

    def is_possible(self, state: str) -> bool:
        """Return whether the lifecycle lets a reservation in ``state`` end this way."""
        return self.target in TRANSITIONS[State(state)]

    def consequences(self, state: str) -> tuple[str, ...]:
        """Return what will happen, above all to the data."""
        started = state == State.ACTIVE
        data = (_LOST, _COPY) if started else (_NOTHING_LOST,)
        return (self.meaning, *data, _FREE) if self.meaning else (*data, _FREE)


GIVE_BACK: Final = Ending(
    target=State.COMPLETED,
    url_name="portal:give_back",
    test_id="confirm-give-back",
    question=later("Give it back early?"),
    button=later("Give back"),
    done=later("Given back. The workspace is being removed."),
    meaning=later("The booking counts as completed."),
)
CANCEL: Final = Ending(
    target=State.CANCELED,
    url_name="portal:cancel",
    test_id="confirm-cancel",
    question=later("Cancel this booking?"),
    button=later("Cancel booking"),
    done=later("Canceled."),
    meaning="",
)
