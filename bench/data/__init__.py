"""Images as networks see them: read, transformed, in batches."""
