"""Applying: the plan is carried out, looked at again, and settled."""
