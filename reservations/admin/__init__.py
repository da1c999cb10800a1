"""Reservations, and the rules over them, in the admin site."""

from reservations.admin import bookings, rules, series

__all__ = ["bookings", "rules", "series"]
