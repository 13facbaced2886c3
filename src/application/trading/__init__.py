"""What we ask of brokers: submit, cancel, replace.

1. A request is committed with its id, its reference and its exact bytes before the broker is called.
2. Only the caller whose commit started an attempt sends it. A resend uses the same key and the same bytes.
3. A definite failure may be retried. An ambiguous one is left to `recovery`, never inferred.
4. A halt is checked in the transaction that starts a submission.
5. A signal claims its key once, in the transaction that stores its order.
"""
