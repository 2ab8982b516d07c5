"""Pure functions on records, rows and frames."""
