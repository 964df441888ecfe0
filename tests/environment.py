"""Settings in the environment, for tests that share what was made with them.

Belongs here: how settings get there and out again. Must not be here: which settings there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest


@contextmanager
def in_environment(settings: Mapping[str, str]) -> Iterator[None]:
    """Settings as a deployment gives them; afterwards the environment is as it was."""
    with pytest.MonkeyPatch.context() as environment:
        for name, value in settings.items():
            environment.setenv(name, value)
        yield
