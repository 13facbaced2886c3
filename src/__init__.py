"""liveorder: event-sourced execution for live trading."""

if __name__ != "liveorder":
    raise ImportError(
        f"this package is called liveorder and was imported as {__name__!r}; install it (pip install -e .) and import liveorder"
    )

__version__ = "0.1.0"
