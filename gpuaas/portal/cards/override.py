"""What somebody may book in spite of, said before they do it.  Pure: problems in, card out."""

from collections.abc import Sequence
from dataclasses import dataclass

from reservations import policy


@dataclass(frozen=True, slots=True)
class Override:
    """The rules that would be set aside: ``codes`` for the form, ``lines`` for people."""

    codes: str
    lines: tuple[str, ...]


def override_of(
    problems: Sequence[policy.Problem], *, authority: policy.Approver | None
) -> Override | None:
    """Return what to offer to somebody with ``authority``; None unless it sets all of it aside.

    A reason that is missing stands in nobody's way: it is asked for with the offer.
    """
    rules = [problem for problem in problems if problem.code != "reason_missing"]
    if not rules or not all(problem.may_be_set_aside_by(authority) for problem in rules):
        return None
    codes = dict.fromkeys(problem.code for problem in rules)
    return Override(" ".join(codes), tuple(problem.message for problem in rules))
