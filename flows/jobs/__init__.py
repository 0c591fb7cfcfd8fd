"""The jobs beside the full run: what each is about, and how it ends."""
