"""The jobs, each in a file of its own.

What it is about, and what it does that the others do not.
"""
