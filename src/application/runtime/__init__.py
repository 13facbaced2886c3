"""How work runs: in lanes, side by side, in the background.

1. Operators come before reports, reports before signals.
2. What fails ends alone.
3. Time passes by the injected clock.
"""
