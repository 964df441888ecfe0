"""The errors that scoring raises: what was wrong, where, and what to do about it.

Belongs here: exception classes. Must not: handling, logging, values of customers.
"""


class ScoringError(ValueError):
    """Base of every error that an input or a misuse of this package can cause."""


class FrameError(ScoringError):
    """A frame lacks a column, repeats a key, or holds a value outside its domain."""


class LeakageError(ScoringError):
    """A feature knows the outcome: by its name (deny-list) or by what it predicts."""


class ClockError(ScoringError):
    """A model would score a date that its training data has already seen."""


class RegistryError(ScoringError):
    """A stored model is missing, incomplete, or differs from what is being written."""
