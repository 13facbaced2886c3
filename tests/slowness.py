"""What the campaigns promise of a store that is slow."""

SLOW_IS_NOT_BROKEN = False
"""A delay of ours counts neither as an attempt nor as a failure of the broker, and every call has its whole time-out.

False until the deadline of a call allows for the commit before it; then True, and this switch goes.
"""
