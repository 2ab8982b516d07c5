"""This machine's facts, read from a root that tests may plant."""
