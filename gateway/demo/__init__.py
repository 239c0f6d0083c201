"""A small shop, its conversations and the scripted Mistral server; imported by the command line alone."""
