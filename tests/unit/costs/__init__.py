"""The arithmetic of a month: no database."""
