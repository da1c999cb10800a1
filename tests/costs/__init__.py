"""What a month costs, and who pays it."""
