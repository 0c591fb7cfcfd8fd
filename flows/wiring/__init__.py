"""From a pair to its connectors and credentials."""
