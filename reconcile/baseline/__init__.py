"""The baseline: what each side last showed, and the differences that are known and stand."""
