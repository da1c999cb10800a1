"""The form of an API token."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from gpuaas.accounts import tokens


def test_a_drawn_token_can_be_read_and_proves_itself() -> None:
    drawn = tokens.draw()

    assert tokens.PATTERN.fullmatch(drawn.text)
    assert tokens.read(drawn.text) == drawn
    assert drawn.digest == hashlib.sha256(drawn.secret.encode()).hexdigest()
    assert drawn.proves(drawn.digest)


def test_no_two_are_alike() -> None:
    first, second = tokens.draw(), tokens.draw()

    assert (first.public_id, first.secret) != (second.public_id, second.secret)
    assert not first.proves(second.digest)


@given(st.text())
def test_anything_else_is_not_a_token(text: str) -> None:
    assert tokens.read(text) is None


@given(st.sampled_from(["", " ", "\n", "0", "_"]))
def test_nothing_may_be_added(extra: str) -> None:
    drawn = tokens.draw()

    assert (tokens.read(drawn.text + extra) == drawn) is (extra == "")
