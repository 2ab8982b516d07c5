"""Readers of physical quantities, one class a file."""
