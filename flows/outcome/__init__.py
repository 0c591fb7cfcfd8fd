"""What came of a run: its report, exit code and alerts, and why a value is what it is."""
