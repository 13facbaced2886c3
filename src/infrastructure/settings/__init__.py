"""Settings: a TOML file, a `.env` file and the environment, checked once at start."""

from liveorder.infrastructure.settings.model import Settings
from liveorder.infrastructure.settings.sections import AccountSettings

__all__ = ["AccountSettings", "Settings"]
