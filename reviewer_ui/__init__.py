"""The pages that reviewers use: server-rendered, working without JavaScript."""
