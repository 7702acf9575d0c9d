"""What attribution methods are made of."""
