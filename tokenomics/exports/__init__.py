"""Cost reports as files, one module a format.  Pure: the same rows make the same bytes."""
