"""`python3 -m onebox`: the one file that an old Python must be able to read.

It therefore uses nothing newer than Python 3.6, and imports the rest only after the check.
"""

import sys

NEEDED = (3, 11)

if sys.version_info < NEEDED:
    sys.exit(
        f"cannot start: needs Python >= {NEEDED[0]}.{NEEDED[1]}, this is {sys.version_info[0]}."
        f"{sys.version_info[1]} ({sys.executable}); name another one with PYTHON=..."
    )

from onebox import cli  # noqa: E402 -- only a new enough Python can read it

if __name__ == "__main__":
    sys.exit(cli.main(sys.argv[1:]))
