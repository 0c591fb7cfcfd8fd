"""The stage: what both sides hold in a run, in DuckDB, and what is kept of it afterwards."""
