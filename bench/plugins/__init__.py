"""What plug-ins are there, and what their files say of them, without running any."""
