"""Everything that shows that liveorder works. Hypothesis measures no times: a busy machine must fail no test."""

from hypothesis import settings

settings.register_profile("liveorder", deadline=None)
settings.load_profile("liveorder")
