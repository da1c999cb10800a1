"""What the ways out raise."""


class NotDelivered(Exception):
    """It did not arrive.  ``is_final``: trying again cannot help."""

    def __init__(self, reason: str, *, is_final: bool = False) -> None:
        super().__init__(reason)
        self.is_final = is_final
