"""Who may do what, and how much of it fits: pure functions of objects."""
