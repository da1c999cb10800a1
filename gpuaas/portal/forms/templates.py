"""Keeping a booking as a template."""

from django import forms


class TemplateForm(forms.Form):
    """Of which booking, under which name, and for whom."""

    of = forms.UUIDField()
    name = forms.CharField(max_length=60)
    is_shared = forms.BooleanField(required=False)
