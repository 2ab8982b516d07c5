"""Reading results folders and putting them together."""
