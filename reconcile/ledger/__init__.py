"""The ledger: everything that is remembered between runs, and how its tables came about."""
