"""The core: compares two snapshots with a baseline and settles what follows.

No network, no clock, no environment.
"""
