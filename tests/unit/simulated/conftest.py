from __future__ import annotations

import pytest


@pytest.fixture(params=["in_process", "tcp"])
def reach(request: pytest.FixtureRequest) -> str:
    """How the broker reaches its venue."""
    return str(request.param)
