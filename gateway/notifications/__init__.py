"""Telling the world outside: callbacks to apps, and messages to reviewers."""
