"""What metrics are made of, and the one way in which explanations are scored."""
