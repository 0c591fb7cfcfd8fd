"""The core: compares two snapshots with a baseline and settles what follows; no network, no clock, no environment."""
