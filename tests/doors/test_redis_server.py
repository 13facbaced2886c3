"""Tests that need Redis say so where there is none, and fail where it is required."""

from __future__ import annotations

import pytest

from tests import redis_server


@pytest.mark.parametrize(("required", "outcome"), [("0", pytest.skip.Exception), ("1", pytest.fail.Exception)])
async def test_without_a_server_a_test_is_skipped_or_fails(
    required: str, outcome: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_server, "REDIS", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("LIVEORDER_REQUIRE_SERVICES", required)
    with pytest.raises(outcome, match="no Redis at"):
        async with redis_server.redis_of_a_test():
            pass
