"""Where state lies: leases, backups, stores, and the pair files that a ledger keeps."""
