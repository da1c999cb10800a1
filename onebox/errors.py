"""What goes wrong while starting, as one line each."""


class CannotStart(Exception):
    """The start is given up; the message is the one line the operator reads."""
