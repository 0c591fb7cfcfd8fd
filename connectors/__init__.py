"""The outside: one side each, in its own terms; no policy, no mapping."""
