"""Several devices train as one, and stop together.

Processes take long to start: what needs logical devices, or several processes,
is done by one program each, tests/strategies_*.py, and asked here.
"""
