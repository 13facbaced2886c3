"""Own the store, recover, trade, shut down.

1. One engine owns one store: every append carries its fencing token (`ownership`). Without it, an engine neither appends nor sends.
2. No signal is taken before recovery has ended (`Engine.start`).
3. Everything that runs is listed in `control_flow`.
4. A command of another process is carried out once, and its answer is stored (`operator_commands`).
"""
