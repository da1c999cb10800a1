"""What is typed or chosen on the planning page."""

from typing import Final

from django import forms

from tokenomics import documents

_LONGEST_BYTES: Final = 4 * documents.LONGEST_TEXT


class DocumentForm(forms.Form):
    """A scenario's text: typed, or a file that was chosen."""

    yaml = forms.CharField(required=False, strip=False)
    file = forms.FileField(required=False, max_length=200)
    version = forms.IntegerField(required=False, min_value=1, max_value=2**31 - 2)
    team = forms.CharField(required=False, max_length=40)

    def text(self) -> str:
        """Return what was given, as far as it is read; a file counts more than text."""
        self.is_valid()
        upload = self.cleaned_data.get("file")
        if upload is not None:
            return bytes(upload.read(_LONGEST_BYTES)).decode(errors="replace")
        return str(self.cleaned_data.get("yaml", "")).replace("\r\n", "\n")
