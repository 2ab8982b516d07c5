"""Rows, tables, CSV and frames."""
