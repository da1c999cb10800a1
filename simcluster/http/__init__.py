"""Requests to verbs, errors to answers: the only part that knows HTTP."""
