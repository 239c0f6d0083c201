"""What a reviewer should know of a call's arguments before they decide: checks of the text, never a verdict."""
