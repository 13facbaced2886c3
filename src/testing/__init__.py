"""What a broker's adapter must do, as cases to run against any adapter.

`BrokerContract` runs them under pytest. `liveorder certify` runs those that are safe against a real account. See
docs/writing-a-broker.md.
"""
