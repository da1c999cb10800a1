"""What is said in the reader's language when it is read, not when it is written down."""

from typing import cast

from django.utils.translation import gettext_lazy


def later(text: str) -> str:
    """Return ``text``, marked for translation; for constants of modules and classes.

    It is Django's lazy text under the type that it has for whoever reads it.
    """
    return cast("str", gettext_lazy(text))
