"""What recipes are made of, and the loop that trains by them."""
