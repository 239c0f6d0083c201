"""The face that clients of Cheqpoint know: its paths, its words in camelCase, its errors. The use cases are ours.

What it must answer was found by running the unmodified ``cheqpoint`` 0.2.0 SDK.
"""

PATHS = ("/api/approvals/", "/api/webhooks/")
