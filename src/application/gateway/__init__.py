"""One account's way to its broker.

1. Every failure is sorted: ours (nothing left), definite (surely not received, or refused), or ambiguous.
2. No call begins after the deadline that is stored with its request.
3. A call is made once; whether it is made again is decided in `trading`.
4. The broker's rates are kept, with a share reserved for cancels.
"""
