"""Linking: which record of one side is which of the other, and who may be the same."""
