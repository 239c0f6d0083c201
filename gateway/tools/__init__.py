"""What the model may call: the registry, the built-in tools and the kinds of tool."""
