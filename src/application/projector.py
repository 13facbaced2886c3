"""The pump: follows the log and keeps the read models level with it, or builds them anew.

Nothing here can touch trading: it only reads the log, and what goes wrong is reported and tried again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from itertools import batched
