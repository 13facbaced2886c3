"""HTTP of a running service: who may ask, and what is answered. Needs `liveorder[http]`."""
