"""What can go wrong, as types: each error is one line that says how to mend it."""

from __future__ import annotations


class EdgebenchError(Exception):
    """Any failure that edgebench understands.

    Args:
        message: What happened, in one line.
        remedy: What the user can do about it, in one line; empty where nothing is known.
    """

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} ({self.remedy})" if self.remedy else self.message


class UsageError(EdgebenchError):
    """The user asked for something that cannot be done; nothing was measured (exit code 2)."""


class ModelRefusedError(EdgebenchError):
    """A backend cannot run this model, precision or setting; the message is in its own words."""


class StoreError(EdgebenchError):
    """A results folder cannot be read or written."""


class WireError(EdgebenchError):
    """A worker and its parent do not understand each other."""


def plain(text: str) -> str:
    """A stranger's text without what would steer a terminal or is no Unicode."""
    return "".join(c if c.isprintable() else "?" for c in text)
