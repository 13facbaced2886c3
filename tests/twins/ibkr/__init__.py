"""TWS, as far as its wire goes, over the simulated venue: `tws_twin` runs it in a test, `python -m tests.twins.ibkr` by hand."""

from tests.twins.ibkr.server import ACCOUNT, CATALOGUE, TwsTwin, tws_twin

__all__ = ["ACCOUNT", "CATALOGUE", "TwsTwin", "tws_twin"]
