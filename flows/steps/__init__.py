"""The steps that every job is made of, and what they need to know."""
