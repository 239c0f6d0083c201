"""The reviewers' pages: server-rendered, usable without JavaScript."""
