"""Is what lies on disk what it says it is? Result sets recomputed in part, stores checked and pruned."""
