"""The builders: a session's desired state as the objects to apply.  Pure functions of the spec.

What a builder returns is what is sent, in the API server's own canonical form (``15`` cores, not
``15000m``), so that comparing it with what the server returns shows drift and nothing else.
"""
