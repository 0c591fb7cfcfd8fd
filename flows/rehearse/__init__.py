"""Plays nights of a pair on copies of both sides, and checks each by what people typed."""
