"""Results as other tools read them: one format a file, found by entry points."""
