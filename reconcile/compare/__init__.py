"""Comparing: what moved, what is missing, what is in doubt, and the verdict on each."""
