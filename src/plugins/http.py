"""For a broker over HTTP, by `requests`: sessions that try once, and what their failures say of an order."""

from liveorder.infrastructure.http_session import error_of, one_try_session

__all__ = ["error_of", "one_try_session"]
