"""Packs: workloads, and models derived from them, carried from a host to devices as one file."""
