"""Inference runtimes, one class a file, its one framework imported at its top."""
