"""Planning: verdicts become operations and questions, in order and within limits."""
