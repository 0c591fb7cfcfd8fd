"""What starts a run from outside."""
