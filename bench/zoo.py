"""The networks of a suite, ready to be explained: built, with weights loaded from a file or trained."""
