"""Readers of other tools' results, one class a file; strict, because a guess would be a figure."""
