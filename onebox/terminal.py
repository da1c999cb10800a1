"""What the launcher prints: one line per step, with its time; colour only where a human looks."""

import contextlib
import os
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Final, TextIO

_GREEN: Final = "32"
_RED: Final = "31"
_BOLD: Final = "1"
_DIM: Final = "2"
_LABEL_WIDTH: Final = 22
_DETAIL_WIDTH: Final = 44


class Terminal:
    """Prints steps as they end; on a terminal also what is under way."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._live = stream.isatty()
        self._coloured = self._live and "NO_COLOR" not in os.environ

    @contextlib.contextmanager
    def step(self, label: str) -> Iterator["Step"]:
        """Show a step: its label now, its time and detail when it ends."""
        began = time.monotonic()
        step = Step()
        if self._live:
            self._write(f"  ..  {label}\r")
        try:
            yield step
        except BaseException:
            self._end(self._paint(_RED, "--"), label, step, began)
            raise
        self._end(self._paint(_GREEN, "ok"), label, step, began)

    def say(self, line: str = "") -> None:
        """Print one line."""
        self._write(f"{line}\n")

    def heading(self, line: str) -> None:
        self.say(self._paint(_BOLD, line))

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print rows in columns as wide as their widest cell."""
        widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
        for number, row in enumerate((head, *rows)):
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            line = "  " + "   ".join(cells).rstrip()
            self.say(self._paint(_DIM, line) if number == 0 else line)

    def _end(self, mark: str, label: str, step: "Step", began: float) -> None:
        seconds = time.monotonic() - began
        self._write(
            f"  {mark}  {label:<{_LABEL_WIDTH}} {step.detail:<{_DETAIL_WIDTH}} {seconds:6.1f} s\n"
        )

    def _write(self, text: str) -> None:
        # The reader may have gone (a closed terminal, `| head`): no reason to stop the product.
        with contextlib.suppress(BrokenPipeError):
            self._stream.write(text)
            self._stream.flush()

    def _paint(self, colour: str, text: str) -> str:
        return f"\033[{colour}m{text}\033[0m" if self._coloured else text


class Step:
    """A step under way; `detail` is shown beside its label when it ends."""

    def __init__(self) -> None:
        self.detail = ""


def standard() -> Terminal:
    """Return the terminal of standard output."""
    return Terminal(sys.stdout)
