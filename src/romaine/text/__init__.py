"""From texts to token ids: exact tokenising, its fast path, windows and batches."""
