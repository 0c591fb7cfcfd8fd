"""Many pairs from one template and a table of locations."""
