from datetime import datetime, timedelta


def at_hours(now: datetime, hours: float) -> datetime:
    return now + timedelta(hours=hours)
