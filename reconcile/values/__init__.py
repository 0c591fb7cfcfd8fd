"""Values: native to canonical and back, and how they correspond.

It also holds what a pair file may declare about them.
"""
