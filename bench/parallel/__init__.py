"""A suite past one process: units of work that any executor carries, shards, and what a run will cost."""
